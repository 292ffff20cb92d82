"""The process for trials is started once, however often and by whomever it is asked for."""

import os

import pytest

from registry.trials import starting
from registry.trials.starting import Starter

pytestmark = pytest.mark.django_db


class Child:
    """Stands for the process: it holds the files it was given, as long as it lives."""

    def __init__(self, keeps):
        self.files = [os.dup(number) for number in keeps]

    def end(self):
        for number in self.files:
            os.close(number)


@pytest.fixture
def children(monkeypatch, settings, tmp_path):
    settings.OMNI_DATA_DIR = tmp_path
    found = []
    monkeypatch.setattr(starting, "popen", lambda *, cluster, keeps: found.append(Child(keeps)))
    yield found
    for child in found:
        child.end()


def test_process_that_is_still_starting_is_not_started_again(children):
    starting.start()
    starting.start()

    assert len(children) == 1


def test_process_that_ended_is_started_again(children):
    starting.start()
    children.pop().end()
    starting.start()

    assert len(children) == 1


def test_web_process_asks_once_in_a_while(monkeypatch):
    asked = []
    monkeypatch.setattr(starting, "async_task", lambda *args, **options: asked.append(args))
    starter = Starter()

    for _ in range(5):
        starter.ask()

    assert asked == [(starting.start,)]
