"""The one log stream of `manage.py up`: every line of every process, with its name in front."""

import os
import selectors
import subprocess
from collections.abc import Iterable
from typing import IO, TextIO, cast

COLOURS = (36, 33, 35, 32, 34, 31)  # ANSI foreground colours
LONGEST_LINE = 64 * 1024  # bytes; a longer line is cut in pieces


class LogStream:
    """Reads the output of processes and writes it line by line to `out`.

    `selector` tells which output is ready; its keys carry the process name as `data`.
    """

    def __init__(self, out: TextIO, *, names: Iterable[str]) -> None:
        self.selector = selectors.DefaultSelector()
        self._out: TextIO | None = out
        self._rest: dict[int, bytes] = {}  # file descriptor -> the line that is not complete yet
        names = list(names)
        width = max(map(len, names))
        coloured = out.isatty() and "NO_COLOR" not in os.environ
        self._heads = {}
        for number, name in enumerate(names):
            head = f"{name:<{width}} | "
            if coloured:
                head = f"\x1b[{COLOURS[number % len(COLOURS)]}m{head}\x1b[0m"
            self._heads[name] = head

    def write(self, name: str, text: str) -> None:
        """One line or several. A reader that went away is no reason to stop."""
        if self._out is None:
            return
        try:
            for line in text.splitlines() or [""]:
                self._out.write(f"{self._heads[name]}{line}\n")
            self._out.flush()
        except OSError:
            self._out = None

    def follow(self, name: str, process: subprocess.Popen) -> None:
        """Pass on what `process` writes from now on. It was started with stdout=PIPE."""
        pipe = cast(IO[bytes], process.stdout)
        os.set_blocking(pipe.fileno(), False)
        self._rest[pipe.fileno()] = b""
        self.selector.register(pipe, selectors.EVENT_READ, name)

    def read(self, key: selectors.SelectorKey) -> bool:
        """Pass on what is there; False when there is no more for now."""
        try:
            chunk = os.read(key.fd, LONGEST_LINE)
        except BlockingIOError:
            return False
        if not chunk:
            self._close(key)
            return False
        *lines, rest = (self._rest[key.fd] + chunk).split(b"\n")
        if len(rest) > LONGEST_LINE:
            lines, rest = [*lines, rest], b""
        self._rest[key.fd] = rest
        for line in lines:
            self._write_bytes(key.data, line)
        return True

    def finish(self, process: subprocess.Popen) -> None:
        """Pass on the last lines of a process that has ended and close its pipe."""
        pipe = cast(IO[bytes], process.stdout)
        key = self.selector.get_map().get(pipe)
        if key:
            while self.read(key):
                pass
            if pipe in self.selector.get_map():  # somebody else still holds the other end
                self._close(key)
        pipe.close()

    def _close(self, key: selectors.SelectorKey) -> None:
        self.selector.unregister(key.fileobj)
        if rest := self._rest.pop(key.fd):
            self._write_bytes(key.data, rest)

    def _write_bytes(self, name: str, line: bytes) -> None:
        self.write(name, line.decode(errors="replace").rstrip("\r"))
