"""The tree of an encoding: a `Span` for each of its parts, which cover every byte once.

`tl.walker` grows it, `tl.inspection` gives it out, `tl.hexdump` and other renderers draw it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tl.wire import WireType

__all__ = [
    "CONSTRUCTOR_ID",
    "COUNT",
    "DATA",
    "LENGTH",
    "OPAQUE",
    "PADDING",
    "TRAILING",
    "VECTOR",
    "Span",
]

# What stands as `tl_type` of a part that is no value of its own.
CONSTRUCTOR_ID = "constructor id"
VECTOR = "vector id"
COUNT = "count"
LENGTH = "length"
DATA = "data"
PADDING = "padding"
OPAQUE = "opaque"
TRAILING = "trailing bytes"


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes `start` to `end` of an encoding, and what they are.

    `path` is that of the field, as errors give it: ``settings.logout_tokens[0]``, empty at the top.
    `tl_type` is the type the field declares, or what part of the field's encoding this is
    (`CONSTRUCTOR_ID`, `VECTOR`, `COUNT`, `LENGTH`, `DATA`, `PADDING`; `OPAQUE` and `TRAILING`, in a lenient
    reading, for bytes that nothing is known of).  `value` is the decoded value; for ids and flag words it is
    their number, and `note` says what it stands for: ``codeSettings``, ``allow_flashcall, current_number``.
    `kind` is the wire type of a span that is a value.
    """

    start: int
    end: int
    path: str
    tl_type: str
    value: object
    children: tuple[Span, ...] = ()
    note: str = ""
    kind: WireType | None = field(default=None, compare=False, repr=False)

    def leaves(self) -> Iterator[Span]:
        """The spans without children, in the order of the bytes."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()
