"""Pytest plugin: one throw-away PostgreSQL in memory for the whole run, and a clean environment.

Also which tests run where and when: all cores, what takes long first, and the tests of one running
system in one process.

Loaded with `-p`, because pytest-django reads the settings before any conftest. The workers of
`pytest -n` inherit the address; the databases of each worker are pytest-django's.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from time import time

import pytest
from xdist.scheduler import LoadFileScheduling

from omni.embedded.server import EmbeddedPostgres
from omni.errors import Unavailable

PREFIX = "omni-tests-"
FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off",
        "shared_buffers": "64MB", "max_wal_size": "256MB"}
ENVIRONMENT = {
    "OMNI_TEST_MODE": "1",
    "OMNI_GROUP_COMMIT": "0",
    "OMNI_PARALLEL_STEPS": "1",
    "OMNI_ALLOW_PRIVATE_ADDRESSES": "1",
    "OMNI_INSTANCE_CACHE_SECONDS": "0",
}
LONG = {"browser", "faults", "slow"}  # begin first, so that no core waits for the others at the end
SYSTEM = "tests/faults/"  # its files share one running system, but for this one:
FORKS = "tests/faults/test_examples_survive.py"
_run: dict = {}


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config):
    options = early_config.known_args_namespace
    if not (options.help or options.version or "PYTEST_XDIST_WORKER" in os.environ):
        _prepare()
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_auto_num_workers(config):
    """All cores for the suite; files and tests that are named run in this process."""
    named = config.invocation_params.args
    if any(".py" in str(argument) for argument in named):
        return 0
    return None


class Scheduling(LoadFileScheduling):
    """A file is the work of one process; those that share one running system are one piece."""

    def _split_scope(self, nodeid):
        file = super()._split_scope(nodeid)
        return SYSTEM if file.startswith(SYSTEM) and file != FORKS else file


def pytest_xdist_make_scheduler(config, log):
    return Scheduling(config, log)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: not LONG & {marker.name for marker in item.iter_markers()})


def pytest_unconfigure():
    _clean()


def _clean() -> None:
    if _run.get("process") != os.getpid():  # a fork of ours
        return
    if server := _run.pop("server", None):
        server.stop()
    if folder := _run.pop("folder", None):
        shutil.rmtree(folder, ignore_errors=True)


def memory_folder() -> Path:
    """A folder in memory where there is one, else the temporary folder."""
    memory = Path("/dev/shm")
    return memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())


def _prepare() -> None:
    parent = memory_folder()
    _remove_leftovers(parent)
    _run["process"] = os.getpid()
    atexit.register(_clean)  # also when pytest fails before its configuration is complete
    folder = _run["folder"] = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    for name in [name for name in os.environ if name.startswith("OMNI_")]:
        if name != "OMNI_PG_BIN":
            del os.environ[name]
    os.environ.update(ENVIRONMENT, OMNI_DATA_DIR=str(folder))
    if "DATABASE_URL" not in os.environ:
        _run["server"] = EmbeddedPostgres(folder, options=FAST)
        os.environ["DATABASE_URL"] = _run["server"].start()


def _remove_leftovers(parent: Path) -> None:
    """Folders of killed runs: older than a minute, and nobody holds them."""
    for folder in parent.glob(f"{PREFIX}*"):
        try:
            if folder.stat().st_mtime < time() - 60:
                claim = EmbeddedPostgres(folder)
                claim.claim()
                claim.stop()
                shutil.rmtree(folder, ignore_errors=True)
        except (Unavailable, OSError):
            continue
