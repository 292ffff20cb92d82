"""Of a person whom a foreign account knows as well, limited people see what their accounts know."""

import pytest

from connections.access import SCOPES
from events.models import Contact
from events.people import known_by
from tests.admin_world import sign_in
from tests.shared_person import FOREIGN_LABEL, FOREIGN_NAME, FOREIGN_NUMBER, shared_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def person():
    return shared_person()


@pytest.mark.parametrize("page", [
    "contact/", "contact/{own}/change/", "contact/{kept}/change/", "contact/{own}/history/",
    "event/", "event/{event}/change/", "conversation/"])
def test_admin_page_tells_nothing_a_foreign_account_said(person, page):
    client = sign_in(grants=[(person.mine, list(SCOPES))], name="ana")

    answer = client.get("/admin/events/" + page.format(
        own=person.own.contact_id, kept=person.kept.pk, event=person.own.pk), follow=True)

    told = answer.content.decode()
    assert answer.status_code == 200
    assert not [word for word in (FOREIGN_NAME, FOREIGN_LABEL, FOREIGN_NUMBER) if word in told]


def test_contact_it_is_merged_into_costs_no_statement(person, django_assert_num_queries):
    rows = list(Contact.objects.select_related("merged_into").order_by("pk"))

    with django_assert_num_queries(1):
        known_by.show(rows, person.limited)

    assert [str(row.merged_into) for row in rows if row.merged_into_id] == ["Ana"]


def test_value_another_account_wrote_over_is_known_to_that_account_only():
    contact = Contact.objects.create()
    for number, city in ((1, "Faro"), (2, "Faro"), (3, "Porto")):
        known_by.write(contact, instance_ids=[number], attributes={"city": city})
        by = contact.known_by["attributes"]["city"]
        assert by == ([3] if city == "Porto" else list(range(1, number + 1)))


def test_contact_whose_handles_went_elsewhere_tells_limited_people_nothing(person):
    contact = Contact.objects.create(name=FOREIGN_NAME, labels=[FOREIGN_LABEL])

    known_by.show([contact], person.limited)

    assert (contact.shown.name, contact.shown.labels) == ("", [])
