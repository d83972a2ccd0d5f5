"""Pictures: the lines of the dump, each text in its place, nothing from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from xml.parsers import expat

import pytest

import tl
from mtproto import api
from tests.tl.test_hexdump import REQUEST
from tests.tl.test_ids import SCHEMAS
from tl.commands import main
from tl.hexdump import Columns, Row, hexdump, lines
from tl.palette import DARK, LIGHT
from tl.svg_dump import svg_dump

PICTURE = SCHEMAS.parent / "docs" / "dump.svg"
MARGIN, CHARACTER, LINE = 16, 8.4, 20


class Picture:
    """What a viewer makes of the text: the elements with their attributes, the texts with their places."""

    def __init__(self, text: str) -> None:
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self._text = ""
        parser = expat.ParserCreate()
        parser.StartElementHandler = self.start
        parser.CharacterDataHandler = self.data
        parser.EndElementHandler = self.end
        parser.Parse(text, True)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.elements.append((name, attributes))
        self._text = ""

    def data(self, text: str) -> None:
        self._text += text

    def end(self, name: str) -> None:
        if name in ("title", "desc", "text"):
            self.texts.append((name, self._text))

    @property
    def size(self) -> tuple[float, float]:
        return float(self.elements[0][1]["width"]), float(self.elements[0][1]["height"])

    def drawn(self) -> list[str]:
        """The lines as they are seen, from the places of the texts alone."""
        places = [a for name, a in self.elements if name == "text"]
        shown: dict[int, str] = {}
        for attributes, (_, text) in zip(places, [t for t in self.texts if t[0] == "text"], strict=True):
            row = round((float(attributes["y"]) - MARGIN) // LINE)
            column = round((float(attributes["x"]) - MARGIN) / CHARACTER)
            before = shown.get(row, "")
            assert len(before) <= column, "one text is over another"
            assert float(attributes["textLength"]) == pytest.approx(len(text) * CHARACTER, abs=0.06)
            shown[row] = before.ljust(column) + text
        return [shown.get(row, "") for row in range(max(shown) + 1)]


def rows_of(data: bytes) -> list[Row]:
    reading = tl.read(data, api, mode="lenient")
    return hexdump(reading.span, data, reading.findings)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("data", [REQUEST, REQUEST[:19] + b"\1" + REQUEST[20:] + b"\0", REQUEST[:28], b""])
def test_the_lines_are_those_of_the_dump(data: bytes, width: int) -> None:
    rows = rows_of(data)
    picture = Picture(svg_dump(rows, width))
    expected = [Columns.of(rows, width).heading(), *map(str, lines(rows, width))]
    assert picture.drawn() == expected
    across, down = picture.size
    assert across == round(max(map(len, expected)) * CHARACTER + 2 * MARGIN)
    assert down == len(expected) * LINE + 2 * MARGIN


def test_colours_by_kind() -> None:
    text = svg_dump(rows_of(REQUEST[:19] + b"\1" + REQUEST[20:]))
    pieces = {piece: name for name, piece in re.findall(r'<text class="(.*?)" .*?>(.*?)</text>', text)}
    assert pieces["f9 56 a3 a5"] == pieces["0xad253d78 codeSettings"] == "id"
    assert pieces["73 00 00 00"] == "flags"
    assert pieces["2b 31 32 30 32 35 35"] == pieces["'+12025550123'"] == "text"
    assert pieces["0c"] == pieces["13"] == pieces["length 12, padding 3"] == "dim"
    assert pieces["phone_number"] == "ink"
    assert (pieces["!"], pieces["00 00 01"]) == ("bad", "bad wrong")
    assert pieces["! NonZeroPadding at 0011: padding 000001 behind string, expected zeros"] == "bad"


def test_light_and_dark() -> None:
    light, dark = svg_dump(rows_of(REQUEST)).split("@media (prefers-color-scheme: dark)")
    for name, colour in LIGHT.items():
        assert (f"{colour};" in light) == (name != "mark")
    for name, colour in DARK.items():
        assert (f"{colour};" in dark) == (name != "mark")


def test_it_is_all_there_is() -> None:
    text = svg_dump(rows_of(REQUEST))
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"@import|@font-face|url\(|href|<script|<image|<foreignObject", text)


def test_who_can_not_see_it_is_told() -> None:
    picture = Picture(
        svg_dump(rows_of(REQUEST[:19] + b"\1" + REQUEST[20:] + b"\0"), title="A <request> & more")
    )
    assert picture.elements[0][1]["role"] == "img"
    assert picture.elements[0][1]["aria-labelledby"] == "title desc"
    assert picture.texts[:2] == [
        ("title", "A <request> & more"),
        ("desc", "An annotated hexdump: 57 bytes, 8 rows, 2 findings"),
    ]
    assert [a["id"] for name, a in picture.elements if name in ("title", "desc")] == ["title", "desc"]
    assert Picture(svg_dump(rows_of(REQUEST))).texts[0] == ("title", "0xa5a356f9 account.sendVerifyPhoneCode")
    assert Picture(svg_dump([])).texts[0] == ("title", "no bytes")


def test_data_is_text() -> None:
    hostile = "</text></svg><script>alert(1)</script>&amp;]]>\"'<!-- --><?x?>"
    rows = rows_of(bytes(api.DataJSON(data=hostile)))
    picture = Picture(svg_dump(rows, 120))
    assert {name for name, _ in picture.elements} == {"svg", "title", "desc", "style", "rect", "g", "text"}
    assert picture.drawn()[2:4] == [str(line) for line in list(lines(rows, 120))[1:3]]
    odd = [Row(0, b"\0", "path\x00\x1b", "\ud800\ufffe\x9b")]
    assert "\ufffd\ufffd" in svg_dump(odd)
    Picture(svg_dump(odd).encode())  # type: ignore[arg-type]


def test_wide_characters_have_room() -> None:
    value = "漢字かな" * 5
    text = svg_dump([Row(0, b"\0", "", value), Row(1, b"\0", "", "e\u0301" * 5)])
    assert re.search(rf'textLength="{40 * CHARACTER:.1f}">{value}<', text)
    assert re.search(rf'textLength="{5 * CHARACTER:.1f}">e', text)
    assert Picture(text).size[0] == round((31 + 40) * CHARACTER + 2 * MARGIN)


def test_the_picture_in_docs_is_what_is_drawn_now(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "dump.svg"
    assert main(["dump", "--schema", str(SCHEMAS / "api.tl"), "--svg", str(path), REQUEST.hex()]) == 0
    assert capsys.readouterr().out == f"{path}: 56 bytes, 10 fields\n"
    command = f"tl dump --schema schema/api.tl --svg docs/dump.svg {REQUEST.hex()}"
    assert path.read_text("utf-8") == PICTURE.read_text("utf-8"), f"draw it again: {command}"
