"""Annotated hexdumps: the tree of `tl.spans` as rows, and the rows as lines of text.

    Span ──▶ hexdump ──▶ rows, one for each field ──▶ lines, broken to a width ──▶ render_text

A row is what a reader looks for, a field with its bytes and its value; a line is what fits a screen.  Whoever
draws with colours starts from `lines`, as `render_text` does, so that all dumps have the same shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tl.notation import notation
from tl.spans import CONSTRUCTOR_ID, COUNT, LENGTH, PADDING, VECTOR, Span

__all__ = ["Columns", "Line", "Row", "hexdump", "lines", "render_text"]

_STRINGS = ("string", "bytes")
_DEEPEST = 16  # no label is indented further: something has to be left for it
_PRINTABLE = re.compile(rb"[ -~]*")


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of a dump: `data`, which starts at `offset`, is the field `path`, and means `value`.

    `depth` is how many objects and vectors it is inside of.  The first `head` bytes of the data are a
    string's length, the last `tail` its padding.  `note` says more, for where there is room.  What has no
    bytes of its own, as the name of a bare object, has a row without data.
    """

    offset: int
    data: bytes
    path: str
    value: str
    depth: int = 0
    tl_type: str = ""
    head: int = 0
    tail: int = 0
    note: str = ""

    @property
    def label(self) -> str:
        """The last part of the path (``logout_tokens``, ``[0]``); of a vector's count, ``count``."""
        if self.tl_type == COUNT:
            return COUNT
        name = self.path.rpartition(".")[2]
        return name[max(name.rfind("["), 0) :]


def hexdump(span: Span, data: bytes) -> list[Row]:
    """The rows of `span`, which is of `data`; ValueError where it reaches beyond."""
    if span.end > len(data):
        raise ValueError(f"a span up to {span.end} of {len(data)} bytes")
    return list(_rows(span, data, 0))


def _rows(span: Span, data: bytes, depth: int) -> Iterator[Row]:
    parts = span.children
    if not parts or span.tl_type in _STRINGS:
        yield _row(span, data, depth)
        return
    if parts[0].tl_type in (CONSTRUCTOR_ID, VECTOR):
        yield _row(parts[0], data, depth)
        parts = parts[1:]
    else:
        yield Row(span.start, b"", span.path, span.note or span.tl_type, depth, span.tl_type)
    for part in parts:
        yield from _rows(part, data, depth + 1)


def _row(span: Span, data: bytes, depth: int) -> Row:
    sizes = {part.tl_type: part.end - part.start for part in span.children}
    return Row(
        offset=span.start,
        data=data[span.start : span.end],
        path=span.path,
        value=_value_text(span),
        depth=depth,
        tl_type=span.tl_type,
        head=sizes.get(LENGTH, 0),
        tail=sizes.get(PADDING, 0),
        note=span.note if span.tl_type in _STRINGS else "",
    )


def _value_text(span: Span) -> str:
    value = span.value
    if span.tl_type in (CONSTRUCTOR_ID, VECTOR):
        return f"0x{value:08x} {span.note}"
    if span.tl_type == "#" and span.note:
        return f"0x{value:x}: {span.note}"
    if isinstance(value, bytes) and not _PRINTABLE.fullmatch(value):
        return f"{len(value)} bytes"
    return notation(value)


@dataclass(frozen=True, slots=True)
class Columns:
    """How wide the columns of a dump are, in characters; `per_line` is how many bytes stand in a line."""

    offset: int
    per_line: int
    label: int
    value: int

    @classmethod
    def of(cls, rows: Sequence[Row], width: int) -> Columns:
        """The columns for `rows` in lines of `width` characters; fewer than 60 are too few to do it."""
        width = max(width, 60)
        offset = max([4, *(len(f"{row.offset + len(row.data):x}") for row in rows)])
        per_line = 16 if width >= 110 else 8
        rest = width - offset - 2 - (3 * per_line - 1) - 2
        longest = max((len(_label(row, rest)) for row in rows), default=0)
        label = min(longest + 2, rest // 2) if longest else 0
        return cls(offset, per_line, label, rest - label)

    @property
    def bytes(self) -> int:
        """The width of the column of bytes."""
        return 3 * self.per_line - 1

    def heading(self) -> str:
        """The titles of the columns."""
        field = "field".ljust(self.label) if self.label > 5 else ""
        return f"{'at':<{self.offset}}  {'bytes':<{self.bytes}}  {field}value"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a dump: the bytes `start` to `end` of its row's data, and the texts of the columns.

    The columns are offset, bytes, label and value, each padded to its width but the last.  A row without a
    label has its value begin in the label's column.  `is_note` says that the value's text is the row's note.
    """

    row: Row
    start: int
    end: int
    offset: str
    data: str
    label: str
    value: str
    is_note: bool = False

    def __str__(self) -> str:
        return f"{self.offset}  {self.data}  {self.label}{self.value}".rstrip()


def lines(rows: Sequence[Row], width: int = 80) -> Iterator[Line]:
    """The rows broken to lines of at most `width` characters (60 at least): 8 bytes in a line, 16 from 110.

    A line is longer only where characters take two places.
    """
    columns = Columns.of(rows, width)
    for row in rows:
        yield from _broken(row, columns)


def _broken(row: Row, columns: Columns) -> Iterator[Line]:
    label = _label(row, columns.label - 2).ljust(columns.label) if row.label else ""
    room = columns.value if label else columns.label + columns.value
    texts = list(_wrapped(row.value, room))
    notes = list(_wrapped(row.note, room))
    step = columns.per_line
    for index in range(max(len(texts), -(-len(row.data) // step))):
        data = row.data[index * step : (index + 1) * step]
        note = index - len(texts)
        offset = f"{row.offset + index * step:0{columns.offset}x}" if data or not index else ""
        yield Line(
            row,
            start=index * step,
            end=index * step + len(data),
            offset=offset.ljust(columns.offset),
            data=data.hex(" ").ljust(columns.bytes),
            label=label if not index else " " * len(label),
            value=texts[index] if note < 0 else notes[note] if note < len(notes) else "",
            is_note=note >= 0,
        )


def _wrapped(text: str, width: int) -> Iterator[str]:
    """The text in pieces of at most `width`, at a blank where there is one.

    `textwrap` takes quadratic time for a long word, and what a peer sends may be one.
    """
    start = 0
    while len(text) - start > width:
        end = text.rfind(" ", start + 1, start + width + 1)
        yield text[start : end if end > 0 else start + width]
        start = end + 1 if end > 0 else start + width
    yield text[start:]


def _label(row: Row, most: int) -> str:
    """The label, indented; what is too deep or too long for `most` characters is cut."""
    indent = min(2 * max(row.depth - 1, 0), _DEEPEST)
    label = " " * indent + row.label if row.label else ""
    return label if len(label) <= most else f"{label[: most - 1]}…"


def render_text(rows: Sequence[Row], width: int = 80) -> str:
    """The dump as plain text: lines of at most `width` characters that end with a newline, titles first."""
    return "".join(f"{line}\n" for line in (Columns.of(rows, width).heading(), *lines(rows, width)))
