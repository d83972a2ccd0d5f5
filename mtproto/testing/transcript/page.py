"""A transcript as one HTML page by itself: lifelines, arrows, and messages that open to their annotated bytes.

Everything is in the file: no network, no other files.  Whatever peers have sent is text to the browser.  Messages
can be filtered by what they are and by words, and walked through by keys.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Final

from mtproto.testing.transcript.brief import many
from mtproto.testing.transcript.files import Transcript
from mtproto.testing.transcript.ladder import CLASSES, TONES, Item, Row, rows, summary
from mtproto.testing.transcript.page_assets import SCRIPT, STYLE
from mtproto.testing.transcript.reading import Schemas
from mtproto.testing.transcript.records import Said
from mtproto.testing.transcript.shown import Shown, shown
from tl.html_dump import panels

__all__ = ["MOST_SHOWN", "Drawn", "draw_page", "html_page", "left_out_text"]

MOST_SHOWN: Final = 128 * 1024
"""How many bytes a page shows in all, unless told otherwise; of messages beyond that only names and values."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A page, and how many messages and bytes it had no more room for."""

    text: str
    messages: int
    bytes: int


def html_page(transcript: Transcript, schemas: Schemas, title: str = "Transcript") -> str:
    """The page of a transcript, its bodies read by `schemas`; `title` names it."""
    return draw_page(transcript, schemas, title).text


def draw_page(
    transcript: Transcript, schemas: Schemas, title: str = "Transcript", most_shown: int = MOST_SHOWN
) -> Drawn:
    """The same, with `most_shown` bytes of messages in it at most, and what that leaves out."""
    drawn = rows(transcript)
    page = _Page(schemas, many=len(transcript.streams()) > 1, most_shown=most_shown)
    body = "".join(page.rows(drawn))
    left_out = ""
    if page.left_out:
        left_out = f"; {left_out_text(page.left_out, page.bytes_left_out)}"
    text = "".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<header><div>",
            f"<h1>{escape(title)}</h1><p>{escape(summary(transcript))}{left_out}</p>\n",
            *_form(drawn),
            '<div class="ends" aria-hidden="true"><span>client</span><span>server</span></div></div></header>\n',
            "<main>\n",
            body,
            '<p id="none" class="hidden">Nothing of that kind was said.</p>\n',
            "<footer><kbd>j</kbd> <kbd>k</kbd> next and previous message, <kbd>Enter</kbd> opens it, ",
            "<kbd>a</kbd> all, <kbd>/</kbd> search, <kbd>Escape</kbd> drops what is marked</footer>\n",
            f"</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
        ]
    )
    return Drawn(text, page.left_out, page.bytes_left_out)


def left_out_text(messages: int, count: int) -> str:
    """``the bytes of 2 messages are left out (5,123 bytes)``."""
    return f"the bytes of {many(messages, 'message')} are left out ({many(count, 'byte')})"


def _form(drawn: list[Row]) -> Iterator[str]:
    """What is to be seen: a box for each kind that there is."""
    counts = Counter(item.tone for row in drawn for item in row.items)
    counts.update(row.tone for row in drawn if not row.items)
    yield '<form role="search" aria-label="what is shown">'
    for tone, name in TONES.items():
        if counts[tone]:
            yield (
                f'<label><input type="checkbox" name="tone" value="{tone}" checked>'
                f'<span class="{CLASSES[tone]}">{name}</span> <b>{counts[tone]}</b></label>'
            )
    yield '<input type="search" name="search" placeholder="name or value" aria-label="search names and values">'
    yield '<button type="button" name="all">open all</button></form>\n'


class _Page:
    """The rows as HTML; counts the bytes that were shown, and those for which there was no room."""

    def __init__(self, schemas: Schemas, *, many: bool, most_shown: int) -> None:
        self.left_out = 0
        self.bytes_left_out = 0
        self._schemas = schemas
        self._many = many
        self._room = most_shown

    def rows(self, drawn: list[Row]) -> Iterator[str]:
        stream, time = None, -1.0
        for row in drawn:
            if self._many and row.stream != stream:
                yield f"<h2>connection {row.stream + 1}</h2>\n"
            is_new = row.time - time > 1.0 and time >= 0  # some room where time has passed
            stream, time = row.stream, row.time
            yield from self._row(row, is_new=is_new)

    def _row(self, row: Row, *, is_new: bool) -> Iterator[str]:
        side = row.side.name.lower()
        yield f'<section class="row {side}{" new" if is_new else ""}" aria-label="from the {side}">'
        yield f'<time>{row.time:.3f}</time><div class="lane">\n'
        if not row.items:
            yield (
                f'<div class="plainly {row.tone}" data-tone="{row.tone}" data-depth="0">'
                f'<span class="title {CLASSES[row.tone]}">{escape(row.title)}</span>'
                f'<span class="gist">{escape(row.note)}</span></div>\n'
            )
        for index, item in enumerate(row.items):
            yield from self._item(item, row.facts if index == 0 else ())
        for text in row.findings:
            yield f'<div class="wrong">! {escape(text)}</div>\n'
        lost = f"{row.lost}, " if row.lost else ""
        size = f"<span>{escape(lost)}{many(row.size, 'byte')}</span>" if row.size else ""
        kind = f"{'lost ' if row.lost else ''}{row.tone} {CLASSES[row.tone]}"
        yield f'<div class="arrow {kind}">{size}</div></div></section>\n'

    def _item(self, item: Item, facts: tuple[tuple[str, str], ...]) -> Iterator[str]:
        said = item.said
        yield f'<details class="said {item.tone}" data-tone="{item.tone}" data-depth="{item.depth}">'
        yield f'<summary><span class="title {CLASSES[item.tone]}">{escape(item.title)}</span>'
        if item.note:
            yield f'<span class="note">{escape(item.note)}</span>'
        yield f'<span class="gist">{escape(item.gist)}</span></summary>\n<div class="inside">'
        yield from _facts(item, facts)
        yield from self._bytes(shown(said, self._schemas))
        yield "</div></details>\n"
        for text in said.findings:
            yield f'<div class="wrong">! {escape(text)}</div>\n'

    def _bytes(self, what: Shown) -> Iterator[str]:
        if len(what.data) > self._room:
            self.left_out += 1
            self.bytes_left_out += len(what.data) + what.left_out
            yield f"<p>{len(what.data):,} bytes, which this page has no more room for</p>"
            return
        self._room -= len(what.data)
        drawn = panels(what.span, what.data, what.findings)
        yield f'<div class="panel"><div class="bytes">{drawn.bytes}</div>'
        yield f'<div class="fields">{drawn.fields}</div></div>'
        if what.left_out:
            yield f"<p>and {what.left_out:,} bytes more</p>"


def _facts(item: Item, facts: tuple[tuple[str, str], ...]) -> Iterator[str]:
    said = item.said
    own = [] if said.msg_id is None else [("msg_id", str(said.msg_id))]
    pairs = [*facts, *own, (said.kind, _size(said))]
    yield "<dl>"
    for name, value in pairs:
        yield f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>"
    yield "</dl>"


def _size(said: Said) -> str:
    inside = said.size - len(said.body)
    return f"{said.size:,} bytes" + (f", of which {inside:,} are shown below" if inside else "")
