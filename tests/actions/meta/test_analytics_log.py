import logging

import pytest
from pydantic import ValidationError

from actions.meta.analytics_log import AnalyticsLogParams, log


def test_line_has_the_facts_and_never_the_text(say, context, caplog):
    event = say("my secret words")
    params = AnalyticsLogParams(name="lead", facts={"score": 7, "tier": "gold"})

    with caplog.at_level(logging.INFO, logger="omni.analytics"):
        log(event, params, context)

    facts = vars(caplog.records[-1])
    assert (facts["counted"], facts["fact_score"], facts["fact_tier"]) == ("lead", 7, "gold")
    assert facts["event_id"] == event.pk and "secret" not in str(facts)


@pytest.mark.parametrize("fact", ["what people wrote", "x" * 65, "a\nb", None, ["a"]])
def test_sentence_is_no_fact(fact):
    with pytest.raises(ValidationError):
        AnalyticsLogParams(facts={"text": fact})


def test_fact_may_have_the_name_of_a_log_field(say, context):
    assert log(say(), AnalyticsLogParams(facts={"message": 1, "name": 2}), context).status == "done"
