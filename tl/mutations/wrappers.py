"""Objects that can hold one of their own type: with them a value can be nested as deep as one likes.

``textBold text:RichText = RichText`` holds its own type in a field, ``pageBlockDetails blocks:Vector<PageBlock>``
in a vector, ``invokeWithLayer {X:Type} layer:int query:!X = X`` holds any function.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from tl.fields import Field
from tl.mutations.pieces import Piece, Pieces, type_key
from tl.objects import Bare, Boxed
from tl.primitives import Vector
from tl.smallest import Smallest
from tl.wire import VECTOR_ID, WireType

__all__ = ["Wrapper", "Wrappers"]


class Wrapper(NamedTuple):
    """What stands before and behind the value that is wrapped; `beside` is the depth of what stands there.

    With `behind_id` it goes behind the id of the value, which stays where it is: the wrapper is of the value's
    own class, and one of the two is bare.
    """

    before: bytes
    after: bytes
    beside: int
    is_small: bool
    behind_id: bool


class _Holder(NamedTuple):
    """A field, by its place, that takes objects of its own class, or vectors of them."""

    cls: Any
    place: int
    inner: Boxed | Bare


class Wrappers:
    """The wrappers of one schema, found when they are needed."""

    def __init__(self, smallest: Smallest, pieces: Pieces) -> None:
        self._smallest = smallest
        self._pieces = pieces
        self._holders: dict[object, list[_Holder]] = {}
        self._made: dict[tuple[Any, int, bool], Wrapper | None] = {}

    def of(self, kind: Boxed | Bare, cls: Any) -> Iterator[Wrapper]:
        """Those that fit where a value of type `kind` stands, and take an object of `cls`."""
        key = type_key(kind)
        if key not in self._holders:
            classes = [c for c in self._smallest.classes(kind) if _takes(kind, c)]
            self._holders[key] = [holder for c in classes for holder in _holders(c)]
        for holder in self._holders[key]:
            is_boxed = isinstance(kind, Boxed) and isinstance(holder.inner, Boxed)
            if _takes(holder.inner, cls):  # where one of the two is bare, it is the class itself
                wrapper = self._wrapper(holder, is_boxed)
                if wrapper is not None:
                    yield wrapper

    def _wrapper(self, holder: _Holder, is_boxed: bool) -> Wrapper | None:
        key = holder.cls, holder.place, is_boxed
        if key not in self._made:
            self._made[key] = self._new_wrapper(holder, is_boxed)
        return self._made[key]

    def _new_wrapper(self, holder: _Holder, is_boxed: bool) -> Wrapper | None:
        """The wrapper that begins with its id, or else has it only where its field is boxed."""
        number = holder.cls.CONSTRUCTOR_ID.to_bytes(4, "little")
        inner_id = number if isinstance(holder.inner, Boxed) and not is_boxed else b""
        field = holder.cls.FIELDS[holder.place]
        head = Piece(_vector_heads(field.type) + inner_id, 0, True)
        flags = [field.flag] if field.flag else []
        pieces = self._pieces.fields(holder.cls.FIELDS, flags, {holder.place: head})
        if pieces is None:
            return None
        parts = [piece.data for piece in pieces]
        return Wrapper(
            (number if is_boxed else b"") + b"".join(parts[: holder.place + 1]),
            b"".join(parts[holder.place + 1 :]),
            max(piece.depth for piece in pieces),
            all(piece.is_small for piece in pieces),
            behind_id=not is_boxed,
        )


def _holders(cls: Any) -> Iterator[_Holder]:
    for index, field in enumerate(cls.FIELDS):
        inner = _innermost(field)
        if isinstance(inner, Boxed | Bare) and _takes(inner, cls):
            yield _Holder(cls, index, inner)


def _innermost(field: Field) -> WireType:
    """The type of a field, or that of the elements of its vectors."""
    kind = field.type
    while isinstance(kind, Vector):
        kind = kind.item
    return kind


def _takes(kind: Boxed | Bare, cls: Any) -> bool:
    """Whether objects of the class can stand where a value of type `kind` is expected."""
    return kind.cls is cls if isinstance(kind, Bare) else kind.find(cls.CONSTRUCTOR_ID) is cls


def _vector_heads(kind: WireType) -> bytes:
    """What stands in front of the only element of vectors, or of vectors of vectors."""
    heads = b""
    while isinstance(kind, Vector):
        heads += VECTOR_ID * kind.boxed + b"\1\0\0\0"
        kind = kind.item
    return heads
