"""`workflow.experiment`: people are dealt to variants by weight, and stay."""

from collections import Counter
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from tests.registry.blocks.called import call


def variant(key="", **more):
    return call("workflow.experiment", **{
        "name": "greeting", "variants": {"a": 80, "b": 20, "c": 0}, "key": key, **more}).output


def test_people_are_dealt_by_weight_and_keep_their_variant():
    dealt = Counter(variant(f"person {number}")["variant"] for number in range(2000))

    assert 1500 < dealt["a"] < 1700 and dealt["c"] == 0
    assert variant("ana") == variant("ana") and variant()["key"] == "contact:7"
    assert variant(event=SimpleNamespace(contact_id=None, instance_id=1, conversation_ref="c"))[
        "key"] == "conversation:1:c"


def test_another_experiment_deals_anew():
    one = [variant(f"{n}")["variant"] for n in range(200)]
    other = [variant(f"{n}", name="other")["variant"] for n in range(200)]

    assert one != other


@pytest.mark.parametrize("variants", [{}, {"a": 0}, {"a": -1, "b": 2}])
def test_weights_that_deal_nothing_are_refused(variants):
    with pytest.raises(ValidationError):
        variant(variants=variants)


def test_order_of_variants_moves_nobody():
    turned = {"c": 0, "b": 20, "a": 80}

    assert all(variant(f"{n}") == variant(f"{n}", variants=turned) for n in range(100))
