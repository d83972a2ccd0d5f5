"""An annotated hexdump as one SVG picture by itself, for documents: light or dark as the reader's system is.

The lines are those of `tl.hexdump`.  Each piece of text is put where its column is and made as long as its
characters are, so the columns hold in any monospaced font.  Whatever is in the data is text to the viewer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape

from tl.hexdump import Columns, Line, Role, Row, lines
from tl.palette import DARK, FONTS, LIGHT, class_of

__all__ = ["svg_dump"]

_SIZE = 14
_CHARACTER = 8.4  # six tenths of the size, as in most monospaced fonts
_LINE = 20
_MARGIN = 16
_NOT_IN_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ROLES: Mapping[Role, str] = {
    "at": "dim",
    "mark": "bad",
    "frame": "dim",
    "wrong": "bad wrong",
    "label": "ink",
    "note": "dim",
    "finding": "bad",
}
"""Classes by what a piece is; bytes and values have that of their field."""
_BYTES = ("data", "frame", "wrong")


def svg_dump(rows: Sequence[Row], width: int = 80, title: str = "") -> str:
    """The picture of a dump in lines of at most `width` characters; it is as wide as the longest of them.

    `title` is what it is called where it can't be seen, by default what the first row says.
    """
    heading = Columns.of(rows, width).heading()
    drawn = list(lines(rows, width))
    across = max(_cells(str(line)) for line in (heading, *drawn)) * _CHARACTER + 2 * _MARGIN
    down = (len(drawn) + 1) * _LINE + 2 * _MARGIN
    name = title or (rows[0].value if rows else "no bytes")
    return "".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across:.0f} {down}" ',
            f'width="{across:.0f}" height="{down}" role="img" aria-labelledby="title desc">\n',
            f'<title id="title">{_text(name)}</title>\n<desc id="desc">{_description(rows)}</desc>\n',
            f"<style>{_STYLE}</style>\n",
            f'<rect class="back" x=".5" y=".5" width="{across - 1:.0f}" height="{down - 1}" rx="8"/>\n',
            '<g xml:space="preserve">\n',
            *_placed([(heading, "dim")], 0),
            *(text for number, line in enumerate(drawn, 1) for text in _placed(_pieces(line), number)),
            "</g>\n</svg>\n",
        ]
    )


def _description(rows: Sequence[Row]) -> str:
    size = sum(len(row.data) for row in rows)
    found = sum(len(row.marks) for row in rows)
    return f"An annotated hexdump: {size} bytes, {len(rows)} rows" + (f", {found} findings" if found else "")


def _pieces(line: Line) -> Iterator[tuple[str, str]]:
    """The texts of a line from left to right, with their classes; bytes of one class together."""
    kind = class_of(line.row.tl_type)
    text, shown, before = "", "", ""
    for run, role in line.runs():
        name = _ROLES.get(role, kind)
        is_joined = name == shown and role in _BYTES and before in _BYTES
        if role != "blank" and not is_joined:
            yield text, shown
            text, shown, before = "", name, role
        text += run
    yield text, shown


def _placed(pieces: Iterable[tuple[str, str]], number: int) -> Iterator[str]:
    """The pieces of the line `number`, each at its place; blanks around them need none."""
    column = 0
    y = _MARGIN + number * _LINE + _SIZE
    for piece, name in pieces:
        text = piece.strip(" ")
        x = _MARGIN + (column + len(piece) - len(piece.lstrip(" "))) * _CHARACTER
        column += _cells(piece)
        if text:
            place = f'x="{x:.1f}" y="{y}" textLength="{_cells(text) * _CHARACTER:.1f}"'
            yield f'<text class="{name}" {place}>{_text(text)}</text>\n'


def _cells(text: str) -> int:
    """How many columns a text takes: two for a wide character, none for one that is put over another."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)


def _text(text: str) -> str:
    return escape(_NOT_IN_XML.sub("\ufffd", text), quote=False)


def _colours(palette: Mapping[str, str]) -> str:
    kinds = ("ink", "dim", "id", "count", "flags", "text", "number", "bad")
    back = f".back {{ fill: {palette['back']}; stroke: {palette['line']}; }}"
    return f"{back} {' '.join(f'.{kind} {{ fill: {palette[kind]}; }}' for kind in kinds)}"


_STYLE = f"""
text {{ font: {_SIZE}px {FONTS}; white-space: pre; }}
.wrong {{ text-decoration: underline; }}
{_colours(LIGHT)}
@media (prefers-color-scheme: dark) {{ {_colours(DARK)} }}
"""
