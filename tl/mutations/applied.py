"""Operators applied: sites and drafts become mutations, with their place and their verdict."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from tl.errors import DecodeError
from tl.fields import Repetition
from tl.mutations import fields, flags, objects, scalars, strings, vectors, whole
from tl.mutations.operators import Draft, Operator, edited
from tl.mutations.sites import Encoding
from tl.primitives import Vector
from tl.spans import COUNT, DATA, LENGTH, Span
from tl.wire import Reader, WireType

__all__ = [
    "OPERATORS",
    "Mutation",
    "chosen_operators",
    "drafts_of",
    "is_accepted",
    "mutation_of",
    "mutations_of",
    "random_draft",
    "random_mutation_of",
]

OPERATORS: Mapping[str, Operator] = {
    operator.name: operator
    for module in (whole, scalars, strings, vectors, flags, fields, objects)
    for operator in module.OPERATORS
}
"""All operators by name."""

_TRIES = 16


@dataclass(frozen=True, slots=True)
class Mutation:
    """A valid encoding with one thing changed.

    `operator` is the name of what changed it, `path` the field that was changed, as errors give it.  `offset`
    is the first byte at which a decoder can notice: where the value starts in which the data differ, or, where
    there are fewer bytes than before, the outermost count whose elements may be missing.  An illegal mutation
    has to be refused there or behind it.

    `legal` says whether a strict decoder (one with the defaults of `tl.decode`) must accept it or must refuse
    it.  `decided` is ``construction`` where that follows from the rules of TL, whoever decodes, and
    ``reading`` where it is what the reference codec says.
    """

    operator: str
    path: str
    offset: int
    data: bytes
    legal: bool
    decided: Literal["construction", "reading"] = "reading"
    original: bytes = field(default=b"", repr=False)


def chosen_operators(names: Iterable[str] | None) -> tuple[Operator, ...]:
    """The operators with these names, in the order of `OPERATORS`; raise ValueError for none, or another."""
    if names is None:
        return tuple(OPERATORS.values())
    if isinstance(names, str):
        raise TypeError(f"operators: got {names!r}, expected names in a list")
    wanted = set(names)
    unknown = wanted - OPERATORS.keys()
    if unknown:
        raise ValueError(f"operators: got {min(unknown)!r}, expected some of {', '.join(OPERATORS)}")
    if not wanted:
        raise ValueError(f"operators: got none, expected some of {', '.join(OPERATORS)}")
    return tuple(operator for operator in OPERATORS.values() if operator.name in wanted)


def mutations_of(encoding: Encoding, operators: Iterable[Operator]) -> Iterator[Mutation]:
    """What the operators make of a valid encoding, one operator after the other."""
    for operator in operators:
        for draft in drafts_of(encoding, operator):
            mutation = mutation_of(encoding, operator, draft)
            if mutation is not None:
                yield mutation


def drafts_of(encoding: Encoding, operator: Operator) -> Iterator[Draft]:
    """All drafts of an operator, in the order of the bytes."""
    for site in encoding.edge_sites():
        if operator.where(site):
            yield from operator.drafts(site)


def random_mutation_of(
    encoding: Encoding, operators: tuple[Operator, ...], rng: random.Random
) -> Mutation | None:
    """One mutation of a valid encoding; None where the operators have none."""
    for operator, draft in _random_drafts(encoding, operators, rng):
        mutation = mutation_of(encoding, operator, draft)
        if mutation is not None:
            return mutation
    return None


def random_draft(encoding: Encoding, operators: tuple[Operator, ...], rng: random.Random) -> bytes | None:
    """The data with one change, valid before or not; None where the operators have none."""
    for _, draft in _random_drafts(encoding, operators, rng):
        data = edited(encoding.data, draft.edits)
        if data != encoding.data:
            return data
    return None


def _random_drafts(
    encoding: Encoding, operators: tuple[Operator, ...], rng: random.Random
) -> Iterator[tuple[Operator, Draft]]:
    """First some of random operators at random sites, then all there are, in random order."""
    for _ in range(_TRIES):
        operator = rng.choice(operators)
        sites = encoding.sites_where(operator.where)
        drafts = list(operator.drafts(rng.choice(sites))) if sites else []
        if drafts:
            yield operator, rng.choice(drafts)
    for operator in rng.sample(operators, len(operators)):
        sites = encoding.sites_where(operator.where)
        for site in rng.sample(sites, len(sites)):
            for draft in operator.drafts(site):
                yield operator, draft


# Place and verdict


def mutation_of(encoding: Encoding, operator: Operator, draft: Draft) -> Mutation | None:
    """The mutation that a draft means; None where it changes nothing."""
    original = encoding.data
    data = edited(original, draft.edits)
    if data == original:
        return None
    same = _common(original, data, draft.edits[0][0])
    legal = draft.legal if encoding.is_roomy or draft.legal is False else None
    return Mutation(
        operator=operator.name,
        path=draft.path,
        offset=_offset(encoding.root.span, same, data, original),
        data=data,
        legal=is_accepted(encoding.kind, data) if legal is None else legal,
        decided="reading" if legal is None else "construction",
        original=original,
    )


def is_accepted(kind: WireType, data: bytes) -> bool:
    """Whether the reference codec takes the data, all of it, for a value of the type."""
    reader = Reader(data)
    try:
        kind.read(reader)
    except (DecodeError, RecursionError):
        return False
    return not reader.left


def _common(one: bytes, other: bytes, low: int) -> int:
    """How many bytes two strings have in common at their start, of which `low` are known to be the same."""
    high = min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _offset(root: Span, different: int, data: bytes, original: bytes) -> int:
    """The first byte at which a decoder can notice that the data are not the original, from `different` on.

    Until then it does the same, but for one thing: a count is held against the bytes that are left before any
    element is read, so of fewer bytes the outermost count may say that they are too few.
    """
    if different >= len(original):
        return len(original)
    has_fewer = len(data) < len(original)
    span = root
    while span.children:
        inner = span.children[bisect_right(span.children, different, key=lambda child: child.end)]
        if has_fewer and inner.kind is not None and isinstance(span.kind, Vector | Repetition):
            return next((part.start for part in span.children if part.tl_type == COUNT), span.start)
        if inner.tl_type in (LENGTH, DATA):
            return span.start
        span = inner
    return span.start
