"""A mutator for fuzzers: bytes in, bytes with one thing changed out, by a seed.

data, max_size, seed ──▶ lenient reading ──▶ an operator at a site ──▶ data
                                          └▶ now and then, and where nothing can be read: bytes changed blindly
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

from tl.errors import DecodeError
from tl.mutations.applied import chosen_operators, random_draft
from tl.mutations.facts import facts_of
from tl.mutations.sites import Encoding, pool_key
from tl.registry import registry_of

__all__ = ["Mutator"]

_TRIES = 4
_BLIND = 8
"""One time of so many, bytes are changed without regard to what they mean."""
_NEW = 64
"""One time of so many, the data is replaced by a small encoding of any constructor."""
_SPLICED = (
    b"\0",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xfe",
    bytes(4),
    b"\xff" * 4,
    b"\1\0\0\0",
    b"\xff\xff\xff\x7f",
)


class Mutator:
    """Changes encodings of a type, for a fuzzer that is guided by coverage.

    It is what atheris and libFuzzer call a custom mutator, and its `crossover` a custom crossover::

        mutator = tl.mutations.Mutator(api, fallback=lambda data, size: atheris.Mutate(data, size))
        atheris.Setup(
            sys.argv, test_one_input, custom_mutator=mutator, custom_crossover=mutator.crossover
        )
        atheris.Fuzz()

    (The lambda is needed: `atheris.Mutate` is another function once `Setup` was called.)
    AFL++ calls ``fuzz(buf, add_buf, max_size)`` of a module: let that return
    ``bytearray(mutator(bytes(buf), max_size, seed))``.

    The data may be anything: what can't be read is left out of account, so changes add up.  One time of eight,
    and where no operator applies, the `fallback`, called with the data and the greatest size, changes bytes
    blindly; by default it is a simple one of its own.  In the place of no data at all, and now and then of any,
    comes the smallest encoding of a constructor.  The same data, size and seed give the same bytes (with the
    default fallback), whatever was called before.  Nothing is raised, and the result is never longer than
    `max_size`.

    `schema`, `as_type` and `operators` are as for `mutate`.
    """

    def __init__(
        self,
        schema: object,
        as_type: object = None,
        *,
        operators: Iterable[str] | None = None,
        fallback: Callable[[bytes, int], bytes] | None = None,
    ) -> None:
        registry = registry_of(schema)
        self._kind = registry.wire_type(as_type)
        self._facts = facts_of(registry)
        self._operators = chosen_operators(operators)
        self._fallback = fallback

    def __call__(self, data: bytes, max_size: int, seed: int) -> bytes:
        """The data with one thing changed."""
        rng = random.Random(seed)
        data = bytes(data)
        if not data or rng.randrange(_NEW) == 0:
            new = self._new(rng)
            if new and len(new) <= max_size:
                return new
        encoding = None if rng.randrange(_BLIND) == 0 else self._read(data)
        if encoding is not None:
            for _ in range(_TRIES):
                changed = random_draft(encoding, self._operators, rng)
                if changed is not None and len(changed) <= max_size:
                    return changed
        return self._blind(data, max_size, rng)

    def crossover(self, data: bytes, other: bytes, max_size: int, seed: int) -> bytes:
        """The first data with a value of the second in the place of one of the same type."""
        rng = random.Random(seed)
        one, two = self._read(bytes(data)), self._read(bytes(other))
        if one is not None and two is not None:
            sites = [site for site in one.sites if pool_key(site.kind) in two.pool]
            for site in rng.sample(sites, min(_TRIES, len(sites))):
                value = rng.choice(two.pool[pool_key(site.kind)])
                crossed = one.data[: site.start] + value + one.data[site.end :]
                if len(crossed) <= max_size and crossed != one.data:
                    return crossed
        return self(data, max_size, seed)

    def _read(self, data: bytes) -> Encoding | None:
        try:
            return Encoding(data, self._facts, self._kind)
        except DecodeError:  # the caller's own stack is nearly full
            return None

    def _new(self, rng: random.Random) -> bytes:
        """The smallest encoding of the type, or of one of its constructors; empty where there is none."""
        cls, pieces = self._facts.any_class(self._kind, rng), self._facts.pieces
        piece = pieces.of(self._kind) if cls is None else pieces.of_class(cls)
        return b"" if piece is None else piece.data

    def _blind(self, data: bytes, max_size: int, rng: random.Random) -> bytes:
        if max_size <= 0:
            return b""
        data = data[:max_size]
        changed = self._fallback(data, max_size) if self._fallback else _changed_blindly(data, rng)
        return bytes(changed[:max_size])


def _changed_blindly(data: bytes, rng: random.Random) -> bytes:
    """A bit flipped, bytes taken out, put in, or repeated; rather at places that are multiples of 4."""
    if not data:
        return rng.randbytes(4)
    start = rng.randrange(len(data))
    if rng.random() < 0.5:
        start -= start % 4
    end = min(len(data), start + rng.choice((1, 2, 4, 4, 8, 16)))
    new = rng.choice(
        (
            bytes([data[start] ^ 1 << rng.randrange(8)]) + data[start + 1 : end],
            b"",
            rng.randbytes(end - start),
            rng.choice(_SPLICED),
            rng.choice(_SPLICED) + data[start:end],
            data[start:end] * 2,
        )
    )
    return data[:start] + new + data[end:]
