"""What the spool holds is stored in slices, in order, and nothing of it blocks the rest."""

import pytest
from django.db import OperationalError

from connections.models import Instance, forget
from events.door import drain, spool
from events.door.drain import Pace
from events.models import Event, RawPayload
from events.store import ingest, units
from tests.factories import make_raw_row, make_webhook
from tests.statements_sent import counted


@pytest.fixture(autouse=True)
def pace(monkeypatch):
    """A process that has drained nothing yet."""
    monkeypatch.setattr(drain, "_pace", pace := Pace())
    return pace


@pytest.fixture(autouse=True)
def spooling(settings, tmp_path):
    settings.OMNI_SPOOL_DIR = str(tmp_path / "spool")
    return tmp_path / "spool"


def spooled(instance, body):
    return spool.write(spool.pack(make_raw_row(instance, body)))


@pytest.mark.django_db
def test_spool_is_drained_in_order_and_emptied():
    shop = make_webhook(mapping={"id": "id"})
    for number in range(3):
        spooled(shop, b'{"id": %d}' % number)

    count = drain.drain_spool()

    assert count == 3 and not list(spool.waiting())
    assert list(Event.objects.order_by("id").values_list("dedup_key", flat=True)) == [
        "id:0", "id:1", "id:2"]


@pytest.mark.django_db
def test_draining_twice_stores_once():
    shop = make_webhook()
    path = spooled(shop, b'{"a": 1}')
    entry = path.read_bytes()
    drain.drain_spool()
    path.write_bytes(entry)

    drain.drain_spool()

    assert Event.objects.count() == 1


@pytest.mark.django_db
def test_spooled_delivery_of_an_instance_that_is_gone_is_a_dead_letter():
    shop, desk = make_webhook(), make_webhook("desk")
    spooled(shop, b'{"a": 1}')
    spooled(desk, b'{"a": 2}')
    shop.delete()
    forget()  # another process meets it, or this one a minute later

    count = drain.drain_spool()

    assert count == 2 and not list(spool.waiting())
    assert RawPayload.objects.dead_letters().get().quarantine_reason == "instance_gone"
    assert Event.objects.get().instance == desk


@pytest.mark.django_db
def test_spooled_delivery_of_settings_that_no_longer_fit_is_a_dead_letter():
    shop = make_webhook()
    spooled(shop, b'{"a": 1}')
    Instance.objects.update(settings={"nonsense": 1})

    drain.drain_spool()

    raw = RawPayload.objects.get()
    assert raw.quarantine_reason == "instance_settings" and "nonsense" in raw.quarantine_detail


@pytest.mark.django_db
def test_spooled_delivery_of_an_instance_that_is_off_wakes_no_workflow():
    spooled(make_webhook(), b'{"a": 1}')
    Instance.objects.update(enabled=False)
    forget()

    drain.drain_spool()

    assert Event.objects.get().routed_at is not None


@pytest.mark.django_db
def test_spooled_delivery_the_store_refuses_does_not_block_the_others(monkeypatch):
    shop = make_webhook()
    for number in range(2):
        spooled(shop, b'{"n": %d}' % number)
    real = units.understand

    def understand(delivery, **more):
        understood = real(delivery, **more)
        if delivery.body == b'{"n": 0}':
            understood.drafts[0].provider_sequence = "many"
        return understood

    monkeypatch.setattr(units, "understand", understand)

    count = drain.drain_spool()

    assert count == 2 and not list(spool.waiting())
    assert RawPayload.objects.dead_letters().get().quarantine_reason == "store_error"
    assert Event.objects.count() == 1


def away(_units):
    raise OperationalError("away")


@pytest.mark.django_db
def test_spool_waits_while_the_database_is_away(monkeypatch):
    spooled(make_webhook(), b"{}")
    monkeypatch.setattr(ingest, "persist", away)

    with pytest.raises(OperationalError):
        drain.drain_spool()

    assert len(list(spool.waiting())) == 1


@pytest.mark.django_db
def test_delivery_that_had_to_wait_is_stored_at_the_next_try(monkeypatch):
    spooled(make_webhook(), b'{"a": 1}')
    with monkeypatch.context() as broken:
        broken.setattr(ingest, "persist", away)
        with pytest.raises(OperationalError):
            drain.drain_spool()

    assert drain.drain_spool() == 1 and Event.objects.count() == 1


@pytest.mark.django_db
def test_order_of_arrival_is_kept_though_the_database_was_away_for_a_moment(monkeypatch, pace):
    shop, persist, tries = make_webhook(mapping={"id": "id"}), ingest.persist, []
    for number in range(2):
        spooled(shop, b'{"id": %d}' % number)
    pace.most = 1
    monkeypatch.setattr(ingest, "persist", lambda units: (
        tries.append(1), away(units) if len(tries) == 1 else persist(units))[1])
    with pytest.raises(OperationalError):
        drain.drain_spool()

    drain.drain_spool()

    assert list(Event.objects.order_by("id").values_list("dedup_key", flat=True)) == [
        "id:0", "id:1"]


@pytest.mark.django_db
def test_spool_is_stored_in_slices_of_one_transaction_from_one_listing(monkeypatch, pace):
    shop = make_webhook()
    for number in range(7):
        spooled(shop, b'{"n": %d}' % number)
    pace.most = 3
    monkeypatch.setattr(drain, "SLICE_LEAST", 3)
    monkeypatch.setattr(drain, "SLICE_SECONDS", 0)
    slices, listings = [], []
    persist, waiting = ingest.persist, spool.waiting
    monkeypatch.setattr(ingest, "persist", lambda units: (
        slices.append(len(units)), persist(units))[1])
    monkeypatch.setattr(spool, "waiting", lambda: (listings.append(1), waiting())[1])

    assert drain.drain_spool() == 7
    assert slices == [3, 3, 1] and len(listings) == 2


@pytest.mark.parametrize(("most", "seconds", "then"), [
    (20, 0.02, 20), (20, 0.04, 10), (20, 0.03, 13), (50, 5.0, 10), (5, 0.005, 10), (20, 0.0, 40),
    (40, 0.001, 50)], ids=["fitting", "slow", "a little slow", "very slow", "fast", "no time",
                           "no more than the most"])
def test_slice_takes_as_many_as_fit_into_its_time(most, seconds, then, pace):
    pace.most = most

    pace.learn(most, seconds)

    assert pace.most == then


@pytest.mark.django_db
@pytest.mark.parametrize(("seconds", "sizes"), [(0, [10, 10, 5]), (100, [10, 15])],
                         ids=["slow", "fast"])
def test_next_slice_is_as_long_as_the_last_one_was_quick(monkeypatch, seconds, sizes):
    monkeypatch.setattr(drain, "SLICE_SECONDS", seconds)
    shop, slices, persist = make_webhook(), [], ingest.persist
    for number in range(25):
        spooled(shop, b'{"n": %d}' % number)
    monkeypatch.setattr(ingest, "persist", lambda units: (
        slices.append(len(units)), persist(units))[1])

    drain.drain_spool()

    assert slices == sizes


@pytest.mark.django_db
@pytest.mark.parametrize("patience", [10, 0])
def test_slice_waits_until_live_deliveries_are_stored_but_not_for_ever(monkeypatch, patience):
    monkeypatch.setattr(spool, "_last_try", -100.0)
    monkeypatch.setattr(drain, "_YIELD_SECONDS", patience)
    spooled(make_webhook(), b'{"a": 1}')
    answers, left = iter([False, False, True] if patience else [False]), []

    def is_quiet():
        left.append(len(list(spool.waiting())))
        return next(answers)

    assert drain.next_slice(is_quiet)
    assert left == ([1, 1, 1] if patience else [1]) and not list(spool.waiting())


@pytest.mark.django_db
def test_slice_ends_before_its_bytes_are_too_many(monkeypatch):
    shop = make_webhook()
    for number in range(3):
        spooled(shop, b'{"n": %d, "text": "%s"}' % (number, b"x" * 600))
    monkeypatch.setattr(drain, "SLICE_BYTES", 2500)

    assert drain._drain() == 2


@pytest.mark.django_db
def test_statements_of_a_slice_do_not_grow_with_its_deliveries(pace):
    pace.most = 20
    shop = make_webhook(mapping={"id": "id"})
    for number in range(20):
        spooled(shop, b'{"id": %d}' % number)

    with counted() as sent:
        assert drain._drain() == 20

    assert sent.statements <= 20


@pytest.mark.django_db
def test_next_slice_says_whether_more_may_wait(monkeypatch):
    monkeypatch.setattr(spool, "_last_try", -100.0)
    spooled(make_webhook(), b'{"a": 1}')

    assert [drain.next_slice(), drain.next_slice(), drain.next_slice()] == [True, False, False]
