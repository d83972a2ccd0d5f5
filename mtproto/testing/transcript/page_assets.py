"""The style and the script of `page`: a ladder whose messages can be opened, filtered, and walked through by keys.

What can be seen without the script is all there is: messages are `<details>`.
"""

from __future__ import annotations

from tl.html_assets import COLOURS, DUMP

__all__ = ["SCRIPT", "STYLE"]

STYLE = f"""{COLOURS}{DUMP}
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: var(--back); color: var(--ink); }}
header {{ position: sticky; top: 0; z-index: 2; background: var(--back); border-bottom: 1px solid var(--line); }}
header > div {{ max-width: 1200px; margin: 0 auto; padding: 12px 24px 0; }}
h1 {{ font-size: 16px; margin: 0; display: inline; }}
header p {{ margin: 0 0 0 12px; color: var(--dim); display: inline; }}
form {{ display: flex; flex-wrap: wrap; gap: 4px 8px; margin: 10px 0 0; align-items: center; }}
form label {{ display: inline-flex; gap: 5px; align-items: center; padding: 1px 10px 1px 7px; cursor: pointer;
  border: 1px solid var(--line); border-radius: 99px; font-size: 13px; }}
form label:has(:focus-visible) {{ outline: 2px solid var(--number); }}
form label:has(input:not(:checked)) {{ opacity: .55; }}
form input[type=checkbox] {{ margin: 0; accent-color: var(--number); }}
form input[type=search], form button {{ font: inherit; font-size: 13px; color: inherit; background: var(--back);
  border: 1px solid var(--line); border-radius: 6px; padding: 2px 8px; }}
form button {{ cursor: pointer; }}
form label b {{ font-weight: 600; }}
.ends {{ display: flex; justify-content: space-between; margin: 12px 0 0 88px; font-weight: 600; }}
.ends span {{ padding: 0 0 6px; }}
.ends span::before {{ content: ""; display: inline-block; width: 9px; height: 9px; border-radius: 50%; }}
.ends span:first-child {{ margin-left: -4px; }} .ends span:last-child {{ margin-right: -4px; }}
.ends span:first-child::before {{ background: var(--number); margin-right: 8px; }}
.ends span:last-child {{ display: flex; flex-direction: row-reverse; align-items: center; gap: 8px; }}
.ends span:last-child::before {{ background: var(--flags); }}
main {{ max-width: 1200px; margin: 0 auto; padding: 0 24px 48px; }}
h2 {{ font-size: 13px; margin: 0 0 0 88px; padding: 14px 0 6px 20px; color: var(--dim); font-weight: 600;
  border: solid var(--line); border-width: 0 2px; }}
.row {{ display: grid; grid-template-columns: 88px minmax(0, 1fr); }}
.row > time {{ color: var(--dim); text-align: right; padding: 9px 18px 0 0; font-variant-numeric: tabular-nums; }}
.lane {{ border: solid var(--line); border-width: 0 2px; padding: 8px 0 0; }}
.row.new .lane {{ padding-top: 14px; }} .row.new > time {{ padding-top: 15px; }}
.said, .plainly {{ margin: 0 20px; }}
.said[data-depth="1"] {{ margin-left: 44px; }} .said[data-depth="2"] {{ margin-left: 68px; }}
.said[data-depth="3"] {{ margin-left: 92px; }} .said[data-depth="4"] {{ margin-left: 116px; }}
summary, .plainly {{ display: flex; gap: 12px; align-items: baseline; padding: 1px 8px; border-radius: 5px;
  white-space: nowrap; }}
summary {{ cursor: pointer; list-style: none; }}
summary::-webkit-details-marker {{ display: none; }}
summary::before {{ content: "▸"; color: var(--dim); width: 1ch; flex: none; }}
details[open] > summary::before {{ content: "▾"; }}
summary:hover {{ background: color-mix(in srgb, var(--line) 35%, transparent); }}
summary:focus-visible {{ outline: 2px solid var(--number); outline-offset: -1px; }}
.title {{ font-weight: 600; flex: none; max-width: 65%; overflow: hidden; text-overflow: ellipsis; }}
.ack .title, .unknown .title {{ font-weight: 400; }}
.note {{ color: var(--dim); font-size: 13px; flex: none; }}
.gist {{ color: var(--dim); flex: 1; min-width: 0; overflow: hidden; text-overflow: ellipsis; }}
.error .gist {{ color: var(--bad); }}
.wrong {{ color: var(--bad); margin: 0 28px; padding-left: 2ch; text-indent: -2ch; overflow-wrap: anywhere; }}
.arrow {{ position: relative; height: 18px; margin: 0; }}
.arrow::before {{ content: ""; position: absolute; inset: 8px 0 auto; border-top: 1.5px solid currentColor; }}
.arrow::after {{ content: ""; position: absolute; top: 4px; border: 5px solid transparent; }}
.arrow.lost::before {{ border-top-style: dashed; }} .arrow.lost::after {{ display: none; }}
.client > .lane > .arrow.lost::before {{ right: 24px; }} .server > .lane > .arrow.lost::before {{ left: 24px; }}
.arrow span {{ position: absolute; top: 0; background: var(--back); padding: 0 8px; font-size: 12px;
  line-height: 18px; color: var(--dim); }}
.client > .lane > .arrow::after {{ right: 0; border-left: 9px solid currentColor; border-right: 0; }}
.client > .lane > .arrow span {{ right: 40px; }}
.server > .lane > .arrow::after {{ left: 0; border-right: 9px solid currentColor; border-left: 0; }}
.server > .lane > .arrow span {{ left: 40px; }}
.arrow.transport, .arrow.service, .arrow.ack, .arrow.unknown {{ opacity: .6; }}
.inside {{ margin: 4px 0 10px 1ch; padding: 8px 0 4px 16px; border-left: 1px solid var(--line); }}
.inside dl {{ display: grid; grid-template-columns: max-content 1fr; gap: 0 16px; margin: 0 0 10px; }}
.inside dl, .inside p {{ font-size: 13px; }}
.inside dt {{ color: var(--dim); }} .inside dd {{ margin: 0; overflow-wrap: anywhere; }}
.panel {{ display: flex; gap: 0; font-size: 13px; }}
.panel .bytes {{ flex: none; white-space: nowrap; overflow-x: auto; max-width: 100%; padding-right: 20px; }}
.panel .fields {{ flex: 1; min-width: 0; border-left: 1px solid var(--line); padding-left: 20px; }}
.panel .bytes, .panel .fields {{ max-height: 460px; overflow-y: auto; }}
.panel .ascii {{ display: none; }}
.panel .hex b {{ padding: 2px 3px; }} .panel .hex {{ min-width: calc(32ch + 104px); }}
.panel details {{ padding-left: 18px; }} .panel .fields > details {{ padding-left: 0; }}
.panel summary {{ display: block; white-space: normal; padding: 0; }}
.panel summary::before {{ display: inline-block; width: 2ch; }}
.panel div.field {{ padding-left: 2ch; }}
.hidden {{ display: none !important; }}
#none {{ color: var(--dim); padding: 24px 0 0 108px; }}
footer {{ color: var(--dim); font-size: 12px; padding: 16px 0 0 88px; }}
kbd {{ font: inherit; border: 1px solid var(--line); border-radius: 4px; padding: 0 5px; }}
@media (min-width: 1500px) {{ main, header > div {{ max-width: 1440px; }} .panel .ascii {{ display: inline; }} }}
@media (max-width: 1100px) {{
  .panel {{ display: block; }} .panel .fields {{ border: 0; padding: 10px 0 0; }}
}}
@media (max-width: 700px) {{
  .row {{ grid-template-columns: 56px minmax(0, 1fr); font-size: 13px; }} .row > time {{ padding-right: 8px; }}
  main, header > div {{ padding-left: 8px; padding-right: 8px; }} .ends, h2, footer {{ margin-left: 56px; }}
  .ends, h2 {{ padding-left: 8px; }}
  .said, .plainly {{ margin: 0 6px; }} .title {{ flex: 0 1 auto; max-width: 100%; }}
  .gist {{ display: none; }} .said[data-depth="1"] {{ margin-left: 20px; }}
  .said[data-depth="2"], .said[data-depth="3"], .said[data-depth="4"] {{ margin-left: 34px; }}
  .inside {{ margin-left: 0; padding-left: 8px; }}
}}
"""

SCRIPT = """
"use strict";
const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
const form = document.querySelector("form"), search = form.elements.search;
const rows = all(".row"), none = document.querySelector("#none");
const parts = row => all(".said, .plainly", row);
for (const row of rows) for (const part of parts(row)) {
  const head = part.tagName === "DETAILS" ? part.querySelector("summary") : part;
  part.text = head.textContent.toLowerCase();
}
function filter() {
  const tones = new Set(all("[name=tone]:checked", form).map(e => e.value));
  const wanted = search.value.trim().toLowerCase();
  let some = false;
  for (const row of rows) {
    let seen = false, before = null;
    for (const part of parts(row)) {
      const shown = tones.has(part.dataset.tone) && (!wanted || part.text.includes(wanted));
      part.classList.toggle("hidden", !shown);
      seen = seen || shown;
      // What is in a message stays in sight with the message around it.
      if (shown) for (let at = part.previousElementSibling, depth = Number(part.dataset.depth); at && depth > 0;
        at = at.previousElementSibling) {
        const its = Number(at.dataset.depth);
        if (its < depth) { at.classList.remove("hidden"); depth = its; }
      }
    }
    row.classList.toggle("hidden", !seen);
    some = some || seen;
  }
  none.classList.toggle("hidden", some);
}
form.addEventListener("input", filter);
form.addEventListener("submit", e => e.preventDefault());
const messages = () => all(".said > summary").filter(e => e.offsetParent);
function openAll() {
  const heads = messages().map(e => e.parentElement), open = heads.some(e => !e.open);
  for (const e of heads) e.open = open;
}
form.elements.all.addEventListener("click", openAll);
function step(by) {
  const heads = messages(), at = heads.indexOf(document.activeElement);
  const next = heads[at < 0 ? (by > 0 ? 0 : heads.length - 1) : at + by];
  if (next) { next.focus(); next.scrollIntoView({ block: "center" }); }
}
document.addEventListener("keydown", e => {
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  if (e.key === "Escape") {
    if (e.target === search) { search.value = ""; filter(); search.blur(); }
    kept = null;
    clear();
    return;
  }
  if (e.target === search) return;
  if (e.key === "j" || e.key === "ArrowDown" && e.target.matches(".said > summary")) step(1);
  else if (e.key === "k" || e.key === "ArrowUp" && e.target.matches(".said > summary")) step(-1);
  else if (e.key === "/") search.focus();
  else if (e.key === "a") openAll();
  else return;
  e.preventDefault();
});
// Fields and bytes point at each other, as in the page of `tl dump --html`, within one message.
let kept = null;
const range = e => [Number(e.dataset.s), Number(e.dataset.e)];
function clear() { for (const e of all(".marked")) e.classList.remove("marked"); }
function mark(panel, place) {
  clear();
  if (!place) return;
  place.classList.add("marked");
  const [start, end] = range(place);
  for (const e of all(".bytes [data-i]", panel)) {
    const i = Number(e.dataset.i);
    if (start <= i && i < end) e.classList.add("marked");
  }
}
function placeOf(panel, e) {
  const byte = e.closest("[data-i]");
  if (!byte) return e.closest("[data-s]");
  const i = Number(byte.dataset.i);
  let best = null;
  for (const f of all(".field", panel)) {
    const [start, end] = range(f);
    if (start <= i && i < end && (!best || end - start <= range(best)[1] - range(best)[0])) best = f;
  }
  return best;
}
const here = e => { const panel = e.closest(".panel"); return panel && [panel, placeOf(panel, e)]; };
document.addEventListener("mouseover", e => {
  const at = here(e.target);
  if (!kept) at ? mark(...at) : clear();
});
document.addEventListener("focusin", e => { const at = here(e.target); if (at) mark(...at); });
document.addEventListener("click", e => {
  const at = here(e.target);
  if (!at) return;
  kept = at[1] === kept ? null : at[1];
  mark(...at);
});
"""
