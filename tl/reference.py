"""The reference codec: driven by tables, it checks everything and explains what is wrong.

It decides whatever straight-line code gives up on (`tl.codec`), and it is the standard that the other is
held to by the tests.  It is loaded when it is first needed: a program that only meets good bytes never does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tl.errors import EncodeError, LimitExceeded, TrailingBytes
from tl.fast import (
    NUMBER_CODES,
    VECTOR_ID,
    new,
    read_boxes,
    read_bytes_vector,
    read_numbers,
    read_string_vector,
)
from tl.fields import Table, make_table, wire_type
from tl.limits import DEFAULT_LIMITS, Budget, Limits
from tl.objects import MAX_ENCODE_DEPTH, AnyObject, Boxed, OneOf
from tl.parser import parse, parse_type
from tl.primitives import Vector
from tl.raw import Raw
from tl.wire import Reader, WireType, Writer

if TYPE_CHECKING:
    from tl.fast import FastReader
    from tl.registry import Registry

__all__ = [
    "reference_decode",
    "reference_decode_prefix",
    "reference_decode_wrapper",
    "reference_encode",
    "reference_encode_as",
    "trailing_bytes",
]


def reference_encode(value: Any) -> bytes:
    """The boxed encoding of a TL object."""
    return _write(AnyObject("Object", value.SCHEMA), value)


def reference_encode_as(schema: Registry, value: object, as_type: object) -> bytes:
    """The boxed encoding of `value` as a value of the type that a caller means (`Registry.wire_type`)."""
    return _write(schema.wire_type(as_type), value)


def _write(kind: WireType, value: object) -> bytes:
    try:
        return kind.write_any(value, Writer(MAX_ENCODE_DEPTH))
    except RecursionError:
        raise EncodeError("objects are nested deeper than the interpreter allows") from None


def reference_decode(
    schema: Registry,
    data: bytes,
    as_type: object = None,
    *,
    canonical: bool = True,
    strict_flags: bool = False,
    limits: Limits | Budget = DEFAULT_LIMITS,
) -> Any:
    """The value that `data` is the whole boxed encoding of; all is as for `tl.decode`."""
    value, end = reference_decode_prefix(
        schema, data, as_type, canonical=canonical, strict_flags=strict_flags, limits=limits
    )
    left = len(data) - end
    if left:
        raise trailing_bytes(left, end)
    return value


def trailing_bytes(left: int, offset: int) -> TrailingBytes:
    """The error for so many bytes behind a value."""
    message = "1 byte is left over" if left == 1 else f"{left} bytes are left over"
    return TrailingBytes(message, offset=offset, got=left, expected=0)


def reference_decode_prefix(
    schema: Registry,
    data: bytes,
    as_type: object = None,
    *,
    canonical: bool = True,
    strict_flags: bool = False,
    limits: Limits | Budget = DEFAULT_LIMITS,
) -> tuple[Any, int]:
    """The value at the start of `data`, and how many bytes it takes."""
    reader = Reader(data, canonical=canonical, strict_flags=strict_flags, limits=limits)
    return _read(schema.wire_type(as_type), reader), reader.pos


def reference_decode_wrapper(
    schema: Registry,
    data: bytes,
    *,
    canonical: bool = True,
    strict_flags: bool = False,
    limits: Limits | Budget = DEFAULT_LIMITS,
) -> Any:
    """The wrapper at the start of `data`, with the bytes behind its own fields as the function inside."""
    return _read(
        _Wrapper(schema), Reader(data, canonical=canonical, strict_flags=strict_flags, limits=limits)
    )


class _Wrapper(AnyObject):
    """A function that wraps another, read without that one: its last field gets all that is left, as `Raw`."""

    __slots__ = ()

    def __init__(self, schema: Registry) -> None:
        super().__init__("!X", schema)

    def find(self, constructor_id: int) -> Any | None:
        cls = self._schema.find(constructor_id)
        return cls if cls is not None and self._schema.is_wrapper(cls) else None

    def expected(self) -> str:
        return f"a function of {self._schema.name} that wraps another"

    def read(self, reader: Reader) -> object:
        cls, table = self._meet(reader.constructor_id(self.name), reader)
        reader.enter_object()
        value = new(cls)
        for name, item in Table(table[:-1]).read(reader).items():
            setattr(value, name, item)
        setattr(value, table[-1].name, Raw(reader.data[reader.pos :]))
        return value


def _read(kind: WireType, reader: Reader) -> Any:
    try:
        return kind.read(reader)
    except RecursionError:
        limit = reader.budget.limits.depth
        raise LimitExceeded(
            f"objects are nested deeper than the interpreter allows, within a limit of {limit}",
            offset=reader.pos,
            path=str(reader),
            got=limit - reader.depth,
            expected=limit,
        ) from None


# What a registry has made for it


def table_of(cls: Any, schema: Registry) -> Table:
    """The field table of a class, from its own TL text."""
    return make_table(parse(cls.TL).combinators[0], schema)


def type_of_text(text: str, schema: Registry) -> WireType:
    """The wire type that a TL type's text means; raise SchemaError where the schema has no such type."""
    return wire_type(parse_type(text), schema)


def type_of_classes(classes: tuple[Any, ...], schema: Registry) -> WireType:
    """The wire type of "one of these"; of any object, where there are none."""
    return OneOf(classes, schema) if classes else AnyObject("Object", schema)


def fast_readers_of(text: str, schema: Registry) -> dict[bytes, FastReader]:
    """Fast readers by constructor id for a TL type's text; none where only this codec will do."""
    kind = type_of_text(text, schema)
    if not isinstance(kind, Vector) or not kind.boxed:
        return {}
    # The readers of vectors begin at the id, which is behind us here.
    item = kind.item.name
    if isinstance(kind.item, Boxed):
        readers = schema.requested_readers(item)
        return {VECTOR_ID: lambda data, pos, depth: read_boxes(data, pos - 4, readers, depth)}
    if item in NUMBER_CODES:
        code = NUMBER_CODES[item]
        return {VECTOR_ID: lambda data, pos, depth: read_numbers(data, pos - 4, code, depth)}
    if item in _STRING_VECTORS:
        read = _STRING_VECTORS[item]
        return {VECTOR_ID: lambda data, pos, depth: read(data, pos - 4, depth)}
    return {}


_STRING_VECTORS: dict[str, Any] = {"bytes": read_bytes_vector, "string": read_string_vector}
