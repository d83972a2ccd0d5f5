"""Bytes that stand for a value of any type: what nothing else can be made of, and what is wrong on purpose.

    api.CodeSettings(logout_tokens=tl.Raw(bytes.fromhex("15c4b51cffffffff")))     # a vector of -1 tokens

Every field that has bytes, every element of a vector, and a flag word takes one; it is written as it is.
Reading gives them where it is told to go on in spite of errors (`tl.read`), so that what was read can be
written again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["NOTHING", "Raw"]


@dataclass(frozen=True, slots=True)
class Raw:
    """`encoded` is what is written; `value` is what it means, as far as that is known, or None.

    Two of them are equal if they write the same bytes.  Raise TypeError where `encoded` is no bytes.
    """

    encoded: bytes
    value: object = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.encoded, bytes):
            raise TypeError(f"encoded: got {type(self.encoded).__name__}, expected bytes")

    def __bytes__(self) -> bytes:
        return self.encoded

    def __repr__(self) -> str:
        value = "" if self.value is None else f", value={self.value!r}"
        return f"Raw({self.encoded!r}{value})"


NOTHING = Raw(b"")
"""What is not there at all: a field behind the end of the data."""
