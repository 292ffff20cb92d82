"""The reference of the language says what the tables say, all of it."""

from pathlib import Path

import pytest

from registry.expressions import names
from registry.expressions.functions import FUNCTIONS
from registry.language import grammar, reference

PAGE = Path(__file__).resolve().parents[3] / "docs" / "workflow-language.md"
SHAPES = {**grammar.SHAPES, **{f"trigger by {name}": shape
                               for name, shape in grammar.TRIGGERS.items() if name != "schedule"}}
ROWS = reference.build().splitlines()


def _starts(start):
    return [row for row in ROWS if row.startswith(start)]


def test_page_is_what_the_code_says():
    assert PAGE.read_text() == reference.build(), (
        "write it again: python -m registry.language.reference > docs/workflow-language.md")


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_every_key_of_a_shape_stands_in_one_table_in_order(shape):
    keys = [f"| `{name}` |" for name in shape]
    runs = [[" ".join(row.split()[:3]) for row in ROWS[start:start + len(keys)]]
            for start in range(len(ROWS))]

    assert keys in runs


@pytest.mark.parametrize("name", [*grammar.STEP_KINDS, *grammar.INPUT_TYPES,
                                  *grammar.RETRY_CLASSES, *names.ROOTS])
def test_word_of_the_language_has_a_row(name):
    assert _starts(f"| `{name}` |")


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_function_has_a_row_with_its_words(function):
    assert f"| `{function.signature}` | {function.about} |" in ROWS


@pytest.mark.parametrize(("key", "written"), [
    ("timeout", "| `timeout` | a duration | `30d` | longest life of a run |"),
    ("collect", "| `collect` | a whole number from 1 to 200 | `20` | events kept of a burst |"),
    ("mode", "| `mode` | `delay` or `drop` | `delay` | what happens to the others |"),
    ("via", '| `via` | a text or a list of texts | `["admin"]` | where they are asked |'),
    ("id", "| `id` | a name | | name for steps.\\<id> |")])
def test_row_tells_kind_bounds_and_default(key, written):
    assert written in _starts(f"| `{key}` |")
