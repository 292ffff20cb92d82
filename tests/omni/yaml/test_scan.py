"""The fast loader gives what PyYAML's own gives: the same events at the same places."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from omni.yaml.scan import Loader
from tests.registry.example_library import EVERYTHING, EXAMPLES

PIECES = st.lists(st.sampled_from([
    "\n", "\n  ", "\n    ", " ", "  ", ": ", ":", "- ", "\n- ", "{", "}", "[", "]", ", ", "'", '"',
    "|\n", ">-\n", "#", " # c", "!x ", "&a ", "*a ", "? ", "---", "\n---\n", "\n...\n", "@", "\t",
    "\\n", "\r", "\r\n", "\x85", "\u2028", "\ufeff", "é", "a", "b c", "word", "key: value", "12",
    "a" * 1_100]), max_size=40).map("".join)


def told(loader: type, text: str) -> list[tuple]:
    """Every event with its places, and the error that ends them."""
    seen: list[tuple] = []
    try:
        for event in yaml.parse(text, Loader=loader):
            seen.append((type(event), getattr(event, "value", None), getattr(event, "style", None),
                         *((mark.index, mark.line, mark.column)
                           for mark in (event.start_mark, event.end_mark))))
    except yaml.YAMLError as error:
        seen.append((type(error), str(error)))
    return seen


@given(PIECES)
def test_any_text_is_read_as_by_the_loader_it_stands_for(text):
    assert told(Loader, text) == told(yaml.SafeLoader, text)


@pytest.mark.parametrize("text", [EVERYTHING, *EXAMPLES.values()])
def test_a_workflow_is_read_as_by_the_loader_it_stands_for(text):
    events = told(Loader, text)

    assert events == told(yaml.SafeLoader, text) and len(events) > 20
