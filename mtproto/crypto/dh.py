"""Diffie-Hellman for the authorization key: which groups and which public numbers may be used at all.

The client checks the group that the server proposes, both sides check the number that the other sends; all
that is wrong is HandshakeFailed with the id of the check.  Numbers travel as big-endian strings of 256 bytes;
a shorter one, its zeros cut off, is accepted.

Specification: core.telegram.org/mtproto/auth_key (steps 5 to 8),
core.telegram.org/mtproto/security_guidelines (validation of DH parameters; g_a and g_b validation).
"""

from __future__ import annotations

from functools import lru_cache

from mtproto.crypto.big_primes import is_safe_prime
from mtproto.crypto.bignum import powmod_secret
from mtproto.errors import HandshakeFailed

__all__ = [
    "DH_SIZE",
    "KNOWN_PRIMES",
    "TELEGRAM_DH_PRIME",
    "check_group",
    "check_public",
    "power",
    "read_public",
    "to_256_bytes",
]

DH_SIZE = 256

TELEGRAM_DH_PRIME = int(
    "c71caeb9c6b1c9048e6c522f70f13f73980d40238e3e21c14934d037563d930f"
    "48198a0aa7c14058229493d22530f4dbfa336f6e0ac925139543aed44cce7c37"
    "20fd51f69458705ac68cd4fe6b6b13abdc9746512969328454f18faf8c595f64"
    "2477fe96bb2a941d5bcd1d4ac8cc49880708fa9b378e3c4f3a9060bee67cf9a4"
    "a4a695811051907e162753b56b0f6b410dba74d8a84b2a14b3144e0ef1284754"
    "fd17ed950d5965b4b9dd46582db1178d169c6bc465b0d6ff9ca3928fef5b9ae4"
    "e418fc15e83ebea0f87fa9ff5eed70050ded2849f47bf959d956850ce929851f"
    "0d8115f635b105ee2e4e15d04b2454bf6f4fadf034b10403119cd8e3b92fcc5b",
    16,
)
"""The dh_prime of Telegram's servers (core.telegram.org/mtproto/samples-auth_key); g = 3, 4, 7 suit it."""

KNOWN_PRIMES = frozenset({TELEGRAM_DH_PRIME})
"""Safe primes of 2048 bits that need no proof any more."""

# g -> (modulus, residues): g generates the subgroup of prime order (p - 1) / 2 if p % modulus is among them.
_RESIDUES = {
    2: (8, (7,)),
    3: (3, (2,)),
    4: (1, (0,)),
    5: (5, (1, 4)),
    6: (24, (19, 23)),
    7: (7, (3, 5, 6)),
}

_MARGIN = 1 << (2048 - 64)


def check_group(g: int, dh_prime: bytes) -> int:
    """The prime that `dh_prime` is, if it is a safe prime of exactly 2048 bits (H6) that suits `g` (H7).

    Raise HandshakeFailed otherwise.  The first sight of a prime costs up to some 100 ms; it is remembered.
    """
    if len(dh_prime) != DH_SIZE:
        raise HandshakeFailed(
            "dh_prime has a wrong size", check="H6", got=f"{len(dh_prime)} bytes", expected=f"{DH_SIZE} bytes"
        )
    prime = int.from_bytes(dh_prime, "big")
    if prime.bit_length() != 2048:
        raise HandshakeFailed(
            "dh_prime has a wrong size", check="H6", got=f"{prime.bit_length()} bits", expected="2048 bits"
        )
    if prime not in KNOWN_PRIMES and not _is_safe_prime(prime):
        raise HandshakeFailed(
            "dh_prime is not safe", check="H6", got=_short(prime), expected="p and (p - 1) / 2 prime"
        )
    _check_generator(g, prime)
    return prime


@lru_cache(maxsize=16)
def _is_safe_prime(p: int) -> bool:
    return is_safe_prime(p)


def _check_generator(g: int, prime: int) -> None:
    if g not in _RESIDUES:
        raise HandshakeFailed("g is out of range", check="H7", got=g, expected="2..7")
    modulus, residues = _RESIDUES[g]
    if prime % modulus not in residues:
        raise HandshakeFailed(
            f"g = {g} does not suit dh_prime",
            check="H7",
            got=f"p % {modulus} = {prime % modulus}",
            expected=" or ".join(map(str, residues)),
        )


def check_public(value: int, prime: int, what: str) -> None:
    """Refuse a public number from which, or from whose neighbours, the key could be guessed (H8).

    `value` is g_a or g_b, as `what` says; 2**1984 <= value <= prime - 2**1984 is asked of it.
    """
    if not 1 < value < prime - 1:
        raise HandshakeFailed(
            f"{what} is degenerate", check="H8", got=_short(value), expected="1 < it < p - 1"
        )
    if not _MARGIN <= value <= prime - _MARGIN:
        raise HandshakeFailed(
            f"{what} is too near the ends",
            check="H8",
            got=_short(value),
            expected="2**1984 <= it <= p - 2**1984",
        )


def read_public(data: bytes, prime: int, what: str) -> int:
    """The public number that `data` is: at most 256 bytes, big-endian, and right by `check_public` (H8)."""
    if len(data) > DH_SIZE:
        raise HandshakeFailed(
            f"{what} is too long", check="H8", got=f"{len(data)} bytes", expected=f"<= {DH_SIZE} bytes"
        )
    value = int.from_bytes(data, "big")
    check_public(value, prime, what)
    return value


def to_256_bytes(value: int) -> bytes:
    """A number as 256 bytes, zeros on the left: so are public numbers sent and auth_key made (H12).

    Raise ValueError for a number that is negative or has more than 2048 bits.
    """
    if value < 0 or value.bit_length() > 8 * DH_SIZE:
        raise ValueError(f"{_short(value)} does not fit {DH_SIZE} bytes")
    return value.to_bytes(DH_SIZE, "big")


def power(base: int, exponent: int, modulus: int) -> int:
    """base ** exponent % modulus, in a time that does not tell the exponent: that is a or b.

    Raise ValueError for an exponent < 0 or a modulus that is even or < 3.
    """
    if exponent < 0 or modulus < 3 or modulus % 2 == 0:
        raise ValueError(
            f"exponent {_short(exponent)} and modulus {_short(modulus)}, expected >= 0 and odd, >= 3"
        )
    if exponent == 0:
        return 1  # GMP's constant-time exponentiation can't; check_public refuses the result
    return powmod_secret(base % modulus, exponent, modulus)


def _short(value: int) -> str:
    """A number for an error: whole if it is small, else its size and beginning."""
    if value.bit_length() <= 64:
        return str(value)
    return f"{value.bit_length()} bits {value:#x}"[:32] + "…"
