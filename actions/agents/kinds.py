"""The kinds of agents, and which agent answers where."""

from collections.abc import Callable

from actions.agents import automagik, builtin, hive, http, openai
from actions.agents.question import Answer, Question
from actions.models import Agent
from connections.models import Instance
from omni.config.remembered import Remembered
from omni.errors import NotConfigured

ANSWERS: dict[str, Callable[[Question], Answer]] = {
    "automagik": automagik.answer,
    "builtin": builtin.answer,
    "hive": hive.answer,
    "http": http.answer,
    "openai": openai.answer,
}
DEFAULT = "default"
_agents: Remembered[str, Agent | None] = Remembered("agents", most=1000)


def ask(question: Question) -> Answer:
    """The answer of the question's agent. Raises NotConfigured, Unavailable and their kin."""
    return ANSWERS[question.agent.kind](question)


def stored(slug: str) -> Agent | None:
    """The agent of a slug to read, remembered while none is changed; None when there is none."""
    return _agents.get(slug, lambda: Agent.objects.filter(slug=slug).first())


def agent_for(slug: str, *, instance: Instance) -> Agent:
    """The agent of a slug; "" means the instance's.

    Where nobody made an agent called `default`, the built-in one answers.
    Raises NotConfigured when there is no such agent, or it is switched off.
    """
    wanted = slug or instance.agent or DEFAULT
    agent = stored(wanted)
    if agent is None and wanted == DEFAULT:
        return Agent(slug=DEFAULT, name="Built-in", kind="builtin")
    if agent is None:
        raise NotConfigured(f"there is no agent '{wanted}'; make it under Agents",
                            setting=f"agent {wanted}")
    if not agent.enabled:
        raise NotConfigured(f"agent '{wanted}' is switched off; enable it under Agents",
                            setting=f"agent {wanted}")
    return agent
