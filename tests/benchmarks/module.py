"""A measuring process of its own, so that what it takes of Python's lock is not ours."""

import json
import subprocess
import sys
from typing import Any

from tests.benchmarks.system import ROOT


def module(environment: dict[str, str], name: str, *arguments: object) -> dict[str, Any]:
    """Run tests.benchmarks.<name>; its last line of output as data."""
    done = subprocess.run([sys.executable, "-m", f"tests.benchmarks.{name}",
                           *map(str, arguments)], cwd=ROOT, env=environment, check=True,
                          stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])
