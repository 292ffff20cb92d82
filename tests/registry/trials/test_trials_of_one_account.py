"""What a key of one account learns by trying texts of its own: what that account knows, no more."""

import json

import pytest

from actions.models import ContactList
from connections.access import SCOPES
from connections.models import Secret
from events.models import Conversation, Event, Handle
from registry.versions import drafts
from tests.admin_world import sign_in
from tests.api_client import client_of, post_json
from tests.factories import make_workflow
from tests.shared_person import FOREIGN_LABEL, FOREIGN_NAME, FOREIGN_NUMBER, shared_person

pytestmark = pytest.mark.django_db
HEAD = "omni: 1\nid: greet\ntrigger: [{event: message.text}]\nsteps:\n"
OWN_NUMBER = "351922000009"


@pytest.fixture
def person():
    make_workflow(HEAD + "  - {uses: route.ignore}\n")
    return shared_person()


def tried(person, step, *, event=None):
    """The answer of a dry run, less its times and what was given."""
    answer = post_json(client_of("workflows", instances=[person.mine]),
                       "/api/v1/workflows/greet/dry-run/",
                       {"event": event or person.own.pk, "text": f"{HEAD}  - {step}\n",
                        "anyway": True})
    assert answer.status_code == 200, answer.data
    told = json.loads(json.dumps(answer.data, default=str))
    for entry in told["path"]:
        del entry["took_ms"], entry["input"], entry["at"]
    del told["took_ms"], told["expressions"]
    return told


def outcome(found):
    [entry] = found["path"]
    return entry["status"], entry["output"]


@pytest.mark.parametrize("event", [None, "message.text"])
@pytest.mark.parametrize("to", ["{place}", "'{ref}'", "{{contact_id: {contact}}}", "'+1555'"])
def test_sending_through_a_foreign_account_reads_as_through_none(person, to, event):
    place = Conversation.objects.get(instance__slug="theirs")
    to = to.format(place=place.pk, ref=place.ref, contact=person.kept.pk)

    foreign, none = (tried(person, f"{{uses: route.send, with: {{to: {to}, text: hi, "
                                   f"instance: {slug}}}}}", event=event)
                     for slug in ("theirs", "nobody"))

    assert foreign["path"][0]["status"] == "failed" and not foreign["sends"]
    assert json.dumps(foreign).replace("theirs", "nobody") == json.dumps(none)


def test_person_whom_only_a_foreign_account_met_reads_as_nobody(person):
    stranger = Handle.objects.create(provider=person.mine.provider, kind="phone", value="+1777",
                                     contact=type(person.kept).objects.create(
                                         pk=777_777, name="Trillian"))
    stranger.instances.add(Conversation.objects.get(instance__slug="theirs").instance)

    foreign, none = (tried(person, "{uses: route.send, with: {text: hi, to: "
                                   f"{{contact_id: {number}}}}}}}")
                     for number in (stranger.contact_id, 987654))

    assert json.dumps(foreign).replace("777777", "987654") == json.dumps(none)


def test_label_of_a_foreign_account_is_on_nobody(person):
    audience = tried(person, "{uses: transform.audience.members, with: {audience: "
                             f"'label:{FOREIGN_LABEL}'}}}}")
    guard = tried(person, f"{{uses: guard.contact_override, with: {{label: {FOREIGN_LABEL}, "
                          "mode: note}}")

    assert outcome(audience)[1]["count"] == 0
    assert outcome(guard)[1]["labelled"] is False


def test_audience_names_people_as_the_own_account_calls_them(person):
    found = tried(person, f"{{uses: transform.audience.members, with: {{audience: "
                          f"['+{OWN_NUMBER}']}}}}")

    assert [item["name"] for item in outcome(found)[1]["items"]] == ["Ana"]
    assert FOREIGN_NAME not in json.dumps(found) and FOREIGN_NUMBER not in json.dumps(found)


def test_audience_does_not_tell_whose_foreign_handle_a_rule_blocks(person):
    blocked = ContactList.objects.create(name="no", purpose="block", instance=person.mine)
    blocked.entries.create(pattern=f"+{FOREIGN_NUMBER}")

    found = tried(person, f"{{uses: transform.audience.members, with: {{audience: "
                          f"['+{OWN_NUMBER}']}}}}")

    assert outcome(found)[1]["left_out"] == {}


def test_backtest_counts_as_sent_nothing_through_a_foreign_account(person):
    Event.objects.filter(pk=person.own.pk).update(source="live", direction="inbound")
    text = f"{HEAD}  - {{uses: route.send, with: {{to: '+1555', text: hi, instance: theirs}}}}\n"

    answer = post_json(client_of("workflows", instances=[person.mine]),
                       "/api/v1/workflows/greet/backtest/",
                       {"text": text, "run": True, "since": "2000-01-01T00:00:00Z",
                        "until": "2100-01-01T00:00:00Z"})

    assert answer.data["tried"] == 1, answer.data
    assert (answer.data["trials"], answer.data["sends"]) == ({"failed": 1}, 0)


def test_page_of_a_trial_tells_a_person_of_one_account_nothing_foreign(person):
    workflow = drafts.save_draft(
        f"{HEAD}  - {{uses: transform.audience.members, with: {{audience: ['+{OWN_NUMBER}', "
        f"'+{FOREIGN_NUMBER}']}}}}\n"
        "  - {uses: route.send, with: {to: '+1555', text: hi, instance: theirs}}\n", actor="test")
    client = sign_in(grants=[(person.mine, list(SCOPES))], name="ana")

    page = client.post(f"/admin/registry/workflow/{workflow.pk}/try/", {
        "event": person.own.pk, "anyway": "on"}).content.decode()

    assert FOREIGN_NAME not in page
    assert "there is no enabled instance &#x27;theirs&#x27;" in page


NOTIFY = "uses: meta.notify.webhook, with: {{text: hi, url: {url}}}"
TURNED = ["'https://${{ replace(secrets.k, \"-\", \"x\") }}.example.org/'",
          "'https://${{ \"yes\" if matches(secrets.k, \"^c\") else \"no\" }}.example.org/'",
          "'https://n${{ len(secrets.k) }}.example.org/'",
          "'${{ secrets.k }}'", "'${{ secrets.k[0] }}'", "'https://${{ date(now, secrets.k) }}/'",
          "'${{ secrets.k if \"9f8\" in secrets.k else 1 }}'"]


@pytest.mark.parametrize("url", TURNED)
@pytest.mark.parametrize("owner", ["mine", None])
def test_dry_run_of_own_text_says_nothing_of_a_secret(person, url, owner):
    row = Secret.objects.create(name="k", value="canary-9f8e7d",
                                instance=person.mine if owner else None)
    step = "{" + NOTIFY.format(url=url) + "}"

    first = tried(person, step)
    Secret.objects.filter(pk=row.pk).update(value="quite-another-of-other-length")
    second = tried(person, step)

    assert first == second and "canary" not in json.dumps(first)


def test_expressions_backtests_and_the_page_say_nothing_of_a_secret(person):
    Secret.objects.create(name="k", value="canary-9f8e7d")
    text = f"{HEAD}  - {{{NOTIFY.format(url=TURNED[0])}}}\n"
    client = client_of("workflows", instances=[person.mine])
    workflow = make_workflow(text)
    page = sign_in(grants=[(person.mine, list(SCOPES))], name="eve")

    told = [post_json(client, "/api/v1/workflows/greet/dry-run/", {
        "event": person.own.pk, "text": text, "anyway": True}),
        post_json(client, "/api/v1/workflows/greet/backtest/", {
            "since": "2020-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z", "text": text,
            "run": True}),
        page.post(f"/admin/registry/workflow/{workflow.pk}/try/",
                  {"event": person.own.pk, "anyway": "on"})]

    for answer in told:
        assert answer.status_code == 200 and "canary" not in answer.content.decode()
    assert told[1].data["tried"] and "example.org" in told[2].content.decode()


def test_trial_with_stand_ins_still_goes_to_its_end(person):
    Secret.objects.create(name="k", value="https://hooks.example.org/canary")

    found = tried(person, "{" + NOTIFY.format(url="'${{ secrets.k }}'") + "}")

    assert found["state"] == "done", found["end"]
    assert [(sent["to"], sent["kind"]) for sent in found["sends"]] == [
        ("[secret]", "meta.notify.webhook")]
    assert found["path"][0]["source"] == "sample"


def test_caller_who_sees_every_instance_tries_with_the_secret_itself(person):
    Secret.objects.create(name="k", value="hooks-9f8e7d")

    found = post_json(client_of("workflows"), "/api/v1/workflows/greet/dry-run/", {
        "event": person.own.pk, "anyway": True,
        "text": f"{HEAD}  - {{{NOTIFY.format(url=TURNED[0])}}}\n"}).data

    assert found["sends"][0]["to"] == "hooksx9f8e7d.example.org"
