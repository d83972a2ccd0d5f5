"""Everything `tl` raises, in one tree.

Four things can be wrong: the schema's text (`SchemaError`), a value that is to be encoded
(`EncodeError`), bytes that are to be decoded (`DecodeError` and its subclasses), or JSON that is to become
a value (`JSONValueError`).  Each says what was got, what was expected, and where: line and column in a
schema, path and field in a value, byte offset and path in an encoding.
"""

from __future__ import annotations

__all__ = [
    "DecodeError",
    "EncodeError",
    "IdMismatchWarning",
    "InvalidCount",
    "InvalidUtf8",
    "JSONValueError",
    "LimitExceeded",
    "MissingField",
    "NonCanonical",
    "NonMinimalLength",
    "NonZeroPadding",
    "ReservedLength",
    "SchemaError",
    "TLError",
    "TrailingBytes",
    "UnexpectedConstructor",
    "UnexpectedEnd",
    "UnknownConstructor",
    "UnknownFlags",
    "WrongType",
]


class TLError(Exception):
    """Base of every error of this package; each can be copied and pickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (type(self), self.args), self.__dict__


def _again(cls: type[TLError], arguments: tuple[object, ...]) -> TLError:
    """An error as it was, for unpickling: its message is made already."""
    return cls.__new__(cls, *arguments)


class SchemaError(TLError):
    """A schema that can't be read or doesn't hold together.

    `line` and `column` count from 1; `text` is the source line, or "" where the error is not of one line.
    `errors` lists every error found, this one first.
    """

    def __init__(self, message: str, *, line: int = 0, column: int = 0, text: str = "") -> None:
        self.message = message
        self.line = line
        self.column = column
        self.text = text
        self.errors: list[SchemaError] = [self]
        super().__init__(message)

    @classmethod
    def of(cls, errors: list[SchemaError]) -> SchemaError:
        """The first of `errors`, carrying them all."""
        first = errors[0]
        first.errors = list(errors)
        return first

    def describe(self) -> str:
        """This error alone: ``line:column: message``, then the line with a caret below the place."""
        if not self.line:
            return self.message
        place = f"{self.line}:{self.column}: {self.message}"
        if not self.text:
            return place
        start = max(0, self.column - 81)
        shown = self.text[start : start + 160].replace("\t", " ")
        return f"{place}\n    {shown}\n    {' ' * (self.column - 1 - start)}^"

    def __str__(self) -> str:
        return "\n".join(error.describe() for error in self.errors)


class IdMismatchWarning(UserWarning):
    """Constructor ids of a schema are not the CRC-32 of their declarations; the declared ones are used."""


class EncodeError(TLError, ValueError):
    """A value does not fit its TL type; `path` says which, such as ``settings.logout_tokens[0]``."""

    def __init__(self, message: str, *, path: str = "") -> None:
        self.message = message
        self.path = path
        super().__init__(f"{path}: {message}" if path else message)


class MissingField(EncodeError, TypeError):
    """An object was built, or is to be encoded, without a field that its combinator requires."""


class JSONValueError(TLError, ValueError):
    """A JSON value is not one of the TL type that was asked for.

    `path` is its place in the JSON, such as ``$.settings.logout_tokens[0].hex``; ``$`` is the whole.
    """

    def __init__(self, message: str, *, path: str = "$") -> None:
        self.message = message
        self.path = path
        super().__init__(f"{path}: {message}")


class DecodeError(TLError, ValueError):
    """The bytes are not an encoding of what was asked for.

    `offset` is the byte at which the offending value starts, counted from the start of the data; `path` is
    the field that was being read, such as ``users[2].status.was_online`` (empty at the top).
    """

    def __init__(
        self, message: str, *, offset: int, path: str = "", got: object = None, expected: object = None
    ) -> None:
        self.message = message
        self.offset = offset
        self.path = path
        self.got = got
        self.expected = expected
        super().__init__(f"{message} (offset {offset}{f', {path}' if path else ''})")


class UnexpectedEnd(DecodeError):
    """The data ends inside a value; `expected` and `got` count the bytes needed and left."""


class UnexpectedConstructor(DecodeError):
    """A constructor id that is unknown, or not one of the expected type; `got` is the id as an int."""


class UnknownConstructor(UnexpectedConstructor):
    """A constructor id that the schema has not."""


class WrongType(UnexpectedConstructor):
    """A constructor that there is, but of another type than the one expected; a vector or Bool that is none."""


class InvalidCount(UnexpectedEnd):
    """A vector's count is negative, or greater than the bytes that are left can hold."""


class InvalidUtf8(DecodeError):
    """A `string` that is not UTF-8 (overlong forms and surrogates included)."""


class NonCanonical(DecodeError):
    """Bytes that no encoder may write: a long length form for a short string, padding that is not zero."""


class NonMinimalLength(NonCanonical):
    """A length below 254 in the four-byte form; `got` is the length."""


class NonZeroPadding(NonCanonical):
    """Padding behind a string that is not zeros; `got` is the padding."""


class ReservedLength(NonCanonical):
    """The length byte 255, which the documents give no meaning; refused whether canonical or not."""


class TrailingBytes(DecodeError):
    """Bytes are left over after the value; `got` counts them."""


class LimitExceeded(DecodeError):
    """The value is deeper or larger than the limits allow: `got` is what it came to, `expected` the limit."""


class UnknownFlags(DecodeError):
    """A flags word has bits that no field of this schema uses; `got` is these bits alone, as an int.

    Raised with ``strict_flags=True`` only: otherwise they are kept, for they may mean something to others.
    """
