"""What the API answered counts for every event that arrives afterwards, in every process."""

import pytest

from tests.faults.system import SLUG, System, unique, until

pytestmark = pytest.mark.faults
CHANGES = 6
TEXT = """
omni: 1
id: {slug}
priority: 10
claim: reply
trigger:
  - event: message.text
    where: startswith(event.text, '{slug}')
steps:
  - uses: guard.denylist
    with: {{lists: [{slug}]}}
  - wait: {wait}
  - uses: route.reply
    with: {{text: "{edit}: ${{{{ event.text }}}}"}}
"""
_RUNS = """
SELECT e.provider_message_id, r.state, r.reason FROM omni_runs r
JOIN omni_events e ON e.id = r.event_id JOIN omni_workflows w ON w.id = r.workflow_id
WHERE w.slug = %s ORDER BY r.id
"""


@pytest.fixture
def slug(system: System) -> str:
    """The name of a workflow, and of the list it asks."""
    name = unique("c")
    system.api("POST", "contact-lists/", {"name": name, "purpose": "block"})
    return name


def ended(system: System, slug: str, count: int) -> dict[str, tuple[str, str]]:
    """{message: (state, reason)} once that many runs have ended."""
    def runs() -> list[tuple]:
        found = system.rows(_RUNS, slug)
        return found if len(found) == count and not {"queued", "running", "waiting"} & {
            state for _, state, _ in found} else []

    return {row[0]: row[1:] for row in until(runs, seconds=60, what=f"{count} runs ended")}


def test_version_that_was_published_runs_for_the_next_event(system: System, slug: str):
    system.switch_on(slug, TEXT.format(slug=slug, edit=0, wait="1ms"))
    for edit in range(1, CHANGES + 1):
        system.api("POST", f"workflows/{slug}/publish/",
                   {"text": TEXT.format(slug=slug, edit=edit, wait="1ms")})
        assert system.post(f"{slug}-{edit}", person=edit) in (200, 202)
        ended(system, slug, edit)

    assert system.peer.texts(slug) == sorted(
        f"{edit}: {slug}-{edit}" for edit in range(1, CHANGES + 1))


def test_person_who_was_put_on_a_list_is_met_by_it_with_the_next_event(system: System, slug: str):
    system.switch_on(slug, TEXT.format(slug=slug, edit=0, wait="1ms"))
    number = system.rows("SELECT id FROM omni_contact_lists WHERE name = %s", slug)[0][0]
    try:
        for turn in range(CHANGES):
            system.api("PATCH", f"contact-lists/{number}/", {"entries": [
                {"pattern": f"55119{turn:08d}"}] if turn % 2 else []})
            assert system.post(f"{slug}-{turn}", person=turn) in (200, 202)
            found = ended(system, slug, turn + 1)
    finally:  # other tests of this system hear from the same people
        system.api("PATCH", f"contact-lists/{number}/", {"entries": []})

    assert {turn: found[f"{slug}-{turn}"][0] for turn in range(CHANGES)} == {
        turn: "ignored" if turn % 2 else "done" for turn in range(CHANGES)}


def test_account_that_was_switched_off_sends_nothing_from_then_on(system: System, slug: str):
    system.switch_on(slug, TEXT.format(slug=slug, edit=0, wait="2s"))
    for turn in range(4):
        assert system.post(f"{slug}-{turn}", person=turn) in (200, 202)
    until(lambda: [state for _, state, _ in system.rows(_RUNS, slug)] == ["waiting"] * 4,
          seconds=30, what="runs wait")
    system.api("PATCH", f"instances/{SLUG}/", {"enabled": False})
    try:
        found = ended(system, slug, 4)
    finally:
        system.api("PATCH", f"instances/{SLUG}/", {"enabled": True})

    assert system.peer.texts(slug) == []
    assert {state for state, _ in found.values()} == {"failed"}
    assert all("is switched off" in reason for _, reason in found.values())
