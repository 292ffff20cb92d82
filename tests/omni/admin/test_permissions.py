"""Every page of the admin for a person of one account: no foreign row, count or name; a new address
without an entry fails.
"""

import re

import pytest
from django.apps import apps
from django.contrib import admin
from django.urls import URLPattern, reverse

from connections.access import SCOPES, ApiKey
from connections.models import Secret
from omni.audit import note
from registry.versions import bindings
from tests.admin_world import CANARY, make_surroundings, make_world, sign_in

pytestmark = pytest.mark.django_db
FOREIGN = "zzforeign"
ROW_PAGES = ("change", "history", "delete", "do", "export", "try", "compare", "bindings", "binding",
             "password_change")
PLAIN_PAGES = ("changelist", "add", "import_yaml")
SITE = {"index", "login", "logout", "password_change", "password_change_done", "jsi18n", "search",
        "autocomplete", "app_list", "view_on_site"}
# Rows of these belong to no account: everybody who may see the page sees all of them.
EVERYBODYS = {"registry_workflow", "registry_workflowversion", "actions_agent"}
MODELS = {f"{model._meta.app_label}_{model._meta.model_name}": model
          for model in admin.site._registry}


def names(patterns=None):
    """Names of all addresses of the admin."""
    for pattern in admin.site.get_urls() if patterns is None else patterns:
        if isinstance(pattern, URLPattern):
            if pattern.name:
                yield pattern.name
        else:
            yield from names(pattern.url_patterns)


NAMES = sorted(set(names()))


def parts(name):
    """(model, page) of an address of a model, None for one of the site."""
    for model in MODELS:
        if name.startswith(f"{model}_"):
            return model, name.removeprefix(f"{model}_")
    return None


def verbs(model):
    page = admin.site._registry[MODELS[model]]
    return [verb.name for verb in page.verbs()] if hasattr(page, "verbs") else []


def rows_of(world):
    """Rows of one account, by the name of their model."""
    found = {}
    for name, model in MODELS.items():
        if name in EVERYBODYS:
            continue
        fields = {field.name for field in model._meta.get_fields()}
        if name == "connections_instance":
            found[name] = [world.instance]
        elif name == "events_contact":
            found[name] = [world.contact]
        elif "instance" in fields:
            found[name] = list(model._default_manager.filter(instance=world.instance))
        elif "instances" in fields:
            found[name] = list(model._default_manager.filter(instances=world.instance))
    return found


def furnish(slug):
    """A world with a key, a secret and a binding of its account."""
    world = make_world(slug)
    ApiKey.issue(f"key of {slug}", scopes=["read"], instances=[world.instance])
    Secret.objects.create(name=f"secret_of_{slug}", value=CANARY, instance=world.instance)
    apps.get_model("actions", "ContactList").objects.create(name=f"list of {slug}",
                                                           instance=world.instance)
    bindings.bind(world.workflow, scope="instance", instance=world.instance, actor=f"user:{slug}")
    note(f"user:{slug}", "instance.changed", slug)
    return world


@pytest.fixture
def mine():
    make_surroundings()
    return furnish("mine")


@pytest.fixture
def person(mine):
    """A member of staff with every scope on one account."""
    return sign_in(grants=[(mine.instance, list(SCOPES))], name="ana")


def lists():
    return [reverse(f"admin:{name}") for name in NAMES if (known := parts(name))
            and known[1] in PLAIN_PAGES] + [reverse("admin:index"), reverse("live"),
                                            reverse("admin:search") + "?s=zzf"]


def plain(answer):
    """What a page says, less what is new in every answer."""
    text = answer.content.decode() if answer.status_code == 200 else ""
    text = re.sub(r'(csrfmiddlewaretoken" value=|csrf[Tt]oken["\s:=]+)"[^"]*"', "", text)
    return re.sub(r'title="\d{4}-[^"]*"', "", re.sub(r'nonce="[^"]*"', "", text))


def test_every_address_of_the_admin_is_known():
    unknown = [name for name in NAMES if name not in SITE and not (
        (known := parts(name)) and known[1] in (*ROW_PAGES, *PLAIN_PAGES))]

    assert unknown == []


def test_another_account_changes_nothing_on_the_pages_of_a_person(person):
    before = {url: plain(person.get(url)) for url in lists()}
    furnish(FOREIGN)
    after = {url: plain(person.get(url)) for url in lists()}

    assert [url for url in before if before[url] != after[url]] == []


def test_no_list_names_another_account_when_it_is_filtered_for(person):
    foreign = furnish(FOREIGN)
    seen = []
    for name in MODELS:
        url = reverse(f"admin:{name}_changelist")
        for query in (f"?q={FOREIGN}", f"?instance={foreign.instance.pk}",
                      f"?instance__id__exact={foreign.instance.pk}"):
            text = person.get(url + query, follow=True).content.decode().replace(query[3:], "")
            if FOREIGN in text.replace(f'value="{FOREIGN}"', ""):
                seen.append(url + query)

    assert seen == []


def test_no_page_of_a_foreign_row_opens(person):
    foreign = rows_of(furnish(FOREIGN))
    assert {"events_event", "registry_run", "connections_secret"} <= set(foreign)
    opened = []
    for name, rows in foreign.items():
        for row in rows:
            for page in ("change", "history", "delete"):
                url = reverse(f"admin:{name}_{page}", args=[row.pk])
                for answer in (person.get(url), person.post(url, {"post": "yes"})):
                    if answer.status_code == 200:
                        opened.append(url)

    assert opened == []


def test_no_verb_reaches_a_foreign_row(person):
    foreign = rows_of(furnish(FOREIGN))
    reached = []
    for name, rows in foreign.items():
        for verb in verbs(name):
            for row in rows:
                url = reverse(f"admin:{name}_do", args=[row.pk, verb])
                for answer in (person.get(url), person.post(url, {})):
                    if answer.status_code not in (403, 404):
                        reached.append((url, answer.status_code))

    assert reached == []


def test_verbs_are_found_at_all():
    assert "archive" in verbs("connections_instance") and "again" in verbs("events_outboxmessage")


def test_choices_offer_no_foreign_row(person):
    furnish(FOREIGN)
    offered = []
    for page in admin.site._registry.values():
        for field in page.autocomplete_fields:
            answer = person.get(reverse("admin:autocomplete"), {
                "app_label": page.model._meta.app_label, "field_name": field,
                "model_name": page.model._meta.model_name, "term": ""})
            if answer.status_code == 200 and FOREIGN in answer.content.decode():
                offered.append((page.model, field))

    assert offered == []


def test_pages_of_a_shared_workflow_name_no_other_account(person, mine):
    furnish(FOREIGN)
    version = mine.workflow.latest()
    pages = [reverse("admin:registry_workflow_change", args=[mine.workflow.pk]),
             reverse("admin:registry_workflow_history", args=[mine.workflow.pk]),
             reverse("admin:registry_workflow_try", args=[mine.workflow.pk]),
             reverse("admin:registry_workflow_export", args=[mine.workflow.pk]),
             reverse("admin:registry_workflowversion_change", args=[version.pk]),
             reverse("admin:registry_workflowversion_compare", args=[version.pk])]

    named = [page for page in pages if FOREIGN in person.get(page).content.decode()]

    assert named == []
