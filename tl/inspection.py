"""An encoding, taken apart: a tree of spans in which every byte has its place.

    data ──▶ inspect ──▶ Span, with a Span for each of its parts ──▶ tl.hexdump, and other renderers

`inspect` accepts what the codec accepts and raises what the codec raises.  The leaves of its tree cover every
byte once, in order: constructor ids, flag words, vector ids and counts, numbers, and of strings the length,
the data and the padding.

Source: core.telegram.org/mtproto/serialize.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tl.errors import LimitExceeded
from tl.fields import Field, Flags, Repetition, Table
from tl.objects import Bare, Boxed
from tl.primitives import Vector
from tl.reference import reference_decode
from tl.registry import Registry
from tl.wire import Reader, WireType

__all__ = [
    "CONSTRUCTOR_ID",
    "COUNT",
    "DATA",
    "LENGTH",
    "PADDING",
    "VECTOR",
    "Span",
    "inspect",
    "notation",
]

# What stands as `tl_type` of a part that is no value of its own.
CONSTRUCTOR_ID = "constructor id"
VECTOR = "vector id"
COUNT = "count"
LENGTH = "length"
DATA = "data"
PADDING = "padding"


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes `start` to `end` of an encoding, and what they are.

    `path` is that of the field, as errors give it: ``settings.logout_tokens[0]``, empty at the top.
    `tl_type` is the type the field declares, or what part of the field's encoding this is
    (`CONSTRUCTOR_ID`, `VECTOR`, `COUNT`, `LENGTH`, `DATA`, `PADDING`).  `value` is the decoded value; for ids
    and flag words it is their number, and `note` says what it stands for: ``codeSettings``,
    ``allow_flashcall, current_number``.
    """

    start: int
    end: int
    path: str
    tl_type: str
    value: object
    children: tuple[Span, ...] = ()
    note: str = ""

    def leaves(self) -> Iterator[Span]:
        """The spans without children, in the order of the bytes."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()


def inspect(data: bytes | bytearray | memoryview, schema: Registry, as_type: object = None) -> Span:
    """The tree of the value that `data` is the whole boxed encoding of.

    `as_type` is as for `tl.decode`.  Raise DecodeError exactly where `tl.decode` raises it.
    """
    data = bytes(memoryview(data))
    reference_decode(schema, data, as_type)
    walker = _Walker(Reader(data), schema)
    try:
        return walker.value(schema.wire_type(as_type))
    except RecursionError:
        raise LimitExceeded("objects are nested deeper than the interpreter allows", offset=0) from None


class _Walker:
    """Reads along with the codec, and keeps the places.

    The codec's verdict comes first, so this need not explain what it meets; it only never reads past the end.
    """

    def __init__(self, reader: Reader, schema: Registry) -> None:
        self.reader = reader
        self.schema = schema

    def value(self, kind: WireType) -> Span:
        """The next value, which is of the type `kind`."""
        if isinstance(kind, Boxed):
            return self.boxed(kind)
        if isinstance(kind, Bare):
            cls = self.schema.by_name[self.schema.bare_name(kind.name.lstrip("%"))]
            return self.combinator(kind.name, cls, self.reader.pos, [])
        if isinstance(kind, Vector):
            return self.vector(kind)
        if isinstance(kind, Repetition):
            return self.repetition(kind, kind.times({}))
        if kind.name in ("string", "bytes"):
            return self.string(kind)
        start = self.reader.pos
        return self.span(start, kind.name, kind.read(self.reader))

    def span(
        self, start: int, tl_type: str, value: object, children: Sequence[Span] = (), note: str = ""
    ) -> Span:
        """The span from `start` to here, of the field that is being read."""
        return Span(start, self.reader.pos, str(self.reader), tl_type, value, tuple(children), note)

    def boxed(self, kind: Boxed) -> Span:
        start = self.reader.pos
        got = self.reader.constructor_id(kind.name)
        number = int.from_bytes(got, "little")
        cls = kind.find(number)
        if cls is None:
            raise self.reader.unexpected_constructor(got, kind.expected())
        head = self.span(start, CONSTRUCTOR_ID, number, note=cls.TL_NAME)
        return self.combinator(kind.name, cls, start, [head])

    def combinator(self, tl_type: str, cls: Any, start: int, children: list[Span]) -> Span:
        value = cls.__new__(cls)
        for name, item in self.fields(cls.FIELDS, children).items():
            setattr(value, name, item)
        return self.span(start, tl_type, value, children, note=cls.TL_NAME)

    def fields(self, table: Table, children: list[Span]) -> dict[str, object]:
        """The values of the fields by Python name; their spans are appended to `children`."""
        values: dict[str, object] = {}
        words: dict[int, int] = {}
        for index, field in enumerate(table):
            if field.flag and not words[field.flag[0]] >> field.flag[1] & 1:
                values[field.name] = False if field.is_true_flag else None
                continue
            if field.is_true_flag:
                values[field.name] = True
                continue
            self.reader.path.append(field.tl_name or field.name)
            if isinstance(field.type, Flags):
                span = self.flags(table, index)
                words[index] = int.from_bytes(self.reader.data[span.start : span.end], "little")
                values[field.name] = words[index] & ~field.type.known
            elif isinstance(field.type, Repetition):
                span = self.repetition(field.type, field.type.times(values))
                values[field.name] = span.value
            else:
                span = self.value(field.type)
                values[field.name] = span.value
            self.reader.path.pop()
            children.append(span)
        return values

    def flags(self, table: Table, index: int) -> Span:
        start = self.reader.pos
        word = int.from_bytes(self.reader.take(4, "#"), "little")
        names = [_bit_name(table, index, bit) for bit in range(32) if word >> bit & 1]
        return self.span(start, "#", word, note=", ".join(names))

    def repetition(self, kind: Repetition, times: int) -> Span:
        start = self.reader.pos
        children: list[Span] = []
        values: list[object] = []
        for index in range(times):
            self.reader.path.append(index)
            row = tuple(self.fields(kind.items, children).values())
            values.append(row[0] if len(row) == 1 else row)
            self.reader.path.pop()
        return self.span(start, kind.name, values, children)

    def vector(self, kind: Vector) -> Span:
        start = self.reader.pos
        children: list[Span] = []
        if kind.boxed:
            number = int.from_bytes(self.reader.constructor_id(kind.name), "little")
            children.append(self.span(start, VECTOR, number, note=kind.name))
        at = self.reader.pos
        count = int.from_bytes(self.reader.take(4, COUNT), "little")
        children.append(self.span(at, COUNT, count))
        values: list[object] = []
        for index in range(count):
            self.reader.path.append(index)
            children.append(self.value(kind.item))
            values.append(children[-1].value)
            self.reader.path.pop()
        return self.span(start, kind.name, values, children)

    def string(self, kind: WireType) -> Span:
        start = self.reader.pos
        value = kind.read(self.reader)
        end = self.reader.pos
        raw = value.encode() if isinstance(value, str) else value
        size = len(raw) if isinstance(raw, bytes) else 0
        data_start = start + (1 if self.reader.data[start] < 254 else 4)
        data_end = data_start + size
        path = str(self.reader)
        parts = [Span(start, data_start, path, LENGTH, size)]
        if size:
            parts.append(Span(data_start, data_end, path, DATA, value))
        if data_end < end:
            parts.append(Span(data_end, end, path, PADDING, self.reader.data[data_end:end]))
        padding = f", padding {end - data_end}" if data_end < end else ""
        return self.span(start, kind.name, value, parts, note=f"length {size}{padding}")


def _bit_name(table: Table, index: int, bit: int) -> str:
    """The fields that a bit stands for: usually one, several where they share it."""
    names = [field.tl_name for field in table if field.flag == (index, bit)]
    return " + ".join(names) or f"bit {bit}"


# Values as text


def notation(value: object, width: int | None = None) -> str:
    """A decoded value with TL's own names: ``auth.sentCodeTypeSms(length=5)``.

    In one line, or with a `width`, where it is longer than that, as a tree with a line for each field.  Fields
    that are absent and flags that are not set are left out, as in ``repr``.
    """
    if width is not None:
        return "\n".join(_tree(value, width))
    if isinstance(value, bool):
        return str(value).lower()
    start, parts, end = _parts(value)
    return f"{start}{', '.join(name + notation(item) for name, item in parts)}{end}"


def _tree(value: object, width: int, around: int = 0) -> Iterator[str]:
    """The lines of a value; `around` is what else stands in the first or last line."""
    line = notation(value)
    start, parts, end = _parts(value)
    if len(line) + around <= width or not parts:
        yield line
        return
    yield start
    for name, item in parts:
        lines = list(_tree(item, width - 2, len(name) + 1))
        lines[0] = name + lines[0]
        lines[-1] += ","
        yield from (f"  {line}" for line in lines)
    yield end


def _parts(value: object) -> tuple[str, list[tuple[str, object]], str]:
    """What a value's text begins with, the values inside it behind ``name=``, and what the text ends with."""
    if isinstance(value, list | tuple):
        return "[", [("", item) for item in value], "]"
    table: Table | None = getattr(type(value), "FIELDS", None)
    if table is None:
        return repr(value), [], ""
    there = [
        (f"{field.tl_name or field.name}=", item)
        for field in table
        if _is_there(field, item := getattr(value, field.name, None))
    ]
    return f"{getattr(value, 'TL_NAME', '?')}(", there, ")"


def _is_there(field: Field, value: object) -> bool:
    if isinstance(field.type, Flags):
        return value != 0
    return field.flag is None or value is not (False if field.is_true_flag else None)
