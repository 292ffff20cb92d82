"""Something to remember about a person, for agents that ask."""

from pydantic import ConfigDict, Field

from actions.base import Context, Outcome, Output, Params, action, done, failed
from actions.models import Memory
from actions.people import access_rules
from actions.people.contact_lists import person_of
from connections.models import Instance
from connections.storable import storable
from events.models import Contact, Event, Handle

_ID_DIGITS = 9  # longer numbers are phones, never contacts of ours
MAX_TEXT = 4_000  # characters


class MemoryUpdateParams(Params):
    model_config = ConfigDict(coerce_numbers_to_str=True)

    text: str | None = Field(max_length=MAX_TEXT, description="What to remember; empty keeps "
                             "nothing.")
    about: str = Field("", max_length=200, description="Whom it is about: a contact's number or a "
                       "handle; empty: the person of the event, else its conversation.")


class MemoryUpdateOutput(Output):
    memory_id: int | None = Field(None, description="Our number of the memory.")


@action("persist.memory.update", params=MemoryUpdateParams, output=MemoryUpdateOutput,
        effects="write", idempotent=True, timeout=15.0)
def remember(event: Event, params: MemoryUpdateParams, context: Context) -> Outcome:
    """Keep something about a person, once; route.agent.personal is given it from then on."""
    text = storable((params.text or "").strip())
    if not text:
        return Outcome("skipped", MemoryUpdateOutput().model_dump(), "there is nothing to keep",
                       "empty_text")
    about = params.about.strip()
    person = _person(about, context.instance) if about else person_of(event)
    if about and person is None:
        return failed(f"nobody known as '{about}' was met at instance '{context.instance.slug}'",
                      code="invalid")
    if person is None and event.conversation is None:
        return failed("the event has neither a person nor a conversation", code="invalid")
    memory, _ = Memory.objects.get_or_create(effect_key=context.effect("memory"), defaults={
        "instance": context.instance, "contact": person, "text": text, "event": event,
        "conversation": None if about else event.conversation, "run_id": context.run_id})
    return done(memory_id=memory.pk)


def _person(about: str, instance: Instance) -> Contact | None:
    """The contact of a number or handle, met at this instance."""
    met = Handle.objects.met_at(instance).select_related("contact")
    spellings = {about, *access_rules.names_of([about])}
    spellings |= {f"+{name}" for name in spellings if name.isdigit()}
    handle = met.filter(provider=instance.provider, value__in=spellings).first()
    if handle is None and about.isascii() and about.isdigit() and len(about) <= _ID_DIGITS:
        handle = met.filter(contact_id=int(about)).first()
    return handle.contact if handle else None
