"""What a poll came to, from the votes in the store."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from actions.base import Context, Outcome, Output, Params, action, done, failed
from events.models import Event
from events.store import state

_NAME_KEYS = ("name", "text", "title", "optionName")
LINE_LENGTH = 200  # characters of a question or an option that are shown


class SummarizePollParams(Params):
    model_config = ConfigDict(coerce_numbers_to_str=True)

    poll: str = Field(min_length=1, description="The service's id of the poll's message: "
                      "event.target_message_id of a vote.")


class Option(BaseModel):
    """One answer of a poll."""

    name: str = Field(description="The answer, as it was offered.")
    votes: int = Field(description="How many people chose it.")


class SummarizePollOutput(Output):
    text: str = Field("", description="The question and the votes of each answer, in lines.")
    question: str = Field("", description="What was asked; empty when the poll is not in the "
                          "store.")
    options: list[Option] = Field([], description="The answers, most votes first.")
    votes: int = Field(0, description="All votes; one person may have several.")
    voters: int = Field(0, description="How many people voted.")
    unreadable: int = Field(0, description="Votes that came encrypted and are not counted.")


@dataclass(slots=True)
class _Poll:
    """question, options {id as votes name it: answer}, and the tally {id: voters}."""

    question: str = ""
    options: dict[str, str] = field(default_factory=dict)
    tally: Mapping[str, list[str]] = field(default_factory=dict)
    unreadable: int = 0


@action("transform.summarize.poll", params=SummarizePollParams, output=SummarizePollOutput,
        effects="read", timeout=15.0)
def summarize(event: Event, params: SummarizePollParams, context: Context) -> Outcome:
    """Say what a poll came to: its question and the votes of every answer. Needs no model."""
    about = state.of(context.instance.pk, params.poll)
    if about is not None and about.deleted_at is not None:
        return Outcome("skipped", SummarizePollOutput().model_dump(), "the poll was deleted",
                       "deleted")
    asked = _events(context, provider_message_id=params.poll, event_type="message.poll").first()
    told = _told_tally(context, params.poll)
    poll = _Poll()
    if asked is not None:
        poll.question, poll.options = _asked(asked)
    if told is not None:
        poll.tally = told
    elif about is not None:
        poll.tally = about.tally
        poll.unreadable = _unreadable(context, params.poll)
    if asked is None and not poll.tally and not poll.unreadable:
        return failed("the store has neither this poll nor a vote on it", code="invalid")
    return done(**_output(poll))


def _events(context: Context, **of: Any) -> Any:
    return Event.objects.filter(instance_id=context.instance.pk, **of).order_by(
        "-occurred_at", "-id")


def _asked(asked: Event) -> tuple[str, dict[str, str]]:
    """Question and answers; our own polls hold them a level higher than those that came in."""
    content = asked.content if isinstance(asked.content, dict) else {}
    poll = content["poll"] if isinstance(content.get("poll"), dict) else content
    options: dict[str, str] = {}
    for option in poll.get("options") or []:
        facts = option if isinstance(option, dict) else {}
        name = next((facts[key] for key in _NAME_KEYS if facts.get(key)), option)
        options[str(facts.get("id", name))] = str(name)
    return str(poll.get("name") or asked.text or ""), options


def _told_tally(context: Context, poll: str) -> dict[str, list[str]] | None:
    """The whole tally as the service told it, where it is newer than every vote we can read."""
    told = _events(context, target_message_id=poll, event_type="poll.updated",
                   content__has_key="tally").first()
    if told is None:
        return None
    vote = _readable(context, poll).first()
    if vote is not None and (vote.occurred_at, vote.pk) > (told.occurred_at, told.pk):
        return None
    rows = told.content["tally"]
    return {str(row["option"]): [str(who) for who in row.get("voters") or []]
            for row in rows if isinstance(row, dict) and row.get("option")}


def _votes(context: Context, poll: str) -> Any:
    return _events(context, target_message_id=poll, event_type="poll.vote")


def _readable(context: Context, poll: str) -> Any:
    return _votes(context, poll).exclude(content__has_key="encrypted")


def _unreadable(context: Context, poll: str) -> int:
    """People whose newest vote cannot be read; a person who votes again counts once."""
    return (_votes(context, poll).filter(content__has_key="encrypted").order_by()
            .values("provider_actor_ref").distinct().count())


def _output(poll: _Poll) -> dict[str, Any]:
    names = {**poll.options, **{name: name for name in poll.tally if name not in poll.options}}
    counts = {_line(name): len(set(poll.tally.get(key, []))) for key, name in names.items()}
    options = [{"name": name, "votes": votes}
               for name, votes in sorted(counts.items(), key=lambda item: -item[1])]
    voters = len({who for some in poll.tally.values() for who in some})
    question = _line(poll.question)
    lines = [question or "A poll", *(f"- {item['name']}: {item['votes']}" for item in options),
             f"{_count(sum(counts.values()), 'vote')} of {_count(voters, 'person', 'people')}"]
    if poll.unreadable:
        lines.append(f"Votes of {_count(poll.unreadable, 'person', 'people')} cannot be read")
    return {"text": "\n".join(lines), "question": question, "options": options,
            "votes": sum(counts.values()), "voters": voters, "unreadable": poll.unreadable}


def _line(text: str) -> str:
    """In one line, so that an answer cannot pose as another one with its votes."""
    return " ".join(text.split())[:LINE_LENGTH]


def _count(number: int, one: str, several: str = "") -> str:
    return f"{number} {one if number == 1 else several or one + 's'}"
