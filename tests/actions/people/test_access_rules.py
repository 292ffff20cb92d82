import pytest

from actions.people.access_rules import decide, names_of, parse

ANA = "+5511988887777"


def verdict(handles, *, allow=(), block=()):
    return decide(names_of(handles), allow=[parse(rule) for rule in allow],
                  block=[parse(rule) for rule in block]).allowed


@pytest.mark.parametrize(("allow", "block", "allowed"), [
    ([], [], True),
    ([ANA], [], True),
    (["+4412345678"], [], True),
    ([], [ANA], False),
    ([], ["+5511*"], False),
    ([], ["+5521*"], True),
    ([], ["*"], False),
    (["+5511*"], ["*"], True),
    (["+55*"], ["+5511*"], False),
    (["+5511*"], ["+55*"], True),
    (["+5511*"], ["+5511*"], True),
    ([ANA], [ANA], True),
    (["*"], ["*"], True),
    (["*"], ["+55*"], False),
])
def test_block_wins_only_when_strictly_longer(allow, block, allowed):
    assert verdict([ANA], allow=allow, block=block) is allowed


@pytest.mark.parametrize("rule", ["+5511988887777", "5511988887777", "+55 (11) 98888-7777",
                                  "5511988887777@s.whatsapp.net", "tel:+5511988887777"])
@pytest.mark.parametrize("handle", ["+5511988887777", "5511988887777", "whatsapp:+5511988887777",
                                    "5511988887777:7@s.whatsapp.net"])
def test_a_number_is_the_same_in_every_spelling(rule, handle):
    assert not verdict([handle], block=[rule])


def test_plus_does_not_make_a_rule_longer():
    assert verdict([ANA], allow=["5511*"], block=["+5511*"])


@pytest.mark.parametrize(("rule", "handle"), [
    ("120363041234567890", "120363041234567890@g.us"),
    ("1203*", "120363041234567890@g.us"),
    ("187654321098765@lid", "187654321098765@lid"),
    ("Ana@Example.org", "ana@example.org"),
    ("ana@*", "ana@example.org"),
    ("@ana", "ana"),
])
def test_group_lid_address_and_name_are_compared_too(rule, handle):
    assert not verdict([handle], block=[rule])


def test_lid_rule_does_not_fit_a_phone_of_the_same_digits():
    assert verdict(["187654321098765@s.whatsapp.net"], block=["187654321098765@lid"])


def test_star_elsewhere_than_at_the_end_is_no_wildcard():
    assert verdict([ANA], block=["+55*7777"])


def test_the_deciding_rule_is_named_as_it_was_written():
    decision = decide(names_of([ANA]), allow=[], block=[parse("+55 11*")])

    assert decision.pattern == "+55 11*"


def test_nobody_is_blocked_by_no_name():
    assert names_of(["", "  "]) == frozenset()
