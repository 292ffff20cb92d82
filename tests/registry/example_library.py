"""A small action library and the worked examples of the language, for tests of the registry."""

import difflib
from pathlib import Path

from actions.base import Action, Effects, Output, Params, done
from omni.errors import UnknownAction
from registry.language import document


class AgentParams(Params):
    prompt: str
    agent: str = "default"
    history: int = 0


class ReplyParams(Params):
    text: str
    quote: bool = False


class SendParams(Params):
    to: str
    text: str


class MediaParams(Params):
    media: dict
    prompt: str = ""


class DeriveParams(Params):
    kind: str
    text: str
    relates_to: int


class TextParams(Params):
    text: str


class EscalateParams(Params):
    queue: str
    note: str = ""


class PollParams(Params):
    poll: str


class AudienceParams(Params):
    audience: str


class SlackParams(Params):
    channel: str
    text: str


class CallParams(Params):
    url: str
    token: str = ""
    retries: int = 0
    tags: list[int] = []


def _declare(id: str, params: type[Params], effects: Effects = "none") -> Action:
    def function(event, params, context):
        """Made for a test."""
        return done()

    return Action(id=id, function=function, params=params, output=Output, effects=effects,
                  timeout=30.0, idempotent=True, version=1,
                  secret=frozenset(["token"]) if params is CallParams else frozenset())


ACTIONS = {action.id: action for action in (
    _declare("route.agent.default", AgentParams, "read"),
    _declare("route.agent.personal", AgentParams, "read"),
    _declare("route.reply", ReplyParams, "send"),
    _declare("route.send", SendParams, "send"),
    _declare("route.escalate.human", EscalateParams, "write"),
    _declare("route.webhook", CallParams, "send"),
    _declare("transform.stt.direct", MediaParams, "read"),
    _declare("transform.stt.forwarded", MediaParams, "read"),
    _declare("transform.describe.image", MediaParams, "read"),
    _declare("transform.summarize.poll", PollParams, "read"),
    _declare("transform.audience.members", AudienceParams, "read"),
    _declare("validate.safety", TextParams),
    _declare("persist.derive", DeriveParams, "write"),
    _declare("persist.memory.update", TextParams, "write"),
    _declare("meta.notify.slack", SlackParams, "send"),
)}


class SmallLibrary:
    """What `actions.library` offers, over ACTIONS."""

    def get(self, id: str) -> Action:
        if id not in ACTIONS:
            raise UnknownAction(f"unknown action '{id}'")
        return ACTIONS[id]

    def nearest(self, id: str) -> str | None:
        return next(iter(difflib.get_close_matches(id, ACTIONS, n=1)), None)


LIBRARY = SmallLibrary()

_HERE = Path(__file__).parent
EVERYTHING = (_HERE / "everything.yaml").read_text()  # each key of the language once
EXAMPLES: dict[str, str] = {
    path.stem: path.read_text() for path in sorted((_HERE / "examples").iterdir())}


def workflow(body: str, *, head: str = "") -> str:
    """A document whose steps are `body`; its first step stands at line 6 plus the lines of head."""
    return ("omni: 1\nid: tried\nclaim: reply\n" + head
            + "trigger: [{event: message.text}]\nsteps:\n" + body)


def errors(text: str) -> list[str]:
    """The errors of a document as people read them, without warnings."""
    return [str(problem) for problem in document.problems(text, library=LIBRARY)
            if problem.severity == "error"]
