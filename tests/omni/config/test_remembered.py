"""What is kept in memory of the configuration."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from actions.models import Agent, ContactList
from omni.config import revision
from omni.config.remembered import Remembered

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def remembering(settings) -> None:
    settings.OMNI_INSTANCE_CACHE_SECONDS = 60


class Loads:
    """Counts the loads; `answer` is what they give."""

    def __init__(self, answer: object = "x") -> None:
        self.count, self.answer = 0, answer

    def __call__(self) -> object:
        self.count += 1
        return self.answer


def test_answer_is_loaded_once_while_its_topic_stands():
    kept, load = Remembered("agents", most=10), Loads()
    kept.get("a", load)
    ContactList.objects.create(name="vip")  # of another topic
    revision.read()
    with CaptureQueriesContext(connection) as asked:
        answers = [kept.get("a", load) for _ in range(100)]

    assert (answers, load.count, len(asked)) == (["x"] * 100, 1, 0)


def test_answer_is_loaded_anew_once_its_topic_moved():
    kept, load = Remembered("agents", most=10), Loads()
    kept.get("a", load)
    Agent.objects.create(slug="helper", name="Helper")
    revision.read()
    kept.get("a", load)

    assert load.count == 2


def test_answer_that_there_is_nothing_is_remembered_too():
    kept, load = Remembered("agents", most=10), Loads(None)

    assert [kept.get("a", load) for _ in range(3)] == [None] * 3
    assert load.count == 1


def test_oldest_goes_and_nothing_pushes_out_something():
    kept = Remembered("agents", most=3)
    for number in range(5):
        kept.get(number, Loads())
    for number in range(10, 20):
        kept.get(number, Loads(None))

    assert [number for number in range(20) if kept.knows(number)] == [2, 3, 4, 17, 18, 19]


def test_what_could_not_be_loaded_is_tried_again():
    kept, load = Remembered("agents", most=10), Loads()

    with pytest.raises(ZeroDivisionError):
        kept.get("a", lambda: 1 / 0)
    assert kept.get("a", load) == "x"


def test_one_thread_loads_and_the_others_wait():
    kept, load = Remembered("agents", most=10), Loads()
    revision.read()
    is_loading, may_end = threading.Event(), threading.Event()

    def slow() -> object:
        is_loading.set()
        assert may_end.wait(10)
        return load()

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(kept.get, "a", slow)
        assert is_loading.wait(10)
        others = [pool.submit(kept.get, "a", load) for _ in range(3)]
        may_end.set()
        answers = [one.result(10) for one in (first, *others)]

    assert (answers, load.count) == (["x"] * 4, 1)
