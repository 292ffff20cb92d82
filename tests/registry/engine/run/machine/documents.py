"""Random workflows for the machine, of every kind of step and gate."""

import json
from types import SimpleNamespace
from typing import Any

from hypothesis import strategies as st

from actions.base import Action, Effects, Output, Params, done
from registry.language import document
from registry.language.definition import Definition


class ProbeParams(Params):
    say: Any = None


def _action(id: str, effects: Effects) -> Action:
    return Action(id=id, function=lambda *_: done(), params=ProbeParams, output=Output,
                  effects=effects, timeout=30.0, idempotent=False, secret=frozenset(), version=1)


_ACTIONS = {"custom.look": _action("custom.look", "none"),
            "custom.change": _action("custom.change", "write"),
            "custom.send": _action("custom.send", "send")}
LIBRARY = SimpleNamespace(get=_ACTIONS.__getitem__, ids=lambda: list(_ACTIONS),
                          actions=lambda: _ACTIONS, nearest=lambda id: "")
RETRY = {"max": 1, "delay": "5s", "backoff": "fixed", "jitter": False}
CHILD = {"omni": 1, "id": "child", "trigger": [{"manual": True}],
         "steps": [{"uses": "custom.look"}, {"wait": "5s"}, {"uses": "custom.send"}]}

_uses = st.builds(
    lambda id, retry, on_error: {"uses": id, **retry, **on_error},
    st.sampled_from(list(_ACTIONS)), st.sampled_from([{}, {"retry": RETRY}]),
    st.sampled_from([{}, {"on_error": "continue"}, {"on_error": "continue"},
                     {"on_error": [{"uses": "custom.send"}]}]))
_leaves = st.one_of(
    _uses, _uses, _uses,
    st.just({"set": {"n": "${{ default(vars.n, 0) + 1 }}"}}),
    st.just({"wait": "10s"}),
    st.just({"wait": {"event": "message.text", "match": {"conversation": "${{ conversation.id }}"},
                      "where": "event.text == 'a'", "timeout": "60s", "since": "trigger"}}),
    st.just({"approval": {"ask": "ok?", "of": "user:ana", "timeout": "60s"}}),
    st.sampled_from(["wait", "detach"]).map(
        lambda mode: {"call": {"workflow": "child", "mode": mode}, "on_error": "continue"}),
    st.sampled_from([{"if": "event.text == 'a'", "stop": "done"},
                     {"if": "event.text == 'b'", "stop": "ignored"}]))


def _nested(steps: Any) -> Any:
    lists = st.lists(steps, min_size=1, max_size=2)
    return st.one_of(
        st.tuples(lists, lists).map(lambda arms: {"branch": [
            {"if": "event.text == 'a'", "do": arms[0]}, {"else": arms[1]}]}),
        st.tuples(lists, st.sampled_from([1, 2]), st.sampled_from([{}, {"on_error": "continue"}]))
        .map(lambda loop: {"for_each": {"in": "[1, 2, 3]", "do": loop[0], "parallel": loop[1]},
                           **loop[2]}),
        st.tuples(lists, lists, st.sampled_from([{}, {"on_error": "continue"}])).map(
            lambda arms: {"parallel": {"left": arms[0], "right": arms[1]}, **arms[2]}),
        st.tuples(lists, lists).map(lambda options: {"decide": {
            "using": "agent.wish", "question": "q", "options": {
                "one": options[0], "two": options[1]}}}))


_steps = st.lists(st.recursive(_leaves, _nested, max_leaves=6), min_size=1, max_size=4)
_gates = st.fixed_dictionaries({}, optional={
    "once": st.just({"key": "event.text", "per": "60s"}),
    "debounce": st.just({"quiet": "5s", "max": "20s", "key": "conversation.id", "collect": 3}),
    "throttle": st.sampled_from(["delay", "drop"]).map(
        lambda mode: {"limit": 2, "per": "30s", "mode": mode}),
    "concurrency": st.tuples(st.sampled_from([1, 2]), st.sampled_from(
        ["queue", "skip", "restart", "parallel"])).map(
            lambda gate: {"limit": gate[0], "mode": gate[1], "key": "conversation.id"}),
    "cancel_on": st.just([{"event": "message.text", "match": {
        "conversation": "${{ conversation.id }}", "direction": "outbound"},
        "where": "event.text == 'b'"}]),
    "on_error": st.just([{"uses": "custom.send"}])})


@st.composite
def definitions(draw: Any) -> Definition:
    return parsed({"omni": 1, "id": "tried", "trigger": [{"event": "message.text"}],
                   **draw(_gates), "steps": draw(_steps)})


def parsed(data: dict[str, Any]) -> Definition:
    return document.parse(json.dumps(data), library=LIBRARY)
