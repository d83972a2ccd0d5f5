"""The tree of an encoding as rows, one for each field, each with what is wrong with it: what a dump shows.

`tl.hexdump` breaks rows to lines and draws them.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tl.findings import Finding
from tl.marks import Mark, is_inside, marks_of
from tl.notation import notation
from tl.raw import Raw
from tl.spans import CONSTRUCTOR_ID, COUNT, LENGTH, OPAQUE, PADDING, TRAILING, VECTOR, Span

__all__ = ["Row", "hexdump", "is_one", "last_name", "value_text"]

_PRINTABLE = re.compile(rb"[ -~]*")


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of a dump: `data`, which starts at `offset`, is the field `path`, and means `value`.

    `depth` is how many objects and vectors it is inside of.  The first `head` bytes of the data are a
    string's length, the last `tail` its padding.  `note` says more, for where there is room.  What has no
    bytes of its own, as the name of a bare object, has a row without data.  `marks` say what is wrong;
    `part` is what the data is if that is no field: a count, opaque, trailing.
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
    marks: tuple[Mark, ...] = ()
    part: str = ""

    @property
    def label(self) -> str:
        """The last part of the path (``logout_tokens``, ``[0]``); of what is no field, what it is."""
        return self.part or last_name(self.path)

    def is_wrong(self, index: int) -> bool:
        """Whether the byte `index` of the data is marked."""
        return any(mark.start <= self.offset + index < mark.end for mark in self.marks)


def last_name(path: str) -> str:
    """The last part of a path: ``logout_tokens``, ``[0]``."""
    name = path.rpartition(".")[2]
    return name[max(name.rfind("["), 0) :]


def is_one(span: Span) -> bool:
    """Whether a span is drawn as one field: it has no parts, or those of a string."""
    return not span.children or (span.children[0].tl_type == LENGTH and span.children[0].kind is None)


def hexdump(span: Span, data: bytes, findings: Sequence[Finding] = ()) -> list[Row]:
    """The rows of `span`, which is of `data`, with what was found there; ValueError where it reaches beyond.

    What is missing where the data ends has a row, too.
    """
    if span.end > len(data):
        raise ValueError(f"a span up to {span.end} of {len(data)} bytes")
    rows = list(_rows(span, data, 0))
    places = [(row.offset, index) for index, row in enumerate(rows) if row.data]
    for mark in marks_of(span, findings):
        if mark.start < mark.end:
            index = places[bisect_right(places, (mark.start, len(rows))) - 1][1]
        else:
            index = _missing(span, rows, mark)
        rows[index] = replace(rows[index], marks=(*rows[index].marks, mark))
    return rows


def _rows(span: Span, data: bytes, depth: int) -> Iterator[Row]:
    parts = span.children
    if is_one(span):
        yield _row(span, data, depth)
        return
    if parts[0].kind is span.kind:  # a value that has no parts, with what is behind it
        depth -= 1
    elif parts[0].tl_type in (CONSTRUCTOR_ID, VECTOR):
        yield _row(parts[0], data, depth)
        parts = parts[1:]
    else:
        yield Row(span.start, b"", span.path, span.note or span.tl_type, depth, span.tl_type)
    for part in parts:
        yield from _rows(part, data, depth + 1)


def _row(span: Span, data: bytes, depth: int) -> Row:
    sizes = {part.tl_type: part.end - part.start for part in span.children}
    is_part = span.kind is None and span.tl_type in (COUNT, OPAQUE, TRAILING)
    return Row(
        offset=span.start,
        data=data[span.start : span.end],
        path=span.path,
        value=value_text(span),
        depth=depth,
        tl_type=span.tl_type,
        head=sizes.get(LENGTH, 0),
        tail=sizes.get(PADDING, 0),
        note=span.note if span.children else "",
        part=span.tl_type if is_part else "",
    )


def value_text(span: Span) -> str:
    """What a span that is drawn as one means, or the part of another."""
    value = span.value
    if span.tl_type in (CONSTRUCTOR_ID, VECTOR):
        return f"0x{value:08x} {span.note}"
    if isinstance(value, Raw):
        if value.value is None:
            return f"unread, {_bytes(len(value.encoded))}" if value.encoded else "missing"
        value = value.value
    if span.tl_type == "#" and span.note:
        return f"0x{value:x}: {span.note}"
    if isinstance(value, bytes) and span.tl_type != "string" and not _PRINTABLE.fullmatch(value):
        return _bytes(len(value))
    return notation(value)


def _bytes(count: int) -> str:
    return "1 byte" if count == 1 else f"{count} bytes"


def _missing(span: Span, rows: list[Row], mark: Mark) -> int:
    """The index of the row of what should begin where the data ends; it is added if it is not there."""
    path = mark.finding.path
    last = rows[-1]
    if last.data or last.offset != mark.start or last.path != path:
        depth = sum(1 for around in _last_spans(span) if around.path != path and is_inside(path, around.path))
        rows.append(Row(mark.start, b"", path, "missing", depth))
    return len(rows) - 1


def _last_spans(span: Span) -> Iterator[Span]:
    """The span, its last part, the last part of that, as long as they have parts of their own."""
    while not is_one(span):
        yield span
        span = span.children[-1]
