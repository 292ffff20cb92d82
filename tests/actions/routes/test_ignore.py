from actions.routes.ignore import IgnoreParams, ignore


def test_run_ends_as_ignored_with_its_reason(say, context):
    outcome = ignore(say(), IgnoreParams(reason="closed today"), context)

    assert (outcome.status, outcome.reason) == ("stopped", "closed today")
