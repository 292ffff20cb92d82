#!/usr/bin/env python
"""Omni's command line: `python manage.py up` starts everything."""

import os
import sys

MINIMUM = (3, 11)


def main() -> None:
    if sys.version_info < MINIMUM:
        found = ".".join(map(str, sys.version_info[:3]))
        sys.exit(f"Omni needs Python 3.11 or newer; this is {found}.")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "omni.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError as exc:
        sys.exit(f"{exc}. Install the requirements first: pip install -r requirements.txt")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
