"""One running system for all tests of this folder, so that its start is paid for once."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.system import System


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    folder = Path(tempfile.mkdtemp(prefix="omni-faults-"))
    running = System(folder)
    try:
        running.start()
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)
