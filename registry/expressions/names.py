"""The names an expression can see: one table behind nearest-name hints, the JSON Schema, the
editor's completion and the documents."""

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Literal

MOST_COMPARED = 400  # known words a wrong one is compared with
MOST_NAMED = 20  # known words named in one message
LONGEST = 80  # characters of a word quoted in a message

Kind = Literal["text", "number", "boolean", "time", "list", "mapping"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field. fields: what it holds itself; None where that is open or it holds nothing."""

    kind: Kind
    about: str
    fields: "dict[str, Field] | None" = None

    @property
    def is_open(self) -> bool:
        return self.kind in ("mapping", "list") and self.fields is None


def _fields(kind: Kind, /, **about: str) -> dict[str, Field]:
    return {name: Field(kind, text) for name, text in about.items()}


MEDIA = {
    **_fields("text", kind="image, audio, video, document or sticker",
              mime="media type", filename="name the sender gave", caption="text beside the file",
              state="pending, stored, expired or failed", sha256="digest of the bytes"),
    **_fields("number", id="our id of the attachment", position="place in the message, from 0",
              size="bytes", duration_s="seconds", width="pixels", height="pixels"),
    **_fields("boolean", is_voice_note="recorded on the spot", is_animated="a GIF"),
}

EVENT = {
    **_fields(
        "text", provider="which messaging service", dedup_key="names the event in its instance",
        event_type="neutral kind, like message.text",
        provider_event_type="the service's own name of the kind",
        direction="inbound, outbound or internal",
        source="live, history, api, echo, replay or import",
        conversation_ref="the service's id of the conversation", thread_ref="sub-thread",
        provider_actor_ref="the service's id of who did it", sender_name="name as shown then",
        contact_handle="phone, mail or @name of the person on the other side",
        provider_message_id="the message this event introduces",
        relation="replies_to, replaces, deletes, reacts_to, votes_on, answers, status_of, pins",
        target_message_id="the message this event is about",
        client_ref="our reference that ties a send to its echo", trace_id="trace",
        text="what was written", subject="title of a mail, ticket or appointment",
        media_kind="kind of the first attachment", delivery_status="accepted to played, or failed",
        error_code="the service's error", occurred_at_source="provider, derived or received",
        fingerprint="digest of what was said", normalizer="the mapping that made this row",
        state="processing state",
        batch_text="texts of a debounced burst, joined by new lines"),
    **_fields(
        "number", id="order of arrival", instance_id="the account", raw_id="the raw delivery",
        raw_index="item in the delivery", conversation_id="conversation row",
        actor_id="who did it", contact_id="the person on the other side",
        target_event_id="the event this one is about", caused_by_id="the event this one answers",
        hop="answers to answers so far", provider_sequence="the service's counter",
        schema_version="version of the content"),
    **_fields(
        "boolean", from_me="sent from the account itself", sender_is_bot="sent by a bot",
        auto_generated="an automatic answer", is_forwarded="forwarded", is_view_once="view once",
        mentions_self="mentions the account", sent_by_omni="this system sent it"),
    **_fields("time", occurred_at="the provider's clock, UTC", received_at="our clock, UTC",
              routed_at="when workflows were chosen, UTC",
              created_at="when the row was written, UTC"),
    **_fields("mapping", content="facts by kind: poll, reaction, vote, location, changes",
              context="facts around it: mentions, forward origin, quoted preview, album",
              provider_metadata="native ids worth keeping"),
    "media": Field("mapping", "the first attachment", MEDIA),
    "attachments": Field("list", "every attachment, with the fields of event.media"),
    "batch": Field("list", "all events of a debounced burst"),
}

CONVERSATION = {
    **_fields("number", id="conversation row"),
    **_fields("text", ref="the service's id", title="name of the group or channel",
              kind="direct, group, channel, thread, list, ticket or self"),
    **_fields("list", tags="tags set by people and workflows"),
    **_fields("boolean", is_group="more than two people", is_self_chat="the account with itself"),
}
CONTACT = {
    **_fields("number", id="contact row"),
    **_fields("text", name="name"),
    **_fields("list", labels="labels", lists="contact lists", handles="phones, mails, names"),
}
INSTANCE = {
    **_fields("number", id="account row"),
    **_fields("text", slug="name that never changes", name="name", provider="messaging service"),
    **_fields("list", labels="labels"),
}
STEP = {
    "output": Field("mapping", "what the step gave"),
    "status": Field("text", "done, stopped, skipped, failed, unavailable or unknown"),
    "error": Field("mapping", "code and message of a failure"),
    "attempts": Field("number", "how often it was tried"),
}
LOOP = _fields("number", index="from 0", number="from 1", count="how many")
RUN = {
    **_fields("number", id="run row", version="version of the workflow", attempt="starts so far",
              replay="0, or the number of the rerun"),
    **_fields("text", workflow="id of the workflow"),
    **_fields("time", started_at="UTC"),
    **_fields("boolean", dry_run="nothing is sent"),
}
ERROR = _fields("text", code="stable word", message="for people", step="path of the failed step",
                step_id="id of the failed step")

ROOTS: dict[str, Field] = {
    "event": Field("mapping", "the event that woke the workflow", EVENT),
    "conversation": Field("mapping", "where it happened", CONVERSATION),
    "contact": Field("mapping", "the person on the other side", CONTACT),
    "instance": Field("mapping", "the account it came through", INSTANCE),
    "inputs": Field("mapping", "values the binding gives"),
    "vars": Field("mapping", "values of `vars` and of `set` steps"),
    "steps": Field("mapping", "earlier steps, by id: output, status, error, attempts"),
    "item": Field("mapping", "the current item of for_each"),
    "loop": Field("mapping", "the current turn of for_each", LOOP),
    "run": Field("mapping", "this run", RUN),
    "now": Field("time", "the time of the step, recorded"),
    "error": Field("mapping", "what failed; inside on_error", ERROR),
    "secrets": Field("mapping", "stored secrets; only in parameters the action marks secret"),
}

ONLY_IN: dict[str, str] = {  # where the roots live that do not exist everywhere
    "vars": "inside a step", "steps": "inside a step", "run": "inside a step or cancel_on",
    "item": "inside the do of for_each", "loop": "inside the do of for_each",
    "error": "inside on_error", "secrets": "in parameters the action marks secret"}
FILTER_ROOTS = frozenset(("event", "conversation", "contact", "instance", "inputs", "now"))
STEP_ROOTS = FILTER_ROOTS | {"vars", "steps", "run"}
ALL_ROOTS = frozenset(ROOTS)
COLUMNS = tuple(EVENT)


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word most like `word`, "" when nothing is close; two letters swapped come first."""
    known = list(islice(known, MOST_COMPARED))
    letters = sorted(word)
    swapped = next((name for name in known if sorted(name) == letters), "")
    close = [swapped] if swapped else difflib.get_close_matches(word[:LONGEST], known, n=1)
    if close:
        return close[0]
    return next((name for name in known if word and name.startswith(word)), "")


def hint(word: str, known: Collection[str]) -> tuple[str, str]:
    """The nearest known word, and the end of a message about a word that is not known.

    Where nothing is near, known words are named.
    """
    near = nearest(word, known)
    if near:
        return near, f"; did you mean '{near}'?"
    return "", f"; known: {listed(known)}" if known else ""


def shown(word: str) -> str:
    """A word as messages quote it; the end of a very long one is left out."""
    return word if len(word) <= LONGEST else word[:LONGEST - 3] + "..."


def listed(known: Collection[str]) -> str:
    """Words for a message, not more than people read."""
    few = [shown(word) for word in islice(known, MOST_NAMED)]
    return ", ".join(few) + (", ..." if len(known) > MOST_NAMED else "")


def fields_of(path: tuple[str, ...]) -> Collection[str]:
    """The fields the table knows below a dotted path; () where there are none."""
    fields = STEP if path[0] == "steps" else ROOTS[path[0]].fields
    for part in path[2 if path[0] == "steps" else 1:]:
        fields = fields[part].fields if fields else None
    return fields or ()


def unknown_part(path: tuple[str, ...]) -> tuple[int, str] | None:
    """Index of the first part of a dotted path that the table does not know, and the nearest name.

    None when every part is known or open. A root outside the table is open.
    """
    field = ROOTS.get(path[0])
    if path[0] == "steps" and len(path) > 2:
        fields, start = STEP, 2
    elif field is None or path[0] == "steps":
        return None
    elif field.fields is None:
        return None if field.is_open or len(path) == 1 else (1, "")
    else:
        fields, start = field.fields, 1
    for index in range(start, len(path)):
        part = path[index]
        if part not in fields:
            return index, nearest(part, fields)
        field = fields[part]
        if field.is_open:
            return None
        if field.fields is None:
            return (index + 1, "") if index + 1 < len(path) else None
        fields = field.fields
    return None
