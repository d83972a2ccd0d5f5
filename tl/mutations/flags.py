"""Operators on flags, and on the fields that depend on them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tl.fields import Flags, Repetition
from tl.mutations.operators import Draft, Edit, legal, legal_if, operator, unsure
from tl.mutations.pieces import Piece
from tl.mutations.sites import Site, edges

__all__ = ["OPERATORS"]

_MOST_ROWS = 64


class _Flag(NamedTuple):
    """A bit of a flag word, and the fields that depend on it, by their place in the table."""

    word: int
    bit: int
    fields: list[int]


def _has_flags(site: Site) -> bool:
    return bool(site.words)


# The bit alone


@operator(_has_flags)
def flip_flag(site: Site) -> Iterator[Draft]:
    """The flag of a field that has bytes, changed without them."""
    for flag in edges([flag for flag in _flags(site) if _has_bytes(site, flag)]):
        yield unsure(site.words[flag.word].path, _flipped(site, flag))


@operator(_has_flags)
def flip_true_flag(site: Site) -> Iterator[Draft]:
    """A flag that is a field by itself, set or not."""
    for flag in edges([flag for flag in _flags(site) if not _has_bytes(site, flag)]):
        yield legal(_path(site, flag), _flipped(site, flag))


@operator(_has_flags)
def flip_unknown_flag(site: Site) -> Iterator[Draft]:
    """A bit that no field uses, the lowest and the highest; a decoder with `strict_flags` refuses it."""
    known = {(flag.word, flag.bit) for flag in _flags(site)}
    for index, word in site.words.items():
        unknown = [bit for bit in range(32) if (index, bit) not in known]
        for bit in dict.fromkeys([*unknown[:1], *unknown[-1:]]):
            yield legal_if(not site.counted_by(index), word.path, _flipped(site, _Flag(index, bit, [])))


# The bit and the fields


@operator(_has_flags)
def add_field(site: Site) -> Iterator[Draft]:
    """An absent field with its smallest value, and its flag; with it all others under that flag."""
    for flag in edges([f for f in _flags(site) if _has_bytes(site, f) and not _is_set(site, f)]):
        pieces = [(index, piece) for index in flag.fields if (piece := _piece(site, index)) is not None]
        if len(pieces) == len(flag.fields):
            edits = [(at, at, piece.data) for index, piece in pieces for at in [_place(site, index)]]
            fits = all(site.has_room(piece, inside=True) for _, piece in pieces)
            yield legal_if(fits, _path(site, flag), _flipped(site, flag), *edits)


@operator(_has_flags)
def remove_field(site: Site) -> Iterator[Draft]:
    """A field left out, and its flag not set; with it all others under that flag."""
    for flag in edges([f for f in _flags(site) if _has_bytes(site, f) and _is_set(site, f)]):
        gone = [field for index in flag.fields if (field := site.fields[index]) is not None]
        edits = [(field.start, field.end, b"") for field in gone]
        yield legal(_path(site, flag), _flipped(site, flag), *edits)


# What they need


def _flags(site: Site) -> list[_Flag]:
    """The flags of the words that are there, in the order of the fields."""
    found: dict[tuple[int, int], _Flag] = {}
    for index, field in enumerate(site.table):
        if field.flag is not None and field.flag[0] in site.words:
            found.setdefault(field.flag, _Flag(*field.flag, [])).fields.append(index)
    return list(found.values())


def _has_bytes(site: Site, flag: _Flag) -> bool:
    """Whether a field under it is more than the flag itself."""
    return not all(site.table[index].is_true_flag for index in flag.fields)


def _is_set(site: Site, flag: _Flag) -> bool:
    return bool(site.words[flag.word].value >> flag.bit & 1)


def _flipped(site: Site, flag: _Flag) -> Edit:
    """The edit that changes the bit."""
    word = site.words[flag.word]
    return word.start, word.end, (word.value ^ 1 << flag.bit).to_bytes(4, "little")


def _path(site: Site, flag: _Flag) -> str:
    """The path of the field that the flag stands for, the first of them."""
    field = site.table[flag.fields[0]]
    return f"{site.path}.{field.tl_name or field.name}".removeprefix(".")


def _place(site: Site, index: int) -> int:
    """Where the bytes of an absent field belong: behind those of the fields before it, of which one is a word."""
    return max(field.end for field in site.fields[:index] if field is not None)


def _piece(site: Site, index: int) -> Piece | None:
    """The smallest value of an absent field, as its flag is set."""
    field, pieces = site.table[index], site.encoding.facts.pieces
    if field.is_true_flag:
        return Piece(b"", 0, True)
    if not isinstance(field.type, Repetition) or isinstance(field.type.count, int):
        return pieces.of(field.type)
    row, times = pieces.row(field.type.items), _times(site, field.type)
    if row is None or not 0 <= times <= _MOST_ROWS:
        return None
    return Piece(row.data * times, row.depth, row.is_small and bool(row.data))


def _times(site: Site, kind: Repetition) -> int:
    """How often something is repeated that another field counts."""
    counts = [
        field for field in site.fields if field is not None and site.table[field.place].name == kind.count
    ]
    if not counts or not isinstance(counts[0].value, int):
        return -1
    count: int = counts[0].value
    return count & ~counts[0].kind.known if isinstance(counts[0].kind, Flags) else count


OPERATORS = (flip_flag, flip_true_flag, flip_unknown_flag, add_field, remove_field)
