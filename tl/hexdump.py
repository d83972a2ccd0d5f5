"""Annotated hexdumps: the rows of `tl.rows` as lines of text.

    Span ──▶ hexdump ──▶ rows, one for each field ──▶ lines, broken to a width ──▶ render_text

A row is what a reader looks for, a field with its bytes and its value; a line is what fits a screen.  What is
wrong with a field (`tl.findings`) stands below it.  Whoever draws with colours starts from `lines` and
`Line.runs`, as `render_text` does, so that all dumps have the same shape.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tl.findings import Finding
from tl.marks import candidates_text
from tl.rows import Row, hexdump

__all__ = ["Columns", "Line", "Role", "Row", "hexdump", "lines", "render_text"]

_DEEPEST = 16  # no label is indented further: something has to be left for it

Role = Literal["at", "mark", "data", "frame", "wrong", "blank", "label", "value", "note", "finding"]
"""What a piece of a line is: the offset, the mark of a line with something wrong, a byte of the field, one of its
frame (a string's length and padding), one that is wrong, a gap, the label, the value, the note, a finding."""


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

    @property
    def behind_offset(self) -> int:
        """The width of all that is right of the offset."""
        return self.bytes + 2 + self.label + self.value

    def heading(self) -> str:
        """The titles of the columns."""
        field = "field".ljust(self.label) if self.label > 5 else ""
        return f"{'at':<{self.offset}}  {'bytes':<{self.bytes}}  {field}value"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a dump: the bytes `start` to `end` of its row's data, and the texts of the columns.

    The columns are offset, bytes, label and value, each padded to its width but the last.  A row without a
    label has its value begin in the label's column.  `is_note` says that the value's text is the row's note.
    The text of a `finding` has all the room behind the offset.
    """

    row: Row
    start: int
    end: int
    offset: str
    data: str
    label: str
    value: str
    is_note: bool = False
    finding: Finding | None = None

    def __str__(self) -> str:
        if self.finding:
            return f"{self.offset}  {self.value}"
        return f"{self.offset}{self._mark()}{self.data}  {self.label}{self.value}".rstrip()

    def runs(self) -> Iterator[tuple[str, Role]]:
        """The line in pieces of one kind each, from left to right; for who draws them in colours."""
        yield self.offset, "at"
        if self.finding:
            yield f"  {self.value}", "finding"
            return
        mark = self._mark()
        yield mark, "mark" if mark.strip() else "blank"
        yield from self._bytes()
        yield f"{self.data[max(3 * (self.end - self.start) - 1, 0) :]}  ", "blank"
        yield self.label, "label"
        yield self.value, "note" if self.is_note else "value"

    def _mark(self) -> str:
        """The blanks in front of the bytes, or a mark if something is wrong in them, or that there are none."""
        at, end = self.row.offset + self.start, self.row.offset + self.end
        is_marked = any((m.start < end and at < m.end) or at == end == m.end for m in self.row.marks)
        return "! " if is_marked else "  "

    def _bytes(self) -> Iterator[tuple[str, Role]]:
        """Each byte for itself, with a blank between them."""
        for index in range(self.start, self.end):
            if index > self.start:
                yield " ", "blank"
            yield f"{self.row.data[index]:02x}", self._role(index)

    def _role(self, index: int) -> Role:
        if self.row.is_wrong(index):
            return "wrong"
        is_data = self.row.head <= index < len(self.row.data) - self.row.tail
        return "data" if is_data else "frame"


def lines(rows: Sequence[Row], width: int = 80) -> Iterator[Line]:
    """The rows broken to lines of at most `width` characters (60 at least): 8 bytes in a line, 16 from 110.

    A line is longer only where characters take two places.
    """
    columns = Columns.of(rows, width)
    for row in rows:
        yield from _broken(row, columns)
        for mark in row.marks:
            yield from _findings(row, mark.finding, columns)


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


def _findings(row: Row, finding: Finding, columns: Columns) -> Iterator[Line]:
    """The lines below a row that say what is wrong with it."""
    known = candidates_text(finding)
    text = f"{finding.name} at {finding.offset:0{columns.offset}x}: {finding.message}"
    end = len(row.data)
    for index, part in enumerate(_wrapped(f"{text}; {known}" if known else text, columns.behind_offset - 2)):
        start = "  " if index else "! "
        yield Line(row, end, end, " " * columns.offset, "", "", start + part, finding=finding)


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
