"""What is written is synced before it has its name, and its name before we go on."""

import os
from pathlib import Path

import pytest

from events.store import durable


@pytest.fixture
def steps(monkeypatch):
    """What is asked of the disk, in order: (sync | name, path)."""
    seen = []
    fsync, replace = os.fsync, os.replace

    def synced(handle):
        path = Path(os.readlink(f"/proc/self/fd/{handle}"))
        seen.append(("sync", path.name if path.is_dir() else "draft"))
        fsync(handle)

    def named(draft, path):
        seen.append(("name", Path(path).name))
        replace(draft, path)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", named)
    return seen


def test_file_is_synced_then_named_then_its_folder_is_synced(tmp_path, steps):
    durable.write(tmp_path / "a", b"bytes")

    assert steps == [("sync", "draft"), ("name", "a"), ("sync", tmp_path.name)]
    assert (tmp_path / "a").read_bytes() == b"bytes"


def test_new_folder_is_synced_into_the_one_above(tmp_path, steps):
    durable.write(tmp_path / "new" / "a", b"bytes")

    assert steps[0] == ("sync", tmp_path.name) and steps[-1] == ("sync", "new")


def test_file_that_cannot_be_synced_leaves_nothing(tmp_path, monkeypatch):
    def broken(_handle):
        raise OSError("the disk is broken")

    monkeypatch.setattr(os, "fsync", broken)

    with pytest.raises(OSError, match="broken"):
        durable.write(tmp_path / "a", b"bytes")
    assert list(tmp_path.iterdir()) == []


def test_spooled_delivery_is_on_disk_before_it_is_acknowledged(tmp_path, settings, steps):
    from events.door import spool

    settings.OMNI_SPOOL_DIR = str(tmp_path / "spool")

    path = spool.write(b"{}")

    assert steps[-3:] == [("sync", "draft"), ("name", path.name), ("sync", "spool")]


def test_stored_file_of_a_message_is_on_disk(tmp_path, settings, steps):
    from events.store import media

    settings.MEDIA_ROOT = tmp_path

    key = media._keep(b"a picture")

    folder, name = key.split("/")
    assert steps[-3:] == [("sync", "draft"), ("name", name), ("sync", folder)]
