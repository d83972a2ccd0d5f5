"""The fields of a combinator in two schemas → which became which.

Names come first.  A field whose name is gone may have another now: that is assumed where the same type stands
under the same flag between the same neighbours, and where a ``true`` field has the same bit.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace

from tl.ast import FlagRef, Multiplicity, Parameter, TypeExpr, TypeRef

__all__ = ["FieldPair", "pair_fields"]

_Fields = Sequence[Parameter]
_NUMBER = TypeRef("#")
_TRUE = TypeRef("true")


@dataclass(frozen=True, slots=True)
class FieldPair:
    """One field: where it was and where it is, counted from 0 (None: nowhere), and what changed.

    `what` has any of "added", "removed", "renamed", "type", "flag", "order"; it is empty where nothing did.
    """

    old: int | None
    new: int | None
    what: tuple[str, ...] = ()


def pair_fields(old: _Fields, new: _Fields) -> list[FieldPair]:
    """All fields of both, in the order of `new`; what was removed stands where it was."""
    places = {p.name: place for place, p in enumerate(new) if p.name}
    partners = {i: places[p.name] for i, p in enumerate(old) if p.name in places}
    # Flag words first: by their new names the fields under them are known.
    words = {i for i, p in enumerate(old) if p.type == _NUMBER and p.flag is None}
    partners |= _renamed(old, new, partners, words)
    new_words = {old[i].name: new[j].name for i, j in partners.items() if i in words}
    old, new = _told(old, new_words), _told(new, {})
    partners |= _renamed_bits(old, new, partners)
    partners |= _renamed(old, new, partners, range(len(old)))
    return _pairs(old, new, partners)


def _told(fields: _Fields, new_words: Mapping[str, str]) -> _Fields:
    """The fields, with the new names of the words that they depend on, where these are named or meant."""
    told = []
    last = ""
    for field in fields:
        kind: TypeExpr = field.type
        flag = field.flag
        if isinstance(kind, Multiplicity) and not isinstance(kind.count, int):
            count = last if kind.count is None else kind.count
            kind = replace(kind, count=new_words.get(count, count))
        if flag is not None:
            flag = FlagRef(new_words.get(flag.field, flag.field), flag.bit)
        elif kind == _NUMBER:
            last = field.name
        told.append(replace(field, type=kind, flag=flag))
    return told


def _renamed(
    old: _Fields, new: _Fields, partners: Mapping[int, int], candidates: Container[int]
) -> dict[int, int]:
    """Of the old fields at `candidates` those that seem to have another name now, and where they are."""
    unmoved = _unmoved(partners)
    olds, news = list(unmoved), list(unmoved.values())
    taken = set(partners.values())
    free: defaultdict[object, deque[int]] = defaultdict(deque)
    for j, field in enumerate(new):
        if j not in taken:
            free[bisect_left(news, j), field.type, field.flag].append(j)
    found: dict[int, int] = {}
    for i, field in enumerate(old):
        if i in candidates and i not in partners:
            same = free[bisect_left(olds, i), field.type, field.flag]
            if same:
                found[i] = same.popleft()
    return found


def _renamed_bits(old: _Fields, new: _Fields, partners: Mapping[int, int]) -> dict[int, int]:
    """The ``true`` fields whose bit is one of another name now."""
    taken = set(partners.values())
    bits = {p.flag: j for j, p in enumerate(new) if p.type == _TRUE and p.flag and j not in taken}
    left = {p.flag: i for i, p in enumerate(old) if p.type == _TRUE and p.flag and i not in partners}
    return {i: bits[flag] for flag, i in left.items() if flag in bits}


def _unmoved(partners: Mapping[int, int]) -> dict[int, int]:
    """The most partners that stand in the same order in both, in this order.

    They are a longest increasing subsequence, found in the way of patience sorting.
    """
    ends: list[int] = []  # the least place in `new` at which a sequence of each length can end
    lasts: list[int] = []  # and the place in `old` that belongs to it
    before: dict[int, int] = {}
    for i in sorted(partners):
        length = bisect_left(ends, partners[i])
        before[i] = lasts[length - 1] if length else -1
        ends[length : length + 1] = [partners[i]]
        lasts[length : length + 1] = [i]
    found = []
    place = lasts[-1] if lasts else -1
    while place >= 0:
        found.append(place)
        place = before[place]
    return {i: partners[i] for i in reversed(found)}


def _pairs(old: _Fields, new: _Fields, partners: Mapping[int, int]) -> list[FieldPair]:
    unmoved = _unmoved(partners)
    olds, news = list(unmoved), [-1, *unmoved.values()]
    pairs = {(j, -1): FieldPair(None, j, ("added",)) for j in range(len(new))}
    for i, field in enumerate(old):
        j = partners.get(i)
        if j is None:
            behind = news[bisect_left(olds, i)]
            pairs[behind, i] = FieldPair(i, None, ("removed",))
        else:
            pairs[j, -1] = FieldPair(i, j, _changes(field, new[j], i in unmoved))
    return [pairs[place] for place in sorted(pairs)]


def _changes(old: Parameter, new: Parameter, in_order: bool) -> tuple[str, ...]:
    found = {
        "renamed": old.name != new.name,
        "type": old.type != new.type,
        "flag": old.flag != new.flag,
        "order": not in_order,
    }
    return tuple(word for word, is_so in found.items() if is_so)
