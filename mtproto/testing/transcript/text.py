"""A transcript as lines of text, whose pieces have kinds, so that each drawer can colour them as it likes.

              client                                                  server
      0.000   │── req_pq_multi ────────────────────────────── 44 B ─▶│
                  nonce=…
      0.001   │◀─ resPQ ───────────────────────────────────── 88 B ──│

A line is never wider than it is told to be; what does not fit is cut.  The name of a message stands behind the
arrow's first end, what it says below, what is in it indented.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

from mtproto.side import Side
from mtproto.testing.transcript.ladder import Item, Row

__all__ = ["LEAST", "Line", "Piece", "heading", "item_lines", "row_lines"]

LEAST: Final = 60
"""The fewest characters that a line can have."""
_GUTTER: Final = 10
_STEP: Final = 2

Piece: TypeAlias = tuple[str, str]
"""Text and its kind: a tone, or one of "time", "line" (the lifelines), "arrow", "size", "note", "gist", "wrong"."""
Line: TypeAlias = list[Piece]


def heading(width: int) -> Line:
    """The line that names the lifelines."""
    room = max(width, LEAST) - _GUTTER
    return [(f"{'seconds':>{_GUTTER - 2}}  ", "time"), (f"client{'server':>{room - 6}}", "note")]


def row_lines(row: Row, width: int) -> Iterator[Line]:
    """The arrow of a row, and what is said below it."""
    lane = _lane(width)
    yield [*_edge(row), *_arrow(row, lane), ("│", "line")]
    for text in row.findings:
        yield from _wrong(text, lane, 0)
    for index, item in enumerate(row.items):
        yield from item_lines(item, width, is_first=index == 0)


def item_lines(item: Item, width: int, *, is_first: bool = False) -> Iterator[Line]:
    """What an item says; the first of a row is named by the arrow already."""
    lane = _lane(width)
    indent = _STEP * (item.depth + 1)
    if not is_first:
        yield _between(_said(item), lane, indent)
    elif item.gist:
        tone = "error" if item.tone == "error" else "gist"
        yield _between([(item.gist, tone)], lane, indent)
    for text in item.said.findings:
        yield from _wrong(text, lane, indent)


def _said(item: Item) -> Line:
    line: Line = [(item.title, item.tone)]
    if item.note:
        line.append((f"  {item.note}", "note"))
    if item.gist:
        line.append((f"  {item.gist}", "error" if item.tone == "error" else "gist"))
    return line


def _lane(width: int) -> int:
    """The room between the lifelines."""
    return max(width, LEAST) - _GUTTER - 2


def _edge(row: Row) -> Line:
    return [(f"{row.time:>{_GUTTER - 2}.3f}  ", "time"), ("│", "line")]


def _arrow(row: Row, lane: int) -> Line:
    """An arrow from one lifeline to the other, with name, note and size on it."""
    is_left = row.side is Side.SERVER
    size = f" {row.size:,} B " if row.size else ""
    start, end = ("◀─ ", "──") if is_left else ("── ", "─▶")
    dash = "─"
    if row.lost:
        size, dash = f" {row.lost},{size}", "╌"
        start, end = (" ✕ ", "╌╌") if is_left else ("╌╌ ", "✕ ")
    room = lane - len(start) - len(size) - len(end) - 4
    title = _cut(row.title, room)
    note = _cut(row.note, room - len(title) - 2) if room - len(title) > 6 else ""
    note = f"  {note}" if note else ""
    dashes = lane - len(start) - len(title) - len(note) - 1 - len(size) - len(end)
    return [
        (start, "arrow"),
        (title, row.tone),
        (note, "note"),
        (f" {dash * dashes}", "arrow"),
        (size, "size"),
        (end, "arrow"),
    ]


def _between(line: Line, lane: int, indent: int) -> Line:
    """A line between the lifelines, filled up to the second."""
    room = lane - indent - 2
    pieces: Line = [(" " * _GUTTER, "time"), ("│", "line"), (" " * (indent + 1), "gist")]
    for text, kind in line:
        shown = _cut(text, room)
        pieces.append((shown, kind))
        room -= len(shown)
        if room <= 0:
            break
    return [*pieces, (" " * (room + 1), "gist"), ("│", "line")]


def _wrong(text: str, lane: int, indent: int) -> Iterator[Line]:
    """What is wrong, in as many lines as it takes."""
    room = lane - indent - 5
    start = "! "
    for part in _wrapped(text, room):
        yield _between([(start + part, "wrong")], lane, indent)
        start = "  "


def _wrapped(text: str, width: int) -> Iterator[str]:
    while len(text) > width:
        end = text.rfind(" ", 1, width + 1)
        yield text[: end if end > 0 else width]
        text = text[end + 1 if end > 0 else width :]
    yield text


def _cut(text: str, room: int) -> str:
    """The text in one line that prints, and fits."""
    text = "".join(c if c.isprintable() else "·" for c in text[: max(room, 0) + 1])
    return text if len(text) <= room else f"{text[: max(room - 1, 0)]}…"
