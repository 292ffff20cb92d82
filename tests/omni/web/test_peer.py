"""Where a request came from, behind proxies that may be believed and others."""

import pytest

from omni.web.peer import network_of, peer_of


@pytest.mark.parametrize(("address", "forwarded", "peer"), [
    ("192.0.2.1", "", "192.0.2.1"),
    ("192.0.2.1", "198.51.100.9", "192.0.2.1"),
    ("127.0.0.1", "198.51.100.9", "198.51.100.9"),
    ("127.0.0.1", "203.0.113.5, 198.51.100.9", "198.51.100.9"),
    ("127.0.0.1", "198.51.100.9, 127.0.0.2", "198.51.100.9"),
    ("127.0.0.1", "198.51.100.9:4711", "198.51.100.9"),
    ("::1", "[2001:db8::1]:4711", "2001:db8::1"),
    ("127.0.0.1", " , ", "127.0.0.1"), ("", "198.51.100.9", "")],
    ids=["direct", "forged", "proxied", "forged behind a proxy", "two proxies", "port", "IPv6",
         "empty", "no address"])
def test_sender_is_the_last_hop_nobody_of_ours_wrote(address, forwarded, peer):
    assert peer_of(address, forwarded) == peer


def test_networks_of_our_proxies_are_a_setting(settings):
    settings.OMNI_TRUSTED_PROXIES = ["10.0.0.0/8"]

    assert peer_of("10.1.2.3", "198.51.100.9") == "198.51.100.9"
    assert peer_of("127.0.0.1", "198.51.100.9") == "127.0.0.1"


@pytest.mark.parametrize(("peer", "network"), [
    ("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"),
    ("2001:db8::1", "2001:db8::/64"), ("2001:db8::2%eth0", "2001:db8::/64"), ("", ""),
    ("nonsense", "")])
def test_address_is_a_host_or_a_household(peer, network):
    assert network_of(peer) == network
