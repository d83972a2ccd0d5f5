"""Diffie-Hellman: published groups, public numbers and exponentiations, and each refusal by its check."""

from __future__ import annotations

from typing import Any

import gmpy2  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtproto.crypto import dh
from mtproto.crypto.dh import (
    KNOWN_PRIMES,
    TELEGRAM_DH_PRIME,
    check_group,
    check_public,
    power,
    read_public,
    to_256_bytes,
)
from mtproto.errors import HandshakeFailed
from tests.vectors import load

VECTORS: dict[str, Any] = load("dh")
SAMPLE: dict[str, Any] = load("auth_key_sample")
GOOD_PRIMES: list[dict[str, Any]] = VECTORS["good_primes"]
BAD_PRIMES: list[dict[str, Any]] = VECTORS["bad_primes"]
LIMITS: list[dict[str, Any]] = VECTORS["g_a_cases_for_current_prime"]
EXPONENTIATIONS: list[dict[str, Any]] = VECTORS["exponentiation"]

groups = [(case["p"], g) for case in GOOD_PRIMES for g in case["good_g"]]
unfit = [(case["p"], g) for case in GOOD_PRIMES for g in case["bad_g"]]


def by_name(case: dict[str, Any]) -> str:
    return str(case["name"])


def test_the_known_prime_is_the_published_one() -> None:
    assert TELEGRAM_DH_PRIME == int(GOOD_PRIMES[0]["p"], 16) == int(SAMPLE["dh_prime"], 16)
    assert {TELEGRAM_DH_PRIME} == KNOWN_PRIMES


@pytest.mark.parametrize("prime", KNOWN_PRIMES)
def test_known_primes_are_safe(prime: int) -> None:
    assert prime.bit_length() == 2048
    assert gmpy2.is_prime(prime)
    assert gmpy2.is_prime(prime // 2)


@pytest.mark.parametrize(("prime", "g"), groups, ids=lambda value: str(value)[:8])
def test_good_groups(prime: str, g: int) -> None:
    assert check_group(g, bytes.fromhex(prime)) == int(prime, 16)


def test_good_generators_generate_the_subgroup_of_prime_order() -> None:
    for prime, g in groups:
        p = int(prime, 16)
        assert gmpy2.powmod(g, p // 2, p) == 1


@pytest.mark.parametrize(("prime", "g"), unfit, ids=lambda value: str(value)[:8])
def test_generators_that_do_not_suit(prime: str, g: int) -> None:
    with pytest.raises(HandshakeFailed, match=f"g = {g} does not suit dh_prime") as caught:
        check_group(g, bytes.fromhex(prime))
    assert caught.value.check == "H7"


@pytest.mark.parametrize("g", VECTORS["bad_g_values"])
@pytest.mark.parametrize("case", GOOD_PRIMES, ids=by_name)
def test_generators_out_of_range(case: dict[str, Any], g: int) -> None:
    with pytest.raises(HandshakeFailed, match=rf"out of range: got {g}, expected 2\.\.7") as caught:
        check_group(g, bytes.fromhex(case["p"]))
    assert caught.value.check == "H7"


@given(st.integers(2**2047, 2**2048 - 1), st.integers(2, 7))
def test_the_residue_rule_is_quadratic_reciprocity(number: int, g: int) -> None:
    """For p = 3 mod 4, as safe primes are, a generator suits just if it is a square modulo p."""
    p = number | 3
    if gmpy2.gcd(p, 210) == 1:
        modulus, residues = dh._RESIDUES[g]
        assert (p % modulus in residues) == (gmpy2.jacobi(g, p) == 1)


@pytest.mark.parametrize("case", BAD_PRIMES, ids=by_name)
def test_bad_primes(case: dict[str, Any]) -> None:
    message = {"bad_size": "wrong size", "not_prime": "not safe", "not_safe_prime": "not safe"}
    for _ in range(2):  # what is remembered is no better
        with pytest.raises(HandshakeFailed, match=message[case["expect"]]) as caught:
            check_group(4, bytes.fromhex(case["p"]))
        assert caught.value.check == "H6"


@pytest.mark.parametrize("size", [255, 257])
def test_the_good_prime_in_another_size(size: int) -> None:
    data = TELEGRAM_DH_PRIME.to_bytes(257, "big")[-size:]
    with pytest.raises(HandshakeFailed, match=f"got {size} bytes, expected 256 bytes"):
        check_group(3, data)


def test_a_prime_below_2048_bits_in_256_bytes() -> None:
    with pytest.raises(HandshakeFailed, match="got 2047 bits, expected 2048 bits") as caught:
        check_group(3, to_256_bytes(TELEGRAM_DH_PRIME >> 1))
    assert caught.value.check == "H6"


def test_half_of_p_matters() -> None:
    """A prime p = 3 mod 4 whose half is not prime, so that only the second test can find it."""
    p = int(gmpy2.next_prime(TELEGRAM_DH_PRIME))
    while p % 4 != 3:
        p = int(gmpy2.next_prime(p))
    with pytest.raises(HandshakeFailed, match="not safe"):
        check_group(4, to_256_bytes(p))


def test_p_itself_matters() -> None:
    """A prime q of 2047 bits whose 2q + 1 is not prime, so that only the first test can find it."""
    q = int(gmpy2.next_prime(TELEGRAM_DH_PRIME >> 1))
    assert not gmpy2.is_prime(2 * q + 1)
    with pytest.raises(HandshakeFailed, match="not safe"):
        check_group(4, to_256_bytes(2 * q + 1))


def test_a_prime_is_proved_once() -> None:
    data = bytes.fromhex(GOOD_PRIMES[1]["p"])
    check_group(2, data)
    before = dh._is_safe_prime.cache_info()
    check_group(2, data)
    check_group(3, to_256_bytes(TELEGRAM_DH_PRIME))
    after = dh._is_safe_prime.cache_info()
    assert (after.hits, after.misses) == (before.hits + 1, before.misses)
    assert after.maxsize == 16


@pytest.mark.parametrize("case", [c for c in LIMITS if c["accept"] is not None], ids=by_name)
def test_public_numbers(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["g_a"])
    if case["accept"]:
        assert read_public(data, TELEGRAM_DH_PRIME, "g_a") == int.from_bytes(data, "big")
        check_public(int.from_bytes(data, "big"), TELEGRAM_DH_PRIME, "g_a")
        return
    with pytest.raises(HandshakeFailed, match=r"^g_a is ") as caught:
        check_public(int.from_bytes(data, "big"), TELEGRAM_DH_PRIME, "g_a")
    assert caught.value.check == "H8"
    with pytest.raises(HandshakeFailed, match=r"^g_a is "):
        read_public(data, TELEGRAM_DH_PRIME, "g_a")


@pytest.mark.parametrize("value", [-1, 0, 1, 22, 23, 100])
def test_degenerate_numbers_in_any_group(value: int) -> None:
    with pytest.raises(HandshakeFailed, match=r"g_b is degenerate.*expected 1 < it < p - 1"):
        check_public(value, 23, "g_b")


def test_the_message_is_of_bearable_length() -> None:
    with pytest.raises(HandshakeFailed) as caught:
        check_public(TELEGRAM_DH_PRIME - 1, TELEGRAM_DH_PRIME, "g_a")
    assert "2048 bits 0xc71caeb9" in str(caught.value)
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize("case", EXPONENTIATIONS, ids=["example", "leading zero"])
def test_exponentiation(case: dict[str, Any]) -> None:
    p, b = int(case["p"], 16), int(case["b"], 16)
    assert to_256_bytes(power(case["g"], b, p)).hex() == case["g_b"]
    if "shared" in case:
        assert to_256_bytes(power(int(case["g_a"], 16), b, p)).hex() == case["shared"] == SAMPLE["auth_key"]


def test_a_public_number_without_its_zeros() -> None:
    data = bytes.fromhex(EXPONENTIATIONS[1]["g_b"])
    assert data[0] == 0
    value = read_public(data, TELEGRAM_DH_PRIME, "g_b")
    assert read_public(data.lstrip(b"\0"), TELEGRAM_DH_PRIME, "g_b") == value
    assert to_256_bytes(value) == data


def test_a_public_number_of_too_many_bytes() -> None:
    data = bytes(1) + bytes.fromhex(EXPONENTIATIONS[0]["g_a"])
    with pytest.raises(HandshakeFailed, match="g_a is too long: got 257 bytes, expected <= 256") as caught:
        read_public(data, TELEGRAM_DH_PRIME, "g_a")
    assert caught.value.check == "H8"
    with pytest.raises(HandshakeFailed, match="degenerate"):
        read_public(b"", TELEGRAM_DH_PRIME, "g_a")


@given(st.integers(0, 2**64), st.integers(0, 2**64), st.integers(1, 2**64).map(lambda n: 2 * n + 1))
def test_power_is_pow(base: int, exponent: int, modulus: int) -> None:
    assert power(base, exponent, modulus) == pow(base, exponent, modulus)


@pytest.mark.parametrize(("exponent", "modulus"), [(-1, 23), (5, 22), (5, 1), (5, 0), (5, -23)])
def test_power_refuses(exponent: int, modulus: int) -> None:
    with pytest.raises(ValueError, match=f"exponent {exponent} and modulus {modulus}, expected"):
        power(3, exponent, modulus)


@given(st.binary(min_size=256, max_size=256), st.binary(min_size=256, max_size=256))
def test_both_sides_agree(a: bytes, b: bytes) -> None:
    x, y = int.from_bytes(a, "big"), int.from_bytes(b, "big")
    p = TELEGRAM_DH_PRIME
    assert power(power(3, x, p), y, p) == power(power(3, y, p), x, p)


def test_256_bytes() -> None:
    assert to_256_bytes(0) == bytes(256)
    assert to_256_bytes(2**2048 - 1) == b"\xff" * 256
    for value in (-1, 2**2048):
        with pytest.raises(ValueError, match="does not fit 256 bytes"):
            to_256_bytes(value)


def test_an_exponent_of_zero_is_caught_as_a_public_number() -> None:
    with pytest.raises(HandshakeFailed, match="degenerate: got 1,"):
        check_public(power(3, 0, TELEGRAM_DH_PRIME), TELEGRAM_DH_PRIME, "g_b")
