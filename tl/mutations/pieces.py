"""The smallest encoding of every type of a schema: what mutations put where something has to stand.

Numbers are zero, strings and vectors empty, flags not set; of a boxed type it is the lightest constructor
(`tl.smallest`).  A type that has no values has no piece, nor has one whose smallest value a decoder would not
take, or that is very large.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from tl.errors import DecodeError
from tl.fields import Field, Flags, Repetition, Table
from tl.limits import DEFAULT_LIMITS
from tl.objects import Bare, Boxed
from tl.primitives import Bool, Vector
from tl.smallest import MOST_OBJECTS, Smallest, key_of
from tl.wire import BOOL_FALSE, VECTOR_ID, Reader, WireType

__all__ = ["Piece", "Pieces", "type_key"]

_LARGEST = 1 << 16
_SMALL = 64
"""What is called small is of no more objects and elements than this."""


class Piece(NamedTuple):
    """An encoding, how many objects that count for the depth limit are nested in it, and whether it is small.

    Small ones can't exceed a budget of which a good part is left, not even many of them.
    """

    data: bytes
    depth: int
    is_small: bool


class Pieces:
    """The pieces of one schema, made when they are needed."""

    def __init__(self, smallest: Smallest) -> None:
        self._smallest = smallest
        self._made: dict[object, Piece | None] = {}

    def of(self, kind: WireType) -> Piece | None:
        """The smallest value of a type."""
        key = type_key(kind)
        if key not in self._made:
            self._made[key] = _measured(kind, self._value(kind))
        return self._made[key]

    def of_class(self, cls: Any) -> Piece | None:
        """The smallest object of a class, behind its id."""
        if cls not in self._made:
            self._made[cls] = self._object(cls, is_boxed=True)
        return self._made[cls]

    def row(self, items: Table) -> Piece | None:
        """The smallest row of a repetition."""
        return _joined(self.fields(items))

    def fields(
        self,
        table: Table,
        flags: Collection[tuple[int, int]] = (),
        given: Mapping[int, Piece] | None = None,
    ) -> list[Piece] | None:
        """A piece for each field of a table, in order; None where there is none for one of them.

        `flags` are those that are set, `given` are the pieces to take for some fields, by index.
        """
        found = []
        for index, field in enumerate(table):
            piece = given.get(index) if given else None
            if piece is None:
                piece = self._field(index, field, flags)
            if piece is None:
                return None
            found.append(piece)
        return found

    def _field(self, index: int, field: Field, flags: Collection[tuple[int, int]]) -> Piece | None:
        kind = field.type
        if isinstance(kind, Flags):
            word = sum(1 << bit for at, bit in flags if at == index)
            return Piece(word.to_bytes(4, "little"), 0, True)
        if field.is_true_flag or (field.flag and field.flag not in flags):
            return _NOTHING
        if isinstance(kind, Repetition) and isinstance(kind.count, str):
            return _NOTHING  # its count is zero
        return self.of(kind)

    def _value(self, kind: WireType) -> Piece | None:
        if isinstance(kind, Boxed | Bare):
            choice = self._smallest.choice(kind)
            return self._object(choice.classes[0], isinstance(kind, Boxed)) if choice.classes else None
        if isinstance(kind, Vector):
            return Piece(VECTOR_ID * kind.boxed + bytes(4), 0, True)
        if isinstance(kind, Repetition):
            times = kind.times({})
            row = self.row(kind.items) if times else _NOTHING
            if row is None or times * max(1, len(row.data)) > _LARGEST:
                return None
            return Piece(row.data * times, row.depth, row.is_small)
        return Piece(BOOL_FALSE if isinstance(kind, Bool) else bytes(kind.size), 0, True)

    def _object(self, cls: Any, is_boxed: bool) -> Piece | None:
        if self._smallest.weights([cls])[cls] > MOST_OBJECTS:
            return None
        body = _joined(self.fields(cls.FIELDS))
        if body is None:
            return None
        head = cls.CONSTRUCTOR_ID.to_bytes(4, "little") if is_boxed else b""
        return Piece(head + body.data, body.depth + cls.FIELDS.nests, body.is_small)


def type_key(kind: WireType) -> object:
    """What tells the types of a schema apart: the same for each field of one type."""
    return key_of(kind) if isinstance(kind, Boxed | Bare) else (type(kind), kind.name)


_NOTHING = Piece(b"", 0, True)


def _joined(pieces: list[Piece] | None) -> Piece | None:
    """Pieces one behind the other."""
    if pieces is None or sum(len(piece.data) for piece in pieces) > _LARGEST:
        return None
    return Piece(
        b"".join(piece.data for piece in pieces),
        max((piece.depth for piece in pieces), default=0),
        all(piece.is_small for piece in pieces),
    )


def _measured(kind: WireType, piece: Piece | None) -> Piece | None:
    """The piece, if it is what a decoder takes, and how small it is."""
    if piece is None:
        return None
    reader = Reader(piece.data)
    try:
        kind.read(reader)
    except (DecodeError, RecursionError):
        return None
    left, full = reader.budget, DEFAULT_LIMITS
    is_small = (
        full.objects - left.objects <= _SMALL
        and full.elements - left.elements <= _SMALL
        and full.empty_elements == left.empty_elements
    )
    return Piece(piece.data, piece.depth, is_small) if not reader.left else None
