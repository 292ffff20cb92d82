"""One log line per run for whoever counts."""

import logging
import re
from typing import Annotated

from pydantic import AfterValidator, Field

from actions.base import Context, Outcome, Params, action, done
from events.models import Event

logger = logging.getLogger("omni.analytics")
_WORD = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")


def _word(text: str) -> str:
    if not _WORD.fullmatch(text):
        raise ValueError("facts are numbers, true, false or single words of up to 64 characters, "
                         "never what people wrote")
    return text


Word = Annotated[str, AfterValidator(_word)]
Fact = bool | int | float | Word


class AnalyticsLogParams(Params):
    name: Word = Field("workflow", description="What is counted, in one word.")
    facts: dict[Word, Fact] = Field({}, max_length=20, description="More facts: numbers, true, "
                                    "false or single words; never what people wrote.")


@action("meta.analytics.log", params=AnalyticsLogParams, effects="write", idempotent=True,
        timeout=5.0)
def log(event: Event, params: AnalyticsLogParams, context: Context) -> Outcome:
    """Write one line with the facts of this event to the log, for counting."""
    logger.info("Event counted.", extra={
        **{f"fact_{name}": value for name, value in params.facts.items()},
        "counted": params.name, "event_id": event.pk, "event_type": event.event_type,
        "provider": event.provider, "instance": context.instance.slug,
        "direction": event.direction, "workflow": context.workflow, "run_id": context.run_id,
        "step": context.step_id})
    return done()
