"""What a new installation starts with: playbooks, the first admin and API key, a web chat.

Safe to call again: what is there already, changed by people or not, is left alone.
"""

import secrets
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction

from actions.models import Agent
from connections.access import ApiKey, public_id
from connections.models import Instance
from registry.models import Workflow
from registry.versions import bindings, publishing

PLAYBOOKS = Path(__file__).parents[1] / "playbooks"
ACTOR = "system:seed"
_ON_FROM_THE_START = {"ignore-self", "text-reply", "whatsapp-default-reply"}


@transaction.atomic
def seed() -> list[str]:
    """Make what is missing; returns lines for the terminal, secrets among them, shown only now."""
    _agents()
    load_playbooks()
    return [*_admin(), *_api_key(), *_webchat()]


def load_playbooks() -> list[str]:
    """Store and publish each playbook that no workflow of that name exists for; returns them.

    Three are switched on; the others wait for somebody to bind them. Their `tests` are not run
    here, where they would only make the first start longer: the test suite runs them.
    """
    made = []
    for path in sorted(PLAYBOOKS.glob("*.yaml")):
        if Workflow.objects.filter(slug=path.stem).exists():
            continue
        workflow = publishing.publish_text(path.read_text(), actor=ACTOR, note="came with Omni",
                                           skip_tests=True).workflow
        if path.stem in _ON_FROM_THE_START:
            bindings.bind(workflow, scope="global", actor=ACTOR)
        made.append(path.stem)
    return made


def _agents() -> None:
    Agent.objects.get_or_create(slug="default", defaults={
        "name": "Built-in assistant", "kind": "builtin"})


def _admin() -> list[str]:
    users = get_user_model().objects
    if users.filter(is_superuser=True).exists():
        return []
    password = settings.OMNI_ADMIN_PASSWORD or secrets.token_urlsafe(12)
    users.create_superuser(username=settings.OMNI_ADMIN_USER, password=password)
    shown = "(from OMNI_ADMIN_PASSWORD)" if settings.OMNI_ADMIN_PASSWORD else password
    return [f"admin user: {settings.OMNI_ADMIN_USER}   password: {shown}"]


def _api_key() -> list[str]:
    given = settings.OMNI_BOOTSTRAP_API_KEY
    if given:
        if not ApiKey.objects.filter(public_id=public_id(given)).exists():
            ApiKey.issue("bootstrap", scopes=["admin"], days=None, text=given)
        return []
    if ApiKey.objects.exists():
        return []
    _, text = ApiKey.issue("first key", scopes=["admin"])
    return [f"API key: {text}"]


def _webchat() -> list[str]:
    if Instance.objects.exists():
        return []
    Instance.objects.create(slug="chat", name="Web chat", provider="webchat",
                            credentials={"secret": secrets.token_urlsafe(32)})
    return [f"chat page: {settings.OMNI_PUBLIC_URL}/chat/chat/"]
