"""Which addresses an outbound call may reach."""

import socket

import pytest

from connections.http.addresses import is_public, may_reach, read_allowed, resolve


@pytest.mark.parametrize("address", [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "192.88.99.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "198.18.0.1",
    "203.0.113.9", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::",
    "2001:db8::1", "2001::1", "3fff::1", "3fff:fff:ffff::1", "5f00::1", "5f00:ffff::1",
    "100::1", "100:0:0:1::1", "200::1", "400::1", "800::1", "1000::1", "4000::1", "6000::1",
    "8000::1", "a000::1", "c000::1", "e000::1", "f000::1", "f800::1", "fec0::1", "feff::1"])
def test_address_that_is_not_the_open_internets_is_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", [
    "1.1.1.1", "8.8.8.8", "172.15.255.255", "172.32.0.1", "100.128.0.1", "2606:4700::1111",
    "::ffff:8.8.8.8", "2001:200::1", "2400:cb00::1", "3fff:1000::1", "3ffe::1", "2620:4f:8000::1",
    "192.175.48.1", "192.31.196.1"])
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


METADATA = ["169.254.169.254", "169.254.170.2", "::ffff:169.254.169.254", "::169.254.169.254",
            "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "::ffff:0:a9fe:a9fe", "2002:a9fe:a9fe::1",
            "fd00:ec2::254", "100.100.100.200", "::ffff:100.100.100.200", "64:ff9b::6464:64c8",
            "168.63.129.16", "192.0.0.192", "fd20:ce::254", "fd00:42::42", "fe80::a9fe:a9fe%eth0",
            # NAT64 of a site with a prefix of 48, 56, 64 and 96 bits (RFC 6052, 2.2)
            "64:ff9b:1:a9fe:a9:fe00::", "64:ff9b:1:6464:64:c800::", "64:ff9b:1:12a9:fe:a9fe::",
            "64:ff9b:1:12a9:fe:a9fe:1:2", "64:ff9b:1:1234:a9:fea9:fe00:0",
            "64:ff9b:1:ffff:64:6464:c800:1", "64:ff9b:1:1:2:3:a9fe:a9fe"]


@pytest.mark.parametrize("allowed", [False, True, ("169.254.0.0/16", "0.0.0.0/0", "::/0", "host")],
                         ids=["nothing", "everything", "listed"])
@pytest.mark.parametrize("address", METADATA)
def test_no_setting_opens_where_a_cloud_keeps_its_credentials(address, allowed):
    assert not is_public(address) and not may_reach("host", address, allowed)


def test_machines_credentials_are_named_as_the_reason():
    with pytest.raises(PermissionError, match="where a cloud keeps the credentials"):
        resolve("169.254.169.254", 80, allow_private=True)


@pytest.mark.parametrize(("host", "address", "reached"), [
    ("evolution.local", "10.9.9.9", True), ("Evolution.Local.", "10.9.9.9", True),
    ("other.local", "10.9.9.9", False), ("sub.evolution.local", "10.9.9.9", False),
    ("a.example", "10.1.2.3", True), ("a.example", "10.2.0.1", False),
    ("a.example", "::ffff:10.1.2.3", True), ("a.example", "127.0.0.1", True),
    ("a.example", "::1", True), ("a.example", "fd12::1", False), ("a.example", "8.8.8.8", True)])
def test_only_listed_hosts_and_networks_are_reached(host, address, reached):
    allowed = read_allowed("127.0.0.0/8, ::1, evolution.local, 10.1.0.0/16")

    assert may_reach(host, address, allowed) is reached


@pytest.mark.parametrize(("text", "allowed"), [
    ("", False), ("0", False), ("false", False), ("1", True), ("True", True), ("yes", True),
    ("127.0.0.1", ("127.0.0.1",)), ("a.local,10.0.0.1/8", ("a.local", "10.0.0.1/8")),
    ("omni-7", ("omni-7",)), ("db_1.x", ("db_1.x",))])
def test_setting_is_read_as_it_is_written(text, allowed):
    assert read_allowed(text) == allowed


@pytest.mark.parametrize("wrong", [
    "10.0.0.0/33", "http://a.local", "a.local:80", "10.1", "*", "-a"])
def test_entry_that_is_neither_host_nor_network_stops_the_start(wrong):
    with pytest.raises(ValueError, match="takes hosts and networks"):
        read_allowed(f"127.0.0.1,{wrong}")


def test_one_private_address_among_public_ones_blocks(monkeypatch):
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80))
             for address in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    with pytest.raises(PermissionError, match="10.0.0.1, a private address; add the host"):
        resolve("two-faced.example", 80, allow_private=False)


def test_address_is_listed_once(monkeypatch):
    found = [(socket.AF_INET, kind, 6, "", ("8.8.8.8", 80)) for kind in (1, 2)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    assert resolve("twice.example", 80, allow_private=False) == ["8.8.8.8"]


@pytest.mark.parametrize("host", ["", "a" * 70 + ".example", "no such host", "x..y", "\x00"])
def test_host_that_cannot_be_resolved_is_an_oserror(host):
    with pytest.raises(OSError):
        resolve(host, 80, allow_private=False)
