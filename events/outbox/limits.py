"""The limiter below all workflows: how much a run may send, counted from the outbox.

Per account and per person (under all names of the conversation) a number of messages in any minute;
beyond it a run waits (`Held`), nothing is lost. Each is given a moment of its own, and those that
wait go before those that come anew. And a breaker: when ten runs answered what came from one
conversation within a minute, two machines are talking to each other; the conversation gets no
answers for a while (`loop_guard`). What is sent there because of events from elsewhere (alerts,
reminders) is no answer: it is not counted, and it is never refused, it waits. What people send
through the API or the admin is not limited.

The look is the function `omni_may_send` of the database (migration 0022 of events): under a lock
of the account, by the database's clock, in the statement that begins the send.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.conf import settings

from events.models import Event
from omni import statements
from omni.errors import Held, InvalidInput

LOOP_STOPPED = "system.loop.stopped"
# After the verdict: seconds to wait, runs that answered, and the moment it was looked at.
ASK = """SELECT s.verdict, s.seconds, s.runs, s.at FROM {rows}omni_may_send(%s::bigint, %s::text,
    %s::bigint, %s::text, %s::bool, %s::int, %s::int, %s::int, %s::float) s"""
_ASK_ALONE = ASK.format(rows="") + """
WHERE NOT EXISTS (SELECT 1 FROM omni_outbox o WHERE o.effect_key = %s::text)"""
_LOOPS = """
SELECT w.account, w.place, l.stopped, l.runs
FROM unnest(%s::bigint[], %s::text[]) AS w(account, place),
    LATERAL omni_loop_of(w.account, w.place, %s::bigint, %s::float) l
WHERE l.stopped OR l.runs >= %s::bigint
"""
Place = tuple[int, str]  # instance id, recipient


def is_answer(cause: Event | None, *, instance_id: int, recipient: str,
              conversation_id: int | None) -> bool:
    """Whether a message goes to where its cause came from."""
    return cause is None or (cause.instance_id == instance_id and (
        cause.conversation_ref == recipient
        or (conversation_id is not None and cause.conversation_id == conversation_id)))


def check(*, instance_id: int, recipient: str, run_id: int, effect_key: str,
          answers: bool = True) -> None:
    """Whether a run may send this now. Raises what `refuse` raises. A send that was begun before is
    not counted again.
    """
    rows = statements.execute(_ASK_ALONE, [*asked(
        instance_id=instance_id, recipient=recipient, run_id=run_id, effect_key=effect_key,
        answers=answers), effect_key])
    for verdict, seconds, runs, _ in rows:
        refuse(verdict, seconds=seconds, runs=runs)


def asked(*, instance_id: int, recipient: str, run_id: int, effect_key: str,
          answers: bool) -> list[Any]:
    """The values of `ASK`."""
    return [instance_id, recipient, run_id, effect_key, answers, settings.OMNI_SENDS_PER_MINUTE,
            settings.OMNI_SENDS_PER_PERSON, settings.OMNI_REPLIES_PER_MINUTE,
            settings.OMNI_LOOP_PAUSE_MINUTES]


def refuse(verdict: str, *, seconds: float, runs: int) -> None:
    """Raise what a verdict of `ASK` means, nothing for "": Held with the seconds to wait, or
    InvalidInput with code `loop_guard`.
    """
    if verdict in ("stopped", "loop"):
        raise InvalidInput(_loop(stopped=verdict == "stopped", runs=runs).reason, code="loop_guard")
    if verdict:
        setting = _SETTINGS[verdict]
        raise Held(f"{getattr(settings, setting)} messages a minute to this {verdict} are reached "
                   f"({setting})", retry_after=seconds)


_SETTINGS = {"account": "OMNI_SENDS_PER_MINUTE", "person": "OMNI_SENDS_PER_PERSON"}


class Loop(NamedTuple):
    """Why a place gets no answers. known: it was stopped before."""

    reason: str
    known: bool


def looping(places: Iterable[Place], *, run_id: int = 0) -> dict[Place, Loop]:
    """The places that get no answers now, in one statement. run_id: a run that is not counted."""
    wanted = sorted(set(places))
    most = settings.OMNI_REPLIES_PER_MINUTE
    if not wanted or most <= 0:
        return {}
    return {(account, place): _loop(stopped=stopped, runs=runs)
            for account, place, stopped, runs in statements.execute(_LOOPS, [
                [place[0] for place in wanted], [place[1] for place in wanted], run_id,
                settings.OMNI_LOOP_PAUSE_MINUTES, most])}


def _loop(*, stopped: bool, runs: int) -> Loop:
    if stopped:
        return Loop("automatic answers to this conversation are stopped for "
                    f"{settings.OMNI_LOOP_PAUSE_MINUTES:g} minutes (OMNI_LOOP_PAUSE_MINUTES): it "
                    "looked like a loop", known=True)
    return Loop(f"{runs} runs answered this conversation within a minute, "
                f"{settings.OMNI_REPLIES_PER_MINUTE} are most (OMNI_REPLIES_PER_MINUTE): this "
                "looks like two machines talking", known=False)
