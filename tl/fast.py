"""The tools of straight-line codecs: what the `_encode` and `_read` of generated classes call.

Straight-line code does only what a well-formed value needs.  Where anything is out of the ordinary it
raises, `Unfit` or whatever Python raises by itself, and the codec's seam (`tl.codec`) turns to the reference
codec, which gives the verdict and explains it.  So nothing here says what is wrong, and a read past the end
need not be noticed at once: positions only grow, and at the end they have to meet the data's length.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import pack as _pack
from struct import unpack_from as _unpack_from
from typing import Any

__all__ = [
    "HEAD",
    "TAIL",
    "FastReader",
    "FastWriter",
    "Unfit",
    "long_bytes",
    "new",
    "read_boxes",
    "read_bytes_vector",
    "read_long",
    "read_numbers",
    "read_string_vector",
    "write_boxes",
    "write_bytes_vector",
    "write_numbers",
    "write_object",
    "write_string_vector",
]

FastReader = Callable[[bytes, int, int], tuple[Any, int]]
"""``(data, position, depth) -> (value, new position)``, behind the constructor id."""
FastWriter = Callable[[Any], bytes]


class Unfit(Exception):
    """A straight-line codec gives up: let the reference codec say why."""


# Straight-line writing

new = object.__new__
HEAD = [bytes([n]) for n in range(254)]
"""The length byte of a short string."""
TAIL = [bytes(-(n + 1) % 4) for n in range(254)]
"""The padding of a short string."""
_PACK_NUMBERS = {"i": 4, "q": 8, "d": 8}


def long_bytes(value: bytes) -> bytes:
    """A string of 254 bytes or more."""
    size = len(value)
    if size > 0xFFFFFF:
        raise Unfit
    return _pack("<I", size << 8 | 254) + value + bytes(-size % 4)


def write_object(value: Any, base: type) -> bytes:
    """Any object, of any schema, that is an instance of `base`."""
    if not isinstance(value, base):
        raise Unfit
    encoded: bytes = value._encode()  # type: ignore[attr-defined]
    return encoded


def write_numbers(values: Any, code: str) -> bytes:
    """The count and elements of a vector of numbers."""
    if type(values) is not list:
        raise Unfit
    return _pack(f"<i{len(values)}{code}", len(values), *values)


def write_bytes_vector(values: Any) -> bytes:
    """The count and elements of a vector of bytes."""
    if type(values) is not list:
        raise Unfit
    parts = [_pack("<i", len(values))]
    for value in values:
        if type(value) is not bytes:
            raise Unfit
        size = len(value)
        parts.append(HEAD[size] + value + TAIL[size] if size < 254 else long_bytes(value))
    return b"".join(parts)


def write_string_vector(values: Any) -> bytes:
    """The count and elements of a vector of strings."""
    if type(values) is not list:
        raise Unfit
    return write_bytes_vector([value.encode() for value in values])


def write_boxes(values: Any, writers: dict[type, FastWriter]) -> bytes:
    """The count and elements of a vector of boxed objects."""
    if type(values) is not list:
        raise Unfit
    parts = [_pack("<i", len(values))]
    parts += [writers[type(value)](value) for value in values]
    return b"".join(parts)


# Straight-line reading


def read_long(data: bytes, pos: int) -> tuple[bytes, int]:
    """A string at `pos` whose length byte is not that of a short one."""
    size = int.from_bytes(data[pos + 1 : pos + 4], "little")
    start, end = pos + 4, pos + 4 + size
    after = end + 3 & -4
    if data[pos] != 254 or size < 254 or data[end:after] != bytes(after - end):
        raise Unfit
    return data[start:end], after


def read_numbers(data: bytes, pos: int, code: str) -> tuple[list[Any], int]:
    """The elements of a vector of numbers, from its count on."""
    count = int.from_bytes(data[pos : pos + 4], "little")
    size = count * _PACK_NUMBERS[code]
    if size > len(data) - pos - 4:
        raise Unfit
    return list(_unpack_from(f"<{count}{code}", data, pos + 4)), pos + 4 + size


def _count(data: bytes, pos: int) -> int:
    count = int.from_bytes(data[pos : pos + 4], "little")
    if count > len(data) - pos - 4 >> 2:
        raise Unfit
    return count


def read_bytes_vector(data: bytes, pos: int) -> tuple[list[bytes], int]:
    """The elements of a vector of bytes, from its count on."""
    values = []
    count = _count(data, pos)
    pos += 4
    for _ in range(count):
        size = data[pos]
        if size < 254:
            end = pos + 1 + size
            values.append(data[pos + 1 : end])
            pos = end + 3 & -4
            if data[end:pos] != TAIL[size]:
                raise Unfit
        else:
            value, pos = read_long(data, pos)
            values.append(value)
    return values, pos


def read_string_vector(data: bytes, pos: int) -> tuple[list[str], int]:
    """The elements of a vector of strings, from its count on."""
    values, pos = read_bytes_vector(data, pos)
    return [value.decode() for value in values], pos


def read_boxes(data: bytes, pos: int, readers: dict[bytes, FastReader], depth: int) -> tuple[list[Any], int]:
    """The elements of a vector of boxed objects, from its count on."""
    values = []
    count = _count(data, pos)
    pos += 4
    for _ in range(count):
        value, pos = readers[data[pos : pos + 4]](data, pos + 4, depth)
        values.append(value)
    return values, pos
