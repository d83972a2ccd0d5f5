"""`tl dump`, `tl decode`, `tl encode`: what they print, what they write, and how they fail."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mtproto import api
from tests.tl.test_ids import SCHEMAS
from tl import inspect
from tl.commands import main
from tl.html_dump import html_page

API = str(SCHEMAS / "api.tl")
REQUEST = (
    "f956a3a50c2b3132303235353530313233000000783d25ad73000000"
    "15c4b51c010000001361726269747261727920646174612068657265"
)
JSON = {
    "_": "account.sendVerifyPhoneCode",
    "phone_number": "+12025550123",
    "settings": {
        "_": "codeSettings",
        "allow_flashcall": True,
        "current_number": True,
        "allow_app_hash": True,
        "allow_missed_call": True,
        "logout_tokens": [{"hex": b"arbitrary data here".hex()}],
    },
}


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_dump(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "dump", "--schema", API, REQUEST)
    assert (status, err) == (0, "")
    shown = re.findall(r"^[0-9a-f]{4}  ((?:[0-9a-f]{2}(?: |$)){1,8})", out, re.MULTILINE)
    assert "".join("".join(shown).split()) == REQUEST
    assert "0x73: allow_flashcall" in out
    assert "account.sendVerifyPhoneCode" in out


@pytest.mark.parametrize(
    "spelling",
    [
        REQUEST.upper(),
        "0x" + REQUEST,
        " ".join(re.findall("..", REQUEST)),
        ":".join(re.findall("..", REQUEST)),
        " ".join(f"0x{byte}," for byte in re.findall("..", REQUEST)),
    ],
)
def test_hex_in_any_spelling(spelling: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "decode", "--schema", API, spelling)
    assert (status, json.loads(out)) == (0, JSON)


@pytest.mark.parametrize(
    "content",
    [bytes.fromhex(REQUEST), REQUEST.encode(), "\n".join(re.findall(".{1,32}", REQUEST)).encode() + b"\n"],
    ids=["bytes", "hex", "lines of hex"],
)
def test_files_and_what_comes_in(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "request.bin"
    path.write_bytes(content)
    assert json.loads(run(capsys, "decode", "--schema", API, path)[1]) == JSON
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert json.loads(run(capsys, "decode", "--schema", API, "-")[1]) == JSON


def test_encode(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    text = json.dumps(JSON)
    assert run(capsys, "encode", "--schema", API, text) == (0, REQUEST + "\n", "")
    path = tmp_path / "value.json"
    path.write_text(text)
    assert run(capsys, "encode", "--schema", API, path) == (0, REQUEST + "\n", "")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert run(capsys, "encode", "--schema", API, "-") == (0, REQUEST + "\n", "")
    output = tmp_path / "request.bin"
    assert run(capsys, "encode", "--schema", API, text, "-o", output) == (0, "", "")
    assert output.read_bytes().hex() == REQUEST


def test_a_type(capsys: pytest.CaptureFixture[str]) -> None:
    vector = "15c4b51c 02000000 01000000 02000000"
    arguments = ("--schema", API, "--type", "Vector<int>")
    status, out, _ = run(capsys, "decode", *arguments, vector)
    assert (status, json.loads(out)) == (0, [1, 2])
    assert run(capsys, "encode", *arguments, "[1, 2]") == (0, vector.replace(" ", "") + "\n", "")
    assert "count" in run(capsys, "dump", *arguments, vector)[1]


def test_dump_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "dump", "--schema", API, "--json", REQUEST)
    tree = json.loads(out)
    assert (status, tree["start"], tree["end"], tree["note"]) == (0, 0, 56, "account.sendVerifyPhoneCode")

    def leaves(node: dict[str, object]) -> list[tuple[object, object]]:
        children = node.get("children")
        if not isinstance(children, list):
            return [(node["start"], node["end"])]
        return [leaf for child in children for leaf in leaves(child)]

    covered = leaves(tree)
    assert [start for start, _ in covered] == [0, *[end for _, end in covered][:-1]]
    assert covered[-1][1] == 56
    number = tree["children"][1]
    assert (number["path"], number["type"], number["value"]) == ("phone_number", "string", "+12025550123")


class Page(HTMLParser):
    """What a page has: the bytes with their places, the fields with theirs, its scripts and its links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.bytes: dict[int, str] = {}
        self.fields: list[tuple[int, int]] = []
        self.outside: list[str] = []
        self.open: list[str] = []
        self._at: int | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.outside += [name for name in ("src", "href") if name in found]
        if tag not in ("meta", "link"):
            self.open.append(tag)
        if tag == "b" and found.get("data-i") is not None:
            self._at = int(found["data-i"] or "")
        if found.get("data-s") is not None:
            self.fields.append((int(found["data-s"] or ""), int(found["data-e"] or "")))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self._at = None

    def handle_data(self, data: str) -> None:
        if self._at is not None:
            self.bytes[self._at] = data


def test_dump_as_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "dump.html"
    status, out, _ = run(capsys, "dump", "--schema", API, "--html", path, REQUEST)
    assert (status, out) == (0, f"{path}: 56 bytes, 10 fields\n")
    text = path.read_text("utf-8")
    page = Page(text)
    assert page.outside == []
    assert not re.search(r"https?:|url\(|@import", text)
    assert page.open == []
    assert "".join(page.bytes[i] for i in range(56)) == REQUEST
    assert page.fields[0] == (0, 56)
    assert (4, 20) in page.fields
    assert (36, 56) in page.fields


def test_a_page_of_hostile_data() -> None:
    number = "</span></script><script>alert(1)</script>&amp;\"'<!--"
    value = api.account.SendVerifyPhoneCode(phone_number=number, settings=api.CodeSettings())
    data = bytes(value)
    text = html_page(inspect(data, api.SCHEMA), data, "<b>")
    page = Page(text)
    assert page.open == []
    assert text.count("<script>") == 1
    assert "alert(1)" in text  # as text
    assert "".join(page.bytes[i] for i in range(len(data))) == data.hex()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["dump", "--schema", API, "f95"], 2, "f95: got 3 hex digits, expected two for each byte"),
        (
            ["dump", "--schema", API, "f95g"],
            2,
            "f95g: got 'g', expected hex digits; and there is no such file",
        ),
        (["decode", "--schema", API, "--type", "Foo", "00"], 2, "--type Foo: api has no type 'Foo'"),
        (["decode", "--schema", API, "--type", "Vector<", "00"], 2, "--type Vector<: "),
        (["decode", "--schema", "missing.tl", "00"], 2, "missing.tl: No such file or directory"),
        (["decode", "--schema", API, "f956a3a5"], 1, "the length of string takes 1 bytes, 0 are left"),
        (["dump", "--schema", API, REQUEST + "00"], 1, "1 byte is left over (offset 56)"),
        (["encode", "--schema", API, "{"], 1, "(line 1 column 2)"),
        (["encode", "--schema", API, '{"_": "codeSettings", "x": 1}'], 1, "$.x: "),
        (
            ["encode", "--schema", API, '{"_": "codeSettings", "_": "codeSettings"}'],
            1,
            "the name '_' is there twice",
        ),
        (["encode", "--schema", API, "--type", "double", "NaN"], 1, "NaN is no JSON"),
        (["encode", "--schema", API, "[" * 100_000], 1, "nested too deeply"),
        (["encode", "--schema", API, "--type", "int", "1" * 5000], 1, "a whole number of 5000 digits"),
    ],
)
def test_bad_input_gets_one_line(
    arguments: list[str], status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    got, out, err = run(capsys, *arguments)
    assert (got, out) == (status, "")
    assert err.count("\n") == 1
    assert message in err


def test_colours_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich", reason="rich is not installed: there are no colours")
    plain = run(capsys, "dump", "--schema", API, REQUEST)[1]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for name, value in (("TERM", "xterm-256color"), ("FORCE_COLOR", "1"), ("COLUMNS", "80")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = run(capsys, "dump", "--schema", API, REQUEST)[1]
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain
