"""The demo's day: told as its providers would, and played through the real front door."""

import re
from datetime import UTC, datetime

import pytest
from django.test import Client

from omni.demo import instances
from omni.demo.script import OPENS, Turn, line

LINES = [(part, one) for part in instances.ALL for one in part.LINES]
ONE_TURN = ("said again", "forged")


def make_turn(tag="t"):
    return Turn(tag=tag, now=lambda: datetime.now(UTC), credentials={
        part.SLUG: part.new_credentials() for part in instances.ALL})


@pytest.fixture
def door(httpserver):
    """An HTTP server whose webhook addresses are the real front door, in this thread's database."""
    client, taken = Client(), []

    def take(request):
        headers = {f"HTTP_{name.upper().replace('-', '_')}": value
                   for name, value in request.headers if name.lower() != "content-type"}
        taken.append((request.path, request.get_data(), headers, request.content_type))
        answer = client.post(request.path, data=request.get_data(),
                             content_type=request.content_type or "application/json", **headers)
        return httpx2_to_werkzeug(answer)

    httpserver.expect_request(re.compile("/webhooks/.*")).respond_with_handler(take)
    return httpserver


def httpx2_to_werkzeug(answer):
    from werkzeug import Response

    return Response(answer.content, status=answer.status_code)


def told(part, ref=None, kind=None, turn=None):
    """The request of the first line with that ref or kind."""
    found = next(one for one in part.LINES
                 if (one.facts.get("ref") == ref if ref else one.kind == kind))
    return part.request(found, turn or make_turn())


def test_day_has_more_than_a_hundred_deliveries_in_the_order_of_the_clock():
    for part in instances.ALL:
        times = [one.at for one in part.LINES]
        assert times == sorted(times) and times[0] >= 0, part.SLUG
    assert len(LINES) > 110


def test_line_of_the_opening_is_at_once():
    assert line(OPENS, "ana", "message").at == 0.0
    assert line("08:01:30", "ana", "message").at == 90.0


@pytest.mark.parametrize("part", instances.ALL, ids=lambda part: part.SLUG)
def test_lines_speak_only_of_earlier_lines(part):
    known = {"last"}
    for one in part.LINES:
        for name in ("about", "answers"):
            if name in one.facts:
                assert one.facts[name] in known, one
        known |= {one.facts.get("ref"), *one.facts.get("refs", ())}


def test_ids_are_those_of_one_turn():
    first, second = make_turn("a"), make_turn("b")

    assert first.id_of("x") == first.id_of("x")
    assert first.id_of("x") != second.id_of("x")
    assert first.id_of("x") != first.id_of("y")
