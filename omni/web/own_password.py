"""The page where people change their own password: the old one is guessed no faster than at the
sign-in.
"""

from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.forms import AdminOwnPasswordChangeForm

from omni.web import sign_in


class OwnPasswordForm(AdminOwnPasswordChangeForm):
    def __init__(self, *args: Any, request: HttpRequest, **more: Any) -> None:
        super().__init__(*args, **more)
        self.request = request

    def clean_old_password(self) -> str:
        """Raises `sign_in.TooManyTries`, which the page shows."""
        old = self.cleaned_data["old_password"]
        if not sign_in.is_right(self.request, self.user, old):
            raise ValidationError(self.error_messages["password_incorrect"],
                                  code="password_incorrect")
        return old


def change(request: HttpRequest) -> HttpResponse:
    """In the place of the admin's own page."""
    request.current_app = admin.site.name
    return PasswordChangeView.as_view(
        form_class=partial(OwnPasswordForm, request=request),
        success_url=reverse("admin:password_change_done"),
        extra_context=admin.site.each_context(request))(request)
