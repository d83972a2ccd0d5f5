"""Safe primes of 2048 bits: the whole test and its parts against GMP's, and against numbers made to deceive."""

from __future__ import annotations

import threading
from time import perf_counter, process_time, sleep
from typing import Any

import gmpy2  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtproto.crypto import big_primes
from mtproto.crypto.big_primes import is_big_prime, is_lucas_probable_prime, is_safe_prime
from mtproto.crypto.dh import TELEGRAM_DH_PRIME
from tests.vectors import load

DH: dict[str, Any] = load("dh")

# oeis.org/A217719: the composite numbers below 10**5 that pass the extra strong Lucas test.
LUCAS_PSEUDOPRIMES = [989, 3239, 5777, 10877, 27971, 29681, 30739, 31631, 39059, 72389, 73919, 75077]
# oeis.org/A001262: the first that pass Miller-Rabin to base 2.
STRONG_PSEUDOPRIMES = [2047, 3277, 4033, 4681, 8321, 15841, 29341, 42799, 49141, 52633, 65281, 74665]


def test_small_numbers() -> None:
    """All of them, but for those with a factor below 100, which a table finds."""
    passed = {n for n in range(101, 100_000, 2) if is_big_prime(n)}
    assert passed == {n for n in range(101, 100_000, 2) if gmpy2.is_prime(n)}


def test_the_table_of_factors() -> None:
    assert gmpy2.primorial(99) // 2 == big_primes._SMALL


def test_lucas_pseudoprimes_are_the_published_ones() -> None:
    passed = [n for n in range(101, 100_000, 2) if is_lucas_probable_prime(n)]
    assert [n for n in passed if not gmpy2.is_prime(n)] == LUCAS_PSEUDOPRIMES
    assert len(passed) == len(LUCAS_PSEUDOPRIMES) + int(sum(gmpy2.is_prime(n) for n in range(101, 100_000)))


@pytest.mark.parametrize("n", [*LUCAS_PSEUDOPRIMES, *STRONG_PSEUDOPRIMES])
def test_pseudoprimes_of_either_test_are_found_by_the_other(n: int) -> None:
    assert not is_big_prime(n)
    assert is_lucas_probable_prime(n) == (n in LUCAS_PSEUDOPRIMES)
    assert big_primes._is_strong_probable_prime(n, 2) == (n in STRONG_PSEUDOPRIMES)


@given(st.integers(101, 2**80).map(lambda n: n | 1), st.booleans())
def test_agrees_with_gmp(n: int, prime: bool) -> None:
    n = int(gmpy2.next_prime(n)) if prime else n
    assert is_big_prime(n) == gmpy2.is_prime(n)


def test_bases_of_the_further_rounds_differ_and_depend_on_the_number() -> None:
    one, other = (big_primes._bases(n) for n in (TELEGRAM_DH_PRIME, TELEGRAM_DH_PRIME + 2))
    assert len({*one, *other}) == 2 * big_primes.MILLER_RABIN_ROUNDS
    assert all(2 < base < TELEGRAM_DH_PRIME - 1 for base in one)


@pytest.mark.parametrize("case", DH["good_primes"], ids=lambda case: case["name"])
def test_published_safe_primes(case: dict[str, Any]) -> None:
    assert is_safe_prime(int(case["p"], 16))


@pytest.mark.parametrize("case", DH["bad_primes"], ids=lambda case: case["name"])
def test_published_bad_primes(case: dict[str, Any]) -> None:
    number = int(case["p"] or "0", 16)
    assert not is_safe_prime(number % 2**2048 if number.bit_length() == 2048 else 4)


def next_where(n: int, q_is_prime: bool, p_is_prime: bool) -> int:
    """The next p = 2q + 1 from `n` on, = 3 modulo 4 and without small factors, of which just this is prime."""
    p = n | 3
    while (gmpy2.is_prime(p >> 1), gmpy2.is_prime(p)) != (q_is_prime, p_is_prime) or gmpy2.gcd(
        p * (p >> 1), big_primes._SMALL
    ) != 1:
        p += 4
    return p


@pytest.mark.parametrize(("q", "p"), [(False, False), (False, True), (True, False)])
def test_both_have_to_be_prime(q: bool, p: bool) -> None:
    for start in (2**64, 2**100, 3**70):
        number = next_where(start, q, p)
        assert not is_safe_prime(number)


def test_a_prime_q_is_not_looked_at_where_p_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hostile server's dearest refusal: all that is done for it is one exponentiation."""
    number = next_where(2**100, q_is_prime=True, p_is_prime=False)
    monkeypatch.setattr(big_primes, "is_big_prime", pytest.fail)
    assert not is_safe_prime(number)


def test_cost_of_a_good_prime() -> None:
    times = []
    for _ in range(3):
        begun = process_time()
        assert is_safe_prime(TELEGRAM_DH_PRIME)
        times.append(process_time() - begun)
    assert min(times) < 0.1


def test_other_threads_go_on_meanwhile() -> None:
    """The lower quartile of their waits, since other programs run too; GMP's own test would be 28 ms."""
    thread = threading.Thread(target=lambda: [is_safe_prime(TELEGRAM_DH_PRIME) for _ in range(5)])
    waits = []
    thread.start()
    while thread.is_alive():
        begun = perf_counter()
        sleep(0.0005)
        waits.append(perf_counter() - begun)
    assert sorted(waits)[len(waits) // 4] < 0.005
