"""Globs over event kinds."""

import pytest

from connections.envelope import KINDS
from registry.language.event_types import fits_type, is_known


@pytest.mark.parametrize(("globs", "kind"), [
    (("message.text",), "message.text"), (("message.*",), "message.text"),
    (("message.status.*",), "message.status.read"), (("*",), "message.status.read"),
    (("message.**",), "message.status.read"), (("**.created",), "calendar.event.created"),
    (("*.updated",), "poll.updated"), (("x.y", "poll.vote"), "poll.vote"),
    (("custom.**",), "custom.a.b"), (("message.re*",), "message.reaction"),
])
def test_a_kind_fits_its_globs(globs, kind):
    assert fits_type(globs, kind)


@pytest.mark.parametrize(("globs", "kind"), [
    ((), "message.text"), (("message.*",), "message.status.read"), (("message",), "message.text"),
    (("message.*",), "xmessage.text"), (("*.text",), "message.status.text"),
    (("messageXtext",), "message.text"),
])
def test_a_star_stands_for_one_part_of_the_name(globs, kind):
    assert not fits_type(globs, kind)


@pytest.mark.parametrize("glob", [*KINDS, "message.*", "*", "**", "*.updated", "custom.order.paid",
                                  "custom.*", "system.run_failed", "message.st*.read"])
def test_kinds_and_globs_that_fit_one_are_known(glob):
    assert is_known(glob)


@pytest.mark.parametrize("glob", ["message.adio", "mesage.*", "", "custom", "custom.A", "Message.*",
                                  "message.[a-z]*", "message text*", "whatsapp.*"])
def test_kinds_that_do_not_exist_are_unknown(glob):
    assert not is_known(glob)
