"""How much guests may send, and that nobody pays for another's flood."""

import pytest

from connections import library
from connections.adapter import Adapter
from connections.guests import Guest, Limits
from events.door.large_bodies import LARGE_BYTES
from events.door.quotas import Quotas

HOME, CAFE = "192.0.2.1", "192.0.2.2"


def limits(**given):
    none = {"messages_per_minute": 0, "bytes_per_minute": 0, "messages_per_day": 0,
            "bytes_per_day": 0}
    return Limits(**{kind: {**none, **given.get(kind, {})}
                     for kind in ("visitor", "address", "instance")})


class Desk:
    """One instance whose visitors write."""

    def __init__(self, **given):
        self.quotas, self.limits = Quotas(), limits(**given)

    def says(self, visitor="ana", *, peer=HOME, size=10, now=0.0, signal="", instance_id=1):
        answer = self.quotas.refusal(Guest(visitor, self.limits, signal), peer=peer, size=size,
                                     instance_id=instance_id, now=now)
        return "taken" if answer is None else (answer.status, answer.headers["Retry-After"])


@pytest.mark.parametrize(("quota", "seconds"), [
    ({"messages_per_minute": 2}, 60), ({"bytes_per_minute": 25}, 60),
    ({"messages_per_day": 2}, 86_400), ({"bytes_per_day": 25}, 86_400)])
@pytest.mark.parametrize("kind", ["visitor", "address"])
def test_one_too_many_waits_for_the_end_of_the_minute_or_the_day(kind, quota, seconds):
    desk = Desk(**{kind: quota})

    said = [desk.says(now=now) for now in (0, 1, 20, seconds - 0.5, seconds)]

    assert said == ["taken", "taken", (429, str(seconds - 20)), (429, "1"), "taken"]


def test_minute_of_all_visitors_ends_for_all():
    desk = Desk(instance={"messages_per_minute": 2})

    said = [desk.says(f"v{now}", now=now) for now in (0, 1, 20, 60)]

    assert said == ["taken", "taken", (429, "40"), "taken"]


def flood(quotas, networks, *, minutes=60, households=10):
    """Every household of every network writes with new visitors as much as it may."""
    taken = dict.fromkeys(networks, 0)
    for minute in range(minutes):
        for network in networks:
            for number in range(households * 120):
                visitor = f"{network}-{minute}-{number // 30}"
                peer = network.format(number % households)
                if quotas.refusal(Guest(visitor, Limits()), instance_id=1, peer=peer, size=50,
                                  now=minute * 60.0) is not None:
                    break
                taken[network] += 1
    return taken


def asks(quotas, visitor="honest", *, peer="198.51.100.1", now=3540.0):
    return quotas.refusal(Guest(visitor, Limits()), instance_id=1, peer=peer, size=50, now=now)


@pytest.mark.parametrize("network", ["2001:db8:7:{}::1", "203.0.113.{}"])
def test_one_network_takes_a_tenth_of_the_day_and_of_a_minute(network):
    quotas = Quotas()

    first = flood(quotas, [network], minutes=1)[network]
    taken = first + flood(quotas, [network])[network]

    assert first == 120 and taken <= 5000 + 5000 / 24
    assert asks(quotas) is None


@pytest.fixture(scope="module")
def used_up():
    """A chat in which somebody wrote before strangers used its day up, in 60 minutes."""
    quotas = Quotas()
    asks(quotas, "regular", now=0.0)
    flood(quotas, [f"203.0.{number}.{{}}" for number in range(10)])
    return quotas


def test_chat_used_up_by_many_networks_is_a_wait_of_seconds(used_up):
    answer = asks(used_up)

    assert answer.status == 429 and int(answer.headers["Retry-After"]) <= 3
    assert asks(used_up, now=3543.0) is None


def test_visitor_who_wrote_today_goes_on_when_strangers_use_the_chat_up(used_up):
    said = [asks(used_up, visitor) for visitor in ("stranger", "regular", "regular")]

    assert [answer is None for answer in said] == [False, True, True]


def test_all_visitors_together_stay_within_the_day_of_the_instance():
    desk = Desk(instance={"messages_per_day": 50})

    said = [desk.says(f"v{number % 30}") for number in range(100)]

    assert said.count("taken") == 50


def test_address_that_may_more_than_a_tenth_still_may():
    desk = Desk(address={"messages_per_minute": 4}, instance={"messages_per_minute": 10})

    assert [desk.says(f"v{number}") for number in range(5)] == ["taken"] * 4 + [(429, "60")]


def test_flood_of_one_visitor_takes_nothing_from_another():
    desk = Desk(visitor={"messages_per_minute": 3}, address={"messages_per_minute": 6},
                instance={"messages_per_minute": 6})
    for _ in range(100):
        desk.says("flood")

    assert [desk.says("ana") for _ in range(3)] == ["taken"] * 3


def test_many_visitors_of_one_address_share_its_quota_and_others_do_not():
    desk = Desk(address={"messages_per_minute": 2})

    said = [desk.says(f"v{number}") for number in range(3)]

    assert said == ["taken", "taken", (429, "60")] and desk.says(peer=CAFE) == "taken"


def test_instances_are_counted_apart():
    desk = Desk(instance={"messages_per_minute": 1})

    assert [desk.says(), desk.says(instance_id=2)] == ["taken", "taken"]


def test_sender_of_unknown_address_is_counted_as_visitor_only():
    desk = Desk(address={"messages_per_minute": 1})

    assert [desk.says(peer="") for _ in range(3)] == ["taken"] * 3


def test_typing_marks_do_not_use_up_messages_and_are_bounded_too():
    desk = Desk(visitor={"messages_per_minute": 1})

    marks = [desk.says(signal="typing") for _ in range(121)]

    assert marks == ["taken"] * 120 + [(429, "60")] and desk.says() == "taken"


def test_endless_new_visitors_cannot_grow_memory(monkeypatch):
    monkeypatch.setattr("events.door.quotas._MOST", 10)
    desk = Desk(instance={"messages_per_day": 40})

    said = [desk.says(f"v{number}", peer=f"192.0.2.{number}") for number in range(50)]

    assert said.count("taken") == 32  # the other eight are for who has written today
    assert all(len(used) <= 10 for used in desk.quotas._used.values())


def test_newcomer_is_counted_though_names_are_forgotten(monkeypatch):
    monkeypatch.setattr("events.door.quotas._MOST", 10)
    desk = Desk(visitor={"messages_per_minute": 1})
    for number in range(20):
        desk.says(f"v{number}")

    assert [desk.says(), desk.says()] == ["taken", (429, "60")]


def test_refusal_says_when_to_come_again():
    answer = Quotas().refusal(Guest("ana", limits(visitor={"bytes_per_minute": 5})), size=10,
                              instance_id=1, peer=HOME, now=0.0)

    assert answer.body["error"] == {
        "code": "too_many", "message": "You have sent too much. Try again in 1 minute."}


def test_partly_given_limits_keep_the_other_defaults():
    given = Limits(visitor={"messages_per_minute": 5})

    assert given.visitor.bytes_per_day == Limits().visitor.bytes_per_day > 0


def test_bodies_of_guests_are_never_left_to_another_process():
    for adapter in library.adapters().values():
        if type(adapter).guest is not Adapter.guest:
            assert 0 < adapter.max_bytes <= LARGE_BYTES
