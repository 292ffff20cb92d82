"""The worked examples of the language, with the real actions."""

from pathlib import Path

import pytest

from actions.models import Agent, Task
from events.models import Event, EventAction, OutboxMessage
from events.store import media
from registry.engine.run import runner
from registry.engine.work import queue
from registry.versions import drafts
from tests.factories import (
    ANA,
    make_conversation,
    make_event,
    make_evolution,
    make_run,
    make_workflow,
)

EXAMPLES = sorted((Path(__file__).parents[1] / "registry" / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_names_actions_that_are_there_and_parameters_they_take(path):
    problems = drafts.problems(path.read_text())

    assert [str(problem) for problem in problems if problem.severity == "error"
            and "is not executable by this version" not in problem.message] == []


def test_examples_are_found():
    assert len(EXAMPLES) == 10


@pytest.fixture
def forwarded(db, settings, tmp_path, httpserver):
    """Runs the example of forwarded audio; the agent gives the answer."""
    settings.MEDIA_ROOT = tmp_path
    settings.OMNI_STT_BASE_URL = httpserver.url_for("/v1")

    def run(answer, heard=200):
        httpserver.expect_request("/v1/audio/transcriptions").respond_with_json(
            {"text": "call me"}, status=heard)
        httpserver.expect_request("/answer").respond_with_json({"text": answer})
        httpserver.expect_request("/message/sendText/shop").respond_with_json(
            {"key": {"id": "OUT1", "remoteJid": ANA, "fromMe": True}})
        Agent.objects.create(slug="default", kind="http", base_url=httpserver.url_for("/answer"))
        shop = make_evolution("shop", base_url=httpserver.url_for(""))
        event = make_event(
            shop, event_type="message.audio", text=None, media_kind="audio", is_forwarded=True,
            conversation=make_conversation(shop), conversation_ref=ANA, provider_message_id="A1")
        event.attachments.create(kind="audio", mime="audio/ogg", duration_ms=3000, state="stored",
                                 storage_key=media._keep(b"OggS invented"))
        made = make_run(event, workflow=make_workflow(_text("forwarded-audio")))
        [claim] = queue.claim("test", limit=1)
        runner.advance(claim)
        made.refresh_from_db()
        return made

    return run


def _text(name):
    return next(path for path in EXAMPLES if path.stem == name).read_text()


def test_forwarded_audio_is_heard_kept_answered_and_looked_at(forwarded):
    run = forwarded("see you there")

    assert (run.state, OutboxMessage.objects.get().request["text"]) == ("done", "see you there")
    assert Event.objects.get(event_type="system.derived.transcript").text == "call me"
    assert not Task.objects.exists()


def test_answer_with_a_secret_goes_to_people_instead(forwarded):
    run = forwarded("use sk-canary0123456789abc")

    assert (run.state, OutboxMessage.objects.exists()) == ("done", False)
    task = Task.objects.get()
    assert (task.queue, task.run_id) == ("review", run.pk)
    assert "secret" in task.note and "canary" not in task.note


def test_audio_nobody_can_hear_is_said_so(forwarded):
    run = forwarded("", heard=401)

    assert run.state == "failed"
    assert "Could you type it?" in OutboxMessage.objects.get().request["text"]
    assert EventAction.objects.get(step_id="stt").code == "denied"
