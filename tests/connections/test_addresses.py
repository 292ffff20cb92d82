"""Which addresses an outbound call may reach."""

import socket

import pytest

from connections.addresses import is_public, resolve


@pytest.mark.parametrize("address", [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "192.88.99.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "198.18.0.1",
    "203.0.113.9", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::",
    "2001:db8::1", "2001::1"])
def test_address_that_is_not_the_open_internets_is_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", [
    "1.1.1.1", "8.8.8.8", "172.15.255.255", "172.32.0.1", "100.128.0.1", "2606:4700::1111",
    "::ffff:8.8.8.8"])
def test_address_of_the_open_internet_is_public(address):
    assert is_public(address)


@pytest.mark.parametrize("host", [
    "127.0.0.1", "127.1", "0177.0.0.1", "2130706433", "0x7f000001", "localhost", "::1",
    "::ffff:127.0.0.1"])
def test_every_spelling_of_loopback_is_refused(host):
    with pytest.raises((PermissionError, socket.gaierror)):
        resolve(host, 80, allow_private=False)


def test_private_address_is_given_where_that_is_meant():
    assert resolve("127.0.0.1", 80, allow_private=True) == ["127.0.0.1"]


def test_one_private_address_among_public_ones_blocks(monkeypatch):
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80))
             for address in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    with pytest.raises(PermissionError, match="10.0.0.1, a private address; set OMNI_ALLOW"):
        resolve("two-faced.example", 80, allow_private=False)


def test_address_is_listed_once(monkeypatch):
    found = [(socket.AF_INET, kind, 6, "", ("8.8.8.8", 80)) for kind in (1, 2)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    assert resolve("twice.example", 80, allow_private=False) == ["8.8.8.8"]


@pytest.mark.parametrize("host", ["", "a" * 70 + ".example", "no such host", "x..y", "\x00"])
def test_host_that_cannot_be_resolved_is_an_oserror(host):
    with pytest.raises(OSError):
        resolve(host, 80, allow_private=False)
