"""The keys of the language as tables: reading, checking and the JSON Schema all follow them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from registry.expressions import names

VERSION = 1
SLUG = "^[a-z][a-z0-9_-]{1,63}$"
MAX_STEPS = 200  # of one list
MAX_TRIGGERS = 20
MOST_COUNTED = 2_147_483_647  # what an integer of the database holds
MOST_AT_A_TIME = 32_767  # what its smallint holds
STEP_KINDS = ("uses", "set", "branch", "for_each", "parallel", "wait", "approval", "decide",
              "call", "stop")
CATCH_UPS = ("none", "last", "all")
GATES = ("once", "debounce", "throttle", "concurrency", "cancel_on", "claim")
STOP_STATUSES = ("done", "ignored", "failed")
TRIAL_STATES = (*STOP_STATUSES, "waits")
INPUT_TYPES = ("text", "number", "integer", "boolean", "list", "mapping", "choice", "duration",
               "agent", "audience", "handle", "handles", "contact", "contacts", "conversation",
               "instance", "workflow", "url")
RETRY_CLASSES = ("timeout", "rate_limited", "network", "provider_5xx")
NEVER_RETRIED = ("invalid", "denied")

Kind = Literal["version", "slug", "text", "integer", "number", "boolean", "duration", "expression",
               "texts", "choice", "mapping", "any", "template", "templates", "kinds", "retries",
               "steps", "on_error", "options", "arms", "inputs", "triggers", "matches", "tests",
               "shape", "example", "fixture", "fact", "moment", "outputs", "given", "step_names",
               "sends"]


@dataclass(frozen=True, slots=True)
class Key:
    """One key. into: the field of the dataclass it fills, when not its own name.

    shape: the table of a nested mapping, or the kind of a fact. least, most: bounds of a number,
    most items of a list.
    """

    kind: Kind
    about: str
    required: bool = False
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    shape: str = ""
    into: str = ""


Shape = Mapping[str, Key]

RETRY: Shape = {
    "max": Key("integer", "tries after the first", required=True, least=0, most=20),
    "delay": Key("duration", "before the first retry"),
    "backoff": Key("choice", "how the delay grows", choices=("fixed", "exponential")),
    "cap": Key("duration", "longest delay"),
    "jitter": Key("boolean", "vary the delay a little"),
    "errors": Key("retries", "classes of errors that are tried again"),
}
ONCE: Shape = {
    "key": Key("expression", "once for each value of this", required=True),
    "per": Key("duration", "and again after this time"),
}
DEBOUNCE: Shape = {
    "quiet": Key("duration", "start when nothing came for so long", required=True),
    "key": Key("expression", "bursts are counted per value of this"),
    "max": Key("duration", "start at the latest after this time"),
    "collect": Key("integer", "events kept of a burst", least=1, most=200),
}
THROTTLE: Shape = {
    "limit": Key("integer", "runs", required=True, least=1, most=MOST_COUNTED),
    "per": Key("duration", "in this time", required=True),
    "key": Key("expression", "counted per value of this"),
    "mode": Key("choice", "what happens to the others", choices=("delay", "drop")),
}
CONCURRENCY: Shape = {
    "limit": Key("integer", "runs at a time", required=True, least=1, most=MOST_AT_A_TIME),
    "key": Key("expression", "counted per value of this"),
    "mode": Key("choice", "what happens to the others",
                choices=("queue", "skip", "restart", "parallel")),
    "max_queue": Key("integer", "most runs in the queue", least=0, most=MOST_COUNTED),
}
MATCH: Shape = {
    "event": Key("kinds", "event kinds, globs allowed", required=True),
    "match": Key("templates", "fields that must be equal"),
    "where": Key("expression", "a filter on the event"),
}
EVENT_TRIGGER: Shape = {
    "event": Key("kinds", "event kinds, globs allowed", required=True),
    "provider": Key("texts", "only from these messaging services"),
    "instance": Key("texts", "only from these accounts, by slug"),
    "where": Key("expression", "a filter on the event"),
}
SCHEDULE: Shape = {
    "cron": Key("text", "five fields: minute hour day month weekday", required=True),
    "timezone": Key("text", "an IANA name, like America/Sao_Paulo"),
    "catch_up": Key("choice", "which missed times are made up for", choices=CATCH_UPS),
}
SCHEDULE_TRIGGER: Shape = {"schedule": Key("shape", "by the clock", required=True,
                                           shape="schedule")}
MANUAL_TRIGGER: Shape = {"manual": Key("boolean", "by hand or by the API", required=True)}
TRIGGERS: Mapping[str, Shape] = {
    "event": EVENT_TRIGGER, "schedule": SCHEDULE_TRIGGER, "manual": MANUAL_TRIGGER}
INPUT: Shape = {
    "type": Key("choice", "what kind of value", required=True, choices=INPUT_TYPES),
    "default": Key("any", "value when nothing gives one"),
    "required": Key("boolean", "the binding, or who starts it by hand, must give it"),
    "description": Key("text", "for people", into="about"),
    "choices": Key("any", "the only values it may have"),
}
WORKFLOW: Shape = {
    "omni": Key("version", "version of the language: 1", required=True),
    "id": Key("slug", "the workflow's name; never changes", required=True),
    "name": Key("text", "title for people", most=120),
    "description": Key("text", "what it is for"),
    "labels": Key("texts", "labels"),
    "priority": Key("integer", "0 to 999; lower is asked first", least=0, most=999),
    "claim": Key("slug", "exclusive slot per event, like reply"),
    "inputs": Key("inputs", "values the binding gives"),
    "vars": Key("mapping", "starting values of vars"),
    "trigger": Key("triggers", "what wakes it", required=True, into="triggers",
                   most=MAX_TRIGGERS),
    "cancel_on": Key("matches", "events that end a run"),
    "once": Key("shape", "gate: once per key", shape="once"),
    "debounce": Key("shape", "gate: wait for a burst to end", shape="debounce"),
    "throttle": Key("shape", "gate: at most so many in a time", shape="throttle"),
    "concurrency": Key("shape", "gate: at most so many at a time", shape="concurrency"),
    "timeout": Key("duration", "longest life of a run"),
    "retry": Key("shape", "default of its steps", shape="retry"),
    "on_error": Key("steps", "run when a step failed for good"),
    "steps": Key("steps", "what it does, in order", required=True),
    "tests": Key("tests", "examples that are tried on publish"),
}
STEP: Shape = {
    "id": Key("slug", "name for steps.<id>"),
    "name": Key("text", "title for people"),
    "if": Key("expression", "skipped unless true", into="condition"),
    "timeout": Key("duration", "longest time of one attempt"),
    "retry": Key("shape", "when and how it is tried again", shape="retry"),
    "on_error": Key("on_error", "fail, continue or steps"),
    "store": Key("choice", "what the trace keeps", choices=("full", "meta", "none")),
}
ARM: Shape = {
    "if": Key("expression", "taken when true"),
    "do": Key("steps", "steps of this arm"),
    "else": Key("steps", "steps when no arm was taken"),
}
FOR_EACH: Shape = {
    "in": Key("expression", "the list", required=True, into="items"),
    "do": Key("steps", "steps for each item", required=True, into="steps"),
    "limit": Key("integer", "most turns", least=1, most=100_000),
    "parallel": Key("integer", "turns at a time", least=1, most=50),
    "while": Key("expression", "goes on while true", into="going"),
}
WAIT: Shape = {
    "for": Key("duration", "this long", into="seconds"),
    "until": Key("expression", "until this time"),
    "event": Key("kinds", "until such an event"),
    "match": Key("templates", "fields of the event that must be equal"),
    "where": Key("expression", "a filter on the event"),
    "timeout": Key("duration", "at most this long for the event"),
    "since": Key("choice", "events count from this step, or since the trigger",
                 choices=("step", "trigger")),
}
APPROVAL: Shape = {
    "ask": Key("template", "the question", required=True),
    "of": Key("texts", "who may answer: group:…, user:…", required=True),
    "show": Key("template", "what exactly is approved"),
    "via": Key("texts", "where they are asked"),
    "timeout": Key("duration", "deadline"),
    "on_timeout": Key("choice", "what counts without an answer",
                      choices=("reject", "approve", "fail")),
}
DECIDE: Shape = {
    "using": Key("text", "who decides: an action or agent", required=True),
    "question": Key("template", "what is to be decided", required=True),
    "options": Key("options", "the options, each with its steps", required=True),
    "default": Key("text", "the option taken when unsure"),
    "min_confidence": Key("number", "below this the default is taken", least=0, most=1),
    "max_cost": Key("number", "above this the default is taken", least=0),
}
CALL: Shape = {
    "workflow": Key("slug", "id of the other workflow", required=True),
    "with": Key("mapping", "its inputs", into="params"),
    "mode": Key("choice", "wait for it or not", choices=("wait", "detach")),
}
STOP: Shape = {
    "status": Key("choice", "how the run ends", choices=STOP_STATUSES),
    "reason": Key("template", "why, for people"),
}
_STORED_ONLY = frozenset(  # of an event: what only its row has, or what follows from the others
    ("instance_id raw_id raw_index conversation_id actor_id contact_id target_event_id "
     "caused_by_id trace_id created_at routed_at normalizer state batch batch_text").split())


def _facts(fields: Mapping[str, names.Field]) -> dict[str, Key]:
    """Keys of an example; ids are those of rows, and an example has none."""
    return {name: Key("fact", field.about, shape=field.kind) for name, field in fields.items()
            if name != "id"}


EXAMPLE: Shape = {  # the event of a test, as fields over a fixture
    "fixture": Key("fixture", "the event it is made of; message.text when absent"),
    **_facts({name: field for name, field in names.EVENT.items() if name not in _STORED_ONLY}),
    "media": Key("shape", "the first attachment", shape="media"),
    "conversation": Key("shape", "where it happened; null for nowhere", shape="conversation"),
    "contact": Key("shape", "the person on the other side; null for nobody", shape="contact"),
    "instance": Key("shape", "the account it came through", shape="instance"),
}
TEST: Shape = {
    "name": Key("text", "what it shows, for people", most=120),
    "event": Key("example", "a stored event's id, a fixture, or fields over one", required=True),
    "inputs": Key("given", "inputs, over their defaults"),
    "mocks": Key("outputs", "by step: its output, or {status, code, reason}"),
    "answers": Key("outputs", "by step: the event of a wait, the answer of an approval"),
    "now": Key("moment", "the time it is"),
    "expect": Key("shape", "what must come of it", required=True, shape="expect"),
}
EXPECT: Shape = {
    "matched": Key("boolean", "whether the event wakes the workflow"),
    "reason": Key("text", "part of why it does not, or of why the run ended"),
    "path": Key("step_names", "steps that are done, in this order"),
    "not_path": Key("step_names", "steps that are not done"),
    "sends": Key("sends", "everything that goes out, in order; of each the fields that count"),
    "state": Key("choice", "how the run ends", choices=TRIAL_STATES),
    "outputs": Key("outputs", "by step: fields of its output"),
    "gates": Key("shape", "the keys of its gates", shape="gates"),
}
EXPECT_GATES: Shape = {name: Key("any", f"value of {name}.key")
                       for name in ("once", "debounce", "throttle", "concurrency")}
SHAPES: Mapping[str, Shape] = {
    "retry": RETRY, "once": ONCE, "debounce": DEBOUNCE, "throttle": THROTTLE,
    "concurrency": CONCURRENCY, "cancel_on": MATCH, "schedule": SCHEDULE, "input": INPUT,
    "branch": ARM, "for_each": FOR_EACH, "wait": WAIT, "approval": APPROVAL, "decide": DECIDE,
    "call": CALL, "stop": STOP, "step": STEP, "workflow": WORKFLOW,
    "test": TEST, "expect": EXPECT, "gates": EXPECT_GATES, "example": EXAMPLE,
    "media": _facts(names.MEDIA), "conversation": _facts(names.CONVERSATION),
    "contact": _facts(names.CONTACT), "instance": _facts(names.INSTANCE),
}
HABITS: Mapping[str, str] = {  # what people write who know another language of this kind
    "on": "trigger", "when": "if", "action": "uses", "run": "uses", "params": "with",
    "args": "with", "then": "do", "loop": "for_each", "sleep": "wait", "switch": "branch",
    "cron": "schedule"}
BODY_KEYS: Mapping[str, Any] = {
    "uses": "id of an action, or id@major", "with": "parameters of the action",
    "set": "values for vars", "branch": "the first arm whose condition is true",
    "for_each": "steps for each item of a list", "parallel": "arms that run side by side",
    "wait": "for a time, a moment or an event", "approval": "a person's yes or no",
    "decide": "a choice between listed options", "call": "another workflow",
    "stop": "end the run",
}
NO_TIMEOUT: Mapping[str, str] = {  # kinds for which a step's timeout means nothing -> way out
    "set": "remove it", "branch": "give it to the steps inside", "stop": "remove it",
    "wait": "write it inside wait, beside event", "approval": "write it inside approval"}
