"""How much the spool may hold, and that nobody waits while it is counted."""

import os
import threading
from collections import namedtuple

import pytest

from events.door import spool_room
from events.door.spool_room import Room

Disk = namedtuple("Disk", "total used free")


class Folder:
    """A folder whose listing takes as long as the test wants."""

    def __init__(self, place, **sizes):
        self.place, self.sizes, self.listings = place, sizes, 0
        self.may_be_read = threading.Event()
        self.may_be_read.set()
        self.room = Room(self._sizes_in)

    def _sizes_in(self, _place):
        self.listings += 1
        seen = dict(self.sizes)
        assert self.may_be_read.wait(10)
        return seen.items()

    def takes(self, name, size=1):
        try:
            self.room.take(self.place, name, size)
        except OSError as exc:
            return str(exc)
        return True

    def counted(self):
        if (counting := self.room._counting) is not None:
            assert counting.wait(10)
        return self.room._files, self.room._size


@pytest.fixture
def folder(tmp_path, settings):
    settings.OMNI_SPOOL_MAX_BYTES = 10
    return Folder(tmp_path)


@pytest.fixture
def known(folder):
    """A folder that was counted at the start of the process."""
    folder.room.know(folder.place)
    folder.counted()
    return folder


def test_spool_that_is_full_refuses(known):
    assert known.takes("a", 6)
    assert known.takes("b", 6) == "the spool is full (1 files, 6 bytes)"


def test_spool_of_too_many_files_refuses(known, monkeypatch):
    monkeypatch.setattr(spool_room, "_MOST_FILES", 1)
    known.takes("a")

    assert known.takes("b") == "the spool is full (1 files, 1 bytes)"


def test_disk_that_is_nearly_full_refuses(known, monkeypatch):
    monkeypatch.setattr(spool_room.shutil, "disk_usage", lambda _: Disk(100_000, 91_000, 9_000))

    assert known.takes("a") == "less than 10 % of the disk is free"
    assert known.counted() == (0, 0)


def test_folder_is_counted_once_and_not_for_every_delivery(known):
    for number in range(9):
        known.takes(str(number))
    known.room.know(known.place)

    assert known.listings == 1


def test_first_delivery_does_not_wait_until_a_long_folder_is_listed(folder):
    folder.may_be_read.clear()

    assert folder.takes("a")
    assert folder.room._counting is not None
    folder.may_be_read.set()


@pytest.mark.parametrize("is_seen", [True, False])
def test_file_that_came_or_went_while_others_are_counted_counts_once(folder, is_seen):
    folder.sizes = {"old": 4, "done": 1, **({"new": 2, "brief": 3} if is_seen else {})}
    folder.may_be_read.clear()
    folder.room.know(folder.place)
    folder.takes("new", 2)
    folder.takes("brief", 3)
    for name, size in (("brief", 3), ("done", 1)):
        folder.room.give_back(name, size)
    folder.may_be_read.set()

    assert folder.counted() == (2, 6)


def test_spool_that_others_emptied_takes_again(known, monkeypatch):
    monkeypatch.setattr(spool_room, "_PATIENCE_SECONDS", 10)
    known.takes("a", 6)
    known.sizes = {}
    monkeypatch.setattr(spool_room, "_RECOUNT_SECONDS", 0.0)

    assert known.takes("b", 6) is True and known.listings == 2


def test_refusal_of_a_full_spool_does_not_wait_until_it_is_listed(known, monkeypatch):
    monkeypatch.setattr(spool_room, "_RECOUNT_SECONDS", 0.0)
    known.takes("a", 6)
    known.may_be_read.clear()

    assert [known.takes(name, 6) for name in "bc"] == ["the spool is full (1 files, 6 bytes)"] * 2
    known.may_be_read.set()
    assert known.counted() == (0, 0) and known.listings == 2


def test_folder_that_cannot_be_listed_is_tried_again(folder, caplog):
    sizes_in, folder.room._sizes_in = folder.room._sizes_in, lambda _: os.listdir("/nowhere")
    assert folder.takes("a")
    folder.counted()

    folder.room._sizes_in = sizes_in
    folder.sizes = {"old": 10}
    folder.room.know(folder.place)

    assert folder.counted() == (1, 10) and "cannot be counted" in caplog.text
