import pytest
from django.urls import reverse

from actions.models import Agent, ContactList
from omni.audit import AuditEntry
from tests.admin_world import CANARY, sign_in
from tests.factories import make_instance

pytestmark = pytest.mark.django_db
ADD_LIST = "/admin/actions/contactlist/add/"


def agent_form(**fields):
    return {"slug": "helper", "name": "Helper", "kind": "openai", "enabled": "on",
            "base_url": "http://127.0.0.1:9/v1", "settings": "{}", "timeout": "30",
            "credentials": "", **fields}


def entries(*patterns):
    form = {"entries-TOTAL_FORMS": str(len(patterns)), "entries-INITIAL_FORMS": "0"}
    for number, pattern in enumerate(patterns):
        form[f"entries-{number}-pattern"] = pattern
    return form


def test_key_of_an_agent_is_written_and_never_shown():
    client = sign_in()
    client.post("/admin/actions/agent/add/", agent_form(credentials=f'{{"api_key": "{CANARY}"}}'))
    agent = Agent.objects.get()
    address = reverse("admin:actions_agent_change", args=[agent.pk])

    client.post(address, agent_form(name="Renamed"))
    text = client.get(address).content.decode()

    agent.refresh_from_db()
    assert (agent.name, agent.credentials) == ("Renamed", {"api_key": CANARY})
    assert "Set: api_key" in text and CANARY not in text


@pytest.mark.parametrize("written", ["not json", '["a", "list"]', '"text"'])
def test_credentials_that_are_no_object_are_refused(written):
    answer = sign_in().post("/admin/actions/agent/add/", agent_form(credentials=written))

    assert answer.status_code == 200
    assert not Agent.objects.exists()


def test_list_is_saved_with_its_entries_and_noted():
    sign_in().post(ADD_LIST, {"name": "blocked", "purpose": "block", "enabled": "on",
                              **entries("+4912*", "spam@example.org")})

    assert ContactList.objects.get().entries.count() == 2
    assert AuditEntry.objects.get(action="contact_list.created").facts["entries"] == 2


def test_author_of_one_instance_cannot_make_a_list_for_all():
    shop = make_instance()
    client = sign_in(grants=[(shop, ["read", "workflows"])], name="ana")
    form = {"name": "blocked", "purpose": "block", "enabled": "on", **entries("+49*")}

    refused = client.post(ADD_LIST, form)
    taken = client.post(ADD_LIST, {**form, "instance": shop.pk})

    assert (refused.status_code, taken.status_code) == (200, 302)
    assert ContactList.objects.get().instance == shop


def test_list_of_a_foreign_instance_is_not_there():
    mine, foreign = make_instance("mine"), make_instance("foreign")
    row = ContactList.objects.create(name="theirs", instance=foreign)
    client = sign_in(grants=[(mine, ["read", "workflows"])], name="ana")

    answer = client.get(reverse("admin:actions_contactlist_change", args=[row.pk]))

    assert answer.status_code == 302


def test_global_list_is_read_only_for_an_author_of_one_instance():
    mine = make_instance("mine")
    row = ContactList.objects.create(name="blocked", purpose="block")
    client = sign_in(grants=[(mine, ["read", "workflows"])], name="ana")
    address = reverse("admin:actions_contactlist_change", args=[row.pk])

    shown = client.get(address)
    changed = client.post(address, {"name": "open", "purpose": "allow", "instance": mine.pk,
                                    **entries("+1*")})

    row.refresh_from_db()
    assert (shown.status_code, changed.status_code) == (200, 403)
    assert (row.name, row.instance, row.entries.count()) == ("blocked", None, 0)
