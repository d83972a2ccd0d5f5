"""Pages: what is on them, and what their script does in a browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

import tl
from mtproto import api
from tests.tl.test_hexdump import REQUEST
from tl.html_dump import html_page
from tl.palette import DARK, LIGHT
from tl.rows import is_one
from tl.spans import Span

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)


def read(data: bytes) -> tl.Reading:
    return tl.read(data, api, mode="lenient")


def page_of(data: bytes) -> str:
    reading = read(data)
    return html_page(reading.span, data, findings=reading.findings)


def test_findings_on_a_page() -> None:
    data = REQUEST[:19] + b"\1" + REQUEST[20:]
    reading = read(data)
    text = html_page(reading.span, data, findings=reading.findings)
    (item,) = re.findall(r"<li (.*?)>(.*?)</li>", text)
    assert item[0].startswith('data-s="17" data-e="20"')
    assert re.sub("<.*?>", "", item[1]) == (
        "NonZeroPadding at 0011, phone_number padding 000001 behind string, expected zeros"
    )
    assert re.findall(r'<b data-i="(\d+)" class="bad">', text) == ["17", "18", "19"]
    assert re.findall(r'<div class="field bad" data-s="(\d+)"', text) == ["4"]


def test_the_end_is_on_the_page_where_it_is_too_soon() -> None:
    at_the_end_of_a_line = api.JsonObjectValue.CONSTRUCTOR_ID.to_bytes(4, "little") + b"\x0bhello world"
    for data in (REQUEST[:28], at_the_end_of_a_line):
        text = page_of(data)
        assert re.findall(r'<b data-i="(\d+)" class="bad" title', text) == [str(len(data))]
        assert re.findall(rf'<li data-s="{len(data)}" data-e="{len(data) + 1}"', text)
        assert text.count(">missing<") == 1
        assert text.count('class="at"') == 2
    assert "the data ends here" not in html_page(read(REQUEST).span, REQUEST)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read(palette: dict[str, str]) -> None:
    """The contrast that WCAG 2.1, 1.4.3, asks for; on marked bytes that for large text."""
    for name, colour in palette.items():
        if name not in ("back", "line", "mark"):
            assert contrast(colour, palette["back"]) >= 4.5, name
            assert contrast(colour, palette["mark"]) >= 3, name


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, as https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio has it."""
    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


# The script, in a browser

DRIVER = """
const told = { fields: [], bytes: [], findings: [], kept: null, dropped: null };
const fire = (e, type, more) => e.dispatchEvent(new MouseEvent(type, { bubbles: true, ...more }));
const marked = where => [...document.querySelectorAll(`${where}.marked`)];
const bytesMarked = () => marked(".hex b").map(e => Number(e.dataset.i));
const place = e => [Number(e.dataset.s), Number(e.dataset.e)];
for (const f of document.querySelectorAll("#fields .field")) {
  fire(f, "mouseover");
  told.fields.push([place(f), bytesMarked(), marked("#fields .field").map(place)]);
}
for (const b of document.querySelectorAll(".hex b")) {
  fire(b, "mouseover");
  told.bytes.push([Number(b.dataset.i), marked("#fields .field").map(place), bytesMarked()]);
}
for (const f of document.querySelectorAll("#findings li")) {
  fire(f, "mouseover");
  told.findings.push([place(f), bytesMarked(), marked("#findings li").length, marked("#fields .field").map(place)]);
}
fire(document.querySelector("#findings li"), "click");
fire(document.querySelector("#fields .field"), "mouseover");
told.kept = bytesMarked();
document.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
told.dropped = bytesMarked();
fire(document.querySelector(".ascii i"), "mouseover");
told.ascii = bytesMarked();
const pre = document.createElement("pre");
pre.id = "told";
pre.textContent = JSON.stringify(told);
document.body.append(pre);
"""


def told_by(page: str, folder: Path) -> Any:
    """What the driver writes into the page."""
    assert BROWSER is not None
    path = folder / "page.html"
    path.write_text(page.replace("</body>", f"<script>{DRIVER}</script></body>"), "utf-8")
    flags = "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking"
    done = subprocess.run(
        [
            BROWSER,
            *(f"--{flag}" for flag in (*flags.split(), "disable-component-update", "disable-sync")),
            f"--user-data-dir={folder / 'profile'}",
            "--dump-dom",
            path.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    (text,) = re.findall(r'<pre id="told">(.*?)</pre>', done.stdout, re.DOTALL)
    return json.loads(unescape(text))


def fields_of(span: Span) -> Iterator[tuple[int, int]]:
    """The places of all fields, in the order of the page."""
    yield span.start, span.end
    for part in () if is_one(span) else span.children:
        yield from fields_of(part)


@pytest.mark.skipif(BROWSER is None, reason=f"there is none of {', '.join(BROWSERS)}: the script is not run")
def test_fields_and_bytes_point_at_each_other(tmp_path: Path) -> None:
    data = REQUEST[:19] + b"\1" + REQUEST[20:24] + b"\x74" + REQUEST[25:]  # an unknown bit, padding
    reading = read(data)
    assert [finding.offset for finding in reading.findings] == [17, 24]
    told = told_by(page_of(data), tmp_path)
    places = list(fields_of(reading.span))
    assert told["fields"] == [
        [[start, end], list(range(start, end)), [[start, end]]] for start, end in places
    ]
    assert told["bytes"] == [
        [i, [list(own)], list(range(*own))]
        for i in range(len(data))
        for own in [min((p for p in places if p[0] <= i < p[1]), key=lambda p: p[1] - p[0])]
    ]
    assert told["findings"] == [
        [[17, 20], [17, 18, 19], 1, [[4, 20]]],
        [[24, 28], [24, 25, 26, 27], 1, [[24, 28]]],
    ]
    assert told["kept"] == [17, 18, 19]
    assert told["dropped"] == []
    assert told["ascii"] == [0, 1, 2, 3]
