"""What ``mtproto transcript`` draws in a terminal: a ladder, with rich.

The lines are those of `mtproto.testing.transcript.text`, the bytes those of `tl.hexdump`; without colours, as in a
pipe, nothing is missing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.rule import Rule
from rich.text import Text

from mtproto.cli.show import QuietConsole
from mtproto.testing.transcript.files import Transcript
from mtproto.testing.transcript.ladder import Row, rows, summary
from mtproto.testing.transcript.reading import Schemas
from mtproto.testing.transcript.shown import shown
from mtproto.testing.transcript.text import LEAST, Line, heading, row_lines
from tl.hexdump import hexdump, lines
from tl.rich_dump import STYLES, dump_text

__all__ = ["draw"]

_WIDEST = 200
_DRAWN, _ASCII = "│─╌▶◀✕…·›", "|-.><x~?>"
_INDENT = 2

_STYLES = {
    "time": "dim",
    "line": "dim",
    "arrow": "dim",
    "size": "dim",
    "note": "dim",
    "gist": "dim",
    "wrong": "bold red",
    "transport": "blue",
    "exchange": "magenta",
    "request": "bold",
    "answer": "bold green",
    "update": "bold yellow",
    "service": "cyan",
    "ack": "dim",
    "error": "bold red",
    "unknown": "dim italic",
}
"""By the kind of a piece."""


def draw(transcript: Transcript, schemas: Schemas, *, with_bytes: bool = False) -> None:
    """Draw a transcript to stdout, as wide as the terminal from 60 to 200 columns.

    `with_bytes` shows those of each message, each with its field and its value.  A terminal that has no lines and
    arrows gets ASCII.
    """
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal that lacks a character is no reason to fail
    console = QuietConsole(highlight=False)
    characters = {} if _has_arrows(console.encoding) else str.maketrans(_DRAWN, _ASCII)
    width = max(min(console.width, _WIDEST), LEAST)
    many = len(transcript.streams()) > 1
    stream = -1

    def put(line: Line | Text) -> None:
        if not isinstance(line, Text):
            line = _text([(piece.translate(characters), kind) for piece, kind in line])
        elif characters:
            line.plain = line.plain.translate(characters)
        if console.color_system is None:  # rich takes its time, for nothing
            print(line.plain)
        else:
            console.print(line, soft_wrap=True)

    for row in rows(transcript):
        if row.stream != stream:
            if many:
                title = Text(f"connection {row.stream + 1}", "bold")
                console.print(
                    Rule(title, align="left", style="dim", characters="─".translate(characters)), width=width
                )
            if many or stream < 0:
                put(heading(width))
            stream = row.stream
        for line in row_lines(row, width):
            put(line)
        if with_bytes:
            for text in _bytes(row, schemas, width):
                put(text)
    console.print(Text(summary(transcript), "dim"), soft_wrap=True)


def _has_arrows(encoding: str) -> bool:
    try:
        return bool(_DRAWN.encode(encoding))
    except (UnicodeEncodeError, LookupError):
        return False


def _text(line: Line) -> Text:
    text = Text()
    for piece, kind in line:
        text.append(piece, _STYLES[kind])
    text.rstrip()
    return text


def _bytes(row: Row, schemas: Schemas, width: int) -> Iterable[Text]:
    """The bytes of all that was said in a row."""
    if not row.items and not row.facts:
        return
    yield Text()
    for name, value in row.facts:
        yield Text.assemble((" " * _INDENT, ""), (f"{name:<15}", "dim"), (value, "dim"))
    for item in row.items:
        if row.facts:
            yield Text()
        yield Text(" " * _INDENT + f"{item.title}, {item.said.size:,} bytes", "bold")
        what = shown(item.said, schemas)
        for line in lines(hexdump(what.span, what.data, what.findings), width - _INDENT):
            yield Text(" " * _INDENT).append_text(dump_text(line, STYLES))
        if what.left_out:
            yield Text(f"{' ' * _INDENT}and {what.left_out:,} bytes more", "dim")
    yield Text()
