#!/usr/bin/env python
"""Omni's command line: `python manage.py up` starts everything."""

import os
import select
import sys
from typing import TextIO

MINIMUM = (3, 11)
NOBODY_READS = 141  # what a shell says of a program that SIGPIPE ended


def main() -> None:
    if sys.version_info < MINIMUM:
        found = ".".join(map(str, sys.version_info[:3]))
        sys.exit(f"Omni needs Python 3.11 or newer; this is {found}.")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "omni.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError as exc:
        sys.exit(f"{exc}. Install the requirements first: pip install -r requirements.txt")
    try:
        try:
            execute_from_command_line(sys.argv)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        closed = [stream for stream in (sys.stdout, sys.stderr) if nobody_reads(stream)]
        if not closed:
            raise  # it was a peer that hung up
        for stream in closed:  # what is left to write goes nowhere, without another word
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        sys.exit(NOBODY_READS)


def nobody_reads(stream: TextIO) -> bool:
    """Whether the other end of an output is closed, as `| head` does when it has seen enough."""
    poll = select.poll()
    poll.register(stream.fileno(), 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


if __name__ == "__main__":
    main()
