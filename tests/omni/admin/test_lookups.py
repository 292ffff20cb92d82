"""Lists of the admin are narrowed by what their page declares; the rest is not to be asked for."""

import re
from html import unescape

import pytest
from django.contrib import admin
from django.db.models import JSONField
from django.urls import reverse

from connections.access import SCOPES
from omni.admin.pages import BaseAdmin
from tests.admin_world import make_surroundings, make_world, sign_in

pytestmark = pytest.mark.django_db
LISTS = {f"{model._meta.app_label}_{model._meta.model_name}": page
         for model, page in admin.site._registry.items()}
HREF = re.compile(r'(?:href|action)="([^"#]*\?[^"#]+)"')


def declared(page):
    """Fields the page filters by, and its key."""
    filters = [item[0] if isinstance(item, tuple) else getattr(item, "parameter_name", item)
               for item in page.list_filter]
    return {*filters, page.opts.pk.name, page.date_hierarchy}


def hidden_lookups():
    """(list, lookup) for every field of every model that its page does not declare."""
    for name, page in LISTS.items():
        for field in page.opts.get_fields():
            path = field.name
            if path not in declared(page):
                yield name, path
            yield name, f"{path}__startswith"
            yield name, f"{path}__in"
            if field.is_relation:
                yield name, f"{path}__pk"
                yield name, f"{path}__name__startswith"
            if isinstance(field, JSONField):
                yield name, f"{path}__ssn__startswith"


def test_every_page_stands_on_ours():
    assert [name for name, page in LISTS.items() if not isinstance(page, BaseAdmin)] == []


def test_no_list_is_narrowed_by_a_field_its_page_does_not_declare(rf, admin_user):
    asked, request = list(hidden_lookups()), rf.get("/")
    request.user = admin_user

    found = [(name, lookup) for name, lookup in asked
             if LISTS[name].lookup_allowed(lookup, "1", request)]

    assert found == [] and len(asked) > 500


@pytest.mark.parametrize("name", sorted(LISTS))
def test_list_that_is_asked_for_a_hidden_field_refuses(name):
    boss, lookup = sign_in(), next(asked for of, asked in hidden_lookups() if of == name)

    assert boss.get(reverse(f"admin:{name}_changelist"), {lookup: "1"}).status_code == 400


@pytest.mark.parametrize("question", [
    "attributes__ssn__startswith=B", "attributes__ssn=BETA", "labels__icontains=vip",
    "known_by__icontains=beta", "known_by__has_key=labels", "name__startswith=A",
    "handles__value=%2B49foreign", "handles__sightings__instance__slug=foreign"])
def test_person_of_one_account_finds_no_contact_by_what_others_know(question):
    make_world("foreign")
    person = sign_in(grants=[(make_world("mine").instance, list(SCOPES))], name="ana")

    answer = person.get(f"{reverse('admin:events_contact_changelist')}?{question}")

    assert answer.status_code == 400


def test_pins_of_a_workflow_are_not_found_letter_by_letter():
    person = sign_in(grants=[(make_world("mine").instance, list(SCOPES))], name="ana")

    answer = person.get(reverse("admin:registry_workflow_changelist"),
                        {"pins__agent__text__startswith": "x"})

    assert answer.status_code == 400


def test_links_with_a_question_on_our_own_pages_lead_somewhere():
    make_surroundings()
    make_world()
    boss, seen, open_pages = sign_in(), set(), [reverse("admin:index")]
    for name, page in LISTS.items():
        open_pages.append(reverse(f"admin:{name}_changelist"))
        open_pages += [reverse(f"admin:{name}_change", args=[row.pk])
                       for row in page.model._default_manager.all()[:1]]
    for url in open_pages:
        for found in HREF.findall(boss.get(url).content.decode()):
            link = unescape(found)
            seen.add(link if link.startswith("/") else url.split("?")[0] + link)
    seen = {link for link in seen if link.startswith("/admin/")}

    wrong = {link: status for link in sorted(seen)
             if (status := boss.get(link).status_code) not in (200, 302)}

    assert wrong == {} and len(seen) > 40
    assert {part for part in ("?failed=1", "?quarantine=1", "?open=1", "?state__exact=open",
                              "?workflow=") if not any(part in link for link in seen)} == set()


@pytest.mark.parametrize(("name", "question"), [
    ("events_event", "instance=1"), ("events_event", "type=message.*&direction=inbound"),
    ("events_event", "received_at_from_0=2026-01-01&received_at_to_0=2026-02-01"),
    ("events_event", "older=7"), ("events_event", "id=7"), ("registry_run", "pk__exact=7"),
    ("events_conversation", "kind=direct"), ("connections_instance", "enabled__exact=1"),
    ("connections_instance", "provider=webhook"), ("auth_user", "is_staff__exact=1")])
def test_declared_filters_are_answered(name, question):
    answer = sign_in().get(f"{reverse(f'admin:{name}_changelist')}?{question}")

    assert answer.status_code == 200
