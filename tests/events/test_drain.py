"""What the spool holds is stored in slices, in order, and nothing of it blocks the rest."""

import pytest
from django.db import OperationalError

from connections.models import Instance, forget
from events import drain, ingest, spool
from events.models import Event, RawPayload
from tests.factories import make_raw_row, make_webhook


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

    assert count == 3 and spool.waiting() == []
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

    assert count == 2 and spool.waiting() == []
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
    real = drain.understand

    def understand(delivery, **more):
        understood = real(delivery, **more)
        if delivery.body == b'{"n": 0}':
            understood.drafts[0].provider_sequence = "many"
        return understood

    monkeypatch.setattr(drain, "understand", understand)

    count = drain.drain_spool()

    assert count == 2 and spool.waiting() == []
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

    assert len(spool.waiting()) == 1


@pytest.mark.django_db
def test_delivery_that_had_to_wait_is_stored_at_the_next_try(monkeypatch):
    spooled(make_webhook(), b'{"a": 1}')
    with monkeypatch.context() as broken:
        broken.setattr(ingest, "persist", away)
        with pytest.raises(OperationalError):
            drain.drain_spool()

    assert drain.drain_spool() == 1 and Event.objects.count() == 1


@pytest.mark.django_db
def test_order_of_arrival_is_kept_though_the_database_was_away_for_a_moment(monkeypatch):
    shop, persist, tries = make_webhook(mapping={"id": "id"}), ingest.persist, []
    for number in range(2):
        spooled(shop, b'{"id": %d}' % number)
    monkeypatch.setattr(drain, "SLICE", 1)
    monkeypatch.setattr(ingest, "persist", lambda units: (
        tries.append(1), away(units) if len(tries) == 1 else persist(units))[1])
    with pytest.raises(OperationalError):
        drain.drain_spool()

    drain.drain_spool()

    assert list(Event.objects.order_by("id").values_list("dedup_key", flat=True)) == [
        "id:0", "id:1"]


@pytest.mark.django_db
def test_spool_is_stored_in_slices_of_one_transaction_from_one_listing(monkeypatch):
    shop = make_webhook()
    for number in range(7):
        spooled(shop, b'{"n": %d}' % number)
    monkeypatch.setattr(drain, "SLICE", 3)
    slices, listings = [], []
    persist, waiting = ingest.persist, spool.waiting
    monkeypatch.setattr(ingest, "persist", lambda units: (
        slices.append(len(units)), persist(units))[1])
    monkeypatch.setattr(spool, "waiting", lambda *place: (
        listings.append(1), waiting(*place))[1])

    assert drain.drain_spool() == 7
    assert slices == [3, 3, 1] and len(listings) == 2


@pytest.mark.django_db
def test_slice_ends_before_its_bytes_are_too_many(monkeypatch):
    shop = make_webhook()
    for number in range(3):
        spooled(shop, b'{"n": %d, "text": "%s"}' % (number, b"x" * 600))
    monkeypatch.setattr(drain, "SLICE_BYTES", 2500)

    assert drain._drain() == 2


@pytest.mark.django_db
def test_statements_of_a_slice_do_not_grow_with_its_deliveries(django_assert_max_num_queries):
    shop = make_webhook(mapping={"id": "id"})
    for number in range(20):
        spooled(shop, b'{"id": %d}' % number)

    with django_assert_max_num_queries(20):
        assert drain.drain_spool() == 20


@pytest.mark.django_db
def test_next_slice_says_whether_more_may_wait(monkeypatch):
    monkeypatch.setattr(spool, "_last_try", -100.0)
    spooled(make_webhook(), b'{"a": 1}')

    assert [drain.next_slice(), drain.next_slice(), drain.next_slice()] == [True, False, False]
