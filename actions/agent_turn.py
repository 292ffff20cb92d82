"""One question to an agent, and what its answer means: shared by the routes that ask one."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from actions import presence
from actions.agents import kinds, prompt
from actions.agents.question import Answer, Question
from actions.base import Context, Outcome, Output, Params, done
from actions.people.contact_lists import person_of
from actions.refusals import code_of, outcome_of
from actions.silence import speakable
from events.models import Event
from omni.errors import Held, NotConfigured, OmniError

_GROUPS = ("group", "channel", "thread", "list")


class AgentParams(Params):
    prompt: str | None = Field(None, description="What the agent is asked; empty: the event's "
                               "text, with a placeholder for files without words.")
    agent: str = Field("", description="Slug of the agent; empty: the instance's agent.")
    session: str = Field("", description="Name of the agent's session; empty: {instance}_{digits "
                         "of the chat}, one per chat.")
    history: int = Field(20, ge=0, le=200, description="Earlier messages a language model is "
                         "given; other agents keep their own.")
    typing: bool = Field(True, description="Show that an answer is being written.")
    typing_after: float = Field(0.5, ge=0, le=30, description="Seconds before typing is shown.")
    typing_every: float = Field(5.0, ge=1, le=60, description="Seconds between typing marks.")
    name_prefix: bool | None = Field(None, description="Put \"[name]: \" before the text; not "
                                     "given: when no prompt is given either.")
    quoted_header: bool | None = Field(None, description="Say what message this one replies to; "
                                       "not given: when no prompt is given either.")
    error_text: str = Field("", description="Answer with this text when the agent fails, instead "
                            "of failing and trying again.")
    error_text_in_groups: bool = Field(False, description="Use error_text in groups as well.")


class AgentOutput(Output):
    text: str = Field("", description="The answer; empty when there is nothing to send.")
    silent: bool = Field(False, description="The agent chose to say nothing.")
    session: str = Field("", description="The session it was asked in.")
    agent: str = Field("", description="Slug of the agent.")
    session_id: str = Field("", description="The agent's own id of the session.")
    user_id: str = Field("", description="The agent's own id of the person.")
    usage: dict[str, Any] = Field({}, description="request_tokens and response_tokens, when told.")
    tools: list[str] = Field([], description="Names of the tools the agent used.")
    memory: str = Field("", description="Something the agent wants kept.")
    error: str = Field("", description="Code of the failure error_text stands for.")


def answered(event: Event, params: AgentParams, context: Context, *, agent: str = "",
             memories: Sequence[str] = ()) -> Outcome:
    """Ask the agent of a slug, "" the instance's; memories: what it is told about the person.

    The agent's own timeout holds, but never longer than the step has.
    """
    question = None
    try:
        question = _question(event, params, context, agent, memories)
        if not question.text:
            return Outcome("skipped", _output(question, silent=True),
                           "the event has no words and no files", "nothing_to_ask")
        return done(**_answered(question, _ask(question, params, context)))
    except (Held, NotConfigured) as exc:
        return outcome_of(exc)
    except OmniError as exc:
        return _failed(exc, question, params, event)


def _question(event: Event, params: AgentParams, context: Context, slug: str,
              memories: Sequence[str]) -> Question:
    agent = kinds.agent_for(slug, instance=context.instance)
    given = (params.prompt or "").strip()
    plain = given or prompt.text_of(event)
    text = prompt.dress(plain, event,
                        name_prefix=_or(params.name_prefix, not given),
                        quoted_header=_or(params.quoted_header, not given)) if plain else ""
    return Question(
        agent=agent, instance=context.instance, event=event, text=text, plain=plain,
        session=params.session or prompt.session_of(event, context.instance),
        timeout=min(agent.timeout, context.remaining()), history=params.history,
        reference=context.effect("agent"), contact=person_of(event), memories=tuple(memories))


def _ask(question: Question, params: AgentParams, context: Context) -> Answer:
    """The agent's answer; a typing mark that no message will end is taken back here."""
    if not params.typing:
        return kinds.ask(question)
    speaks = False
    mark = presence.Typing(question.event, context, after=params.typing_after,
                           every=params.typing_every)
    try:
        with mark:
            answer = kinds.ask(question)
        speaks = bool(speakable(answer.text))
    finally:
        if mark.shown and not speaks:
            presence.show(question.event, context, "paused")
    return answer


def _answered(question: Question, answer: Answer) -> dict[str, Any]:
    text = speakable(answer.text)
    return _output(question, text=text, silent=not text, session_id=answer.session_id,
                   user_id=answer.user_id, usage=answer.usage, tools=answer.tools,
                   memory=answer.memory)


def _output(question: Question | None, **facts: Any) -> dict[str, Any]:
    if question is not None:
        facts |= {"session": question.session, "agent": question.agent.slug}
    return AgentOutput(**facts).model_dump()


def _failed(error: OmniError, question: Question | None, params: AgentParams,
            event: Event) -> Outcome:
    code = code_of(error)
    in_group = event.conversation is not None and event.conversation.kind in _GROUPS
    if params.error_text and (params.error_text_in_groups or not in_group):
        return done(**_output(question, text=params.error_text, error=code))
    return outcome_of(error)


def _or(given: bool | None, default: bool) -> bool:
    return default if given is None else given
