import time

import pytest

from actions import splitting


@pytest.mark.parametrize(("text", "parts"), [
    ("one", ["one"]),
    ("one\ntwo", ["one\ntwo"]),
    ("one\n\ntwo", ["one", "two"]),
    ("one\n \t\n\n  two\r\n\r\nthree", ["one", "two", "three"]),
    ("\n\n one \n\n", ["one"]),
    ("  ", []),
])
def test_blank_lines_begin_a_new_message(text, parts):
    assert splitting.split(text) == parts


@pytest.mark.parametrize(("text", "parts"), [
    ("see\n\n```\na\n\nb\n```\n\ndone", ["see", "```\na\n\nb\n```", "done"]),
    ("  ```python\na\n\nb\n  ```\n\ndone", ["```python\na\n\nb\n  ```", "done"]),
    ("say ```a\n\nb``` now\n\ndone", ["say ```a\n\nb``` now", "done"]),
    ("```\nprint('```')\n\nb\n```\n\ndone\n\n```\nc\n\nd\n```",
     ["```\nprint('```')\n\nb\n```", "done", "```\nc\n\nd\n```"]),
    ("````\n```\na\n\nb\n```\n\nc\n````\n\ndone",
     ["````\n```\na\n\nb\n```\n\nc\n````", "done"]),
    ("```a```\n\none\n\n```b```", ["```a```", "one", "```b```"]),
    ("see\n\n```\nnever\n\nclosed", ["see", "```\nnever\n\nclosed"]),
    ("a ``` alone\n\ndone", ["a ``` alone", "done"]),
    ("text ``` lonely\n\nb\n\n```\nx\n\ny\n```\n\nz",
     ["text ``` lonely", "b", "```\nx\n\ny\n```", "z"]),
    ("a ``` b\n\n- ```sh\n  x\n\n  y\n  ```\n\nz",
     ["a ``` b", "- ```sh\n  x\n\n  y\n  ```", "z"]),
    ("a ``` b\n\n~~~\nx ```\n\ny\n~~~\n\nz", ["a ``` b", "~~~\nx ```\n\ny\n~~~", "z"]),
    ("> ```\n> a\n\nb\n\n```\nx\n\ny\n```\n\nz",
     ["> ```\n> a", "b", "```\nx\n\ny\n```", "z"]),
    ("> - ~~~\n> a\n\nb ``` c\n\n```\nx\n\ny\n```\n\nz",
     ["> - ~~~\n> a", "b ``` c", "```\nx\n\ny\n```", "z"]),
    ("> ```\n> a\n> ```\n\nb\n\n```\nx\n\ny\n```",
     ["> ```\n> a\n> ```", "b", "```\nx\n\ny\n```"]),
    ("say ```a\n\nb\n``` now\n\ndone", ["say ```a\n\nb\n``` now", "done"]),
    ("say ```a\n\nb\n```\n\ndone", ["say ```a\n\nb\n```", "done"]),
    ("```\r\na\r\n\r\nb\r\n```\r\n\r\ndone", ["```\r\na\r\n\r\nb\r\n```", "done"]),
    ("```\n" + "long\n\n" * 30_000 + "```\n\nend", ["```\n" + "long\n\n" * 30_000 + "```", "end"]),
])
def test_code_is_never_cut(text, parts):
    assert splitting.split(text) == parts


@pytest.mark.parametrize(("code", "rest"), [
    ("~~~\na\n\nb\n~~~", ["done"]),
    ("~~~ sh `x` ~\na\n\n```\n\nb\n~~~~", ["done"]),
    ("~~~~\na\n\n~~~\n\nb\n~~~~", ["done"]),
    ("```\na\n\n~~~\n\nb\n```", ["done"]),
    ("```\na\n\n``` no\n\nb\n```", ["done"]),
    ("```\na\n\n    ```\n\nb\n```", ["done"]),
    ("```\na\n\necho ```\n\nb\n```", ["done"]),
    ("1. run\n   ```sh\n   a\n\n   b\n   ```", ["done"]),
    ("10. run\n     ~~~sh\n     a\n\n     b\n     ~~~", ["done"]),
    ("- a\n  - b\n      ```\n      a\n\n      b\n      ```", ["done"]),
    ("- ```\n  a\n\n  b\n  ```", ["done"]),
    ("- ~~~\n  a\n\n  b\n  ~~~\n- two", ["done"]),
    ("2) - ~~~\n     a\n\n     b\n     ~~~", ["done"]),
    ("-\n  ~~~\n  a\n\n  b\n  ~~~", ["done"]),
    ("1. sloppy\n    ~~~\na\n\nb\n~~~", ["done"]),
    ("- never closed\n  ~~~\n  a\n\n  b", ["done"]),
    ("- never closed\n  ```\n  a\n\n  b", ["done", "- ~~~\n  c\n\n  d\n  ~~~"]),
    ("```\na\n\nb``` pair", ["done"]),
    ("~~~\r\na\r\n\r\nb\r\n~~~", ["done"]),
])
def test_code_fenced_in_any_way_is_never_cut(code, rest):
    assert splitting.split("\n\n".join(["see", code, *rest])) == ["see", code, *rest]


@pytest.mark.parametrize("code", ["~~~\na\n\nb", "````\na\n\n```\n\nb", "~~~\na\n\n```\n\nb"])
def test_fence_that_is_never_closed_runs_to_the_end(code):
    assert splitting.split(f"see\n\n{code}\n\nno end") == ["see", f"{code}\n\nno end"]


@pytest.mark.parametrize("line", ["x\n    ~~~", "~~", "a ~~~", "a ~~~ b ~~~", "x\n~~ ~"])
def test_what_is_no_fence_holds_nothing_together(line):
    assert splitting.split(f"{line}\n\none\n\ntwo") == [line, "one", "two"]


@pytest.mark.parametrize("line", [
    "- ```x\n", "- ~~~\n\n", "a ``` b\n", "- - - - - ~\n", "~~~~\n~~~ x\n",
    "1. " * 8 + "```\n", "```` ``` `````\n\n", "      \n"])
def test_text_made_of_fences_is_split_at_once(line):
    started = time.perf_counter()

    splitting.split(line * (64 * 1024 // len(line)))

    assert time.perf_counter() - started < 2


def test_text_stays_whole_when_splitting_is_off():
    assert splitting.split("one\n\ntwo", enabled=False) == ["one\n\ntwo"]


def test_what_is_beyond_the_last_message_stays_in_it():
    text = "\n\n".join(str(number) for number in range(50))

    parts = splitting.split(text)

    assert len(parts) == splitting.MAX_PARTS and parts[-1].endswith("49")


@pytest.mark.parametrize(("text", "mentions"), [
    ("hi @5511988887777!", ["5511988887777"]),
    ("@5511988887777 @5511988887777 @447700900123", ["5511988887777", "447700900123"]),
    ("mail ana@5511988887777", []),
    ("@ana @123", []),
    ("@12345678901234567890", []),
])
def test_numbers_after_an_at_sign_are_mentions(text, mentions):
    assert splitting.mentions_in(text) == mentions


LID, PHONE = "200000000000003@lid", "351922000002@s.whatsapp.net"


@pytest.mark.parametrize(("parts", "given", "mentions"), [
    (["hello", "bye"], [LID], [[LID], []]),
    (["hello", "bye @200000000000003"], [LID], [[], [LID]]),
    (["@200000000000003 a", "@200000000000003 b"], [LID], [[LID], [LID]]),
    (["hi @200000000000003 @200000000000003"], [LID, LID], [[LID]]),
    (["hi", "@351922000002"], [PHONE, "+351922000002"], [[], [PHONE]]),
    (["hi", "@447700900123"], [LID], [[LID], ["447700900123"]]),
    (["mail x@200000000000003", "and @2000000000000031"], [LID], [[LID], []]),
    (["hi @ana", "bye"], ["ana@example.org", "bo"], [["bo", "ana@example.org"], []]),
    (["hi"], [""], [[]]),
])
def test_mention_belongs_to_the_message_that_writes_it(parts, given, mentions):
    assert splitting.mentions_of(parts, given) == mentions


def test_digits_of_a_known_hidden_id_are_no_phone():
    assert splitting.mentions_of(["hi @200000000000003"], [], known=[LID]) == [[LID]]
    assert splitting.mentions_of(["hi"], [], known=[LID]) == [[]]


def test_only_given_handles_are_mentioned_when_numbers_are_not_read():
    parts = ["hi @200000000000003", "@351922000002 @447700900123"]

    assert splitting.mentions_of(parts, [PHONE], known=[LID], written=False) == [[], [PHONE]]


def test_pause_is_the_same_again_for_the_same_key():
    first = splitting.pause_before("omni:1:2", least=0.3, most=1.0)
    again = splitting.pause_before("omni:1:2", least=0.3, most=1.0)

    assert first == again and 0.3 <= first <= 1.0


def test_pauses_differ_between_parts():
    pauses = {splitting.pause_before(f"omni:1:{n}", least=0.3, most=1.0) for n in range(5)}

    assert len(pauses) == 5
