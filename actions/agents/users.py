"""Which user an agent knows a contact as, so that it is the same person next time.

Kept in the contact's attributes as {"agent_users": {agent slug: user id}}.
"""

from django.db import transaction

from actions.agents.question import Question
from events.models import Contact
from events.people import known_by


def known_user(question: Question) -> str:
    """The agent's id of the contact, "" when it never told one."""
    contact = question.contact
    users = (contact.shown or contact).attributes.get("agent_users") if contact else None
    found = users.get(question.agent.slug) if isinstance(users, dict) else None
    return str(found or "")


def remember_user(question: Question, user_id: str) -> None:
    """Keep the id the agent gave; nothing when it is known already or nobody is there."""
    if not user_id or question.contact is None or known_user(question) == user_id:
        return
    with transaction.atomic():
        contact = Contact.objects.select_for_update().get(pk=question.contact.pk)
        users = {**(contact.attributes.get("agent_users") or {}), question.agent.slug: user_id}
        known_by.write(contact, instance_ids=[question.instance.pk],
                       attributes={"agent_users": users})
