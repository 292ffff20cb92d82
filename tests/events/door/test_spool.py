"""The spool: one file per delivery, whole or not at all."""

import os

import pytest

from events.door import spool
from events.door.spool_room import Room
from events.store.archive import RawRow
from tests.factories import NOON


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


@pytest.fixture
def started_again(monkeypatch):
    """A process that knows nothing yet of what its folder holds."""
    def start():
        monkeypatch.setattr(spool, "_room", room := Room(spool._sizes_in))
        spool.prepare()
        if room._counting is not None:
            assert room._counting.wait(10)
    return start


@pytest.mark.parametrize("name", ["00000000000000000001-1-000000001-900.delivery",
                                  "00000000000000000001-1-000000001.delivery"],
                         ids=["with its size", "of an older version"])
def test_what_an_earlier_process_left_takes_room(folder, settings, started_again, name):
    settings.OMNI_SPOOL_MAX_BYTES = 1000
    folder.mkdir()
    (folder / name).write_bytes(b"x" * 900)
    started_again()

    with pytest.raises(OSError, match=r"the spool is full \(1 files, 900 bytes\)"):
        spool.write(b"x" * 101)
    assert spool.write(b"x" * 100).is_file()


def test_size_of_a_delivery_is_read_from_its_name(folder, monkeypatch):
    path = spool.write(b"x" * 123)
    monkeypatch.setattr(spool.Path, "stat", lambda *_, **__: 1 / 0)

    assert list(spool._sizes_in(folder)) == [(path.name, 123)]


def test_drained_delivery_makes_room(settings):
    settings.OMNI_SPOOL_MAX_BYTES = 1000
    spool.write(spool.pack(raw_row(b"x" * 500)))
    [entry] = taken()

    spool.remove(entry)

    assert spool.write(b"x" * 900).is_file() and len(list(spool.waiting())) == 1


def test_deliveries_of_many_pieces_of_the_listing_come_in_order(monkeypatch):
    monkeypatch.setattr(spool, "_PIECE", 3)
    for number in range(20):
        spool.write(spool.pack(raw_row(b"%d" % number)))

    assert [entry.raw.body for entry in taken()] == [b"%d" % number for number in range(20)]


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


def test_what_can_not_be_stored_for_long_is_remembered_once():
    spool.write(spool.pack(raw_row()))

    for _ in range(5000):
        spool.put_back(taken())

    assert len(spool._returned) == 1 and len(taken()) == 1
