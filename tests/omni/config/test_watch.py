"""A process that remembers keeps what it knows fresh, and one that does not asks nothing."""

import threading

import pytest

from omni.config import revision
from omni.config.watch import Watch
from tests.waiting import until


@pytest.mark.django_db(transaction=True)
def test_look_is_made_anew_before_it_is_too_old(settings):
    settings.OMNI_INSTANCE_CACHE_SECONDS = 0.2
    revision.look()
    first = revision.view().began
    watch = Watch()
    watch.start()

    assert until(lambda: revision._known.view.began > first + 0.5)
    watch.stop()
    assert not watch._thread.is_alive()


def test_nothing_is_asked_where_nothing_is_remembered(settings):
    settings.OMNI_INSTANCE_CACHE_SECONDS = 0
    watch = Watch()
    watch.start()
    watch.stop()

    assert "config" not in {thread.name for thread in threading.enumerate()}
