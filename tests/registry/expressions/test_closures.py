"""What of Python is not part of the expression language."""

import pytest

from omni.errors import InvalidWorkflow
from registry.expressions.expression import compile_expression


def problems(source: str) -> list[str]:
    with pytest.raises(InvalidWorkflow) as caught:
        compile_expression(source)
    return [problem.message for problem in caught.value.problems]


@pytest.mark.parametrize(("source", "word"), [
    ("lambda: 1", "a lambda"), ("[x for x in event.batch]", "a comprehension"),
    ("f'{event}'", "an f-string"), ("2 ** 9", "'**'"), ("event.text[1:2]", "a slice"),
    ("{'a': 1}", "a mapping"), ("{1}", "a set"), ("(x := 1)", "':='"), ("7 // 2", "'//'"),
    ("~1", "'~'"), ("+1", "a leading '+'"), ("1 << 2", "'<<'"), ("1 ^ 2", "'^'"),
])
def test_other_parts_of_python_are_not_in_the_language(source, word):
    assert any(message.startswith(word) and "not part of the language" in message
               for message in problems(source))


@pytest.mark.parametrize("source", [
    "().__class__.__bases__[0].__subclasses__()", "event.__class__", "event._private",
    "__import__('os').system('id')", "event.text.__class__.__mro__", "_x", "event.text.format(1)",
    "getattr(event, 'text')", "'a' * 10 ** 9", "9 ** 9 ** 9", "(" * 900 + ")" * 900,
    "-" * 1900 + "1", "event" + ".a" * 900, "not " * 450 + "true", "[" * 250 + "]" * 250,
    "event\0", "open('/etc/passwd').read()", "eval('1')", "yield 1", "await x", "b'x'", "r'x'",
    "...", "1j", "1e999", "9" * 20, "lower(*[1])", "event.ｔext.__ｃlass__", "x; y", "import os",
    "lambda: (yield)", "\\", "event.text\\\n", "%",
])
def test_attacks_end_in_problems(source):
    assert problems(source)
