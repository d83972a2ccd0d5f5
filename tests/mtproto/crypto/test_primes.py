"""pq: published factorizations, every refusal as H2, and primes and semiprimes against GMP's."""

from __future__ import annotations

import random
from typing import Any

import gmpy2  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtproto.crypto.factoring import MAX_STEPS, PIECE, Search, advance, begin, factorize
from mtproto.crypto.primes import is_prime, minimal_bytes, random_semiprime
from mtproto.errors import HandshakeFailed
from tests.vectors import load

VECTORS: dict[str, Any] = load("pq")
CASES: list[dict[str, Any]] = VECTORS["cases"]
BAD: list[dict[str, str]] = VECTORS["bad"]


def next_prime(n: int) -> int:
    return int(gmpy2.next_prime(n))


def primes_up_to(n: int) -> list[int]:
    return [k for k in range(2, n) if all(k % d for d in range(2, int(k**0.5) + 1))]


SMALL = primes_up_to(300)
odd_primes = st.integers(2, 1 << 12).map(next_prime)
large_primes = st.integers(1 << 30, 3037000400).map(next_prime)


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["pq"]))
def test_published_factorizations(case: dict[str, Any]) -> None:
    p, q = factorize(bytes.fromhex(case["pq_bytes"]))
    assert (p, q) == (case["p"], case["q"])
    assert (minimal_bytes(p).hex(), minimal_bytes(q).hex()) == (case["p_bytes"], case["q_bytes"])
    assert minimal_bytes(p * q).hex() == case["pq_bytes"]


@pytest.mark.parametrize("case", BAD, ids=lambda case: case["why"][:30])
def test_published_refusals(case: dict[str, str]) -> None:
    with pytest.raises(HandshakeFailed) as caught:
        factorize(bytes.fromhex(case["pq_bytes"]))
    assert caught.value.check == "H2"


@pytest.mark.parametrize(
    ("pq", "message"),
    [
        (b"", "got 0 bytes, expected 1..8 bytes"),
        (bytes(9), "got 9 bytes"),
        (bytes(1 << 20), "got 1048576 bytes"),
        (b"\x00", "begins with a zero byte"),
        (b"\x00\x0f", "begins with a zero byte: got 000f"),
        (minimal_bytes(3), "out of range"),
        (minimal_bytes((1 << 63) + 15), "out of range: got 9223372036854775823, expected 3 < pq"),
        (minimal_bytes(4), "even"),
        (minimal_bytes(2 * 1009), "even"),
        (minimal_bytes(2 * next_prime(1 << 61)), "even"),
        (minimal_bytes(5), "pq is prime"),
        (minimal_bytes(int(gmpy2.prev_prime(1 << 63))), "pq is prime"),
        (minimal_bytes(9), "square"),
        (minimal_bytes(3037000493**2), "square"),
        (minimal_bytes(15**2), "square"),
        (minimal_bytes(27), "more than two factors"),
        (minimal_bytes(2097143**3), "more than two factors"),
        (minimal_bytes(2097133 * 2097143 * 2097131), "more than two factors"),
        (minimal_bytes(3 * 5 * 7), "more than two factors"),
        (minimal_bytes(3**39), "more than two factors"),
        (minimal_bytes(3 * 1000003**2), "more than two factors"),
        (minimal_bytes(41 * 43 * 47), "more than two factors"),
        (minimal_bytes(3 * 5 * 7 * 11 * 13 * 17 * 19 * 23 * 29 * 31 * 37 * 41 * 43 * 47), "more than two"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else value[:8].hex(),
)
def test_refusals(pq: bytes, message: str) -> None:
    with pytest.raises(HandshakeFailed, match=message) as caught:
        factorize(pq)
    assert caught.value.check == "H2"


def test_all_small_semiprimes_and_nothing_else() -> None:
    """Every number below 20,000, of which each has a known answer."""
    semiprimes = {p * q: (p, q) for p in primes_up_to(7000)[1:] for q in SMALL[1:] if p > q} | {
        p * q: (p, q) for p in SMALL[1:] for q in SMALL[1:] if p < q
    }
    for n in range(1, 20000):
        factors = semiprimes.get(n)
        if factors is None:
            with pytest.raises(HandshakeFailed):
                factorize(minimal_bytes(n))
        else:
            assert factorize(minimal_bytes(n)) == tuple(sorted(factors))


@given(odd_primes, odd_primes)
def test_small_factors(p: int, q: int) -> None:
    if p != q:
        assert factorize(minimal_bytes(p * q)) == (min(p, q), max(p, q))


@settings(max_examples=40)
@given(large_primes, large_primes)
def test_large_factors(p: int, q: int) -> None:
    if p != q and p * q < 1 << 63:
        assert factorize(minimal_bytes(p * q)) == (min(p, q), max(p, q))


@given(st.integers(2, 31), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_unbalanced_factors(bits: int, rng: random.Random) -> None:
    p = next_prime(rng.getrandbits(bits) | 2)
    q = next_prime(rng.getrandbits(61 - p.bit_length()) | 2)
    if p != q:
        assert factorize(minimal_bytes(p * q)) == (min(p, q), max(p, q))


@settings(max_examples=200)
@given(st.binary(max_size=10) | st.binary(min_size=8, max_size=8))
def test_whatever_comes_is_factored_or_refused(pq: bytes) -> None:
    try:
        p, q = factorize(pq)
    except HandshakeFailed:
        return
    assert p < q
    assert p * q == int.from_bytes(pq, "big")
    assert gmpy2.is_prime(p)
    assert gmpy2.is_prime(q)


@pytest.mark.parametrize("limit", [1, 100, 10_000, MAX_STEPS])
def test_work_is_bounded(limit: int) -> None:
    """A prime has no factor to be found: walking modulo one ends at the limit nevertheless."""
    search = Search(next_prime(1 << 62))
    while search.taken < limit:
        search = advance(search, 1, limit)
    assert search.taken < limit + 512
    with pytest.raises(HandshakeFailed, match=f"resists factorization.* after {limit} steps"):
        advance(search, 128, limit)


def test_pieces_are_small_and_their_size_makes_no_difference() -> None:
    p, q = 3037000453, 3037000493
    for steps in (1, 1000, PIECE):
        search = begin(minimal_bytes(p * q))
        while search.factors is None:
            before, search = search.taken, advance(search, steps)
            assert search.taken - before < steps + 512
        assert (search.factors, search.taken) == ((p, q), search.taken)


def test_search_begins_again_where_all_factors_are_found_at_once() -> None:
    """From 2 with c = 1 the walk modulo 41 * 43 meets both primes in one batch."""
    search = Search(41 * 43)
    while search.factors is None:
        search = advance(search, 1)
    assert search.factors == (41, 43)


def test_what_takes_too_long_is_refused() -> None:
    pq = minimal_bytes(3037000453 * 3037000493)
    with pytest.raises(HandshakeFailed, match=r"resists factorization.* after 1000 steps") as caught:
        factorize(pq, max_steps=1000)
    assert caught.value.check == "H2"
    assert factorize(pq) == (3037000453, 3037000493)


def test_is_prime_for_small_numbers() -> None:
    assert [n for n in range(-5, 7000) if is_prime(n)] == primes_up_to(7000)


@given(st.integers(0, (1 << 64) - 1))
def test_is_prime_is_gmps(n: int) -> None:
    assert is_prime(n) == gmpy2.is_prime(n, 40)
    assert is_prime(n | 1) == gmpy2.is_prime(n | 1, 40)


@pytest.mark.parametrize(
    "n",
    [
        2047,  # strong pseudoprimes to the first bases: 2; 2, 3; … (OEIS A014233)
        1373653,
        25326001,
        3215031751,
        2152302898747,
        3474749660383,
        341550071728321,
        3825123056546413051,
        (1 << 32) + 1,  # 641 * 6700417
        561 * 1105,
        (1 << 64) - 1,
    ],
)
def test_is_prime_is_not_fooled(n: int) -> None:
    assert not is_prime(n)


@pytest.mark.parametrize("n", [(1 << 61) - 1, (1 << 63) - 25, (1 << 64) - 59, 2147483647, 37, 41])
def test_is_prime_of_primes(n: int) -> None:
    assert is_prime(n)


def test_is_prime_is_certain_or_refuses() -> None:
    with pytest.raises(ValueError, match="65 bits, expected at most 64"):
        is_prime(1 << 64)


@given(st.binary(min_size=8, max_size=8))
def test_random_semiprime(randomness: bytes) -> None:
    stream = iter((randomness[:4], randomness[4:]))
    p, q = random_semiprime(lambda count: next(stream))
    assert 1 << 30 < p < q < 1 << 32
    assert p * q < 1 << 63
    assert gmpy2.is_prime(p)
    assert gmpy2.is_prime(q)


def test_random_semiprime_is_that_of_the_rng() -> None:
    first, again, other = (random_semiprime(random.Random(seed).randbytes) for seed in (1, 1, 2))
    assert first == again != other
    assert factorize(minimal_bytes(first[0] * first[1])) == first


@pytest.mark.parametrize("byte", [0x00, 0x55, 0xFF])
def test_random_semiprime_of_an_rng_that_repeats_itself(byte: int) -> None:
    p, q = random_semiprime(lambda count: bytes([byte]) * count)
    assert q == next_prime(p)
    assert p * q < 1 << 63


def test_random_semiprime_refuses_an_rng_that_gives_too_little() -> None:
    with pytest.raises(ValueError, match="rng gave 3 bytes, expected 4"):
        random_semiprime(lambda count: bytes(3))


@pytest.mark.parametrize("number", [0, -1])
def test_minimal_bytes_refuses(number: int) -> None:
    with pytest.raises(ValueError, match=f"the number {number}, expected > 0"):
        minimal_bytes(number)
