"""The personal assistant: an agent that is told what was kept about the person."""

from pydantic import Field

from actions import agent_turn
from actions.agent_turn import AgentOutput, AgentParams
from actions.agents import kinds
from actions.base import Context, Outcome, action
from actions.models import Memory
from actions.people.contact_lists import person_of
from events.models import Event

PERSONAL = "personal"
MOST_TOLD = 20_000  # characters of all memories together


class PersonalParams(AgentParams):
    agent: str = Field("", description="Slug of the agent; empty: the agent called personal where "
                       "there is one, else the instance's.")
    memories: int = Field(20, ge=0, le=100, description="How many of the newest memories of the "
                          "person the agent is told; together at most 20,000 characters.")


@action("route.agent.personal", params=PersonalParams, output=AgentOutput, effects="write",
        timeout=120.0)
def agent_personal(event: Event, params: PersonalParams, context: Context) -> Outcome:
    """Ask the personal assistant, who is told what was kept about the person.

    Like route.agent.default otherwise. Memories of other instances are not told.
    """
    return agent_turn.answered(event, params, context, agent=params.agent or _personal(),
                               memories=_memories(event, context, params.memories))


def _memories(event: Event, context: Context, most: int) -> list[str]:
    """The newest memories that have room in MOST_TOLD characters, oldest first."""
    kept = Memory.objects.filter(instance=context.instance.pk).about(
        person_of(event), event.conversation).order_by("-id")[:most]
    told: list[str] = []
    for memory in kept:
        if sum(map(len, told)) + len(memory.text) > MOST_TOLD:
            break
        told.insert(0, memory.text)
    return told


def _personal() -> str:
    """The slug of the personal agent, "" where nobody made one or it is switched off."""
    agent = kinds.stored(PERSONAL)
    return PERSONAL if agent is not None and agent.enabled else ""
