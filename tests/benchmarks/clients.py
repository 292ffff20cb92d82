"""Which process is at the other end of a session of PostgreSQL's (Linux, unix sockets).

The server knows no more than a name its clients give themselves; the kernel knows both ends.
Source: sock_diag(7), <linux/unix_diag.h>.
"""

import os
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

from tests.benchmarks import processes

_SOCK_DIAG_BY_FAMILY, _DUMP, _DONE, _SHOW_PEER, _ATTRIBUTE_PEER = 20, 0x301, 3, 4, 2


def names(url: str, head: int) -> dict[int, str]:
    """Process id of a backend -> name of its client: web, worker 1, worker 2, listeners.

    head: `manage.py up`. Workers are numbered by their process ids.
    """
    named = {head: "up"}
    for name, words in (("web", "omni.asgi"), ("worker", "omni_worker"), ("listeners", "listen ")):
        pids = processes.named(head, words)
        for number, pid in enumerate(pids):
            named[pid] = f"{name} {number}" if name == "worker" else name
    peers = _peers()
    clients = {inode: pid for pid in named for inode in _sockets([pid])}
    return {backend: named[clients[peers[inode]]]
            for backend in processes.postgres(url)
            for inode in _sockets([backend]) if peers.get(inode) in clients}


def _sockets(pids: Iterable[int]) -> list[int]:
    """Inodes of the sockets that processes hold open."""
    found = []
    for pid in pids:
        try:
            links = [os.readlink(file) for file in Path(f"/proc/{pid}/fd").iterdir()]
        except OSError:
            continue
        found += [int(link[8:-1]) for link in links if link.startswith("socket:[")]
    return found


def _peers() -> dict[int, int]:
    """Inode of a connected unix socket -> inode of its other end."""
    found: dict[int, int] = {}
    request = struct.pack("=BBHIIIII", socket.AF_UNIX, 0, 0, 0xFFFFFFFF, 0, _SHOW_PEER, 0, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as netlink:
        netlink.send(struct.pack("=IHHII", 16 + len(request), _SOCK_DIAG_BY_FAMILY, _DUMP, 1, 0)
                     + request)
        while True:
            data = netlink.recv(65536)
            while len(data) >= 16:
                length, kind = struct.unpack_from("=IH", data)
                if kind == _DONE or length < 16:
                    return found
                if kind == _SOCK_DIAG_BY_FAMILY:
                    _read(data[16:length], found)
                data = data[(length + 3) & ~3:]


def _read(message: bytes, found: dict[int, int]) -> None:
    inode = struct.unpack_from("=I", message, 4)[0]
    attributes = message[16:]
    while len(attributes) >= 8:
        length, kind = struct.unpack_from("=HH", attributes)
        if kind == _ATTRIBUTE_PEER:
            found[inode] = struct.unpack_from("=I", attributes, 4)[0]
        attributes = attributes[max((length + 3) & ~3, 4):]
