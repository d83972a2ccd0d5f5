"""The built-in types: numbers, strings, Bool, vectors.

Source: core.telegram.org/mtproto/serialize.
"""

from __future__ import annotations

import operator
import struct

from tl.errors import DecodeError, InvalidCount, InvalidUtf8, NonMinimalLength, NonZeroPadding, ReservedLength
from tl.wire import BOOL_FALSE, BOOL_TRUE, VECTOR_ID, Reader, WireType, Writer, type_name

__all__ = ["PRIMITIVES", "Bool", "Bytes", "Integer", "Vector", "as_bytes"]


class Integer(WireType):
    """``int``, ``long`` (signed) and ``#`` (unsigned), little-endian."""

    __slots__ = ("format", "high", "low")

    def __init__(self, name: str, code: str, low: int, high: int) -> None:
        self.format = struct.Struct(f"<{code}")
        super().__init__(name, self.format.size)
        self.low, self.high = low, high

    def read(self, reader: Reader) -> int:
        value: int = self.format.unpack(reader.take(self.size, self.name))[0]
        return value

    def write(self, value: object, writer: Writer) -> bytes:
        try:
            number = operator.index(value)  # type: ignore[arg-type]
        except TypeError:
            raise writer.fail(f"got {type_name(value)}, expected an int for {self.name}") from None
        if not self.low <= number <= self.high:
            got = number if number.bit_length() < 300 else f"a number of {number.bit_length()} bits"
            raise writer.fail(f"got {got}, expected {self.low}..{self.high} for {self.name}")
        return self.format.pack(number)


class Double(WireType):
    """``double``: IEEE 754, eight bytes, little-endian; the bits of a NaN are kept."""

    __slots__ = ()

    def read(self, reader: Reader) -> float:
        value: float = struct.unpack("<d", reader.take(8, self.name))[0]
        return value

    def write(self, value: object, writer: Writer) -> bytes:
        try:
            return struct.pack("<d", value)
        except (struct.error, OverflowError):
            if isinstance(value, int):
                raise writer.fail(f"got {type_name(value)}, too large for double") from None
            raise writer.fail(f"got {type_name(value)}, expected a float for double") from None


class Fixed(WireType):
    """``int128`` and ``int256``: opaque bytes of exactly this size (nonces and hashes)."""

    __slots__ = ()

    def read(self, reader: Reader) -> bytes:
        return reader.take(self.size, self.name)

    def write(self, value: object, writer: Writer) -> bytes:
        raw = as_bytes(value)
        if raw is None:
            raise writer.fail(f"got {type_name(value)}, expected {self.size} bytes for {self.name}")
        if len(raw) != self.size:
            raise writer.fail(f"got {len(raw)} bytes, expected {self.size} for {self.name}")
        return raw


def as_bytes(value: object) -> bytes | None:
    """The bytes that `value` holds; None where it is nothing of that kind, or a memoryview released since."""
    if not isinstance(value, bytes | bytearray | memoryview):
        return None
    try:
        return bytes(value)
    except ValueError:
        return None


class Bytes(WireType):
    """``bytes``: a length byte (up to 253) or 254 and three, the data, zeros up to a multiple of 4."""

    __slots__ = ()

    def read(self, reader: Reader) -> bytes:
        start = reader.pos
        size = reader.take(1, self.name, "the length of ")[0]
        if size >= 254:
            size = self._long_size(size, reader)
        if size <= reader.left:
            reader.charge("string_bytes", size, start)
        value = reader.take(size, self.name)
        padding = reader.take(-(reader.pos - start) % 4, self.name, "the padding of ")
        if reader.canonical and any(padding):
            reader.deviates(
                NonZeroPadding,
                f"padding {padding.hex()} behind {self.name}, expected zeros",
                offset=reader.pos - len(padding),
                got=padding,
                expected=bytes(len(padding)),
            )
        return value

    def _long_size(self, first: int, reader: Reader) -> int:
        """The length in the three bytes behind `first`."""
        start = reader.pos - 1
        if first == 255:
            reader.deviates(
                ReservedLength,
                "got length byte 255, expected 0..254",
                offset=start,
                got=255,
                expected="0..254",
            )
            # TDLib writes strings of 16 MiB and more like this, with seven bytes of length; nobody else does.
            return int.from_bytes(reader.take(7, self.name, "the length of "), "little")
        size = int.from_bytes(reader.take(3, self.name, "the length of "), "little")
        if size < 254 and reader.canonical:
            reader.deviates(
                NonMinimalLength,
                f"a length of {size} in the four-byte form, expected the one-byte form",
                offset=start,
                got=size,
                expected=">= 254",
            )
        return size

    def write(self, value: object, writer: Writer) -> bytes:
        raw = as_bytes(value)
        if raw is None:
            raise writer.fail(f"got {type_name(value)}, expected bytes")
        if len(raw) > 0xFFFFFF:
            raise writer.fail(f"got {len(raw)} bytes, expected at most 16777215 for {self.name}")
        head = bytes([len(raw)]) if len(raw) < 254 else struct.pack("<I", len(raw) << 8 | 254)
        return head + raw + bytes(-(len(head) + len(raw)) % 4)


class String(Bytes):
    """``string``: `bytes` that are UTF-8."""

    __slots__ = ()

    def read(self, reader: Reader) -> str | bytes:  # type: ignore[override]
        start = reader.pos
        raw = Bytes.read(self, reader)
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            wrong = error
        reader.deviates(
            InvalidUtf8,
            f"a string that is not UTF-8: {wrong.reason} at its byte {wrong.start}",
            offset=start,
            got=raw[wrong.start : wrong.end],
            expected="UTF-8",
        )
        return raw

    def write(self, value: object, writer: Writer) -> bytes:
        if not isinstance(value, str):
            raise writer.fail(f"got {type_name(value)}, expected str")
        try:
            raw = str.encode(value)
        except UnicodeEncodeError as error:
            raise writer.fail(f"a str that UTF-8 can't express: {error.reason} at {error.start}") from None
        return super().write(raw, writer)


class Bool(WireType):
    """``Bool``: the constructor id of boolTrue or boolFalse."""

    __slots__ = ()

    def read(self, reader: Reader) -> bool:
        got = reader.constructor_id("Bool")
        if got not in (BOOL_TRUE, BOOL_FALSE):
            raise reader.unexpected_constructor(got, "boolTrue or boolFalse")
        return got == BOOL_TRUE

    def write(self, value: object, writer: Writer) -> bytes:
        if not isinstance(value, bool):
            raise writer.fail(f"got {type_name(value)}, expected a bool")
        return BOOL_TRUE if value else BOOL_FALSE


class TrueType(WireType):
    """``true``: no bytes at all; as ``flags.N?true`` the flag itself is the value."""

    __slots__ = ()

    def read(self, reader: Reader) -> bool:
        return True

    def write(self, value: object, writer: Writer) -> bytes:
        if value is not True:
            raise writer.fail(f"got {type_name(value)}, expected True: the type `true` has no other value")
        return b""


class Vector(WireType):
    """``Vector<T>`` (with its constructor id) and ``vector<T>`` (without): a count, then the elements."""

    __slots__ = ("boxed", "item")

    def __init__(self, item: WireType, *, boxed: bool) -> None:
        super().__init__(f"{'V' if boxed else 'v'}ector<{item.name}>", 8 if boxed else 4)
        self.item = item
        self.boxed = boxed

    def read(self, reader: Reader) -> list[object]:
        if self.boxed:
            got = reader.constructor_id(self.name)
            if got != VECTOR_ID:
                raise self.refused(got, reader)
        count = self.read_count(reader)
        values: list[object] = []
        read, path = self.item.read, reader.path
        path.append(0)
        for index in range(count):
            path[-1] = index
            values.append(read(reader))
        path.pop()
        return values

    def refused(self, got: bytes, reader: Reader) -> DecodeError:
        """The error for the id just read, which is not that of a vector."""
        return reader.unexpected_constructor(got, f"0x1cb5c415 ({self.name})")

    def read_count(self, reader: Reader) -> int:
        """How many elements come; raise InvalidCount or LimitExceeded where they can't, or may not."""
        offset = reader.pos
        count = int.from_bytes(reader.take(4, self.name, "the count of "), "little", signed=True)
        if count < 0:
            raise reader.fail(
                InvalidCount, f"got count {count}, expected >= 0", offset=offset, got=count, expected=">= 0"
            )
        reader.expect_elements(count, self.item.size, offset)
        return count

    def write(self, value: object, writer: Writer) -> bytes:
        if not isinstance(value, list | tuple):
            raise writer.fail(f"got {type_name(value)}, expected a list for {self.name}")
        if len(value) > 0x7FFFFFFF:
            raise writer.fail(f"got {len(value)} elements, expected at most 2147483647")
        parts = [VECTOR_ID] if self.boxed else []
        parts.append(struct.pack("<i", len(value)))
        for index, element in enumerate(value):
            writer.path.append(index)
            parts.append(self.item.write_any(element, writer))
            writer.path.pop()
        return b"".join(parts)


PRIMITIVES: dict[str, WireType] = {
    "#": Integer("#", "I", 0, 2**32 - 1),
    "int": Integer("int", "i", -(2**31), 2**31 - 1),
    "long": Integer("long", "q", -(2**63), 2**63 - 1),
    "double": Double("double", 8),
    "int128": Fixed("int128", 16),
    "int256": Fixed("int256", 32),
    "bytes": Bytes("bytes", 4),
    "string": String("string", 4),
    "Bool": Bool("Bool", 4),
    "true": TrueType("true", 0),
}
"""The built-in types by name."""
