"""Child processes that do not outlive their parent, whatever ends it."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from signal import SIGKILL, SIGTERM

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent(number: int = SIGTERM) -> Callable[[], None] | None:
    """A `preexec_fn` that has the kernel send signal `number` to the child when we die.

    Linux only, elsewhere None. Linux means the thread that starts the child: start children from
    the main thread. Source: prctl(2), PR_SET_PDEATHSIG.
    """
    if _libc is None:
        return None
    parent = os.getpid()

    def ask_kernel() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # it died before the kernel was asked
            os._exit(1)

    return ask_kernel


def has_exited(process: subprocess.Popen) -> bool:
    """Whether the process has ended, leaving it unreaped so that its group keeps its number."""
    if process.returncode is not None:
        return True
    found = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return found is not None


def end_group(process: subprocess.Popen) -> None:
    """Kill the process and all that it started in its group. It leads that group."""
    with suppress(ProcessLookupError, PermissionError):  # macOS: not allowed on a group of zombies
        os.killpg(process.pid, SIGKILL)
