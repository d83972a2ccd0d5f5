"""The style and the script of `tl.html_dump`'s pages.

In a page, what stands for bytes has their places: a byte its index (``data-i``), a field, a finding the first
and the one behind the last (``data-s``, ``data-e``).  The script needs nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping

from tl.palette import DARK, FONTS, LIGHT

__all__ = ["COLOURS", "DUMP", "SCRIPT", "STYLE"]


def _variables(palette: Mapping[str, str]) -> str:
    return " ".join(f"--{name}: {colour};" for name, colour in palette.items())


COLOURS = f"""
:root {{ color-scheme: light dark; {_variables(LIGHT)} }}
@media (prefers-color-scheme: dark) {{ :root {{ {_variables(DARK)} }} }}
body {{ font: 14px/1.5 {FONTS}; }}
"""
"""The colours of a page, light or dark as the reader's system is, and its font."""

DUMP = """
.at { color: var(--dim); margin-right: 16px; user-select: none; }
.hex { display: inline-block; min-width: calc(32ch + 136px); }
.hex b { font-weight: normal; padding: 2px 4px; cursor: pointer; }
.hex b:nth-child(8) { margin-right: 8px; }
.ascii { margin-left: 16px; }
.ascii i { font-style: normal; cursor: pointer; white-space: pre; }
.id { color: var(--id); } .count { color: var(--count); } .flags { color: var(--flags); }
.text { color: var(--text); } .number { color: var(--number); } .dim { color: var(--dim); }
.ink { color: var(--ink); } .bad { color: var(--bad); }
b.bad, i.bad { text-decoration: underline 2px; text-underline-offset: 3px; }
div.field { padding-left: 18px; }
.field { cursor: pointer; border-radius: 3px; overflow-wrap: anywhere; }
.name { color: var(--ink); } .type, .place { color: var(--dim); font-size: 12px; white-space: nowrap; }
.marked { background: var(--mark); }
"""
"""The style of lines of bytes and trees of fields, wherever they stand."""

STYLE = f"""{COLOURS}{DUMP}
* {{ box-sizing: border-box; }}
body {{ margin: 0; height: 100vh; display: flex; flex-direction: column; }}
body {{ background: var(--back); color: var(--ink); }}
header {{ padding: 12px 20px; border-bottom: 1px solid var(--line); }}
h1 {{ font-size: 16px; margin: 0; }}
header p {{ margin: 2px 0 0; color: var(--dim); }}
#findings {{ margin: 8px 0 0; padding: 0 0 0 3ch; max-height: 30vh; overflow: auto; color: var(--bad); }}
#findings li {{ cursor: pointer; border-radius: 3px; padding: 0 4px; overflow-wrap: anywhere; }}
#findings .where {{ color: var(--dim); }}
main {{ display: flex; flex: 1; min-height: 0; }}
section {{ overflow: auto; padding: 12px 20px; }}
#bytes {{ flex: none; border-right: 1px solid var(--line); white-space: nowrap; }}
#fields {{ flex: 1; min-width: 0; }}
details {{ padding-left: 18px; }} #fields > details {{ padding-left: 0; }}
@media (max-width: 900px) {{
  body {{ height: auto; }} main {{ display: block; }} #bytes {{ border: 0; border-bottom: 1px solid var(--line); }}
}}
"""

SCRIPT = """
"use strict";
const fields = [...document.querySelectorAll("#fields .field")];
const bytes = new Map();
for (const e of document.querySelectorAll("#bytes [data-i]")) {
  const i = Number(e.dataset.i);
  if (!bytes.has(i)) bytes.set(i, []);
  bytes.get(i).push(e);
}
let kept = null;
const range = e => [Number(e.dataset.s), Number(e.dataset.e)];
function clear() { for (const e of document.querySelectorAll(".marked")) e.classList.remove("marked"); }
function mark(place) {
  clear();
  if (!place) return;
  place.classList.add("marked");
  const [start, end] = range(place);
  for (let i = start; i < end; i++) for (const e of bytes.get(i)) e.classList.add("marked");
  const field = place.closest("#findings") && at(start);
  if (field) field.classList.add("marked");
}
function at(i) {
  let best = null;
  for (const f of fields) {
    const [start, end] = range(f);
    if (start <= i && i < end && (!best || end - start <= range(best)[1] - range(best)[0])) best = f;
  }
  return best;
}
function placeOf(e) {
  const byte = e.closest("[data-i]");
  return byte ? at(Number(byte.dataset.i)) : e.closest("[data-s]");
}
function show(field) {
  for (let d = field.parentElement; d; d = d.parentElement) if (d.tagName === "DETAILS") d.open = true;
  field.scrollIntoView({ block: "nearest" });
}
function pick(e) {
  const place = placeOf(e);
  kept = place === kept ? null : place;
  mark(place);
  if (!place) return;
  const start = range(place)[0];
  if (!e.closest("#fields")) show(at(start) || place);
  if (!e.closest("#bytes") && bytes.has(start)) bytes.get(start)[0].scrollIntoView({ block: "nearest" });
}
document.addEventListener("mouseover", e => { if (!kept) mark(placeOf(e.target)); });
document.addEventListener("click", e => pick(e.target));
document.addEventListener("keydown", e => {
  if (e.key === "Escape") { kept = null; clear(); }
  if (e.key === "Enter" && e.target.closest("#findings")) pick(e.target);
});
document.addEventListener("focusin", e => { const p = e.target.closest("[data-s]"); if (p) mark(p); });
"""
