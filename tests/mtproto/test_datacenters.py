"""Telegram's data centres, as data: numbers, addresses, keys."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network

import pytest

from mtproto.crypto.telegram_keys import PRODUCTION_KEYS, TEST_KEYS
from mtproto.datacenters import DATACENTERS, Datacenter

# core.telegram.org/resources/cidr.txt
NETWORKS = [
    ip_network(n)
    for n in ("149.154.160.0/20", "2001:b28:f23d::/48", "2001:b28:f23f::/48", "2001:67c:4e8::/48")
]


def test_names() -> None:
    assert list(DATACENTERS) == ["prod1", "prod2", "prod3", "prod4", "prod5", "test1", "test2", "test3"]
    for name, datacenter in DATACENTERS.items():
        assert datacenter.name == name == f"{'test' if datacenter.is_test else 'prod'}{datacenter.number}"


@pytest.mark.parametrize("datacenter", DATACENTERS.values(), ids=DATACENTERS)
def test_addresses_are_in_telegrams_networks(datacenter: Datacenter) -> None:
    assert any(IPv4Address(datacenter.ipv4) in network for network in NETWORKS)
    assert datacenter.ipv6 is not None
    assert any(
        isinstance(network, IPv6Network) and IPv6Address(datacenter.ipv6) in network for network in NETWORKS
    )
    assert datacenter.port == 443


def test_addresses_are_all_different() -> None:
    assert len({d.ipv4 for d in DATACENTERS.values()} | {d.ipv6 for d in DATACENTERS.values()}) == 16


@pytest.mark.parametrize(
    ("name", "dc", "media"), [("prod1", 1, -1), ("prod5", 5, -5), ("test2", 10002, -10002)]
)
def test_numbers_in_the_key_exchange(name: str, dc: int, media: int) -> None:
    assert (DATACENTERS[name].dc, DATACENTERS[name].media_dc) == (dc, media)


def test_keys() -> None:
    assert DATACENTERS["prod2"].keys is PRODUCTION_KEYS
    assert DATACENTERS["test2"].keys is TEST_KEYS
