import pytest
from pydantic import ValidationError

from actions.models import ContactList
from actions.transforms.audience_members import AudienceMembersParams, members
from events.models import Contact, Conversation, Handle
from events.people.same_person import merge
from tests.factories import make_event, make_instance


@pytest.fixture
def meet(instance):
    """Somebody met at an instance under these handles (kind, value)."""

    def make(name, *handles, at=None, **fields):
        contact = Contact.objects.create(name=name, **fields)
        for kind, value in handles:
            Handle.objects.create(provider=instance.provider, kind=kind, value=value,
                                  contact=contact).instances.add(at or instance)
        return contact

    return make


@pytest.fixture
def make_list():
    def make(name, *patterns, **fields):
        row = ContactList.objects.create(name=name, **fields)
        for pattern in patterns:
            row.entries.create(pattern=pattern)
        return row

    return make


def gathered(context, audience, **params):
    return members(None, AudienceMembersParams(audience=audience, **params), context)


def handles(context, audience):
    return [item["handle"] for item in gathered(context, audience).output["items"]]


def test_list_gives_its_entries_with_the_people_behind_them(meet, make_list, context):
    bea = meet("Bea", ("phone", "+5511900000002"))
    make_list("friends", "5511900000002", "+5511900000001")

    outcome = gathered(context, "friends")

    assert outcome.output == {"count": 2, "left_out": {}, "items": [
        {"handle": "5511900000002", "name": "Bea", "contact_id": bea.pk},
        {"handle": "+5511900000001", "name": "", "contact_id": None}]}


@pytest.mark.parametrize("audience", ["list:friends", {"lists": ["friends"]}])
def test_list_can_be_named_in_other_ways(make_list, context, audience):
    make_list("friends", "+5511900000001")

    assert handles(context, audience) == ["+5511900000001"]


def test_label_gives_contacts_and_lists_that_carry_it(meet, make_list, context):
    meet("Ana", ("lid", "77@lid"), ("email", "ana@x.example"), labels=["vip"])
    meet("Bo", ("phone", "+5511900000002"), labels=["vip", "new"])
    meet("Cy", ("phone", "+5511900000003"), labels=["new"])
    make_list("gold", "+5511900000004", label="vip")

    assert handles(context, "label:vip") == ["ana@x.example", "+5511900000002", "+5511900000004"]


def test_tag_gives_who_wrote_last_in_a_direct_conversation(meet, instance, context):
    ana = meet("Ana", ("phone", "+5511900000001"))
    place = Conversation.objects.create(instance=instance, ref="a", kind="direct", tags=["lead"])
    make_event(instance, conversation=place, contact=ana)

    assert handles(context, "tag:lead") == ["+5511900000001"]


def test_tag_gives_the_other_side_of_direct_conversations(meet, instance, context):
    ana, bo = meet("Ana", ("phone", "+5511900000001")), meet("Bo", ("phone", "+5511900000002"))
    for ref, kind, contact, tags in (("a", "direct", ana, ["lead"]), ("b", "group", bo, ["lead"]),
                                     ("c", "direct", bo, ["cold"])):
        Conversation.objects.create(instance=instance, ref=ref, kind=kind, contact=contact,
                                    tags=tags)

    assert handles(context, "tag:lead") == ["+5511900000001"]


def test_tag_gives_nobody_of_the_people_an_account_no_longer_shares(meet, instance, context):
    ana = meet("Ana", ("phone", "+5511900000001"))
    Conversation.objects.create(instance=instance, ref="a", kind="direct", contact=ana,
                                tags=["lead"])
    Contact.objects.filter(pk=ana.pk).update(people_group="others")

    assert handles(context, "tag:lead") == []


def test_one_person_under_several_names_comes_once(meet, context):
    meet("Ana", ("phone", "+5511900000001"), ("email", "ana@x.example"), labels=["vip"])

    found = handles(context, {"labels": ["vip"], "handles": [
        "ana@x.example", "5511900000001@s.whatsapp.net", "+55 11 90000-0009", "5511900000009"]})

    assert found == ["+5511900000001", "+55 11 90000-0009"]


def test_same_audience_comes_in_the_same_order(meet, make_list, context):
    for number in range(9, 0, -1):
        meet(f"P{number}", ("phone", f"+551190000000{number}"), labels=["vip"])

    assert handles(context, "label:vip") == handles(context, "label:vip") == [
        f"+551190000000{number}" for number in range(9, 0, -1)]


def test_people_the_access_rules_block_are_left_out_under_every_name(meet, make_list, context):
    meet("Ana", ("phone", "+5511900000001"), ("lid", "77@lid"), labels=["vip"])
    make_list("blocked", "77@lid", "+4999*", purpose="block")

    outcome = gathered(context, {"labels": ["vip"], "handles": ["+499912345"]})

    assert (outcome.output["items"], outcome.output["left_out"]) == ([], {"blocked": 2})


@pytest.mark.parametrize(("told", "left_out"), [
    ([("contact.consent", {"state": "withdrawn"})], {"no_consent": 1}),
    ([("contact.consent", {"granted": False})], {"no_consent": 1}),
    ([("contact.consent", {"granted": False}), ("contact.consent", {"granted": True})], {}),
    ([("contact.blocked", {})], {"blocked_there": 1}),
    ([("contact.blocked", {}), ("contact.unblocked", {})], {}),
    ([("contact.consent", {"granted": False}), ("contact.unblocked", {})], {"no_consent": 1})])
def test_last_word_about_consent_and_blocking_counts(meet, instance, context, told, left_out):
    ana = meet("Ana", ("phone", "+5511900000001"), labels=["vip"])
    for kind, content in told:
        make_event(instance, event_type=kind, content=content, contact=ana)

    assert gathered(context, "label:vip").output["left_out"] == left_out


def test_consent_withdrawn_before_a_merge_stays_withdrawn(meet, instance, context):
    old, kept = meet("Ana", ("email", "a@x.example")), meet("Ana M", ("phone", "+5511900000001"))
    make_event(instance, event_type="contact.consent", content={"granted": False}, contact=old)
    merge(old, kept, actor="test")

    assert gathered(context, ["+5511900000001"]).output["left_out"] == {"no_consent": 1}


def test_pattern_never_widens_an_audience(meet, make_list, context):
    meet("Ana", ("phone", "+5511900000001"))
    make_list("all", "*", "+55*")

    outcome = gathered(context, "all")

    assert (outcome.output["items"], outcome.output["left_out"]) == ([], {"pattern": 2})


def test_people_and_lists_of_other_instances_are_not_seen(meet, make_list, context):
    desk = make_instance("desk")
    meet("Ana", ("phone", "+5511900000001"), at=desk, labels=["vip"])
    make_list("theirs", "+5511900000002", instance=desk)

    assert handles(context, "label:vip") == []
    assert gathered(context, "theirs").status == "failed"


@pytest.mark.parametrize("audience", ["", "nobody", "everyone:*"])
def test_unknown_audience_fails_and_names_what_is_missing(context, audience):
    outcome = gathered(context, audience)

    assert (outcome.status, outcome.code) == ("failed", "invalid_params")


def test_larger_audience_than_the_limit_fails_as_a_whole(context):
    outcome = gathered(context, ["a@x.example", "b@x.example"], limit=1)

    assert (outcome.status, outcome.code, outcome.output) == ("failed", "invalid", {})


@pytest.mark.parametrize("audience", [{"list": ["x"]}, {"handles": ["x"] * 5001}, 5, None])
def test_odd_audience_is_refused(audience):
    with pytest.raises(ValidationError):
        AudienceMembersParams(audience=audience)
