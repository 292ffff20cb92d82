"""A choice by a model or agent, as an action: what the step `decide` does, without steps inside."""

from pydantic import Field

from actions import decisions
from actions.base import Context, Outcome, Output, Params, action, done
from events.models import Event


class SmartDecisionParams(Params):
    question: str = Field(min_length=1, max_length=20_000, description="What is to be decided.")
    options: dict[str, str] = Field(min_length=1, description="Names of the options, each with "
                                    "what it means; an empty text needs no explanation.")
    using: str = Field("agent.wish", description="Slug of an agent; agent.wish: the configured "
                       "language model.")
    default: str | None = Field(None, description="Taken when the answer is unsure, too dear or "
                                "does not come.")
    min_confidence: float | None = Field(None, ge=0, le=1, description="Below this the default is "
                                         "taken.")
    max_cost: float | None = Field(None, ge=0, description="Above this the default is taken.")


class SmartDecisionOutput(Output):
    choice: str = Field("", description="The option.")
    confidence: float = Field(0.0, description="How sure the answer was, 0 to 1.")
    reason: str = Field("", description="Why, in the words of who decided.")
    cost: float = Field(0.0, description="What it cost, by the price settings.")
    prompt_hash: str = Field("", description="sha256 of what was asked.")
    defaulted: bool = Field(False, description="Whether the default was taken.")
    why: str = Field("", description="Why the default was taken.")


@action("workflow.smart_decision", params=SmartDecisionParams, output=SmartDecisionOutput,
        effects="write", timeout=90.0)
def smart_decision(event: Event, params: SmartDecisionParams, context: Context) -> Outcome:
    """Let a model or an agent pick one of the listed options, and nothing else."""
    return done(**decisions.decide(
        question=params.question, options=params.options, using=params.using, event=event,
        context=context, default=params.default, min_confidence=params.min_confidence,
        max_cost=params.max_cost).as_dict())
