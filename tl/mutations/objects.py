"""Operators on objects: their ids, what stands in their place, how deep they are nested."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tl.fields import Flags, Repetition
from tl.limits import DEFAULT_LIMITS
from tl.mutations.operators import (
    Draft,
    Edit,
    illegal,
    is_bare,
    is_boxed,
    is_object,
    is_value,
    legal_if,
    operator,
    unsure,
)
from tl.mutations.sites import Site, edges, pool_key
from tl.mutations.wrappers import Wrapper
from tl.wire import WireType

__all__ = ["OPERATORS"]

_FEW = 2
_DEPTH = DEFAULT_LIMITS.depth


def _id_edit(site: Site, constructor_id: bytes) -> Edit:
    return site.start, site.start + 4, constructor_id


def _whole_edit(site: Site, encoded: bytes) -> Edit:
    return site.start, site.end, encoded


# The id


@operator(is_boxed)
def unknown_constructor(site: Site) -> Iterator[Draft]:
    """The id of nothing in the schema: one bit changed, zeros, ones."""
    first, *rest = site.data[:4]
    changed = (bytes([first ^ 1 << bit, *rest]) for bit in (0, 7))
    for other in (*changed, bytes(4), b"\xff\xff\xff\xff"):
        if other not in site.encoding.facts.ids:
            yield illegal(site.path, _id_edit(site, other))


@operator(is_boxed)
def foreign_constructor(site: Site) -> Iterator[Draft]:
    """The id of a constructor of another type, of a function, of a vector, and behind it what was there."""
    for foreign in site.encoding.facts.foreign(_type(site)):
        yield illegal(site.path, _id_edit(site, foreign.id))


@operator(is_boxed)
def sibling_constructor(site: Site) -> Iterator[Draft]:
    """The id of another constructor of the type, and behind it what was there."""
    for cls in _siblings(site):
        has_same_layout = _layout(cls) == _layout(site.cls)
        yield legal_if(has_same_layout, site.path, _id_edit(site, cls.CONSTRUCTOR_ID.to_bytes(4, "little")))


@operator(is_boxed)
def missing_constructor_id(site: Site) -> Iterator[Draft]:
    """A boxed object without its id."""
    edit = (site.start, site.start + 4, b"")
    taken_for_it = site.encoding.data[site.start + 4 : site.start + 8]
    is_taken = _type(site).find(int.from_bytes(taken_for_it, "little")) is not None
    yield unsure(site.path, edit) if is_taken and len(taken_for_it) == 4 else illegal(site.path, edit)


@operator(is_bare)
def needless_constructor_id(site: Site) -> Iterator[Draft]:
    """A bare object with an id in front of it."""
    number: int = site.value.CONSTRUCTOR_ID
    yield unsure(site.path, (site.start, site.start, number.to_bytes(4, "little")))


# The value


@operator(is_boxed)
def other_constructor(site: Site) -> Iterator[Draft]:
    """The smallest object of another constructor of the type in its place."""
    for cls in _siblings(site):
        piece = site.encoding.facts.pieces.of_class(cls)
        if piece is not None:
            yield legal_if(site.has_room(piece), site.path, _whole_edit(site, piece.data))


@operator(is_boxed)
def foreign_value(site: Site) -> Iterator[Draft]:
    """The smallest object of another type in its place."""
    for foreign in site.encoding.facts.foreign(_type(site)):
        piece = foreign.cls and site.encoding.facts.pieces.of_class(foreign.cls)
        if piece is not None:
            yield illegal(site.path, _whole_edit(site, piece.data))


@operator(is_value)
def splice_value(site: Site) -> Iterator[Draft]:
    """Another value of the same type in its place: one from elsewhere in the data, or from other data."""
    found = [value for value in site.encoding.pool.get(pool_key(site.kind), ()) if value != site.data]
    fits = site.depth + site.encoding.deepest <= _DEPTH
    for value in edges(found, _FEW):
        yield legal_if(fits, site.path, _whole_edit(site, value))


# Nesting


@operator(is_object)
def wrap_value(site: Site) -> Iterator[Draft]:
    """The value inside of an object that holds one of its own type: one level more."""
    for wrapper in _wrappers(site):
        deepest = site.depth + 1 + max(site.height(), wrapper.beside)
        fits = wrapper.is_small and deepest <= _DEPTH
        yield legal_if(fits, site.path, *_wrapped(site, wrapper, 1))


@operator(is_object)
def wrap_to_limit(site: Site) -> Iterator[Draft]:
    """The value inside of as many such objects as a decoder takes."""
    for wrapper in _wrappers(site):
        levels = _DEPTH - site.depth - max(site.height(), wrapper.beside)
        if levels > 1:
            yield legal_if(wrapper.is_small, site.path, *_wrapped(site, wrapper, levels))


@operator(is_object)
def wrap_beyond_limit(site: Site) -> Iterator[Draft]:
    """The value inside of one such object more than a decoder takes."""
    for wrapper in _wrappers(site):
        yield illegal(site.path, *_wrapped(site, wrapper, _DEPTH - site.depth + 1))


def _wrapped(site: Site, wrapper: Wrapper, levels: int) -> tuple[Edit, Edit]:
    start = site.start + (4 if wrapper.behind_id and is_boxed(site) else 0)
    return (start, start, wrapper.before * levels), (site.end, site.end, wrapper.after * levels)


def _wrappers(site: Site) -> Sequence[Wrapper]:
    kind: Any = site.kind
    return edges(list(site.encoding.facts.wrappers.of(kind, site.cls)), 1)


# What the schema says


def _type(site: Site) -> Any:
    """The type of a boxed site."""
    return site.kind


def _siblings(site: Site) -> Sequence[Any]:
    return edges(site.encoding.facts.siblings(_type(site), site.cls))


def _layout(cls: Any) -> object:
    """What makes two classes have the same encodings, their ids left out; None does not say so."""
    if any(isinstance(field.type, Repetition) for field in cls.FIELDS):
        return cls
    return [(type(field.type), field.type.name, field.flag, _bits(field.type)) for field in cls.FIELDS]


def _bits(kind: WireType) -> int:
    return kind.known if isinstance(kind, Flags) else 0


OPERATORS = (
    unknown_constructor,
    foreign_constructor,
    sibling_constructor,
    missing_constructor_id,
    needless_constructor_id,
    other_constructor,
    foreign_value,
    splice_value,
    wrap_value,
    wrap_to_limit,
    wrap_beyond_limit,
)
