"""Taking what came as expected, in the text as it is written."""

import pytest

from registry.trials import expectations, workflow_tests

pytestmark = pytest.mark.django_db
TEXT = """\
omni: 1
id: greet
trigger: [{event: message.text}]
steps:
  - id: said
    uses: route.reply
    with: {text: "Hello: you"}
tests:
  - name: greets  # the words of the shop
    event: message.text
    expect:
      path: [said]
      sends:
        - text: Bye
      state: done
  - {name: once, event: message.text, expect: {sends: [], state: failed}}
  - {name: elsewhere, event: message.image, expect: {path: [said], not_path: [said]}}
"""


def taken(text, number):
    return expectations.take(text, number, workflow_tests.run_tests(text)[number])


def test_only_the_part_that_failed_is_written_anew():
    assert taken(TEXT, 0) == TEXT.replace(
        "        - text: Bye\n", '        [{"text": "Hello: you"}]\n')


def test_document_then_passes_its_test():
    text = taken(taken(TEXT, 0), 1)

    assert [result.passed for result in workflow_tests.run_tests(text)] == [True, True, False]


def test_test_whose_event_no_longer_matches_is_left_to_people():
    assert taken(TEXT, 2) == TEXT
    assert not expectations.can_take(workflow_tests.run_tests(TEXT)[2])
