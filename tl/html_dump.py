"""An encoding as one HTML page by itself: the bytes on one side, the tree of fields on the other.

Pointing at a field marks its bytes, pointing at a byte marks its field; a click keeps the mark.  What is wrong
is listed on top, and points at its bytes, too.  Everything is in the file: no network, no other files.  Whatever
is in the data is text to the browser.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from tl.findings import Finding
from tl.html_assets import SCRIPT, STYLE
from tl.marks import Mark, candidates_text, marks_of
from tl.palette import class_of
from tl.raw import Raw
from tl.rows import is_one, last_name, value_text
from tl.spans import Span

__all__ = ["Panels", "html_page", "panels"]

_PER_LINE = 16
_LONGEST = 200
_BAD = "bad"


def html_page(span: Span, data: bytes, title: str = "", findings: Sequence[Finding] = ()) -> str:
    """The page that shows `data`, whose tree is `span`, and what was found there."""
    name = title or span.note or span.tl_type
    shown = panels(span, data, findings)
    return "".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            f"<title>{escape(name)}: {len(data)} bytes</title>\n<style>{STYLE}</style>\n</head>\n<body>\n",
            f"<header><h1>{escape(name)}</h1><p>{len(data)} bytes, {sum(1 for _ in span.leaves())} fields. ",
            "Point at a field or at a byte; click to keep the mark, Escape to drop it.</p>",
            shown.findings,
            '</header>\n<main>\n<section id="bytes" aria-label="bytes">',
            shown.bytes,
            '</section>\n<section id="fields" aria-label="fields">',
            shown.fields,
            f"</section>\n</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
        ]
    )


@dataclass(frozen=True, slots=True)
class Panels:
    """The parts of a page that show bytes: lines of them, the tree of fields, the list of what is wrong."""

    bytes: str
    fields: str
    findings: str


def panels(span: Span, data: bytes, findings: Sequence[Finding] = ()) -> Panels:
    """The parts of `html_page`, for pages that show more; `tl.html_assets` has their style."""
    marks = marks_of(span, findings)
    kinds = _kinds(list(span.leaves()), marks, data)
    missing = [mark for mark in marks if mark.start == mark.end]
    return Panels(
        bytes="".join(_byte_lines(data, kinds, has_end=bool(missing))),
        fields="".join([*_fields(span, kinds), *map(_missing_field, missing)]),
        findings="".join(_findings(marks)),
    )


def _kinds(leaves: Sequence[Span], marks: Sequence[Mark], data: bytes) -> list[str]:
    """The class of each byte."""
    kinds = [""] * len(data)
    for leaf in leaves:
        kinds[leaf.start : leaf.end] = [class_of(leaf.tl_type)] * (leaf.end - leaf.start)
    for mark in marks:
        kinds[mark.start : mark.end] = [_BAD] * (mark.end - mark.start)
    return kinds


def _place(start: int, end: int) -> str:
    """The attributes of what stands for bytes."""
    return f'data-s="{start}" data-e="{end}" tabindex="0"'


def _findings(marks: Sequence[Mark]) -> Iterator[str]:
    """What is wrong, as a list; what is missing is of the byte behind the last."""
    if not marks:
        return
    yield '\n<ol id="findings" aria-label="findings">\n'
    for mark in marks:
        found = mark.finding
        where = escape(f"at {found.offset:04x}" + (f", {found.path}" if found.path else ""))
        known = candidates_text(found)
        message = escape(f"{found.message}; {known}" if known else found.message)
        place = _place(mark.start, max(mark.end, mark.start + 1))
        yield f'<li {place}>{escape(found.name)} <span class="where">{where}</span> {message}</li>\n'
    yield "</ol>"


def _byte_lines(data: bytes, kinds: Sequence[str], *, has_end: bool) -> Iterator[str]:
    """Lines of bytes, each with its offset in front and its text behind; the end is shown if it is too soon."""
    digits = max(4, len(f"{len(data):x}"))
    for start in range(0, len(data) + has_end, _PER_LINE):
        part = data[start : start + _PER_LINE]
        yield f'<div class="line"><span class="at">{start:0{digits}x}</span><span class="hex">'
        for index, byte in enumerate(part, start):
            yield f'<b data-i="{index}" class="{kinds[index]}">{byte:02x}</b>'
        if has_end and start + _PER_LINE > len(data):
            yield f'<b data-i="{len(data)}" class="{_BAD}" title="the data ends here">··</b>'
        yield '</span><span class="ascii">'
        for index, byte in enumerate(part, start):
            shown = escape(chr(byte)) if 32 <= byte < 127 else "·"
            yield f'<i data-i="{index}" class="{kinds[index]}">{shown}</i>'
        yield "</span></div>\n"


def _fields(span: Span, kinds: Sequence[str]) -> Iterator[str]:
    """The tree: what has parts can be folded."""
    place = _place(span.start, span.end)
    if is_one(span):
        kind = _BAD if _BAD in kinds[span.start : span.end] else class_of(span.tl_type)
        yield f'<div class="field {kind}" {place}>{_label(span)}</div>\n'
        return
    yield f'<details open><summary class="field" {place}>{_label(span)}</summary>\n'
    for part in span.children:
        yield from _fields(part, kinds)
    yield "</details>\n"


def _label(span: Span) -> str:
    name = "" if span.kind is None else last_name(span.path)
    place = f"{span.start:04x}–{span.end:04x}"
    return (
        f'<span class="name">{escape(name)}</span> <span class="value">{escape(_value(span))}</span> '
        f'<span class="type">{escape(span.tl_type)}</span> <span class="place">{place}</span>'
    )


def _missing_field(mark: Mark) -> str:
    """What should begin where the data ends."""
    path = escape(mark.finding.path)
    return (
        f'<div class="field {_BAD}" {_place(mark.start, mark.start + 1)}>'
        f'<span class="name">{path}</span> <span class="value">missing</span></div>\n'
    )


def _value(span: Span) -> str:
    if not is_one(span):
        return span.note or _count(span.value)
    text = value_text(span)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _count(value: object) -> str:
    """How many elements a list has, be it one of raw bytes; nothing for other values."""
    values = value.value if isinstance(value, Raw) else value
    if not isinstance(values, list):
        return ""
    return "1 element" if len(values) == 1 else f"{len(values)} elements"
