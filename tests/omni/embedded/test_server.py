"""The embedded server: real starts, stops and kills on throw-away folders in memory."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg
import pytest

from omni.embedded import places as embedded_places
from omni.embedded import server as embedded
from omni.embedded.binaries import Account
from omni.embedded.places import choose_home, socket_url
from omni.embedded.server import EmbeddedPostgres
from omni.errors import InvalidInput, NotConfigured, Unavailable
from tests.postgres import FAST, memory_folder

OURSELVES = Account(os.geteuid(), os.getegid(), other=False)


@pytest.fixture(scope="module")
def pristine():
    """A data folder whose database was created and stopped once."""
    folder = Path(tempfile.mkdtemp(prefix="omni-pristine-", dir=memory_folder()))
    with EmbeddedPostgres(folder, options=FAST):
        pass
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def data_dir(pristine):
    parent = Path(tempfile.mkdtemp(prefix="omni-copy-", dir=memory_folder()))
    parent.chmod(0o711)
    subprocess.run(["cp", "-a", str(pristine), str(parent / "data")], check=True)
    yield parent / "data"
    shutil.rmtree(parent)


def ask(server, statement):
    with psycopg.connect(server.start(), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchone() if cursor.description else None


def test_new_database_speaks_utf8_in_a_locale_that_is_the_same_everywhere(data_dir):
    with EmbeddedPostgres(data_dir, options=FAST) as server:
        facts = ask(server, "SELECT current_database(), current_user, lower('É'), datlocprovider, "
                            "pg_encoding_to_char(encoding) FROM pg_database "
                            "WHERE datname = current_database()")

    assert facts == ("omni", "omni", "é", "b", "UTF8")


def test_commits_are_durable_unless_options_say_otherwise(data_dir):
    with EmbeddedPostgres(data_dir) as server:
        facts = ask(server, "SELECT current_setting('fsync'), current_setting('full_page_writes'), "
                            "current_setting('synchronous_commit')")

    assert facts == ("on", "on", "on")


def test_server_listens_only_in_a_folder_closed_to_others(data_dir):
    with EmbeddedPostgres(data_dir, options=FAST) as server:
        addresses = ask(server, "SELECT current_setting('listen_addresses')")
        mode = (data_dir / "run").stat().st_mode & 0o777

    assert (addresses, mode) == (("",), 0o700)


def test_data_survives_a_stop(data_dir):
    server = EmbeddedPostgres(data_dir, options=FAST)
    ask(server, "CREATE TABLE kept AS SELECT 7 AS number")
    server.stop()

    with server:
        assert ask(server, "SELECT number FROM kept") == (7,)


def test_data_survives_a_killed_server(data_dir):
    with EmbeddedPostgres(data_dir) as server:
        ask(server, "CREATE TABLE kept AS SELECT 7 AS number")
        os.kill(server.pid, 9)
        os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)

        assert ask(server, "SELECT number FROM kept") == (7,)


def test_stopped_server_is_not_alive(data_dir):
    server = EmbeddedPostgres(data_dir, options=FAST)
    server.start()
    alive = server.is_alive()

    server.stop()

    assert (alive, server.is_alive(), server.pid) == (True, False, None)


def test_folder_in_use_is_refused_and_named(data_dir):
    with (EmbeddedPostgres(data_dir, options=FAST),
          pytest.raises(Unavailable, match="in use by another") as refusal):
        EmbeddedPostgres(data_dir, options=FAST).start()

    assert refusal.value.code == "database_in_use" and str(data_dir) in refusal.value.message


def test_processes_of_an_earlier_server_are_refused(data_dir, monkeypatch):
    monkeypatch.setattr(embedded, "LEFTOVER_SECONDS", 0.1)
    with (data_dir / "postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        with pytest.raises(Unavailable, match="earlier PostgreSQL"):
            EmbeddedPostgres(data_dir, options=FAST).start()


def test_database_of_another_version_is_refused_with_both_versions_and_the_way_out(data_dir):
    (data_dir / "postgres" / "PG_VERSION").write_text("9\n")

    with pytest.raises(InvalidInput) as refusal:
        EmbeddedPostgres(data_dir, options=FAST).start()

    assert refusal.value.code == "database_version"
    assert all(word in refusal.value.message for word in (
        "written by PostgreSQL 9;", "here is PostgreSQL 18", "OMNI_PG_BIN"))


def test_failed_start_quotes_the_server(data_dir):
    server = EmbeddedPostgres(data_dir, options={**FAST, "shared_buffers": "plenty"})

    with pytest.raises(Unavailable, match="invalid value for parameter.*shared_buffers"):
        server.start()


def test_missing_programs_name_the_setting(data_dir, monkeypatch):
    monkeypatch.setenv("OMNI_PG_BIN", str(data_dir))

    with pytest.raises(NotConfigured) as refusal:
        EmbeddedPostgres(data_dir, options=FAST).start()

    assert refusal.value.setting == "OMNI_PG_BIN"


def test_socket_of_a_long_path_is_short_and_found_again(data_dir):
    far = data_dir.parent / ("long" * 25)
    data_dir.rename(far)

    with EmbeddedPostgres(far, options=FAST) as server:
        url = server.start()

    folder = Path(embedded_places.places_of(far)["socket"])
    assert len(str(folder)) < 90 and url == socket_url(far)
    shutil.rmtree(folder)


def test_database_moves_out_of_a_folder_that_its_account_cannot_enter(tmp_path, monkeypatch):
    class Outsider(Account):
        def reaches(self, folder):
            return tmp_path / "open" in folder.parents

    monkeypatch.setattr(embedded_places, "FALLBACK", tmp_path / "open")
    closed = tmp_path / "closed" / "data"
    closed.mkdir(parents=True)

    home = choose_home(closed, Outsider(4321, 4321, other=True))

    assert home.parent == tmp_path / "open"
    assert choose_home(closed, Outsider(4321, 4321, other=True)) == home


def test_database_that_was_moved_out_and_is_gone_is_not_replaced_by_an_empty_one(tmp_path):
    (tmp_path / "postgres.json").write_text('{"home": "/nowhere/at/all"}')

    with pytest.raises(InvalidInput, match="/nowhere/at/all, and that folder is gone"):
        choose_home(tmp_path, OURSELVES)
