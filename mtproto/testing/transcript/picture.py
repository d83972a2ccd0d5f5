"""A transcript as one SVG picture by itself, for documents: light or dark as the reader's system is.

Lifelines are lines and messages arrows, the names above them.  Each text is made as long as its characters are, so
that it ends where it has to in any monospaced font.  Whatever peers have sent is text to the viewer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Final

from mtproto.side import Side
from mtproto.testing.transcript.ladder import CLASSES, Item, Row
from tl.palette import DARK, FONTS, LIGHT

__all__ = ["svg_picture"]

_SIZE: Final = 14
_CHARACTER: Final = 8.4  # six tenths of the size, as in most monospaced fonts
_LINE: Final = 20
_MARGIN: Final = 20
_TIME: Final = 64
_LANE: Final = 640
_HEAD: Final = 40
_INDENT: Final = 20
_GAP: Final = 22  # between an arrow and the next row
_NOT_IN_XML: Final = re.compile("[^ -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def svg_picture(drawn: Sequence[Row], title: str = "A transcript") -> str:
    """The picture of rows, from top to bottom; `title` is what it is called where it can't be seen."""
    left, right = _MARGIN + _TIME, _MARGIN + _TIME + _LANE
    parts: list[str] = []
    y = _MARGIN + _HEAD
    for row in drawn:
        lines = list(_row(row))
        parts += _texts(row, lines, y, left)
        y += _LINE * len(lines)
        parts += _arrow(row, y + 4, left, right)
        y += _GAP
    across, down = right + _MARGIN + 28, y + _MARGIN
    return "".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across} {down}" width="{across}" ',
            f'height="{down}" role="img" aria-labelledby="title desc">\n',
            f'<title id="title">{_text(title)}</title>\n<desc id="desc">{_text(_description(drawn))}</desc>\n',
            f"<style>{_STYLE}</style>\n",
            f'<rect class="back" x=".5" y=".5" width="{across - 1}" height="{down - 1}" rx="8"/>\n',
            *_lifeline("client", left, down),
            *_lifeline("server", right, down),
            *parts,
            "</svg>\n",
        ]
    )


def _description(drawn: Sequence[Row]) -> str:
    said = [f"{row.side.name.lower()}: {row.items[0].title if row.items else row.title}" for row in drawn]
    return f"A ladder of {len(drawn)} rows. {'; '.join(said)}"


def _lifeline(name: str, x: int, down: int) -> Iterator[str]:
    yield f'<line class="life" x1="{x}" y1="{_MARGIN + 24}" x2="{x}" y2="{down - _MARGIN + 4}"/>\n'
    width = len(name) * _CHARACTER
    yield (
        f'<text class="ink strong" x="{x - width / 2:.1f}" y="{_MARGIN + 14}" '
        f'textLength="{width:.1f}">{name}</text>\n'
    )


def _row(row: Row) -> Iterator[list[tuple[str, str, int]]]:
    """The lines of a row: pieces of text with their class and the depth of the line."""
    if not row.items:
        yield [(row.title, f"{CLASSES[row.tone]} strong", 0), (row.note, "dim", 0)]
    for item in row.items:
        yield from _item(item)
    if row.lost:
        yield [(row.lost, "dim", 0)]
    for text in (*row.findings, *(finding for item in row.items for finding in item.said.findings)):
        yield [(f"! {text}", "bad", 0)]


def _item(item: Item) -> Iterator[list[tuple[str, str, int]]]:
    loud = "" if item.tone in ("ack", "unknown") else " strong"
    gist = "bad" if item.tone == "error" else "dim"
    yield [
        (item.title, f"{CLASSES[item.tone]}{loud}", item.depth),
        (item.note, "dim", item.depth),
        (item.gist, gist, item.depth),
    ]


def _texts(row: Row, lines: Sequence[list[tuple[str, str, int]]], y: int, left: int) -> Iterator[str]:
    time = f"{row.time:.3f}"
    yield _piece(time, "dim", left - 14 - len(time) * _CHARACTER, y + _SIZE)
    for number, line in enumerate(lines):
        x: float = left + 16 + _INDENT * line[0][2]
        room = int((left + _LANE - 16 - x) / _CHARACTER)
        for text, name, _ in line:
            cut = text if len(text) <= room else f"{text[: max(room - 1, 0)]}…"
            if text and room > 4:
                yield _piece(cut, name, x, y + number * _LINE + _SIZE)
                x += (len(cut) + 2) * _CHARACTER
                room -= len(cut) + 2


def _piece(text: str, name: str, x: float, y: float) -> str:
    length = len(text) * _CHARACTER
    return f'<text class="{name}" x="{x:.1f}" y="{y}" textLength="{length:.1f}">{_text(text)}</text>\n'


def _arrow(row: Row, y: int, left: int, right: int) -> Iterator[str]:
    kind = CLASSES[row.tone]
    quiet = " quiet" if row.tone in ("transport", "service", "ack", "unknown") else ""
    if row.lost:  # it begins where it was sent, and ends nowhere
        start, end = (left, right - 60) if row.side is Side.CLIENT else (right, left + 60)
        yield f'<path class="{kind}{quiet} line" stroke-dasharray="5 4" d="M{start} {y}H{end}"/>\n'
    elif row.side is Side.CLIENT:
        yield f'<path class="{kind}{quiet} line" d="M{left} {y}H{right - 7}"/>\n'
        yield f'<path class="{kind}{quiet}" d="M{right - 1} {y}l-9 -4.5v9z"/>\n'
    else:
        yield f'<path class="{kind}{quiet} line" d="M{left + 7} {y}H{right}"/>\n'
        yield f'<path class="{kind}{quiet}" d="M{left + 1} {y}l9 -4.5v9z"/>\n'


def _text(text: str) -> str:
    return escape(_NOT_IN_XML.sub("\ufffd", text), quote=False)


def _colours(palette: Mapping[str, str]) -> str:
    kinds = ("ink", "dim", "id", "count", "flags", "text", "number", "bad")
    back = f".back {{ fill: {palette['back']}; stroke: {palette['line']}; }}"
    lines = f".life {{ stroke: {palette['line']}; }}"
    return " ".join(
        [
            back,
            lines,
            *(
                f".{kind} {{ fill: {palette[kind]}; }} .{kind}.line {{ stroke: {palette[kind]}; }}"
                for kind in kinds
            ),
        ]
    )


_STYLE: Final = f"""
text {{ font: {_SIZE}px {FONTS}; white-space: pre; }}
.strong {{ font-weight: 600; }} .quiet {{ opacity: .6; }}
.life {{ stroke-width: 2; }} .line {{ stroke-width: 1.5; }}
{_colours(LIGHT)}
@media (prefers-color-scheme: dark) {{ {_colours(DARK)} }}
"""
