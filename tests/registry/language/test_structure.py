"""What people are told about the head, triggers and gates of a workflow."""

import pytest

from tests.registry.example_library import errors, workflow


@pytest.mark.parametrize(("text", "expected"), [
    ("", ["line 1, column 1: a workflow is a mapping with omni, id, trigger, steps"]),
    ("[1]", ["line 1, column 1: a workflow is a mapping with omni, id, trigger, steps"]),
    ("omni: 1", ["line 1, column 1: workflow needs 'id'", "line 1, column 1: workflow needs "
                 "'trigger'", "line 1, column 1: workflow needs 'steps'"]),
    ("omni: 2\nid: ok\ntrigger: [{manual: true}]\nsteps: []",
     ["line 1, column 7: omni must be 1, the version of the language, without quotes"]),
    ("omni: 1\nid: Bad Id\ntrigger: [{manual: true}]\nsteps: []",
     ["line 2, column 5: id must be 2 to 64 small letters, digits, - and _, beginning with a "
      "letter"]),
    ("omni: 1\nid: ok\nname: 5\ndescription: [a]\non: message.text\nlabels: [1]\nsteps: {}\n"
     "trigger: []", ['line 3, column 7: name must be text; write "5" in quotes',
                     "line 4, column 14: description must be text",
                     "line 5, column 1: unknown key 'on' in workflow; did you mean 'trigger'?",
                     'line 6, column 10: labels must be text or a list of texts; write "1" in '
                     "quotes",
                     "line 7, column 8: steps must be a list; begin each item with '- '",
                     "line 8, column 10: trigger needs at least one way to wake the workflow"]),
    ("omni: 1\nid: ok\nname: " + "x" * 121 + "\npriority: 1000\ntrigger: [{manual: true}]\n"
     "timeout: 30\nsteps: []", [
         "line 3, column 7: name must have at most 120 characters",
         "line 4, column 11: priority must be at most 999",
         "line 6, column 10: timeout: '30' is not a duration; write a number and ms, s, m, h or d, "
         "like 30s"]),
    ("omni: 1\nid: ok\nsteps: []\ntrigger: [{manual: true}]\nvars: []\ninputs: []\n"
     "tests: [{event: 1}, 5]\ncancel_on: {}", ["line 5, column 7: vars must be a mapping of names"
                                               " to values, like {count: 1}",
                                               "line 6, column 9: inputs must be a mapping of "
                                               "names, like {agent: {type: text}}",
                                               "line 7, column 9: test needs 'expect'",
                                               "line 7, column 21: test must be a mapping with "
                                               "name, event, inputs, mocks, answers, now, expect",
                                               "line 8, column 12: cancel_on must be a list; "
                                               "begin each item with '- '"]),
    ("omni: 1\nid: ok\nsteps: []\ntrigger: [{manual: true}]\ninputs: {a: {}, b: {type: txt, "
     "requird: true}, c: 1}", ["line 5, column 13: input needs 'type'",
                               "line 5, column 27: input.type: 'txt' is not one of text, number, "
                               "integer, boolean, list, mapping, choice, duration, agent, "
                               "audience, handle, handles, contact, contacts, conversation, "
                               "instance, workflow, url; did you mean 'text'?",
                               "line 5, column 32: unknown key 'requird' in input; did you mean "
                               "'required'?",
                               "line 5, column 51: input must be a mapping with type, default, "
                               "required, description, choices"]),
])
def test_the_head_of_a_workflow(text, expected):
    assert errors(text) == expected


@pytest.mark.parametrize(("trigger", "expected"), [
    ("message.text", ["line 3, column 11: a trigger is a mapping, like {event: message.text}"]),
    ("{evnt: message.text}",
     ["line 3, column 12: unknown key 'evnt' in trigger; did you mean 'event'?"]),
    ("{where: event.text}",
     ["line 3, column 11: a trigger has exactly one of event, schedule, manual"]),
    ("{event: message.text, manual: true}",
     ["line 3, column 11: a trigger has exactly one of event, schedule, manual"]),
    ("{manual: false}", ["line 3, column 20: manual can only be true; remove the trigger"]),
    ("{event: []}", ["line 3, column 19: event names nothing; give it a text"]),
    ("{event: [message.text, mesage.*]}",
     ["line 3, column 34: unknown event 'mesage.*'; did you mean 'message.*'?"]),
    ("{event: message.text, from: x}",
     ["line 3, column 33: unknown key 'from' in trigger; known: event, provider, instance, where"]),
    ("{event: message.text, where: steps.x.output}",
     ["line 3, column 40: 'steps' can only be used inside a step"]),
    ("{event: message.text, where: '${{ event.text }}'}",
     ["line 3, column 40: where is an expression already; write it without ${{ }}"]),
    ("{event: message.text, where: 5}", ["line 3, column 40: where must be an expression, in "
                                         "quotes where YAML reads something else"]),
    ("{schedule: {cron: 61 * * * *, timezone: Nowhere}}", [
        "line 3, column 29: schedule.cron: '61' is not a minute, 0 to 59",
        "line 3, column 51: schedule.timezone: 'Nowhere' is not a time zone; write one like "
        "America/Sao_Paulo"]),
    ("{schedule: daily}", ["line 3, column 22: schedule must be a mapping with cron, timezone, "
                              "catch_up"]),
])
def test_triggers(trigger, expected):
    assert errors(f"omni: 1\nid: ok\ntrigger: [{trigger}]\nsteps: []") == expected


@pytest.mark.parametrize(("gate", "expected"), [
    ("once: {per: 1d}", ["line 4, column 7: once needs 'key'"]),
    ("debounce: {quiet: soon, collect: 201}", [
        "line 4, column 19: debounce.quiet: 'soon' is not a duration; write a number and ms, s, m, "
        "h or d, like 30s",
        "line 4, column 34: debounce.collect must be at most 200"]),
    ("throttle: {limit: 0, per: 1h, key: contact.ids}", [
        "line 4, column 19: throttle.limit must be at least 1",
        "line 4, column 44: unknown field 'contact.ids'; did you mean 'contact.id'?"]),
    ("concurrency: 5", ["line 4, column 14: concurrency must be a mapping with limit, key, mode, "
                        "max_queue"]),
    ("retry: {max: 21, jitter: 1, errors: [timeout, denied]}", [
        "line 4, column 14: retry.max must be at most 20",
        "line 4, column 26: retry.jitter must be true or false",
        "line 4, column 47: retry.errors: 'denied' is never tried again; remove it"]),
    ("cancel_on: [{event: message.*, match: {conversatio: 1, txt: a}, where: item}]", [
        "line 4, column 40: unknown key 'conversatio' in cancel_on.match; did you mean "
        "'conversation'?",
        "line 4, column 56: unknown key 'txt' in cancel_on.match; did you mean 'text'?",
        "line 4, column 72: 'item' can only be used inside the do of for_each"]),
    ("cancel_on: [{event: message.*, match: 5}]",
     ["line 4, column 39: cancel_on.match must be a mapping of fields of the event, like "
      "{direction: inbound}"]),
])
def test_gates(gate, expected):
    assert errors(workflow("  - stop: done", head=f"{gate}\n")) == expected


@pytest.mark.parametrize(("declared", "problem"), [
    ("{type: choice}", "line 4, column 13: an input of type choice needs 'choices', like [a, b]"),
    ("{type: integer, default: many}",
     "line 4, column 38: input.default must be a whole number"),
    ("{type: choice, choices: [a, b], default: c}",
     "line 4, column 54: input.default must be one of a, b"),
    ("{type: choice, choices: [a, b], default: b}", ""),
])
def test_default_of_an_input_fits_its_type(declared, problem):
    told = errors(workflow("  - {stop: done}", head=f"inputs: {{a: {declared}}}\n"))

    assert told == ([problem] if problem else [])


@pytest.mark.parametrize(("test", "expected"), [
    ("{event: message.txt, expect: {}}",
     ["line 5, column 17: unknown fixture 'message.txt'; did you mean 'message.text'?"]),
    ("{event: [1], expect: {}}",
     ["line 5, column 17: test.event must be a stored event's id, a fixture, or a mapping of "
      "fields over one"]),
    ("{event: {fixture: message.txt, txt: hi, from_me: 1, contact: {lables: [vip], id: 3}, "
     "media: null, occurred_at: noon, subjct: null}, expect: {}}", [
         "line 5, column 27: unknown fixture 'message.txt'; did you mean 'message.text'?",
         "line 5, column 40: unknown key 'txt' in example; did you mean 'text'?",
         "line 5, column 58: example.from_me must be true or false, not a number",
         "line 5, column 71: unknown key 'lables' in contact; did you mean 'labels'?",
         "line 5, column 86: unknown key 'id' in contact; known: name, labels, lists, "
         "handles",
         "line 5, column 120: example.occurred_at: 'noon' is not a time; write one like "
         "2026-03-02T12:00:00Z",
         "line 5, column 126: unknown key 'subjct' in example; did you mean 'subject'?"]),
    ("{event: message.text, expct: {}, expect: {mached: true, state: dome, path: [frist, 5], "
     "sends: [hi], gates: {onec: 1}}}", [
         "line 5, column 31: unknown key 'expct' in test; did you mean 'expect'?",
         "line 5, column 51: unknown key 'mached' in expect; did you mean 'matched'?",
         "line 5, column 72: expect.state: 'dome' is not one of done, ignored, failed, waits; did "
         "you mean 'done'?",
         "line 5, column 85: unknown step 'frist'; did you mean 'first'?",
         "line 5, column 92: expect.path must be a list of steps, by id or path",
         "line 5, column 104: expect.sends must be a list of mappings, like {text: hello}",
         "line 5, column 117: unknown key 'onec' in gates; did you mean 'once'?"]),
    ("{event: message.text, now: today, inputs: {wo: 1}, mocks: {frst: {a: 1}, first: 5}, "
     "answers: [], expect: {}}", [
         "line 5, column 36: test.now: 'today' is not a time; write one like 2026-03-02T12:00:00Z",
         "line 5, column 52: unknown input 'wo'; did you mean 'who'?",
         "line 5, column 68: unknown step 'frst'; did you mean 'first'?",
         "line 5, column 89: test.mocks.first must be a mapping",
         "line 5, column 102: test.answers must be a mapping by step"]),
    ("{event: {text: null, contact: null}, expect: {path: ['steps[0]'], not_path: [first]}}", []),
])
def test_tests(test, expected):
    head = f"inputs: {{who: {{type: text}}}}\ntests: [{test}]\n"
    text = workflow("  - {id: first, stop: done}", head=head)

    assert errors(text) == expected
