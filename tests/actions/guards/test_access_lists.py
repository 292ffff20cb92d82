import pytest

from actions.guards.allowlist import AllowlistParams, allowlist
from actions.guards.blocklist import BlocklistParams, blocklist
from actions.guards.denylist import DenylistParams, denylist
from actions.models import ContactList
from events.models import Contact, Handle
from omni.errors import InvalidParams
from tests.factories import make_instance

ANA = "+5511988887777"


@pytest.fixture
def make_list(instance):
    def make(purpose, *patterns, name="", **fields):
        made = ContactList.objects.create(**{"name": name or purpose, "purpose": purpose,
                                             "instance": instance, **fields})
        for pattern in patterns:
            made.entries.create(pattern=pattern)
        return made

    return make


def test_nobody_is_blocked_without_rules(say, context):
    assert blocklist(say(), BlocklistParams(), context).status == "done"


def test_blocked_person_is_stopped_with_the_rule(say, context, make_list):
    make_list("block", ANA)

    outcome = blocklist(say(), BlocklistParams(), context)

    assert (outcome.status, outcome.output) == ("stopped", {"rule": ANA})


def test_global_and_instance_rules_are_weighed_together(say, context, make_list):
    make_list("block", "*", instance=None)
    make_list("allow", "+5511*")

    assert blocklist(say(), BlocklistParams(), context).output == {"rule": "+5511*"}


def test_rules_of_another_instance_do_not_count(say, context, make_list):
    make_list("block", ANA, instance=make_instance("other"))

    assert blocklist(say(), BlocklistParams(), context).status == "done"


def test_rules_of_a_disabled_list_do_not_count(say, context, make_list):
    make_list("block", ANA, enabled=False)

    assert blocklist(say(), BlocklistParams(), context).status == "done"


def test_named_lists_are_the_only_ones_asked(say, context, make_list):
    make_list("block", ANA)
    make_list("block", "+44*", name="abroad")

    assert blocklist(say(), BlocklistParams(lists=["abroad"]), context).status == "done"


def test_group_is_blocked_by_its_id(say, context, group):
    event = say(conversation=group)
    params = BlocklistParams(handles=["120363041234567890"])

    assert blocklist(event, params, context).status == "stopped"


def test_person_is_blocked_by_a_handle_another_event_brought(say, context, ana):
    Handle.objects.create(provider="email", kind="email", value="ana@example.org", contact=ana)

    outcome = blocklist(say(), BlocklistParams(handles=["ana@example.org"]), context)

    assert outcome.status == "stopped"


def test_merged_contact_is_blocked_by_the_handles_of_the_kept_one(say, context, ana):
    kept = Contact.objects.create(name="Ana Maria")
    Handle.objects.create(provider="email", kind="email", value="ana@example.org", contact=kept)
    ana.merged_into = kept
    ana.save()

    outcome = blocklist(say(), BlocklistParams(handles=["ana@example.org"]), context)

    assert outcome.status == "stopped"


def test_allow_list_lets_only_its_people_pass(say, context, make_list):
    make_list("allow", "+5511*")

    inside = allowlist(say(), AllowlistParams(), context)
    outside = allowlist(say(contact=None, contact_handle="+44123", conversation=None,
                            provider_actor_ref="44123"), AllowlistParams(), context)

    assert (inside.status, outside.status) == ("done", "stopped")


def test_allow_list_without_rules_lets_nobody_pass(say, context):
    assert allowlist(say(), AllowlistParams(), context).status == "stopped"


def test_inline_handles_replace_the_stored_allow_lists(say, context, make_list):
    make_list("allow", ANA)

    assert allowlist(say(), AllowlistParams(handles=["+44*"]), context).status == "stopped"


def test_deny_list_stops_whatever_the_allow_lists_say(say, context, make_list):
    make_list("allow", ANA)
    make_list("block", "+5511*")

    assert denylist(say(), DenylistParams(), context).output == {"rule": "+5511*"}


def test_deny_list_lets_others_pass(say, context):
    assert denylist(say(), DenylistParams(handles=["+44*"]), context).status == "done"


def test_named_list_may_be_of_any_purpose(say, context, make_list):
    make_list("label", ANA, name="noisy")

    assert denylist(say(), DenylistParams(lists=["noisy"]), context).status == "stopped"


@pytest.mark.parametrize(("guard", "params"), [
    (blocklist, BlocklistParams(lists=["typo"])), (allowlist, AllowlistParams(lists=["typo"])),
    (denylist, DenylistParams(lists=["typo"]))], ids=["block", "allow", "deny"])
def test_unknown_list_is_an_error_and_no_decision(say, context, guard, params):
    with pytest.raises(InvalidParams, match="typo"):
        guard(say(), params, context)
