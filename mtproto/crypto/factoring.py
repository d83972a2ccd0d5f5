"""What the client does with pq: find its two primes, or refuse it.

pq comes from whoever answers, before anything is authenticated; what is no product of two different odd
primes is refused, and every refusal takes bounded time: Pollard's rho in Brent's form always walks the same
way, and at most `MAX_STEPS` steps.

    search = begin(pq);  while search.factors is None: search = advance(search)

goes so in pieces of a millisecond or so, between which a program can do something else.  That matters even
where a thread does it: Python's loops share the interpreter, and let go of it late.

Specification: core.telegram.org/mtproto/auth_key (steps 2 and 3); check H2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isqrt

from mtproto.crypto.bignum import gcd, mpz
from mtproto.crypto.primes import SMALL_PRIMES, is_prime
from mtproto.errors import HandshakeFailed

__all__ = ["MAX_STEPS", "PIECE", "Search", "advance", "begin", "factorize"]

MAX_STEPS = 2**19 - 2
"""The most steps of one factorization, 18 rounds of Brent's.

The slowest pq is that of two primes just below 2**31.5: half of those take less than 65,000 steps, and by the
theory of random maps about one in 10**12 needs more than this many."""
PIECE = 8192
"""Steps of one piece: about a millisecond."""
_BATCH = 256  # steps whose differences are multiplied together before a gcd is taken


@dataclass(frozen=True, slots=True)
class Search:
    """How far the factorization of `n` has come; `factors` are its two primes p < q when they are found.

    The walk goes y -> y * y + c modulo n from 2.  With p a factor, the walk modulo p is in a cycle after some
    sqrt(p) steps.  Brent: stop at every power of two, keep that point as x, skip as many steps, and see over
    the next as many whether p divides x - y.
    """

    n: int
    c: int = 1
    x: int = 2
    y: int = 2
    length: int = 1
    skip: int = 1
    compare: int = 1
    taken: int = 0
    factors: tuple[int, int] | None = None


def begin(pq: bytes) -> Search:
    """Look at `pq`, which is big-endian without leading zeros.

    Raise HandshakeFailed (H2) for what can't be the product of two different odd primes below 2**63.
    """
    n = _read_pq(pq)
    for small in SMALL_PRIMES:
        if n % small == 0:
            return Search(n, factors=_both(n, small))
    return Search(mpz(n), y=mpz(2))


def advance(search: Search, steps: int = PIECE, max_steps: int = MAX_STEPS) -> Search:
    """Go on with a search for about `steps` steps, or until the factors are found.

    Raise HandshakeFailed (H2) where there are more than two, and where `max_steps` were not enough.
    """
    stop = search.taken + steps
    while search.factors is None and search.taken < stop:
        if search.taken >= max_steps:
            raise _refused("pq resists factorization", f"{search.n} after {max_steps} steps", "two primes")
        search = _batch(search)
    return search


def factorize(pq: bytes, max_steps: int = MAX_STEPS) -> tuple[int, int]:
    """The two primes p < q of `pq`, all at once; raises as `begin` and `advance` do."""
    search = begin(pq)
    while search.factors is None:
        search = advance(search, max_steps=max_steps)
    return search.factors


def _batch(search: Search) -> Search:
    """At most `_BATCH` steps of one kind."""
    if search.skip:
        return _skipped(search, min(_BATCH, search.skip))
    if search.compare:
        return _compared(search, min(_BATCH, search.compare))
    length = 2 * search.length
    return replace(search, x=search.y, length=length, skip=length, compare=length)


def _skipped(search: Search, steps: int) -> Search:
    n, c, y = search.n, search.c, search.y
    for _ in range(steps):
        y = (y * y + c) % n
    return replace(search, y=y, skip=search.skip - steps, taken=search.taken + steps)


def _compared(search: Search, steps: int) -> Search:
    n, c, x, y, product = search.n, search.c, search.x, search.y, mpz(1)
    for _ in range(steps):
        y = (y * y + c) % n
        product = product * (x - y) % n
    taken = search.taken + steps
    if gcd(product, n) == 1:
        return replace(search, y=y, compare=search.compare - steps, taken=taken)
    factor = _first_factor(n, c, x, search.y)
    if factor is None:
        return Search(n, c + 1, y=mpz(2), taken=taken)
    return replace(search, taken=taken, factors=_both(int(n), factor))


def _first_factor(n: int, c: int, x: int, y: int) -> int | None:
    """Repeat the batch that began at `y` step by step; None where it catches all factors at once."""
    for _ in range(_BATCH):
        y = (y * y + c) % n
        factor = gcd(x - y, n)
        if factor != 1:
            return factor if factor != n else None
    return None


def _both(n: int, factor: int) -> tuple[int, int]:
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
