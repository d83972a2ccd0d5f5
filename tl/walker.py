"""Any bytes → the tree of their parts, the value they mean, and what is wrong with them.

The walker reads along with the reference codec's types and keeps the places.  What an `Observer` can do without
refusing it notes; a value that can't be read at all becomes a `Raw` of its bytes, and it goes on behind that
where it is known to end.  Where that is not known the rest is lost: it belongs to that value, and whatever
should come behind it is `NOTHING`.

So every byte has its place, nothing is raised, and the value encodes to the very bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tl.errors import DecodeError, InvalidCount, LimitExceeded, UnexpectedConstructor
from tl.fast import new
from tl.fields import Flags, Repetition, Table
from tl.findings import Observer
from tl.objects import Bare, Boxed, OneOf
from tl.primitives import Bool, Bytes, Vector
from tl.raw import NOTHING, Raw
from tl.registry import Registry
from tl.sizes import FieldsFrame, Frame, ItemsFrame, end_before
from tl.spans import CONSTRUCTOR_ID, COUNT, DATA, LENGTH, OPAQUE, PADDING, VECTOR, Span
from tl.wire import VECTOR_ID, Reader, WireType

__all__ = ["Walker"]


class Walker:
    """Reads one encoding by `reader`; `others` are schemas in which unknown constructors are looked up."""

    def __init__(self, reader: Observer, schema: Registry, others: Sequence[Registry] = ()) -> None:
        self.reader = reader
        self.schema = schema
        self.others = others
        self.lost = False
        """Whether nothing can be read any more: the last bytes are in a value without an end."""
        self._frames: list[Frame] = []
        # Reading ahead is paid for by itself, so what it costs does not change the verdict.
        self._ahead = reader.budget.limits.budget()

    def value(self, kind: WireType, times: int | None = None) -> Span:
        """The next value, which should be of the type `kind`; a repetition comes so many times."""
        reader = self.reader
        start, found = reader.pos, len(reader.findings)
        if self.lost:
            return self._span(start, kind, NOTHING)
        try:
            span = self._value(kind, times)
        except DecodeError as error:
            reader.note(error)
            return self._unread(kind, start, error)
        if isinstance(kind, Bytes) and len(reader.findings) > found:
            return replace(span, value=Raw(reader.data[start : span.end], span.value))
        return span

    def _value(self, kind: WireType, times: int | None) -> Span:
        """The same, or the DecodeError that says why there is none."""
        if isinstance(kind, Boxed):
            return self._boxed(kind)
        if isinstance(kind, Bare):
            return self._combinator(kind, kind.cls, self.reader.pos, [])
        if isinstance(kind, Vector):
            return self._vector(kind)
        if isinstance(kind, Repetition):
            return self._repetition(kind, kind.times({}) if times is None else times)
        if isinstance(kind, Bytes):
            return self._string(kind)
        start = self.reader.pos
        return self._span(start, kind, kind.read(self.reader))

    # Spans

    def _span(
        self, start: int, kind: WireType, value: object, children: Sequence[Span] = (), note: str = ""
    ) -> Span:
        """The span of a value, from `start` to here, in the field that is being read."""
        return Span(
            start, self.reader.pos, str(self.reader), kind.name, value, tuple(children), note, kind=kind
        )

    def _part(self, start: int, part: str, value: object, note: str = "") -> Span:
        """The span of a part of a value."""
        return Span(start, self.reader.pos, str(self.reader), part, value, note=note)

    # Objects

    def _boxed(self, kind: Boxed) -> Span:
        start = self.reader.pos
        got = self.reader.constructor_id(kind.name)
        cls = kind.find(int.from_bytes(got, "little"))
        if cls is None:
            return self._unexpected(kind, start, kind.refused(got, self.reader))
        return self._combinator(kind, cls, start, [self._head(cls, start)])

    def _head(self, cls: Any, start: int) -> Span:
        foreign = "" if cls.SCHEMA is self.schema else f" of {cls.SCHEMA.title}"
        return self._part(start, CONSTRUCTOR_ID, cls.CONSTRUCTOR_ID, f"{cls.TL_NAME}{foreign}")

    def _combinator(self, kind: WireType, cls: Any, start: int, children: list[Span]) -> Span:
        table: Table = cls.FIELDS
        if table.nests:
            self.reader.enter_object()
        value = new(cls)
        for name, item in self._fields(table, children).items():
            setattr(value, name, item)
        self.reader.depth += table.nests
        return self._span(start, kind, value, children, cls.TL_NAME)

    def _fields(self, table: Table, children: list[Span]) -> dict[str, object]:
        """The values of the fields by Python name; their spans are appended to `children`."""
        values: dict[str, object] = {}
        words: dict[int, int] = {}
        frame = FieldsFrame(table, words, values)
        self._frames.append(frame)
        for index, field in enumerate(table):
            if field.flag and not words[field.flag[0]] >> field.flag[1] & 1:
                values[field.name] = False if field.is_true_flag else None
                continue
            if field.is_true_flag:
                values[field.name] = True
                continue
            frame.index, frame.start = index, self.reader.pos
            self.reader.path.append(field.tl_name or field.name)
            times = field.type.times(values) if isinstance(field.type, Repetition) else None
            span = self.value(field.type, times)
            values[field.name] = span.value
            if isinstance(field.type, Flags):
                words[index] = word = span.value if isinstance(span.value, int) else 0
                if isinstance(span.value, int):
                    values[field.name] = word & ~field.type.known
                    span = replace(span, note=_bit_names(table, index, word))
            self.reader.path.pop()
            if span.value is not NOTHING:
                children.append(span)
        self._frames.pop()
        return values

    # Lists

    def _vector(self, kind: Vector) -> Span:
        reader = self.reader
        start = reader.pos
        children: list[Span] = []
        if kind.boxed:
            got = reader.constructor_id(kind.name)
            if got != VECTOR_ID:
                return self._unexpected(kind, start, kind.refused(got, reader))
            children.append(self._part(start, VECTOR, int.from_bytes(got, "little"), kind.name))
        at = reader.pos
        try:
            count = room = kind.read_count(reader)
        except InvalidCount as error:
            reader.note(error)
            count = int.from_bytes(reader.data[at : at + 4], "little", signed=True)
            room = self._room(kind, count)
        children.append(self._part(at, COUNT, count))
        values = self._items(kind.item, room, children)
        if room == count:
            # Of what is lost, too, there are as many as the count says; so the list encodes to it.
            values += [NOTHING] * (count - len(values))
            return self._span(start, kind, values, children)
        self.lost = count > 0
        return self._span(start, kind, Raw(reader.data[start : reader.pos], values), children)

    def _room(self, kind: Vector, count: int) -> int:
        """How many elements to try where the bytes can't hold as many as there should be: up to the end."""
        size = kind.item.size
        room = 0 if count < 0 or not size else min(count - 1, -(-self.reader.left // size))
        self.reader.charge("elements", room, self.reader.pos)
        return room

    def _items(self, kind: WireType, count: int, children: list[Span]) -> list[object]:
        """So many elements, fewer where the rest is lost."""
        values: list[object] = []
        frame = ItemsFrame(kind, count)
        self._frames.append(frame)
        self.reader.path.append(0)
        for index in range(count):
            if self.lost:
                break
            self.reader.path[-1] = index
            frame.left = count - 1 - index
            span = self.value(kind)
            values.append(span.value)
            if span.value is not NOTHING:
                children.append(span)
        self.reader.path.pop()
        self._frames.pop()
        return values

    def _repetition(self, kind: Repetition, times: int) -> Span:
        reader = self.reader
        start = reader.pos
        reader.expect_elements(times, kind.items.size, start)
        children: list[Span] = []
        values: list[object] = []
        frame = ItemsFrame(kind, times)
        self._frames.append(frame)
        reader.path.append(0)
        for index in range(times):
            if self.lost:
                values += [NOTHING] * (times - index)
                break
            reader.path[-1] = index
            frame.left = times - 1 - index
            row = tuple(self._fields(kind.items, children).values())
            values.append(row[0] if len(row) == 1 else row)
        reader.path.pop()
        self._frames.pop()
        return self._span(start, kind, values, children)

    # Strings

    def _string(self, kind: Bytes) -> Span:
        reader = self.reader
        start = reader.pos
        value = kind.read(reader)
        end = reader.pos
        head = {254: 4, 255: 8}.get(reader.data[start], 1)
        size = int.from_bytes(reader.data[start + (head > 1) : start + head], "little")
        data_end = start + head + size
        path = str(reader)
        parts = [Span(start, start + head, path, LENGTH, size)]
        if size:
            parts.append(Span(start + head, data_end, path, DATA, value))
        if data_end < end:
            parts.append(Span(data_end, end, path, PADDING, reader.data[data_end:end]))
        padding = f", padding {end - data_end}" if data_end < end else ""
        return self._span(start, kind, value, parts, f"length {size}{padding}")

    # What is not as it should be

    def _unexpected(self, kind: WireType, start: int, error: DecodeError) -> Span:
        """A constructor that has no place here, read as what it is if that is known, and if that works."""
        number = error.got if isinstance(error.got, int) else 0
        own = self.schema.find(number)
        found = [own] if own is not None else [schema.find(number) for schema in self.others]
        classes: list[Any] = [cls for cls in found if cls is not None]
        names = [] if own is not None else [f"{cls.TL_NAME} of {cls.SCHEMA.title}" for cls in classes]
        self.reader.note(error, names)
        end = end_before(self._frames, start, len(self.reader.data))
        for cls in classes:
            if self._can_read(cls, start, end):
                return self._as_it_is(kind, cls, start)
        if classes and end in (None, len(self.reader.data)):  # as far as it goes
            return self._as_it_is(kind, classes[0], start)
        note = own.TL_NAME if own is not None else ", ".join(names) or "unknown"
        return self._opaque(kind, start, end, number, note)

    def _can_read(self, cls: Any, start: int, end: int | None) -> bool:
        """Whether a whole object of the class starts there, and ends at `end` if that is known."""
        ahead = Reader(self.reader.data, strict_flags=True, limits=self._ahead)
        ahead.pos, ahead.depth = start, self.reader.depth
        try:
            OneOf((cls,), cls.SCHEMA).read(ahead)
        except DecodeError:
            return False
        return end in (None, ahead.pos)

    def _as_it_is(self, kind: WireType, cls: Any, start: int) -> Span:
        self.reader.pos = start + 4
        span = self._combinator(kind, cls, start, [self._head(cls, start)])
        return replace(span, value=Raw(self.reader.data[start : span.end], span.value))

    def _opaque(self, kind: WireType, start: int, end: int | None, number: int, note: str) -> Span:
        """An object of which only the id can be read; up to `end`, or all that is left."""
        self.reader.pos = start + 4
        parts = [self._part(start, CONSTRUCTOR_ID, number, note)]
        self._skip(end)
        raw = self.reader.data[start : self.reader.pos]
        if len(raw) > 4:
            parts.append(self._part(start + 4, OPAQUE, raw[4:]))
        return self._span(start, kind, Raw(raw), parts, note)

    def _unread(self, kind: WireType, start: int, error: DecodeError) -> Span:
        """A value that can't be read: its bytes, up to where it is known to end, or all that is left."""
        end = None
        if isinstance(kind, Bool) and isinstance(error, UnexpectedConstructor):
            end = start + 4
        elif isinstance(error, LimitExceeded):
            end = end_before(self._frames, start, len(self.reader.data))
        self._skip(end)
        raw = self.reader.data[start : self.reader.pos]
        return self._span(start, kind, Raw(raw) if raw else NOTHING)

    def _skip(self, end: int | None) -> None:
        self.lost = end is None
        self.reader.pos = len(self.reader.data) if end is None else end


def _bit_names(table: Table, index: int, word: int) -> str:
    """The fields that the bits of a flag word stand for: usually one for each, several where they share it.

    Bits that no field uses are ``bit 7``, in a row ``bits 7–12``.
    """
    names: list[str] = []
    first = -1  # of the bits in a row that no field uses
    for bit in range(32):
        fields = [field.tl_name for field in table if field.flag == (index, bit)]
        if not word >> bit & 1:
            first = -1
        elif fields:
            names.append(" + ".join(fields))
            first = -1
        elif first < 0:
            names.append(f"bit {bit}")
            first = bit
        else:
            names[-1] = f"bits {first}–{bit}"
    return ", ".join(names)
