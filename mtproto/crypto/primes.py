"""The small primes of the key exchange: the client factors pq, the server makes one.

pq comes from whoever answers, before anything is authenticated; what is no product of two different odd
primes is refused, and every refusal takes bounded time: Pollard's rho in Brent's form always walks the same
way, and at most `MAX_STEPS` steps.

Specification: core.telegram.org/mtproto/auth_key (steps 2 and 3); check H2.
"""

from __future__ import annotations

from math import isqrt

from mtproto.crypto.bignum import gcd, mpz
from mtproto.crypto.randomness import Rng, draw
from mtproto.errors import HandshakeFailed

__all__ = ["MAX_STEPS", "factorize", "is_prime", "minimal_bytes", "random_semiprime"]

# Strong pseudoprimes to all of these bases are greater than 3 * 10**24 (Sorenson and Webster, 2015).
_BASES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)

MAX_STEPS = 2**19 - 2
"""The most steps of one factorization, 18 rounds of Brent's.

The slowest pq is that of two primes just below 2**31.5: half of those take less than 65,000 steps, and by the
theory of random maps about one in 10**12 needs more than this many."""
_BATCH = 128  # steps whose differences are multiplied together before a gcd is taken


def is_prime(n: int) -> bool:
    """Whether `n` is prime, by Miller-Rabin with fixed bases: certain, for n < 2**64; ValueError above."""
    if n >= 1 << 64:
        raise ValueError(f"a number of {n.bit_length()} bits, expected at most 64")
    if n < 2:
        return False
    for base in _BASES:
        if n % base == 0:
            return n == base
    twos = ((n - 1) & -(n - 1)).bit_length() - 1
    return all(_is_strong_probable_prime(n, base, twos) for base in _BASES)


def _is_strong_probable_prime(n: int, base: int, twos: int) -> bool:
    x = pow(base, (n - 1) >> twos, n)
    if x in (1, n - 1):
        return True
    for _ in range(twos - 1):
        x = x * x % n
        if x == n - 1:
            return True
    return False


def factorize(pq: bytes, max_steps: int = MAX_STEPS) -> tuple[int, int]:
    """The two primes p < q of `pq`, which is big-endian without leading zeros.

    Raise HandshakeFailed (H2) for all that is not the product of two different odd primes below 2**63, and for
    what is not factored when the round of Brent's that reaches `max_steps` is over.
    """
    n = _read_pq(pq)
    factor = _find_factor(n, max_steps)
    if factor is None:
        raise _refused("pq resists factorization", f"{n} after {max_steps} steps", "two primes")
    p, q = sorted((factor, n // factor))
    if not (is_prime(p) and is_prime(q)):  # p < q, for a square has not come as far as this
        raise _refused("pq has more than two factors", n, "the product of two different primes")
    return p, q


def _read_pq(pq: bytes) -> int:
    if not 1 <= len(pq) <= 8:
        raise _refused("pq has a wrong size", f"{len(pq)} bytes", "1..8 bytes")
    if pq[0] == 0:
        raise _refused("pq begins with a zero byte", pq.hex(), "as few bytes as it takes")
    n = int.from_bytes(pq, "big")
    if not 3 < n < 1 << 63:
        raise _refused("pq is out of range", n, "3 < pq < 2**63")
    if n % 2 == 0:
        raise _refused("pq is even", n, "the product of two odd primes")
    if is_prime(n):
        raise _refused("pq is prime", n, "the product of two primes")
    if isqrt(n) ** 2 == n:
        raise _refused("pq is a square", n, "the product of two different primes")
    return n


def _refused(message: str, got: object, expected: object) -> HandshakeFailed:
    return HandshakeFailed(message, check="H2", got=got, expected=expected)


def _find_factor(n: int, steps: int) -> int | None:
    """A factor of the odd composite `n`, not necessarily prime; None when so many steps did not find one."""
    for small in _BASES:
        if n % small == 0:
            return small
    c = 1
    while steps > 0:
        factor, taken = _walk(n, c, steps)
        if factor is not None:
            return factor
        steps, c = steps - taken, c + 1
    return None


def _walk(n: int, c: int, limit: int) -> tuple[int | None, int]:
    """Follow y -> y * y + c modulo `n` from 2; a factor or None, and the number of steps taken.

    With p a factor, the walk modulo p is in a cycle after some sqrt(p) steps.  Brent: stop at every power of
    two, keep that point as x, and see over the next as many steps whether p divides x - y.
    """
    modulus, y = mpz(n), mpz(2)
    taken, length = 0, 1
    while taken < limit:
        x = y
        for _ in range(length):
            y = (y * y + c) % modulus
        taken += length
        for done in range(0, min(length, limit - taken), _BATCH):
            start, product = y, mpz(1)
            batch = min(_BATCH, length - done)
            for _ in range(batch):
                y = (y * y + c) % modulus
                product = product * (x - y) % modulus
            taken += batch
            if gcd(product, modulus) != 1:
                return _first_factor(n, c, x, start), taken
        length *= 2
    return None, taken


def _first_factor(n: int, c: int, x: int, y: int) -> int | None:
    """Repeat the batch that began at `y` step by step; None where it catches all factors at once."""
    for _ in range(_BATCH):
        y = (y * y + c) % n
        factor = gcd(x - y, n)
        if factor != 1:
            return factor if factor != n else None
    return None


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
