"""Admin pages that show contacts: limited people see of them what their instances know."""

from typing import Any

from django.http import HttpRequest

from connections.rest.authentication import principal
from events.models import Contact
from events.people.known_by import show
from omni.admin.paginator import KeysetChangeList


def contact_of(row: Any) -> Contact | None:
    return row if isinstance(row, Contact) else row.contact


class ShownContact:
    """The page of a row that is a contact or has one."""

    def get_object(self, request: HttpRequest, *args: Any) -> Any:
        row = super().get_object(request, *args)
        if row is not None:
            show([contact_of(row)], principal(request))
        return row


class PeopleChangeList(KeysetChangeList):
    """Asks for the contacts of all rows at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        show(map(contact_of, self.result_list), principal(request))


class ShownContacts(ShownContact):
    """Its list as well."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type:
        return PeopleChangeList
