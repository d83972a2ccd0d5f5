"""How long values are that always have one length, and so where a value ends that nobody knows.

While `tl.walker` goes down into an encoding it keeps a frame for each level.  Whatever the frames still have to
come behind a value ends where the data ends; if all of that has one length, the value in front of it has one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from tl.fields import Field, Repetition, Table
from tl.objects import AnyObject, Bare, Boxed
from tl.primitives import Vector
from tl.wire import WireType

__all__ = ["FieldsFrame", "Frame", "ItemsFrame", "end_before", "exact_size"]


def exact_size(kind: WireType) -> int | None:
    """The length in bytes of every value of a type; None where it is not always the same."""
    if isinstance(kind, Repetition):
        row = _row_size(kind.items)
        return None if row is None or not isinstance(kind.count, int) else row * kind.count
    if isinstance(kind, Bare):
        return _row_size(kind.cls.FIELDS)
    if isinstance(kind, Boxed):
        is_open = isinstance(kind, AnyObject) or any(cls.FIELDS for cls in kind.classes())
        return None if is_open else kind.size
    return None if isinstance(kind, Vector) or kind.name in ("string", "bytes") else kind.size


def _row_size(table: Table) -> int | None:
    return _total([exact_size(f.type) if f.flag is None or f.is_true_flag else None for f in table])


def _total(sizes: Sequence[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


class Frame(Protocol):
    """A level: an object or a list of which a part is being read."""

    def following(self) -> int | None:
        """How many bytes come behind that part on this level; None where that can't be told."""

    def end_of_part(self) -> int | None:
        """Where the part ends, if the level says so itself; else None."""


class FieldsFrame:
    """The fields of an object, of which `index` is being read since the byte `start`.

    `words` are the flag words so far, `values` the values.
    """

    def __init__(self, table: Table, words: Mapping[int, int], values: Mapping[str, object]) -> None:
        self.table = table
        self.words = words
        self.values = values
        self.index = 0
        self.start = 0

    def following(self) -> int | None:
        return _total([self._size(field) for field in self.table[self.index + 1 :]])

    def _size(self, field: Field) -> int | None:
        if field.is_true_flag:
            return 0
        if isinstance(field.type, Repetition) and isinstance(field.type.count, str):
            return None
        if field.flag is None:
            return exact_size(field.type)
        word = self.words.get(field.flag[0])
        if word is None:
            return None
        return exact_size(field.type) if word >> field.flag[1] & 1 else 0

    def end_of_part(self) -> int | None:
        """Behind ``bytes:int body:Object``, which is how a container says how long each message is."""
        if not self.index or not isinstance(self.table[self.index].type, AnyObject):
            return None
        before = self.table[self.index - 1]
        size = self.values.get(before.name)
        if before.tl_name != "bytes" or before.type.name != "int" or not isinstance(size, int):
            return None
        return self.start + size if size > 0 and size % 4 == 0 else None


class ItemsFrame:
    """The items of a list, of which `left` are to come behind the one that is being read."""

    def __init__(self, kind: WireType, left: int) -> None:
        self.kind = kind
        self.left = left

    def following(self) -> int | None:
        if not self.left:
            return 0
        size = _row_size(self.kind.items) if isinstance(self.kind, Repetition) else exact_size(self.kind)
        return None if size is None else size * self.left

    def end_of_part(self) -> int | None:
        return None


def end_before(frames: Sequence[Frame], start: int, end: int) -> int | None:
    """Where the value ends that starts at `start`, in the innermost of `frames`, in data up to `end`.

    None where that can't be told, or is not possible.
    """
    following = 0
    for frame in reversed(frames):
        part_end = frame.end_of_part()
        if part_end is not None and part_end <= end:
            end = part_end
            break
        size = frame.following()
        if size is None:
            return None
        following += size
    end -= following
    return end if end >= start + 4 else None
