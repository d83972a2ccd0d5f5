"""Telegram's data centres: numbers, addresses and RSA keys, by the names `prod1` to `prod5`, `test1` to `test3`.

Nothing here connects anywhere, and nothing else in the package uses an address unless it is asked to.  Where a
data centre really is the server says, in help.getConfig; these are the addresses that clients begin with.

Sources: core.telegram.org/mtproto/auth_key (the number that the key exchange names: plus 10000 for test
servers, negative for media); the built-in lists of Telegram Desktop
(Telegram/SourceFiles/mtproto/mtproto_dc_options.cpp) and of gotd/td (package dcs), which agree on all that is
below, but that gotd/td has the IPv6 address of prod5 under 4.
"""

from __future__ import annotations

from dataclasses import dataclass

from mtproto.crypto.rsa_key import PublicKey
from mtproto.crypto.telegram_keys import PRODUCTION_KEYS, TEST_KEYS

__all__ = ["DATACENTERS", "TEST_DC", "Datacenter"]

TEST_DC = 10000
"""What is added to the number of a test data centre in the key exchange."""


@dataclass(frozen=True, slots=True)
class Datacenter:
    """One data centre: its `name` here, its `number` to users, and its addresses for MTProto over TCP."""

    name: str
    number: int
    is_test: bool
    ipv4: str
    ipv6: str | None
    port: int = 443

    @property
    def dc(self) -> int:
        """The number that the key exchange names."""
        return self.number + TEST_DC if self.is_test else self.number

    @property
    def media_dc(self) -> int:
        """The same for the media servers of this data centre."""
        return -self.dc

    @property
    def keys(self) -> tuple[PublicKey, ...]:
        """The RSA keys to trust there, in order of preference."""
        return TEST_KEYS if self.is_test else PRODUCTION_KEYS


def _production(number: int, ipv4: str, ipv6: str | None) -> Datacenter:
    return Datacenter(f"prod{number}", number, False, ipv4, ipv6)


def _test(number: int, ipv4: str, ipv6: str) -> Datacenter:
    return Datacenter(f"test{number}", number, True, ipv4, ipv6)


DATACENTERS = {
    datacenter.name: datacenter
    for datacenter in (
        _production(1, "149.154.175.50", "2001:b28:f23d:f001::a"),
        _production(2, "149.154.167.51", "2001:67c:4e8:f002::a"),
        _production(3, "149.154.175.100", "2001:b28:f23d:f003::a"),
        _production(4, "149.154.167.91", "2001:67c:4e8:f004::a"),
        _production(5, "149.154.171.5", "2001:b28:f23f:f005::a"),
        _test(1, "149.154.175.10", "2001:b28:f23d:f001::e"),
        _test(2, "149.154.167.40", "2001:67c:4e8:f002::e"),
        _test(3, "149.154.175.117", "2001:b28:f23d:f003::e"),
    )
}
"""Every data centre, by name."""
