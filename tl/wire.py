"""The wire format, exactly: the frame in which every TL type is an object that reads and writes itself.

The types are in `tl.primitives` and `tl.objects`.  Together they are the reference codec: driven by tables
(`tl.fields`), it checks everything and knows at each moment where it is, so its errors carry offset and
path.  Generated code is faster because it does none of that; when generated code meets anything odd it gives
up, and this codec says what was wrong.

Source: core.telegram.org/mtproto/serialize.
"""

from __future__ import annotations

from tl.errors import (
    DecodeError,
    EncodeError,
    InvalidCount,
    LimitExceeded,
    UnexpectedConstructor,
    UnexpectedEnd,
    WrongType,
)
from tl.fast import BOOL_FALSE, BOOL_TRUE, VECTOR_ID
from tl.limits import DEFAULT_LIMITS, Budget, Limits, OverBudget
from tl.raw import Raw

__all__ = [
    "BOOL_FALSE",
    "BOOL_TRUE",
    "VECTOR_ID",
    "Place",
    "Reader",
    "WireType",
    "Writer",
    "type_name",
]


class Place:
    """Where a codec is: the path of field names and indexes; it becomes text only where an error needs it."""

    __slots__ = ("depth", "path")

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.path: list[str | int] = []

    def __str__(self) -> str:
        parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path)
        return "".join(parts).removeprefix(".")


class Reader(Place):
    """A position in `data`, with the rules it is read by."""

    __slots__ = ("budget", "canonical", "data", "pos", "strict_flags")

    def __init__(
        self,
        data: bytes,
        *,
        canonical: bool = True,
        strict_flags: bool = False,
        limits: Limits | Budget = DEFAULT_LIMITS,
    ) -> None:
        self.budget = limits.budget()
        super().__init__(self.budget.limits.depth)
        self.data = data
        self.pos = 0
        self.canonical = canonical
        self.strict_flags = strict_flags

    @property
    def left(self) -> int:
        """How many bytes there are still to read."""
        return len(self.data) - self.pos

    def fail(
        self,
        error: type[DecodeError],
        message: str,
        *,
        offset: int | None = None,
        got: object = None,
        expected: object = None,
    ) -> DecodeError:
        """An error of class `error`, here or at `offset`."""
        return error(
            message,
            offset=self.pos if offset is None else offset,
            path=str(self),
            got=got,
            expected=expected,
        )

    def take(self, size: int, name: str, part: str = "") -> bytes:
        """The next `size` bytes, a `name` or (``part="the count of "``) a part of it; raise UnexpectedEnd."""
        start = self.pos
        end = start + size
        if end > len(self.data):
            raise self.fail(
                UnexpectedEnd,
                f"{part}{name} takes {size} bytes, {self.left} are left",
                got=self.left,
                expected=size,
            )
        self.pos = end
        return self.data[start:end]

    def deviates(
        self, error: type[DecodeError], message: str, *, offset: int, got: object, expected: object
    ) -> None:
        """Refuse what could be read all the same; who only observes notes it, and goes on."""
        raise self.fail(error, message, offset=offset, got=got, expected=expected)

    # A header is judged before anything behind it is read, so that the largest costs as little as the
    # smallest.  The bytes come first, the budget second: what does not even fit into the bytes is wrong under
    # any limits, and whoever gets LimitExceeded knows that larger ones may help.

    def charge(self, what: str, count: int, offset: int) -> None:
        """Take `count` of `what` from the budget; raise LimitExceeded where there is less left."""
        try:
            self.budget.charge(what, count)
        except OverBudget as error:
            raise self.fail(
                LimitExceeded, str(error), offset=offset, got=error.got, expected=error.limit
            ) from None

    def expect_elements(self, count: int, size: int, offset: int) -> None:
        """Make sure that `count` elements of `size` bytes or more may come; InvalidCount or LimitExceeded."""
        if not size:
            self.charge("empty_elements", count, offset)
        elif count > (most := self.left // size):
            raise self.fail(
                InvalidCount,
                f"got count {count}, the {self.left} bytes left hold at most {most}",
                offset=offset,
                got=count,
                expected=f"<= {most}",
            )
        self.charge("elements", count, offset)

    def enter_object(self) -> None:
        """Go into an object that can hold others; raise LimitExceeded for one too deep, or too many."""
        if self.depth <= 0:
            limit = self.budget.limits.depth
            raise self.fail(
                LimitExceeded,
                f"objects are nested deeper than {limit}",
                got=limit + 1,
                expected=limit,
            )
        self.charge("objects", 1, self.pos)
        self.depth -= 1

    def constructor_id(self, name: str) -> bytes:
        """The four bytes of the constructor id of a `name`, as they are on the wire."""
        return self.take(4, name, "the constructor id of ")

    def unexpected_constructor(
        self, got: bytes, expected: str, note: str = "", error: type[UnexpectedConstructor] = WrongType
    ) -> DecodeError:
        """The error for the id just read."""
        number = int.from_bytes(got, "little")
        return self.fail(
            error,
            f"got constructor 0x{number:08x}{note}, expected {expected}",
            offset=self.pos - 4,
            got=number,
            expected=expected,
        )


class Writer(Place):
    """A path, for the errors of values that don't fit."""

    __slots__ = ()

    def fail(self, message: str) -> EncodeError:
        """An error at the present path."""
        return EncodeError(message, path=str(self))


def type_name(value: object) -> str:
    """How errors name what they got: the type, and the value where it is short."""
    try:
        shown = repr(value)
    except Exception:  # an int of thousands of digits, an object that contains itself
        return type(value).__name__
    return type(value).__name__ if len(shown) > 40 else f"{type(value).__name__} {shown}"


class WireType:
    """A TL type: `name` as TL spells it, `size` the least number of bytes a value takes."""

    __slots__ = ("name", "size")

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.size = size

    def read(self, reader: Reader) -> object:
        """The value at the reader's position; raise DecodeError where there is none."""
        raise NotImplementedError

    def write(self, value: object, writer: Writer) -> bytes:
        """The encoding of `value`; raise EncodeError where it is not one of this type."""
        raise NotImplementedError

    def write_any(self, value: object, writer: Writer) -> bytes:
        """The same, but for `Raw`, which stands for a value of any type."""
        return value.encoded if isinstance(value, Raw) else self.write(value, writer)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"
