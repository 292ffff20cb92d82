"""The spool: one file per delivery, whole or not at all."""

import os
from collections import namedtuple

import pytest

from events import spool
from events.archive import RawRow
from tests.factories import NOON

Disk = namedtuple("Disk", "total used free")


def taken(most=100, most_bytes=10 ** 9):
    return spool.take(most=most, most_bytes=most_bytes)


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.OMNI_SPOOL_DIR = str(tmp_path / "spool")
    return tmp_path / "spool"


def raw_row(body=b"body", **fields):
    return RawRow(**{
        "received_at": NOON, "instance_id": 7, "provider": "webhook", "method": "POST",
        "path": "in", "query": "a=1", "headers": {"webhook-id": "w"}, "content_type": "",
        "body": body, "size_bytes": len(body), "sha256": "0" * 64, "redacted": False,
        "transport": "http", "verified_by": "test", "flags": ["dup_keys"], **fields})


@pytest.mark.parametrize("body", [b"", b"\n\n{}\n", bytes(range(256)), b"x" * 100_000])
def test_delivery_is_read_as_it_was_written(body):
    raw = raw_row(body)

    assert spool.unpack(spool.pack(raw)) == raw


@pytest.mark.parametrize("entry", [b"", b"\n", b"{}\nbody", b"[]\n", b"{\nbody", b"\xff\xff"])
def test_file_of_something_else_is_no_delivery(entry):
    with pytest.raises(ValueError, match="no spooled delivery"):
        spool.unpack(entry)


def test_entries_come_in_the_order_of_arrival(folder):
    for number in range(12):
        spool.write(spool.pack(raw_row(b"%d" % number)))

    assert [entry.raw.body for entry in taken()] == [b"%d" % number for number in range(12)]


def test_written_file_is_private_and_leaves_no_temporary_one(folder):
    path = spool.write(b"{}\n")

    assert os.listdir(folder) == [path.name]
    assert path.stat().st_mode & 0o777 == 0o600 and folder.stat().st_mode & 0o777 == 0o700


def test_unfinished_file_of_a_killed_process_is_not_an_entry(folder):
    folder.mkdir()
    (folder / ".000-1-1.tmp").write_bytes(b"{")

    assert taken() == []


def test_file_that_is_no_delivery_is_set_aside(folder):
    folder.mkdir()
    (folder / "1.delivery").write_bytes(b"nonsense")
    spool.write(spool.pack(raw_row()))

    assert len(taken()) == 1
    assert (folder / "1.bad").read_bytes() == b"nonsense"


@pytest.mark.parametrize("is_moved", [True, False])
def test_entry_that_cannot_be_read_holds_up_no_other(folder, monkeypatch, caplog, is_moved):
    (folder / "1.delivery").mkdir(parents=True)
    (folder / "2.delivery").symlink_to("2.delivery")
    if not is_moved:
        (folder / "1.bad").write_bytes(b"in the way of a folder")
    spool.write(spool.pack(raw_row()))

    assert len(taken()) == 1
    assert (folder / "1.bad").is_dir() == is_moved
    assert {record.entry for record in caplog.records} == {"1.delivery", "2.delivery"}


def test_entry_that_another_process_drained_is_passed_over(folder):
    for number in range(2):
        spool.write(spool.pack(raw_row(b"%d" % number)))
    taken(most=1)
    for path in spool.waiting():
        path.unlink()

    assert taken() == []


def test_spool_that_is_full_refuses(settings):
    settings.OMNI_SPOOL_MAX_BYTES = 10
    spool.write(b"123456")

    with pytest.raises(OSError, match="the spool is full"):
        spool.write(b"123456")


def test_spool_of_too_many_files_refuses(monkeypatch):
    monkeypatch.setattr(spool, "_MOST_FILES", 1)
    spool.write(b"1")

    with pytest.raises(OSError, match="the spool is full"):
        spool.write(b"2")


def test_disk_that_is_nearly_full_refuses(monkeypatch):
    monkeypatch.setattr(spool.shutil, "disk_usage", lambda _: Disk(100_000, 91_000, 9_000))

    with pytest.raises(OSError, match="10 % of the disk"):
        spool.write(b"1")


def test_spool_is_off_without_a_folder(settings):
    settings.OMNI_SPOOL_DIR = ""

    assert not spool.enabled() and not spool.due()


def test_spool_is_due_at_most_every_two_seconds(monkeypatch):
    monkeypatch.setattr(spool, "_last_try", -100.0)
    spool.write(b"1")

    assert [spool.due(), spool.due()] == [True, False]


def test_empty_spool_is_not_due(monkeypatch):
    monkeypatch.setattr(spool, "_last_try", -100.0)

    assert not spool.due()


def test_room_is_found_once_and_not_for_every_delivery(monkeypatch):
    listings, waiting = [], spool.waiting
    monkeypatch.setattr(spool, "waiting", lambda *place: (
        listings.append(1), waiting(*place))[1])

    for _ in range(20):
        spool.write(b"1")

    assert len(listings) == 1


def test_spool_that_others_emptied_takes_again(settings, monkeypatch):
    settings.OMNI_SPOOL_MAX_BYTES = 10
    path = spool.write(b"123456")
    path.unlink()
    monkeypatch.setattr(spool, "_RECOUNT_SECONDS", 0.0)

    assert spool.write(b"123456").is_file()


def test_drained_delivery_makes_room(settings):
    settings.OMNI_SPOOL_MAX_BYTES = 1000
    spool.write(spool.pack(raw_row(b"x" * 500)))
    [entry] = taken()

    spool.remove(entry)

    assert spool.write(b"x" * 900).is_file() and len(spool.waiting()) == 1


def test_delivery_that_could_not_be_written_takes_no_room(settings, monkeypatch):
    settings.OMNI_SPOOL_MAX_BYTES = 10
    with monkeypatch.context() as broken, pytest.raises(OSError):
        broken.setattr(spool.durable, "write", lambda *_, **__: os.stat("/nowhere"))
        spool.write(b"123456")

    assert spool.write(b"123456").is_file()


def test_what_was_put_back_comes_first_again():
    for number in range(3):
        spool.write(spool.pack(raw_row(b"%d" % number)))

    spool.put_back(taken(most=2))

    assert [entry.raw.body for entry in taken()] == [b"0", b"1", b"2"]
