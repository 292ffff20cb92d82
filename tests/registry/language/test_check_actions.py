"""What people are told about the parameters of actions."""

import pytest

from tests.registry.example_library import errors, workflow


@pytest.mark.parametrize(("step", "expected"), [
    ("{uses: 5}", ['line 6, column 12: uses must be text; write "5" in quotes']),
    ("{uses: route.reply@x, with: {text: a}}",
     ["line 6, column 12: 'route.reply@x': write a whole number after '@'"]),
    ("{uses: route.reply@2, with: {text: a}}",
     ["line 6, column 12: action 'route.reply' has version 1, not 2; write route.reply@1"]),
    ("{uses: route.reply}", ["line 6, column 5: route.reply needs 'text'"]),
    ("{uses: route.reply, with: {}}", ["line 6, column 31: route.reply needs 'text'"]),
    ("{uses: route.reply, with: hello}",
     ["line 6, column 31: with must be a mapping of parameters, like {text: Hello}"]),
    ("{uses: route.reply, with: {txt: a}}", ["line 6, column 32: unknown key 'txt' in "
                                             "route.reply; did you mean 'text'?"]),
    ("{uses: route.reply, with: {text: 5, quote: maybe}}", ["line 6, column 38: route.reply: text"
                                                            ' must be text; write "5" in quotes',
                                                            "line 6, column 48: route.reply: "
                                                            "quote must be true or false"]),
    ("{uses: route.reply, with: {text: a, quote: '${{ event.from_me }}'}}", []),
    ("{uses: route.webhook, with: {url: u, tags: [1, two, '3']}}",
     ["line 6, column 52: route.webhook: tags.1 must be a whole number"]),
    ("{uses: route.webhook, with: {url: u, tags: ['${{ event.id }}', two]}}", []),
    ("{uses: route.webhook, with: {url: u, token: '${{ secrets.KEY }}'}}", []),
    ("{uses: route.webhook, with: {url: '${{ secrets.KEY }}'}}",
     ["line 6, column 44: 'secrets' can only be used in parameters the action marks secret; "
      "route.webhook has: token"]),
    ("{set: {a: '${{ secrets.KEY }}'}}", ["line 6, column 20: 'secrets' can only be used in "
                                          "parameters the action marks secret"]),
    ("{uses: route.reply, with: {text: 'a ${{ evnt.x }} ${{ event.tex }}'}}", [
        "line 6, column 45: unknown name 'evnt'; did you mean 'event'?",
        "line 6, column 65: unknown field 'event.tex'; did you mean 'event.text'?"]),
    ("{uses: route.reply, with: {text: 'a ${{ b'}}",
     ["line 6, column 41: '${{' is never closed; write ${{ … }}"]),
])
def test_actions_and_their_parameters(step, expected):
    assert errors(workflow(f"  - {step}")) == expected
