"""The tools of straight-line codecs: what the `_encode` and `_read` of generated classes call.

Straight-line code does only what a well-formed value needs.  Where anything is out of the ordinary it
raises, `Unfit` or whatever Python raises by itself, and the codec's seam (`tl.codec`) turns to the reference
codec, which gives the verdict and explains it.  So nothing here says what is wrong, and a read past the end
need not be noticed at once: positions only grow, and at the end they have to meet the data's length.
"""

from __future__ import annotations

from struct import Struct
from struct import pack as _pack
from struct import unpack_from as _unpack_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tl.limits import Budget

    FastReader = Callable[[bytes, int, Any], tuple[Any, int]]
    """``(data, position, depth) -> (value, new position)``, behind the constructor id.

    `depth` is how many levels of objects may still come: an int, or a `Level` where it all has to be counted.
    """
    FastWriter = Callable[[Any], bytes]

__all__ = [
    "BOOL_FALSE",
    "BOOL_TRUE",
    "NUMBER_CODES",
    "READ_SHORT",
    "SHORT_BYTES",
    "SIZE",
    "TAIL",
    "VECTOR_ID",
    "Level",
    "Unfit",
    "long_bytes",
    "new",
    "read_boxes",
    "read_bytes_vector",
    "read_long",
    "read_numbers",
    "read_string_vector",
    "text_bytes",
    "write_boxes",
    "write_bytes_vector",
    "write_numbers",
    "write_object",
    "write_string_vector",
]

BOOL_TRUE = b"\xb5\x75\x72\x99"
BOOL_FALSE = b"\x37\x97\x79\xbc"
VECTOR_ID = b"\x15\xc4\xb5\x1c"


class Unfit(Exception):
    """A straight-line codec gives up: let the reference codec say why."""


class Level:
    """A depth that counts: straight-line code takes 1 from it for each object that can hold others."""

    __slots__ = ("_budget", "_left")

    def __init__(self, left: int, budget: Budget) -> None:
        self._left = left
        self._budget = budget

    @classmethod
    def at(cls, left: int, budget: Budget) -> Level:
        """The depth with so many levels left."""
        return Level(left, budget) if left else _LastLevel(0, budget)

    def __sub__(self, one: int) -> Level:
        budget = self._budget
        if not budget.objects:
            raise Unfit
        budget.objects -= 1
        left = self._left - one
        return Level(left, budget) if left else _LastLevel(0, budget)

    def elements(self, count: int) -> None:
        """Count the elements of a vector."""
        budget = self._budget
        if count > budget.elements:
            raise Unfit
        budget.elements -= count


class _LastLevel(Level):
    """No level is left, which straight-line code asks by truth alone, as of an int."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False


# Straight-line writing

new = object.__new__
text_bytes = str.encode
"""UTF-8; called like this it takes a str and nothing else that would know how to encode itself."""
TAIL = [bytes(-(n + 1) % 4) for n in range(254)]
"""The padding of a short string of n bytes."""
SIZE = [n + 4 & -4 for n in range(254)]
"""How much it takes with its length byte and padding."""
SHORT_BYTES = [Struct(f"<{n + 1}p{-(n + 1) % 4}x").pack for n in range(254)]
"""What writes it: to `struct`, a length byte and what it counts are a Pascal string."""
READ_SHORT = [Struct(f"<{n + 1}p{-(n + 1) % 4}s").unpack_from for n in range(254)]
"""What reads it, and its padding."""
VECTOR_NUMBER = 0x1CB5C415
_FEW = 4
"""So many elements are added one by one, more are joined: what is faster."""
_VECTOR_HEADS = [_pack("<II", VECTOR_NUMBER, count) for count in range(256)]
NUMBER_CODES = {"int": "i", "long": "q", "double": "d"}
"""The numbers that vectors of are read and written at once, and their codes in `struct`."""
_NUMBER_SIZES = {"i": 4, "q": 8, "d": 8}
_unpack_two = Struct("<II").unpack_from


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
    """A boxed vector of numbers."""
    if type(values) is not list:
        raise Unfit
    return _pack(f"<II{len(values)}{code}", VECTOR_NUMBER, len(values), *values)


def _vector_head(count: int) -> bytes:
    return _VECTOR_HEADS[count] if count < 256 else _pack("<II", VECTOR_NUMBER, count)


def write_bytes_vector(values: Any) -> bytes:
    """A boxed vector of bytes."""
    if type(values) is not list:
        raise Unfit
    count = len(values)
    if count > _FEW:
        return _many_bytes(values)
    encoded = _VECTOR_HEADS[count]
    for value in values:
        if type(value) is not bytes:
            raise Unfit
        size = len(value)
        encoded += SHORT_BYTES[size](value) if size < 254 else long_bytes(value)
    return encoded


def _many_bytes(values: list[Any]) -> bytes:
    parts = [_vector_head(len(values))]
    for value in values:
        if type(value) is not bytes:
            raise Unfit
        size = len(value)
        parts.append(SHORT_BYTES[size](value) if size < 254 else long_bytes(value))
    return b"".join(parts)


def write_string_vector(values: Any) -> bytes:
    """A boxed vector of strings."""
    if type(values) is not list:
        raise Unfit
    return write_bytes_vector([text_bytes(value) for value in values])


def write_boxes(values: Any, writers: dict[type, FastWriter]) -> bytes:
    """A boxed vector of boxed objects."""
    if type(values) is not list:
        raise Unfit
    count = len(values)
    if count > _FEW:
        return _vector_head(count) + b"".join([writers[type(value)](value) for value in values])
    encoded = _VECTOR_HEADS[count]
    for value in values:
        encoded += writers[type(value)](value)
    return encoded


# Straight-line reading


def read_long(data: bytes, pos: int) -> tuple[bytes, int]:
    """A string at `pos` whose length byte is not that of a short one."""
    size = int.from_bytes(data[pos + 1 : pos + 4], "little")
    start, end = pos + 4, pos + 4 + size
    after = end + 3 & -4
    if data[pos] != 254 or size < 254 or data[end:after] != bytes(after - end):
        raise Unfit
    return data[start:end], after


def read_numbers(data: bytes, pos: int, code: str, depth: Any) -> tuple[list[Any], int]:
    """The elements of a boxed vector of numbers."""
    constructor_id, count = _unpack_two(data, pos)
    size = count * _NUMBER_SIZES[code]
    if constructor_id != VECTOR_NUMBER or size > len(data) - pos - 8:
        raise Unfit
    if type(depth) is not int:
        depth.elements(count)
    return list(_unpack_from(f"<{count}{code}", data, pos + 8)), pos + 8 + size


def read_bytes_vector(data: bytes, pos: int, depth: Any) -> tuple[list[bytes], int]:
    """The elements of a boxed vector of bytes."""
    constructor_id, count = _unpack_two(data, pos)
    if constructor_id != VECTOR_NUMBER or count > len(data) - pos - 8 >> 2:  # none takes less than 4 bytes
        raise Unfit
    if type(depth) is not int:
        depth.elements(count)
    pos += 8
    values: list[Any] = []
    while count:
        size = data[pos]
        if size < 254:
            value, tail = READ_SHORT[size](data, pos)
            if tail != TAIL[size]:
                raise Unfit
            pos += SIZE[size]
        else:
            value, pos = read_long(data, pos)
        values.append(value)
        count -= 1
    return values, pos


def read_string_vector(data: bytes, pos: int, depth: Any) -> tuple[list[str], int]:
    """The elements of a boxed vector of strings."""
    values, pos = read_bytes_vector(data, pos, depth)
    return [value.decode() for value in values], pos


def read_boxes(data: bytes, pos: int, readers: dict[bytes, FastReader], depth: Any) -> tuple[list[Any], int]:
    """The elements of a boxed vector of boxed objects."""
    constructor_id, count = _unpack_two(data, pos)
    if constructor_id != VECTOR_NUMBER or count > len(data) - pos - 8 >> 2:  # none takes less than 4 bytes
        raise Unfit
    if type(depth) is not int:
        depth.elements(count)
    pos += 8
    values: list[Any] = []
    while count:
        value, pos = readers[data[pos : pos + 4]](data, pos + 4, depth)
        values.append(value)
        count -= 1
    return values, pos
