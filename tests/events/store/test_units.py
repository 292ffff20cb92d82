"""Deliveries on their way into the store."""

import os

from tests.factories import make_unit


class Shop:
    pk, provider = 1, "webhook"


def trace_id():
    return make_unit(Shop).trace_id


def test_each_delivery_has_a_random_trace_id_of_its_own():
    drawn = [trace_id() for _ in range(1000)]

    assert len(set(drawn)) == 1000
    assert {one.version for one in drawn} == {4}


def test_processes_that_were_forked_draw_different_trace_ids():
    trace_id()
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.write(write, trace_id().bytes)
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(read, 16) != trace_id().bytes
    os.close(read)
    os.close(write)
