"""The small primes of the key exchange, and the product of two that a server sends as pq.

Specification: core.telegram.org/mtproto/auth_key (steps 2 and 3).
"""

from __future__ import annotations

from mtproto.crypto.randomness import Rng, draw

__all__ = ["SMALL_PRIMES", "is_prime", "minimal_bytes", "random_semiprime"]

# Strong pseudoprimes to all of these bases are greater than 3 * 10**24 (Sorenson and Webster, 2015).
SMALL_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)


def is_prime(n: int) -> bool:
    """Whether `n` is prime, by Miller-Rabin with fixed bases: certain, for n < 2**64; ValueError above."""
    if n >= 1 << 64:
        raise ValueError(f"a number of {n.bit_length()} bits, expected at most 64")
    if n < 2:
        return False
    for base in SMALL_PRIMES:
        if n % base == 0:
            return n == base
    twos = ((n - 1) & -(n - 1)).bit_length() - 1
    return all(_is_strong_probable_prime(n, base, twos) for base in SMALL_PRIMES)


def _is_strong_probable_prime(n: int, base: int, twos: int) -> bool:
    x = pow(base, (n - 1) >> twos, n)
    if x in (1, n - 1):
        return True
    for _ in range(twos - 1):
        x = x * x % n
        if x == n - 1:
            return True
    return False


def random_semiprime(rng: Rng) -> tuple[int, int]:
    """Two different primes p < q whose product a server may send as pq; two draws of 4 bytes from `rng`.

    Both have 31 bits (32 if two draws agree on the last prime of 31), which keeps p, q < 2**32 and pq <
    2**63: there are clients that can do no more.  They are the first primes from a random number on, so that
    any rng at all gives an answer.
    """
    first, second = (_prime_from(_random_31_bits(rng)) for _ in range(2))
    if second == first:
        second = _prime_from(first + 2)
    return min(first, second), max(first, second)


def _random_31_bits(rng: Rng) -> int:
    return int.from_bytes(draw(rng, 4), "big") >> 1 | 1 << 30


def _prime_from(n: int) -> int:
    """The least odd prime >= n; below 2**31 it always ends, for 2**31 - 1 is a prime."""
    n |= 1
    while not is_prime(n):
        n += 2
    return n


def minimal_bytes(number: int) -> bytes:
    """A number > 0 as pq, p and q are sent: big-endian, without leading zeros."""
    if number <= 0:
        raise ValueError(f"the number {number}, expected > 0")
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
