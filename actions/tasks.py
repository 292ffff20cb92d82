"""The one writer of tasks: made by workflows, closed by people."""

from django.db import transaction
from django.utils import timezone

from actions import own_events
from actions.models import Task
from actions.people.contact_lists import person_of
from connections.models import Instance
from connections.storable import storable
from events.models import Event
from omni import audit
from omni.errors import InvalidInput

TITLE_LENGTH = 120
NOTE_LENGTH = 8_000  # characters
CREATED = "system.task.created"


def create(event: Event, *, instance: Instance, effect_key: str, kind: str, queue: str, note: str,
           priority: str = "normal", run_id: int | None = None) -> Task:
    """A task about an event and its `system.task.created`, both or neither, once per effect key."""
    note = storable(note.strip())[:NOTE_LENGTH]
    who = event.sender_name or event.contact_handle or event.conversation_ref
    title = " ".join((note.partition("\n")[0] or f"{event.event_type} of {who}").split())
    with transaction.atomic():
        task, is_new = Task.objects.get_or_create(effect_key=effect_key, defaults={
            "instance": instance, "kind": kind, "queue": queue, "note": note,
            "title": storable(title)[:TITLE_LENGTH], "priority": priority, "event": event,
            "conversation": event.conversation, "contact": person_of(event), "run_id": run_id})
        if is_new:
            own_events.store(
                CREATED, dedup_key=f"task:{task.pk}:created", caused_by=event, text=task.title,
                content={"task": task.pk, "kind": kind, "queue": queue, "priority": priority,
                         "note": note, "event": event.pk}, normalizer="omni.tasks@1")
    return task


def settle(task: Task, state: str, *, actor: str) -> Task:
    """Close an open task as done or canceled, or open a closed one again.

    Raises InvalidInput with code stale when somebody did so before.
    """
    before = Task.objects.open() if state != "open" else Task.objects.exclude(state="open")
    closed = {"closed_at": None, "closed_by": ""} if state == "open" else {
        "closed_at": timezone.now(), "closed_by": actor[:190]}
    with transaction.atomic():
        if not before.filter(pk=task.pk).update(state=state, **closed):
            raise InvalidInput(f"task {task.pk} is not {'closed' if state == 'open' else 'open'} "
                               "any more; read it again", code="stale")
        audit.note(actor, f"task.{'reopened' if state == 'open' else state}", f"task:{task.pk}",
                   queue=task.queue)
    task.refresh_from_db()
    return task


def assign(task: Task, user_id: int | None, *, actor: str) -> None:
    """Say who does it; None: nobody yet."""
    with transaction.atomic():
        Task.objects.filter(pk=task.pk).update(assignee_id=user_id)
        audit.note(actor, "task.assigned", f"task:{task.pk}", user=user_id)
