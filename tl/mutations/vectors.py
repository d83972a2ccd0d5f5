"""Operators on vectors and repetitions: their counts, their elements.

What a ``#`` counts are the rows of one repetition or of several; there an element is a row of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from tl.fields import Repetition
from tl.limits import DEFAULT_LIMITS
from tl.mutations.operators import (
    Draft,
    Edit,
    illegal,
    is_scalar,
    is_vector,
    legal,
    legal_if,
    operator,
    unsure,
)
from tl.mutations.pieces import Piece
from tl.mutations.scalars import is_count
from tl.mutations.sites import Site, edges
from tl.primitives import Integer, Vector
from tl.spans import COUNT, VECTOR
from tl.wire import VECTOR_ID

__all__ = ["OPERATORS"]

_HIGHEST = 2**31 - 1


class _Counted(NamedTuple):
    """A count, where it is, and what it counts: a vector, or repetitions."""

    site: Site
    start: int
    value: int
    lists: list[Site]

    def recounted(self, count: int) -> Edit:
        """The edit that makes another count of it."""
        return self.start, self.start + 4, (count & 0xFFFFFFFF).to_bytes(4, "little")

    @property
    def length(self) -> int:
        """How many elements there are of each: as many as the count says, in data that is valid."""
        return min((len(counted.elements) for counted in self.lists), default=0)

    def elements(self, index: int) -> list[Site]:
        """The elements of that index, one of each list."""
        return [counted.elements[index] for counted in self.lists]


def _is_counted(site: Site) -> bool:
    return is_vector(site) or (is_scalar(site, Integer) and is_count(site))


def _is_list(site: Site) -> bool:
    return bool(site.elements)


def _counted(site: Site) -> _Counted:
    part = site.part(COUNT)
    if part is not None and isinstance(part.value, int):
        return _Counted(site, part.start, part.value, [site])
    record = site.parent
    places = record.counted_by(site.place) if record is not None else []
    lists = [field for place in places if record is not None and (field := record.fields[place]) is not None]
    return _Counted(site, site.start, site.value, lists)


def _least_size(counted: Site) -> int:
    """How many bytes an element takes at least."""
    kind = counted.kind
    if isinstance(kind, Repetition):
        return kind.items.size
    return kind.item.size if isinstance(kind, Vector) else 0


# The count alone


@operator(_is_counted)
def count_plus_one(site: Site) -> Iterator[Draft]:
    """A count that is one too great."""
    counted = _counted(site)
    edit = counted.recounted(counted.value + 1)
    is_last = is_vector(site) and site.end == len(site.encoding.data) and _least_size(site) > 0
    yield illegal(site.path, edit) if is_last else unsure(site.path, edit)


@operator(_is_counted)
def count_minus_one(site: Site) -> Iterator[Draft]:
    """A count that is one too small."""
    counted = _counted(site)
    if counted.value > 0:
        edit = counted.recounted(counted.value - 1)
        is_last = is_vector(site) and site.end == len(site.encoding.data) and _least_size(site) > 0
        yield illegal(site.path, edit) if is_last else unsure(site.path, edit)


@operator(is_vector)
def negative_count(site: Site) -> Iterator[Draft]:
    """A count below zero: -1, and the lowest."""
    for count in (-1, -_HIGHEST - 1):
        yield illegal(site.path, _counted(site).recounted(count))


@operator(_is_counted)
def huge_count(site: Site) -> Iterator[Draft]:
    """A count of more elements than the data, or a decoder's limits, can hold: one more, and the highest."""
    counted = _counted(site)
    if not counted.lists:
        return  # it counts nothing that is there
    left = len(site.encoding.data) - counted.start - 4
    size = max(_least_size(each) for each in counted.lists)
    beyond = left // size + 1 if size else DEFAULT_LIMITS.empty_elements + 1
    highest = _HIGHEST if is_vector(site) else 0xFFFFFFFF
    for count in (beyond, highest):
        yield illegal(site.path, counted.recounted(count))


# The count and the elements


@operator(_is_counted)
def add_element(site: Site) -> Iterator[Draft]:
    """One more element, the smallest there is, behind the others; and counted."""
    counted = _counted(site)
    pieces = [_piece(each) for each in counted.lists]
    known = [piece for piece in pieces if piece is not None]
    if counted.lists and len(known) == len(pieces):
        edits = [(each.end, each.end, p.data) for each, p in zip(counted.lists, known, strict=True)]
        fits = all(site.has_room(piece) and piece.data for piece in known)
        yield legal_if(fits, site.path, counted.recounted(counted.value + 1), *edits)


@operator(_is_counted)
def drop_element(site: Site) -> Iterator[Draft]:
    """One element less, and counted: the first, one in the middle, the last."""
    counted = _counted(site)
    for index in _edge_indexes(counted.length):
        elements = counted.elements(index)
        edits = [(element.start, element.end, b"") for element in elements]
        yield legal(elements[0].path, counted.recounted(counted.value - 1), *edits)


@operator(_is_counted)
def duplicate_element(site: Site) -> Iterator[Draft]:
    """An element twice, and counted."""
    counted = _counted(site)
    for index in _edge_indexes(counted.length):
        elements = counted.elements(index)
        edits = [(element.end, element.end, element.data) for element in elements]
        yield legal(elements[0].path, counted.recounted(counted.value + 1), *edits)


@operator(_is_counted)
def drop_elements(site: Site) -> Iterator[Draft]:
    """No elements, and counted."""
    counted = _counted(site)
    if counted.length > 1:
        edits = [(each.elements[0].start, each.elements[-1].end, b"") for each in counted.lists]
        yield legal(site.path, counted.recounted(0), *edits)


@operator(_is_list)
def swap_elements(site: Site) -> Iterator[Draft]:
    """Two neighbouring elements in the other order."""
    elements = site.elements
    for first, second in edges(list(pairwise(elements)), 1):
        yield legal(first.path, (first.start, second.end, second.data + first.data))


def _edge_indexes(length: int) -> Sequence[int]:
    return edges(range(length), 1)


def _piece(counted: Site) -> Piece | None:
    """The smallest element."""
    kind, pieces = counted.kind, counted.encoding.facts.pieces
    if isinstance(kind, Repetition):
        return pieces.row(kind.items)
    return pieces.of(kind.item) if isinstance(kind, Vector) else None


# The id


def _is_boxed_vector(site: Site) -> bool:
    return is_vector(site) and site.part(VECTOR) is not None


def _is_bare_vector(site: Site) -> bool:
    return is_vector(site) and site.part(VECTOR) is None


@operator(_is_boxed_vector)
def wrong_vector_id(site: Site) -> Iterator[Draft]:
    """The id of something else in front of a vector: one bit changed, zeros."""
    for other in (bytes([VECTOR_ID[0] ^ 1, *VECTOR_ID[1:]]), bytes(4)):
        yield illegal(site.path, (site.start, site.start + 4, other))


@operator(_is_boxed_vector)
def missing_vector_id(site: Site) -> Iterator[Draft]:
    """A boxed vector without its id: the count is taken for it."""
    edit = (site.start, site.start + 4, b"")
    is_id = site.encoding.data[site.start + 4 : site.start + 8] == VECTOR_ID
    yield unsure(site.path, edit) if is_id else illegal(site.path, edit)


@operator(_is_bare_vector)
def needless_vector_id(site: Site) -> Iterator[Draft]:
    """A bare vector with an id in front of it: the id is taken for the count."""
    edit = (site.start, site.start, VECTOR_ID)
    id_counts_too_many = len(site.encoding.data) < int.from_bytes(VECTOR_ID, "little")
    yield illegal(site.path, edit) if id_counts_too_many else unsure(site.path, edit)


OPERATORS = (
    count_plus_one,
    count_minus_one,
    negative_count,
    huge_count,
    add_element,
    drop_element,
    duplicate_element,
    drop_elements,
    swap_elements,
    wrong_vector_id,
    missing_vector_id,
    needless_vector_id,
)
