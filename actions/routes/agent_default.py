"""The default reply: one question to the agent of the account."""

from actions import agent_turn
from actions.agent_turn import AgentOutput, AgentParams
from actions.base import Context, Outcome, action
from events.models import Event


@action("route.agent.default", params=AgentParams, output=AgentOutput, effects="write",
        timeout=120.0)
def agent_default(event: Event, params: AgentParams, context: Context) -> Outcome:
    """Ask the agent of this account and hand its answer to the next step.

    Nothing is sent: `route.reply` does that. An answer beginning with AUTOMAGIK: means silence.
    The agent's own timeout holds, but never longer than the step has.
    """
    return agent_turn.answered(event, params, context, agent=params.agent)
