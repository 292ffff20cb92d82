"""A real server on a free port with the test database, and a real browser that looks at it."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from playwright.sync_api import expect, sync_playwright

SHOTS = os.environ.get("PAGE_SHOTS")  # a folder: keep a picture of every page looked at
ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update"]
START_SECONDS = 30.0
SCREEN = {"width": 1280, "height": 820}
# Without a browser on the machine these files are left out; CI has one and leaves nothing out.
if not os.environ.get("CI") and not any(map(shutil.which, BROWSERS)):
    collect_ignore_glob = ["test_*.py"]
expect.set_options(timeout=10_000)


@pytest.fixture(scope="session")
def server(django_db_setup, tmp_path_factory):
    """The address of Omni's own ASGI application, served by granian."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    parts = urlsplit(os.environ["DATABASE_URL"])
    database = urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}"))
    log = tmp_path_factory.mktemp("server") / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "granian", "--interface", "asgi", "--host", "127.0.0.1",
             "--port", str(port), "--no-access-log", "omni.asgi:application"], cwd=ROOT, stdout=out,
            stderr=out, env={**os.environ, "DATABASE_URL": database, "OMNI_PUBLIC_URL": address})
        try:
            _wait(process, f"{address}/healthz", log)
            yield address
        finally:
            process.terminate()
            process.wait(20)


def _wait(process, url, log):
    deadline = monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError) as exc:
            if process.poll() is not None or monotonic() > deadline:
                pytest.fail(f"the server did not start ({exc}):\n{log.read_text()[-3000:]}")
            sleep(0.1)


@pytest.fixture(scope="session")
def chromium():
    """One for every file, and the event loop that its driver keeps in this thread."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.fail(f"no browser found; install one of {', '.join(BROWSERS)}")
    with sync_playwright() as playwright:
        running, loop = (playwright.chromium.launch(executable_path=found, args=QUIET),
                         asyncio.get_running_loop())
        asyncio._set_running_loop(None)
        yield running, loop
        asyncio._set_running_loop(loop)
        running.close()


@pytest.fixture(scope="module")
def browser(chromium):
    """The driver's loop counts as running only in these files: beside it the asynchronous tests of
    other files could not run theirs.
    """
    running, loop = chromium
    # Django takes that loop for async code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    asyncio._set_running_loop(loop)
    yield running
    asyncio._set_running_loop(None)
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="module")
def profile(browser, server):
    """(context, what makes it new): one for a file, so that scripts and fonts are fetched once."""
    context = browser.new_context(base_url=server, viewport=SCREEN)
    keeper = context.new_cdp_session(context.new_page())

    def clean():
        for tab in context.pages[1:]:
            tab.close()
        keeper.send("Storage.clearDataForOrigin", {"origin": server, "storageTypes": "all"})

    yield context, clean
    context.close()


@pytest.fixture
def page(profile, transactional_db):
    """A new page, where nobody has been. What breaks the content policy or throws is a fault."""
    context, clean = profile
    page = context.new_page()
    page.set_default_timeout(10_000)
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text)
            if "Content Security Policy" in message.text else None)
    yield page
    clean()
    _wait_until_quiet()
    assert faults == []


def _wait_until_quiet():
    """The server still works on what the page left; what it writes later meets the next test."""
    deadline, quiet = monotonic() + START_SECONDS, 0
    while quiet < 5 and monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = "
                           "current_database() AND pid <> pg_backend_pid() AND backend_type = "
                           "'client backend' AND state <> 'idle'")
            quiet = 0 if cursor.fetchone()[0] else quiet + 1
        sleep(0.02)


@pytest.fixture
def boss(page, server):
    """The page, signed in as a superuser named boss."""
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    page.context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value,
                               "url": server}])
    return page


@pytest.fixture
def keep_shot(page):
    """Keeps a picture of the whole page under a name, when a folder for pictures is given."""
    def keep(name):
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)
    return keep
