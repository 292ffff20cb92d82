"""`for_each`: every item once, over crashes and pauses."""

import pytest

from actions.base import Outcome, failed
from events.models import EventAction
from registry.engine.run import journal
from registry.models import Wait
from tests.registry.runs import Crash, advance, crash, forward, output_of

pytestmark = pytest.mark.django_db
EACH = """
- set: {people: [ana, bo, cy]}
- id: loop
  for_each:
    in: vars.people
    do:
      - id: greet
        uses: custom.change
        with: {say: "${{ loop.number }}/${{ loop.count }} ${{ item }}"}
- uses: custom.look
  with: {say: "${{ steps.loop.output.count }} ${{ steps.greet.output.said }}"}
"""


def test_steps_are_done_for_every_item_in_order(start, probe):
    run = advance(start(EACH))

    assert run.state == "done"
    assert probe.calls == ["1/3 ana", "2/3 bo", "3/3 cy", "3 3/3 cy"]
    assert list(EventAction.objects.filter(run_id=run.pk, step_id="greet").order_by("id")
                .values_list("iteration", flat=True)) == ["0", "1", "2"]


def test_every_turn_has_an_effect_key_of_its_own(start, probe):
    advance(start(EACH))

    keys = [context.effect_key for context in probe.contexts[:3]]
    assert len(set(keys)) == 3 and keys[1].endswith(".do[0]@1")


def test_crash_in_the_middle_repeats_no_turn(start, probe):
    probe.answers = [Outcome("done", {"said": "a"}), Crash()]
    run = start(EACH)
    crash(run)

    advance(run)

    assert run.state == "done"
    assert probe.calls == ["1/3 ana", "2/3 bo", "2/3 bo", "3/3 cy", "3 3/3 cy"]


def test_list_is_the_one_the_loop_began_with(start, probe):
    probe.answers = [Crash()]
    event_text = start("""
- id: loop
  for_each: {in: "split(event.text, ' ')", do: [{uses: custom.send, with: {say: "${{ item }}"}}]}
""")
    crash(event_text)
    event_text.event.text = "a b c"
    event_text.event.save()

    advance(event_text)

    assert probe.calls == ["hello", "hello"]


def test_turns_pass_their_variables_on(start, probe):
    run = advance(start("""
- set: {sum: 0}
- for_each: {in: "[1, 2, 3]", do: [{set: {sum: "${{ vars.sum + item }}"}}]}
- uses: custom.look
  with: {say: "${{ vars.sum }}"}
"""))

    assert run.state == "done" and probe.calls == [6]


def test_loops_in_loops_know_their_turns(start, probe):
    run = advance(start("""
- for_each:
    in: "[1, 2]"
    do:
      - for_each:
          in: "['a', 'b']"
          do: [{uses: custom.look, with: {say: "${{ loop.index }}${{ item }}"}}]
      - uses: custom.look
        with: {say: "${{ item }}"}
"""))

    assert probe.calls == ["0a", "1b", 1, "0a", "1b", 2]
    assert EventAction.objects.filter(run_id=run.pk, iteration="1.0").exists()


def test_while_ends_the_loop_and_its_answer_is_kept(start, probe):
    run = advance(start("""
- set: {go: true}
- for_each:
    in: "[1, 2, 3, 4]"
    while: vars.go
    do: [{uses: custom.look, with: {say: "${{ item }}"}}, {set: {go: "${{ item < 2 }}"}}]
"""))

    assert run.state == "done" and probe.calls == [1, 2]
    assert output_of(run, "steps[1].while", "2") == {"go": False}


@pytest.mark.parametrize(("loop", "said"), [
    ("{in: \"[1, 2, 3]\", limit: 2, do: [{wait: 1s}]}", "3 items and for_each.limit is 2"),
    ("{in: event.text, do: [{wait: 1s}]}", "for_each.in must be a list, not text"),
    ("{in: \"[1, 2, 3]\", limit: 2, while: \"true\", do: [{set: {a: 1}}]}",
     "still true after 2 turns")])
def test_loop_that_cannot_be_done_says_why(start, probe, loop, said):
    run = advance(start(f"- {{id: loop, for_each: {loop}}}"))

    assert run.state == "failed" and said in run.reason


@pytest.mark.parametrize("empty", ["[]", "event.subject"])
def test_empty_list_has_no_turns(start, probe, empty):
    run = advance(start(f"- for_each: {{in: \"{empty}\", do: [{{uses: custom.look}}]}}"))

    assert run.state == "done" and probe.calls == []


def test_failure_inside_ends_the_run_unless_the_loop_handles_it(start, probe):
    probe.answers = [failed("no luck", code="odd")]
    run = advance(start("""
- id: loop
  for_each: {in: "[1, 2]", do: [{id: one, uses: custom.look}]}
  on_error: [{uses: custom.look, with: {say: "${{ error.step_id }} ${{ error.code }}"}}]
- {uses: custom.look, with: {say: after}}
"""))

    assert run.state == "done" and probe.calls == [None, "one odd", "after"]


def test_pause_inside_gives_the_worker_back_and_goes_on_where_it_was(start, probe):
    run = start("""
- for_each: {in: "[1, 2, 3]", do: [{uses: custom.send, with: {say: "${{ item }}"}}, {wait: 4s}]}
""")

    for done in (1, 2, 3):
        advance(run)
        assert (run.state, len(probe.calls)) == ("waiting", done)
    advance(run)

    assert run.state == "done" and probe.calls == [1, 2, 3]


def test_turns_that_are_left_behind_are_not_read_again(start, probe):
    run = start("""
- set: {sum: 0}
- for_each:
    in: "[1, 2, 3, 4, 5, 6]"
    do: [{id: add, set: {sum: "${{ vars.sum + item }}"}}, {wait: 4s}]
- {uses: custom.look, with: {say: "${{ vars.sum }} ${{ steps.add.output.sum }}"}}
""")
    for _ in range(6):
        advance(run)

    turns = {iteration for _, iteration, _ in journal.recorded(run)} - {""}
    advance(run)

    assert turns == {"4", "5"} and probe.calls == ["21 21"]


def test_several_turns_at_a_time_wait_together(start, probe):
    run = advance(start("""
- for_each:
    in: "[1, 2, 3]"
    parallel: 2
    do: [{uses: custom.send, with: {say: "${{ item }}"}}, {wait: 10s}, {set: {last: "${{ item }}"}}]
- {uses: custom.look, with: {say: "${{ vars.last }}"}}
"""))
    begun = list(probe.calls)
    forward(Wait.objects.latest("wake_at").wake_at)  # each turn's wait began at its own moment
    advance(run)
    then = list(probe.calls)
    advance(run)

    assert (begun, then) == ([1, 2], [1, 2, 3])
    assert run.state == "done" and probe.calls == [1, 2, 3, 3]
