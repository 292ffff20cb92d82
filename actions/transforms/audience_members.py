"""The people of an audience, for a loop that writes to each."""

from pydantic import BaseModel, ConfigDict, Field

from actions.base import Context, Outcome, Output, Params, action, done, failed
from actions.people import audiences
from actions.refusals import outcome_of
from events.models import Event
from omni.errors import OmniError

MOST = 5_000  # as many turns as a loop may have


class Sources(BaseModel):
    """Where the people come from; everybody any of them names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lists: list[str] = Field([], max_length=50, description="Names of contact lists.")
    labels: list[str] = Field([], max_length=50, description="Labels of contacts.")
    tags: list[str] = Field([], max_length=50, description="Tags of direct conversations.")
    handles: list[str] = Field([], max_length=MOST, description="Phones, mails, names, ids.")


class AudienceMembersParams(Params):
    audience: str | list[str] | Sources = Field(
        union_mode="left_to_right", description="A contact list by its name, `label:<label>`, "
        "`tag:<tag>`, a list of handles, or {lists, labels, tags, handles}.")
    limit: int = Field(MOST, ge=1, le=MOST, description="More people than this fail the step.")


class Item(BaseModel):
    """One person to write to."""

    handle: str = Field(description="What to write to.")
    name: str = Field("", description="The person's name, when known.")
    contact_id: int | None = Field(None, description="The contact, when known.")


class AudienceMembersOutput(Output):
    items: list[Item] = Field([], description="The people, each once, in a stable order.")
    count: int = Field(0, description="How many.")
    left_out: dict[str, int] = Field({}, description="How many were left out, by reason: blocked, "
                                     "blocked_there, no_consent, pattern, unreachable.")


@action("transform.audience.members", params=AudienceMembersParams, output=AudienceMembersOutput,
        effects="read", timeout=60.0)
def members(event: Event, params: AudienceMembersParams, context: Context) -> Outcome:
    """List the people of an audience, each once, without those who must not be written to."""
    try:
        found = audiences.gather(instance=context.instance, viewer=context.viewer,
                                 **_sources(params.audience))
    except OmniError as exc:
        return outcome_of(exc)
    if len(found.members) > params.limit:
        return failed(f"the audience has {len(found.members)} people, more than {params.limit}",
                      code="invalid")
    items = [{"handle": member.handle, "name": member.name, "contact_id": member.contact_id}
             for member in found.members]
    return done(items=items, count=len(items), left_out=found.left_out)


def _sources(audience: str | list[str] | Sources) -> dict[str, list[str]]:
    if isinstance(audience, Sources):
        return audience.model_dump()
    if isinstance(audience, list):
        return {"handles": audience}
    kind, colon, name = audience.partition(":")
    kinds = {"list": "lists", "label": "labels", "tag": "tags"}
    if colon and kind in kinds:
        return {kinds[kind]: [name.strip()]}
    return {"lists": [audience.strip()]}
