"""Runs of probed steps."""

import pytest

from tests.factories import make_event, make_instance, make_run, make_workflow


@pytest.fixture
def start(probe):
    """Makes a queued run of these steps (YAML), on a text event."""

    def make(steps, *, head="", event=None, **fields):
        text = (f"omni: 1\nid: probed\ntrigger: [{{event: message.text}}]\n{head}\nsteps:\n"
                + "\n".join(f"  {line}" for line in steps.strip("\n").splitlines()) + "\n")
        event = event or make_event(make_instance(), text="hello")
        return make_run(event, workflow=make_workflow(text), **fields)

    return make
