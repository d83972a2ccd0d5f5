"""An encoding as one HTML page by itself: the bytes on one side, the tree of fields on the other.

Pointing at a field marks its bytes, pointing at a byte marks its field; a click keeps the mark.  Everything
is in the file: no network, no other files.  Whatever is in the data is text to the browser.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from tl.notation import notation
from tl.spans import CONSTRUCTOR_ID, COUNT, LENGTH, PADDING, VECTOR, Span

__all__ = ["html_page"]

_PER_LINE = 16
_CLASSES = {
    CONSTRUCTOR_ID: "id",
    VECTOR: "id",
    COUNT: "count",
    LENGTH: "dim",
    PADDING: "dim",
    "#": "flags",
    "string": "text",
    "bytes": "text",
    "data": "text",
}
_LONGEST = 200


def html_page(span: Span, data: bytes, title: str = "") -> str:
    """The page that shows `data`, whose tree is `span`."""
    name = title or span.note or span.tl_type
    leaves = list(span.leaves())
    return "".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            f"<title>{escape(name)}: {len(data)} bytes</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n",
            f"<header><h1>{escape(name)}</h1><p>{len(data)} bytes, {len(leaves)} fields. ",
            "Point at a field or at a byte; click to keep the mark, Escape to drop it.</p></header>\n",
            '<main>\n<section id="bytes" aria-label="bytes">',
            *_byte_lines(leaves, data),
            '</section>\n<section id="fields" aria-label="fields">',
            *_fields(span),
            f"</section>\n</main>\n<script>{_SCRIPT}</script>\n</body>\n</html>\n",
        ]
    )


def _byte_lines(leaves: list[Span], data: bytes) -> Iterator[str]:
    """Lines of bytes, each with its offset in front and its text behind."""
    kinds = [""] * len(data)
    for leaf in leaves:
        kind = _CLASSES.get(leaf.tl_type, "number")
        kinds[leaf.start : leaf.end] = [kind] * (leaf.end - leaf.start)
    for start in range(0, len(data), _PER_LINE):
        part = data[start : start + _PER_LINE]
        yield f'<div class="line"><span class="at">{start:04x}</span><span class="hex">'
        for index, byte in enumerate(part, start):
            yield f'<b data-i="{index}" class="{kinds[index]}">{byte:02x}</b>'
        yield '</span><span class="ascii">'
        for index, byte in enumerate(part, start):
            shown = escape(chr(byte)) if 32 <= byte < 127 else "·"
            yield f'<i data-i="{index}" class="{kinds[index]}">{shown}</i>'
        yield "</span></div>\n"


def _fields(span: Span) -> Iterator[str]:
    """The tree: what has parts can be folded."""
    parts = [] if span.tl_type in ("string", "bytes") else list(span.children)
    place = f'data-s="{span.start}" data-e="{span.end}"'
    kind = _CLASSES.get(span.tl_type, "number")
    if not parts:
        yield f'<div class="field {kind}" {place} tabindex="0">{_label(span)}</div>\n'
        return
    yield f'<details open><summary class="field" {place}>{_label(span)}</summary>\n'
    for part in parts:
        yield from _fields(part)
    yield "</details>\n"


def _label(span: Span) -> str:
    name = span.path.rpartition(".")[2]
    name = name[max(name.rfind("["), 0) :]
    if span.tl_type in (CONSTRUCTOR_ID, VECTOR, COUNT):
        name = ""
    value = _value(span)
    return (
        f'<span class="name">{escape(name)}</span> <span class="value">{escape(value)}</span> '
        f'<span class="type">{escape(span.tl_type)}</span> <span class="place">{span.start}–{span.end}</span>'
    )


def _value(span: Span) -> str:
    if span.tl_type in (CONSTRUCTOR_ID, VECTOR):
        return f"0x{span.value:08x} {span.note}"
    if span.tl_type == "#":
        return f"0x{span.value:x}" + (f": {span.note}" if span.note else "")
    if span.children and span.tl_type not in ("string", "bytes"):
        return span.note or _count(span.value)
    text = notation(span.value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _count(values: object) -> str:
    size = len(values) if isinstance(values, list) else 0
    return "1 element" if size == 1 else f"{size} elements"


_STYLE = """
:root { color-scheme: light dark; --back: #fff; --ink: #1b1f24; --dim: #8b949e; --line: #d8dee4;
  --id: #8250df; --count: #0550ae; --flags: #9a6700; --text: #116329; --number: #0a7ea4; --mark: #fff1a8; }
@media (prefers-color-scheme: dark) { :root { --back: #0d1117; --ink: #e6edf3; --dim: #7d8590; --line: #30363d;
  --id: #d2a8ff; --count: #79c0ff; --flags: #e3b341; --text: #7ee787; --number: #76e3ea; --mark: #5a4a00; } }
* { box-sizing: border-box; }
body { margin: 0; height: 100vh; display: flex; flex-direction: column; background: var(--back); color: var(--ink);
  font: 14px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
header { padding: 12px 20px; border-bottom: 1px solid var(--line); }
h1 { font-size: 16px; margin: 0; }
header p { margin: 2px 0 0; color: var(--dim); }
main { display: flex; flex: 1; min-height: 0; }
section { overflow: auto; padding: 12px 20px; }
#bytes { flex: none; border-right: 1px solid var(--line); white-space: nowrap; }
#fields { flex: 1; min-width: 0; }
.at { color: var(--dim); margin-right: 16px; user-select: none; }
#bytes .hex { display: inline-block; min-width: calc(32ch + 136px); }
.hex b { font-weight: normal; padding: 2px 4px; cursor: pointer; }
.hex b:nth-child(8) { margin-right: 8px; }
.ascii { margin-left: 16px; } .ascii i { font-style: normal; cursor: pointer; white-space: pre; }
.id { color: var(--id); } .count { color: var(--count); } .flags { color: var(--flags); }
.text { color: var(--text); } .number { color: var(--number); } .dim { color: var(--dim); }
details { padding-left: 18px; } #fields > details { padding-left: 0; }
div.field { padding-left: 18px; } .field { cursor: pointer; border-radius: 3px; overflow-wrap: anywhere; }
.name { color: var(--ink); } .type, .place { color: var(--dim); font-size: 12px; }
.marked { background: var(--mark); }
@media (max-width: 900px) { body { height: auto; } main { display: block; } #bytes { border-right: 0; } }
"""

_SCRIPT = """
"use strict";
const fields = [...document.querySelectorAll("#fields .field")];
const bytes = new Map();
for (const e of document.querySelectorAll("#bytes [data-i]")) {
  const i = Number(e.dataset.i);
  if (!bytes.has(i)) bytes.set(i, []);
  bytes.get(i).push(e);
}
let kept = null;
const range = f => [Number(f.dataset.s), Number(f.dataset.e)];
function clear() { for (const e of document.querySelectorAll(".marked")) e.classList.remove("marked"); }
function mark(field) {
  clear();
  if (!field) return;
  field.classList.add("marked");
  const [start, end] = range(field);
  for (let i = start; i < end; i++) for (const e of bytes.get(i)) e.classList.add("marked");
}
function at(i) {
  let best = null;
  for (const f of fields) {
    const [start, end] = range(f);
    if (start <= i && i < end && (!best || end - start <= range(best)[1] - range(best)[0])) best = f;
  }
  return best;
}
function fieldOf(e) {
  const byte = e.closest("[data-i]");
  return byte ? at(Number(byte.dataset.i)) : e.closest(".field");
}
document.addEventListener("mouseover", e => { const f = fieldOf(e.target); if (!kept) mark(f); });
document.addEventListener("click", e => {
  const f = fieldOf(e.target);
  kept = f === kept ? null : f;
  mark(f);
  if (f && e.target.closest("#bytes")) {
    for (let d = f.parentElement; d; d = d.parentElement) if (d.tagName === "DETAILS") d.open = true;
    f.scrollIntoView({ block: "nearest" });
  }
});
document.addEventListener("keydown", e => { if (e.key === "Escape") { kept = null; clear(); } });
document.addEventListener("focusin", e => { const f = e.target.closest(".field"); if (f) mark(f); });
"""
