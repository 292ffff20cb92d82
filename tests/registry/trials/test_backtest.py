"""What a workflow would have made of stored events: counts, gates and trials, and no write."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from events.models import OutboxMessage
from omni.errors import InvalidInput
from registry.models import Run
from registry.trials import backtest
from tests.factories import NOON, make_conversation, make_event, make_instance

pytestmark = pytest.mark.django_db
TEXT = """\
omni: 1
id: tried
trigger: [{event: message.text, where: event.text and event.direction == 'inbound'}]
%s
steps:
  - {uses: route.reply, with: {text: "${{ event.batch_text }}"}}
"""


@pytest.fixture
def shop():
    return make_instance()


def at(instance, seconds, **fields):
    moment = NOON + timedelta(seconds=seconds)
    return make_event(instance, **{"received_at": moment, "occurred_at": moment,
                                   "conversation_ref": "place", **fields})


def look(head="", **options):
    return backtest.backtest(TEXT % head, **{
        "since": NOON, "until": NOON + timedelta(hours=1), **options})


def test_events_are_counted_by_the_clause_that_said_no(shop):
    first = at(shop, 0)
    at(shop, 1, direction="outbound")
    at(shop, 2, text="")
    at(shop, 3, text="")
    at(shop, 4, event_type="message.image")
    at(shop, 5, source="history")

    report = look()

    assert (report.events, report.matched, report.runs) == (6, 1, 1)
    assert report.not_matched == {
        "event.direction == 'inbound'": 1, "event.text": 2,
        "no trigger takes message.image": 1, "history events wake no workflow": 1}
    assert report.examples["matched"] == [first.pk]
    assert len(report.examples["not: event.text"]) == 2


def test_range_and_instances_bound_what_is_looked_at(shop):
    other = make_instance("other")
    at(shop, -1)
    at(shop, 0)
    at(shop, 3600)
    at(other, 1)

    assert look(instances=[shop]).events == 1
    assert look().events == 2


def test_events_beyond_the_most_are_said_to_be_left_out(shop):
    for second in range(3):
        at(shop, second)

    report = look(most=2)

    assert (report.events, report.truncated, look(most=3).truncated) == (2, True, False)


def test_burst_is_one_run_with_all_its_texts(shop):
    for second, text in ((0, "a"), (3, "b"), (30, "c")):
        at(shop, second, text=text)

    report = look("debounce: {quiet: 5s}", run=True)

    assert report.gates == {"open": 2, "join": 1}
    assert (report.runs, report.tried, report.sends) == (2, 2, 2)


def test_text_of_a_burst_reaches_the_trial(shop):
    at(shop, 0, text="a")
    last = at(shop, 3, text="b")

    report = look("debounce: {quiet: 5s}", run=True)

    [trial] = report.examples["trial: done"]
    assert trial["event"] == last.pk and trial["sends"] == 1


@pytest.mark.parametrize(("head", "seconds", "gates"), [
    ("once: {key: event.conversation_ref, per: 10s}", (0, 5, 10), {"open": 2, "once": 1}),
    ("throttle: {limit: 1, per: 10s, mode: drop}", (0, 5, 10), {"open": 2, "throttled": 1}),
    ("throttle: {limit: 1, per: 10s}", (0, 5, 30), {"open": 3}),
    ("throttle: {limit: 1, per: 10s}\nconcurrency: {limit: 1, mode: skip}", (0, 5, 6, 11),
     {"open": 3, "busy": 1}),
    ("once: {key: len(event.subject)}", (0,), {"error": 1}),
])
def test_gates_count_with_the_times_of_the_events(shop, head, seconds, gates):
    for second in seconds:
        at(shop, second)

    assert look(head).gates == gates


def test_condition_on_the_time_is_asked_at_the_events_time(shop):
    at(shop, 0)
    text = (TEXT % "").replace(
        "event.text and event.direction == 'inbound'", "weekday(now) == 'monday'")

    assert backtest.backtest(text, since=NOON, until=NOON + timedelta(1)).matched == 1


def test_inputs_stand_over_their_defaults(shop):
    at(shop, 0)
    text = (TEXT % "inputs: {on: {type: boolean, default: false}}").replace(
        "where: event.text", "where: inputs.on")
    span = {"since": NOON, "until": NOON + timedelta(1)}

    assert backtest.backtest(text, **span).matched == 0
    assert backtest.backtest(text, **span, inputs={"on": True}).matched == 1


def test_trials_are_at_most_as_many_as_asked(shop):
    place = make_conversation(shop)
    for second in range(4):
        at(shop, second, conversation=place, conversation_ref=place.ref)

    report = look(run=True, trials=3)

    assert (report.runs, report.tried, report.trials) == (4, 3, {"done": 3})
    assert not Run.objects.exists() and not OutboxMessage.objects.exists()


def test_range_that_is_none_is_refused():
    with pytest.raises(InvalidInput, match="later"):
        look(until=NOON)


@pytest.mark.parametrize(("wrong", "said"), [
    (["--since", "yesterday"], "'yesterday' is not a time"),
    (["--since", "7d", "--instance", "nobody"], "there is no instance 'nobody'")])
def test_command_refuses_what_it_cannot_read(shop, tmp_path, wrong, said):
    (tmp_path / "a.yaml").write_text(TEXT % "")

    with pytest.raises(CommandError, match=said) as refused:
        call_command("workflows", "backtest", str(tmp_path / "a.yaml"), *wrong)

    assert refused.value.returncode == 2


def test_command_tells_its_report_by_line(shop, tmp_path):
    at(shop, 0)
    at(shop, 1, text="")
    (tmp_path / "a.yaml").write_text(TEXT % "")
    out = StringIO()

    call_command("workflows", "backtest", str(tmp_path / "a.yaml"), "--since", NOON.isoformat(),
                 "--until", (NOON + timedelta(hours=1)).isoformat(), "--run", stdout=out)

    assert [line.strip() for line in out.getvalue().splitlines()] == [
        "2 events, 1 matched, 1 runs", "1 not: event.text", "1 gates: open", "1 trials: done",
        "1 sends of 1 trials"]
