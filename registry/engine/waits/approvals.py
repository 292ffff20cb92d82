"""The only writer of `omni_approvals`: asking people, and taking their answer.

The first answer counts; after the deadline there is none. Asking is an event, `system.approval.
requested`, so that workflows can carry the question anywhere; the answer is one, too.
"""

from collections.abc import Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from connections.access import Principal, principal_of
from connections.envelope import EventDraft
from connections.payload import sanitize_text
from connections.storable import storable_json
from events.models import Event
from events.store import ingest, notify
from events.store.units import Unit
from omni import audit
from omni.errors import InvalidInput
from registry.engine.waits import waits
from registry.engine.waits.waiting import Wait as Waiting
from registry.engine.work import queue
from registry.models import Approval, Run, Wait

DECISIONS = {"approve": "approved", "reject": "rejected"}
_INSERT = """
INSERT INTO omni_approvals (run_id, wait_id, instance_id, event_id, ask, show, of, via, on_timeout,
    deadline, state, comment, answered_by, created_at)
SELECT run_id, wait_id, instance_id, event_id, ask, show, of, via, on_timeout, deadline, 'open',
    '', '', omni_now()
FROM jsonb_to_recordset(%s::jsonb) AS a(run_id bigint, wait_id bigint, instance_id bigint,
    event_id bigint, ask text, show jsonb, of jsonb, via jsonb, on_timeout text,
    deadline timestamptz)
RETURNING id
"""
_ANSWER = """
UPDATE omni_approvals SET state = %s, edited = %s::jsonb, comment = %s, answered_by = %s,
    answered_at = omni_now()
WHERE id = %s AND state = 'open' AND (deadline IS NULL OR deadline > omni_now())
RETURNING answered_at
"""
_EXPIRE = """
UPDATE omni_approvals SET answered_at = omni_now(),
    state = CASE on_timeout WHEN 'approve' THEN 'approved' ELSE 'rejected' END
WHERE wait_id = %s AND state = 'open' RETURNING state, answered_at
"""


def ask(run: Run, asked: Sequence[Waiting], stored: dict[tuple[int, str, str], int]) -> None:
    """Store the questions of a run that is put to sleep, and tell that they are asked.

    stored: ids of their waits, from `waits.store`; a question that is there already has none.
    """
    rows = [{"run_id": run.pk, "wait_id": stored[run.pk, wait.path, wait.iteration],
             "instance_id": run.instance_id, "event_id": run.event_id, "deadline": wait.wake_at,
             **wait.facts} for wait in asked if (run.pk, wait.path, wait.iteration) in stored]
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [storable_json(rows)])
        ids = [row[0] for row in cursor.fetchall()]
    for id, row in zip(ids, rows, strict=True):
        _tell(run, "requested", id, row["ask"], {"show": row["show"], "of": row["of"],
                                                 "via": row["via"]})


def expire(wait_id: int) -> dict[str, Any] | None:
    """The deadline decides, unless somebody answered just before: the answer, None when closed."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_EXPIRE, [wait_id])
        row = cursor.fetchone()
        if row is not None:
            waits.settle(wait_id, _answer(row[0], None, "", "", row[1], timed_out=True))
        found = Wait.objects.get(pk=wait_id)
    return found.result


def answer(approval: Approval, decision: str, *, actor: str, edited: Any = None,
           comment: str = "") -> Approval:
    """A person's answer: approve or reject, perhaps with an edited text.

    Raises InvalidInput: a decision that is none; code `stale` when it was answered before, or the
    deadline has passed.
    """
    if decision not in DECISIONS:
        raise InvalidInput(f"decision must be approve or reject, not '{decision}'")
    with transaction.atomic(), connection.cursor() as cursor:
        slot = Run.objects.values_list("slot_key", flat=True).get(pk=approval.run_id)
        queue.lock_slots([slot])
        waits.hold([approval.run_id])
        cursor.execute(_ANSWER, [
            DECISIONS[decision], None if edited is None else storable_json(edited),
            sanitize_text(comment)[:4000], actor[:150], approval.pk])
        row = cursor.fetchone()
        if row is None:
            approval.refresh_from_db()
            said = ("its deadline has passed" if approval.state == "open"
                    else f"it is {approval.state} already"
                    + (f", by {approval.answered_by}" if approval.answered_by else ""))
            raise InvalidInput(f"approval {approval.pk} takes no answer: {said}", code="stale")
        waits.settle(approval.wait_id, _answer(DECISIONS[decision], edited, actor, comment, row[0]))
        queue.wake([approval.run_id])
        approval.refresh_from_db()
        _tell(approval.run, approval.state, approval.pk, approval.ask, {"by": actor})
        audit.note(actor, f"approval.{approval.state}", f"approval:{approval.pk}",
                   run=approval.run_id)
    notify.notifier.send(notify.RUNS, str(approval.run_id))
    return approval


def for_person(rows: QuerySet[Approval], who: Principal, *, user: Any = None) -> QuerySet[Approval]:
    """The approvals this caller may answer: as `user:`, `key:` or by a `group:` of the user.

    Superusers may answer all, and keys with the scope admin; but no key answers what the person
    who made it may not, so that nobody who is not asked makes a key that is.
    """
    if who.kind == "key":
        asked = rows if "admin" in who.scopes else rows.filter(of__contains=[who.name])
        return _for_maker(asked, who.made_by) if who.made_by else asked
    if getattr(user, "is_superuser", False):
        return rows
    names = [who.name]
    if user is not None:
        names += [f"group:{name}" for name in user.groups.values_list("name", flat=True)]
    allowed = Q(pk__in=[])
    for name in names:
        allowed |= Q(of__contains=[name])
    return rows.filter(allowed)


def _for_maker(rows: QuerySet[Approval], made_by: str) -> QuerySet[Approval]:
    """made_by: "user:ana"; somebody who is gone or switched off may answer nothing."""
    people = get_user_model().objects
    maker = people.filter(username=made_by.removeprefix("user:"), is_active=True).first()
    if maker is None:
        return rows.none()
    return for_person(rows.visible_to(principal_of(maker)), principal_of(maker), user=maker)


def _answer(state: str, edited: Any, by: str, comment: str, at: Any, *,
            timed_out: bool = False) -> dict[str, Any]:
    return {"decision": "approve" if state == "approved" else "reject", "edited": edited,
            "by": by, "comment": comment, "at": at.isoformat(), "timed_out": timed_out}


def _tell(run: Run, what: str, approval_id: int, text: str, facts: dict[str, Any]) -> None:
    """Store `system.approval.<what>` beside the event the run is about."""
    event = Event.objects.select_related("instance").get(pk=run.event_id)
    draft = EventDraft(
        event_type=f"system.approval.{what}", dedup_key=f"approval:{approval_id}:{what}",
        provider_event_type=f"system.approval.{what}", direction="internal", text=text,
        conversation_ref=event.conversation_ref, auto_generated=True,
        content={"approval": approval_id, "run": run.pk, **facts}, normalizer="omni.approvals@1")
    ingest.persist([Unit(
        instance_id=event.instance_id, provider=event.provider, drafts=[draft],
        received_at=timezone.now(), caused_by_id=event.pk,
        trace_id=event.trace_id, hop=event.hop + 1)])
    notify.notifier.send(notify.EVENTS)
