"""Dumps of lenient readings: what is wrong is marked where it is and said below it, and nothing of it is lost."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from typing import Any
from xml.parsers import expat

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tl
from mtproto import api, service
from tests.samples import plan
from tests.tl.test_hexdump import REQUEST
from tests.tl.test_rare_types import SCHEMA as RARE
from tests.tl.test_reading import NEW, OLD, VECTOR, damaged, words
from tests.tl.test_values_commands import Page
from tl.findings import Finding
from tl.hexdump import Row, hexdump, lines, render_text
from tl.html_dump import html_page
from tl.json_text import span_json, to_json
from tl.marks import Mark, marks_of
from tl.svg_dump import svg_dump

PACKAGES: dict[str, Any] = {"api": api, "service": service, "rare": tl.load(RARE, "rare"), "new": NEW}
TRUE = 0x997275B5


def read(data: bytes, schema: object = NEW, as_type: object = None) -> tl.Reading:
    return tl.read(data, schema, as_type, mode="lenient", others=[OLD])


def rows_of(data: bytes, schema: object = NEW, as_type: object = None) -> list[Row]:
    reading = read(data, schema, as_type)
    return hexdump(reading.span, data, reading.findings)


def drawn(data: bytes, schema: object = NEW, as_type: object = None) -> str:
    return render_text(rows_of(data, schema, as_type), 80)


# What a dump looks like


def test_padding_and_bytes_left_over() -> None:
    data = REQUEST[:19] + b"\1" + REQUEST[20:] + b"\0\0\0\0"
    assert (
        drawn(data, api)
        == """\
at    bytes                    field            value
0000  f9 56 a3 a5              0xa5a356f9 account.sendVerifyPhoneCode
0004  0c 2b 31 32 30 32 35 35  phone_number     '+12025550123'
000c! 35 30 31 32 33 00 00 01                   length 12, padding 3
      ! NonZeroPadding at 0011: padding 000001 behind string, expected zeros
0014  78 3d 25 ad              settings         0xad253d78 codeSettings
0018  73 00 00 00                flags          0x73: allow_flashcall,
                                                current_number, allow_app_hash,
                                                allow_missed_call, logout_tokens
001c  15 c4 b5 1c                logout_tokens  0x1cb5c415 Vector<bytes>
0020  01 00 00 00                  count        1
0024  13 61 72 62 69 74 72 61      [0]          b'arbitrary data here'
002c  72 79 20 64 61 74 61 20                   length 19
0034  68 65 72 65
0038! 00 00 00 00              trailing bytes   4 bytes
      ! TrailingBytes at 0038: 4 bytes are left over
"""
    )


def test_an_unknown_constructor_that_another_layer_knows() -> None:
    assert (
        drawn(words(3, VECTOR, 1, 0x11111111, 7, 9))
        == """\
at    bytes                    field    value
0000  03 00 00 00              0x00000003 list
0004  15 c4 b5 1c              things   0x1cb5c415 Vector<Thing>
0008  01 00 00 00                count  1
000c! 11 11 11 11                [0]    0x11111111 named of layer 5
      ! UnknownConstructor at 000c: got constructor 0x11111111, unknown to new,
        expected Thing (thing); 0x11111111 is named of layer 5
0010  07 00 00 00                  id   7
0014  09 00 00 00              n        9
"""
    )


def test_an_unknown_constructor_that_nobody_knows() -> None:
    assert (
        drawn(words(1, 0xDEADBEEF, 5, 6, 7, 0x44444444))
        == """\
at    bytes                    field     value
0000  01 00 00 00              0x00000001 has
0004! ef be ad de              a         0xdeadbeef unknown
      ! UnknownConstructor at 0004: got constructor 0xdeadbeef, unknown to new,
        expected Thing (thing)
0008  05 00 00 00 06 00 00 00    opaque  8 bytes
0010  07 00 00 00              b         7
0014  44 44 44 44              c         0x44444444 other
"""
    )


def test_several_findings_of_one_row() -> None:
    assert (
        drawn(words(2, 0) + b"\xff\3\0\0\0\0\0\0a\xffc\1" + words(TRUE))
        == """\
at    bytes                    field  value
0000  02 00 00 00              0x00000002 text
0004  00 00 00 00              flags  0
0008! ff 03 00 00 00 00 00 00  s      b'a\\xffc'
0010! 61 ff 63 01                     length 3, padding 1
      ! ReservedLength at 0008: got length byte 255, expected 0..254
      ! NonZeroPadding at 0013: padding 01 behind string, expected zeros
      ! InvalidUtf8 at 0008: a string that is not UTF-8: invalid start byte at
        its byte 1
0014  b5 75 72 99              ok     true
"""
    )


def test_what_is_missing_has_a_row() -> None:
    assert (
        drawn(words(2, 2, 1))
        == """\
at    bytes                    field  value
0000  02 00 00 00              0x00000002 text
0004  02 00 00 00              flags  0x2: n
0008  01 00 00 00              n      1
000c!                          s      missing
      ! UnexpectedEnd at 000c: the length of string takes 1 bytes, 0 are left
"""
    )
    row = rows_of(REQUEST[:28], api)[-1]  # in the object in the object
    assert (row.offset, row.data, row.path, row.depth) == (28, b"", "settings.logout_tokens", 2)
    assert [mark.finding.name for mark in row.marks] == ["UnexpectedEnd"]
    row = rows_of(words(3, VECTOR, 0))[-1]  # behind the vector
    assert (row.offset, row.path, row.depth) == (12, "n", 1)


def test_what_could_not_be_read() -> None:
    text = drawn(words(2, 0) + b"\3abc" + words(5))
    assert "000c! 05 00 00 00              ok     unread, 4 bytes\n      ! WrongType at 000c" in text
    assert "\n0000! 01                       unread, 1 byte\n" in drawn(b"\1", as_type="int")


@pytest.mark.parametrize("as_type", [None, "int", "string", "Vector<int>", "vector<int>", "Bool"])
def test_no_bytes_at_all(as_type: str | None) -> None:
    (row,) = rows_of(b"", as_type=as_type)
    assert (row.offset, row.data, row.value) == (0, b"", "missing")
    assert [mark.finding.name for mark in row.marks] == ["UnexpectedEnd"]


def test_values_without_parts_and_what_is_behind_them() -> None:
    for as_type, data, value in (
        ("int", words(5), "5"),
        ("string", b"\3abc", "'abc'"),
        ("true", b"", "true"),
    ):
        first, second = rows_of(data + b"XY", as_type=as_type)
        assert (first.data, first.value, first.depth) == (data, value, 0)
        assert (second.data, second.label) == (b"XY", "trailing bytes")
        reading = read(data + b"XY", as_type=as_type)
        assert "0 elements" not in html_page(reading.span, data + b"XY", findings=reading.findings)


def test_parts_are_told_from_fields_of_such_types() -> None:
    names = tl.load(
        "count#1 = Count; length#2 = Length; opaque#3 n:int = Opaque;"
        "all#4 a:count b:length c:opaque d:%All2 = All; all2#5 e:length f:int = All2;",
        "names",
    )
    data = words(4, 7, 8)
    assert [row.label for row in rows_of(data, names)] == ["", "a", "b", "c", "n", "d", "e", "f"]
    assert span_json(read(data, names).span)["children"][-1]["children"][1]["value"] == 8  # type: ignore[index]


# Which bytes are marked


@pytest.mark.parametrize(
    ("data", "as_type", "expected"),
    [
        (words(5, 6), "int", [("TrailingBytes", 4, 8)]),
        (b"\xfe\3\0\0abc\0", "string", [("NonMinimalLength", 0, 4)]),
        (b"\xff\3\0\0\0\0\0\0abc\0", "bytes", [("ReservedLength", 0, 8)]),
        (b"\2abc", "bytes", [("NonZeroPadding", 3, 4)]),
        (b"\7caf\xe9\xc3\xa9x", "string", [("InvalidUtf8", 4, 5)]),
        (b"\3a\xe2\x82", "string", [("InvalidUtf8", 2, 4)]),
        (b"\7abc", "string", [("UnexpectedEnd", 0, 4)]),
        (b"\7", "string", [("UnexpectedEnd", 0, 1)]),
        (words(VECTOR), "Vector<int>", [("UnexpectedEnd", 0, 4)]),
        (words(VECTOR, 9, 1), "Vector<int>", [("InvalidCount", 4, 8)]),
        (words(6, 0xDEADBEEF, 5), None, [("WrongType", 4, 8)]),
        (words(2, 0xF0) + b"\3abc" + words(TRUE), None, [("UnknownFlags", 4, 8)]),
        (words(4, 4, 4), None, [("UnexpectedEnd", 12, 12)]),
    ],
)  # fmt: skip
def test_the_bytes_that_are_marked(
    data: bytes, as_type: object, expected: list[tuple[str, int, int]]
) -> None:
    reading = read(data, as_type=as_type)
    marks = marks_of(reading.span, reading.findings)
    assert [(m.finding.name, m.start, m.end) for m in marks] == expected


def test_findings_of_a_part_alone() -> None:
    data = REQUEST[:19] + b"\1" + REQUEST[20:] + b"\0"
    reading = read(data, api)
    number, settings = reading.span.children[1:3]
    assert [mark.finding.name for mark in marks_of(number, reading.findings)] == ["NonZeroPadding"]
    assert [row.marks for row in hexdump(number, data, reading.findings)] != [()]
    assert marks_of(settings, reading.findings[:1]) == []
    behind = read(REQUEST[:20] + words(5), api)  # of what comes behind the number
    assert [finding.offset for finding in behind.findings] == [number.end]
    assert marks_of(behind.span.children[1], behind.findings) == []


# Whatever the bytes are


def check(data: bytes, schema: Any, as_type: object, width: int) -> None:
    """All renderers draw all bytes and all findings."""
    reading = read(data, schema, as_type)
    rows = hexdump(reading.span, data, reading.findings)
    assert b"".join(row.data for row in rows) == data
    assert Counter(mark.finding for row in rows for mark in row.marks) == Counter(reading.findings)
    check_text(rows, data, reading.findings, width)
    check_json(reading)
    check_page(html_page(reading.span, data, findings=reading.findings), data, reading.findings)
    check_picture(svg_dump(rows, width), reading.findings)


def check_text(rows: list[Row], data: bytes, findings: tuple[Finding, ...], width: int) -> None:
    text = render_text(rows, width)
    assert all(len(line) <= width and line == line.rstrip() for line in text.split("\n"))
    assert all(c.isprintable() or c == "\n" for c in text)
    # A line that is broken may go on with "! " too, out of some string; but not with the name of an error.
    told = re.findall(r"^ *! ([A-Z]\w+)", text, re.MULTILINE)
    assert Counter(name for name in told if hasattr(tl, name)) == Counter(f.name for f in findings)
    shown = list(lines(rows, width))
    assert b"".join(bytes.fromhex(line.data) for line in shown) == data
    for line in shown:
        assert "".join(run for run, _ in line.runs()).rstrip() == str(line)
        has_wrong = any(role == "wrong" for _, role in line.runs())
        is_missing = any(m.start == m.end for m in line.row.marks) and not line.finding
        assert bool(re.match("[0-9a-f]+! ?", str(line))) == (has_wrong or is_missing)


def check_json(reading: tl.Reading) -> None:
    tree = json.loads(json.dumps(span_json(reading.span, reading.findings), allow_nan=False))
    assert [(f["name"], f["offset"]) for f in tree["findings"]] == [
        (finding.name, finding.offset) for finding in reading.findings
    ]
    json.loads(to_json(reading.value))


def check_page(text: str, data: bytes, findings: tuple[Finding, ...]) -> None:
    page = Page(text)
    assert page.open == []
    assert "".join(page.bytes[i] for i in range(len(data))) == data.hex()
    assert text.count("<li ") == len(findings)


def check_picture(text: str, findings: tuple[Finding, ...]) -> None:
    shown: list[str] = []
    parser = expat.ParserCreate()
    parser.CharacterDataHandler = shown.append
    parser.Parse(text, True)
    assert sum(part.startswith("! ") for part in shown) == len(findings)


def test_damaged_bytes_are_drawn() -> None:
    for seed in range(400):
        rng = random.Random(seed)
        name = rng.choice(sorted(PACKAGES))
        schema = PACKAGES[name].SCHEMA
        cls = schema.by_name[rng.choice(sorted(schema.declared))]
        data = damaged(rng, bytes(plan(rng, cls, 3).build(schema)), schema)
        try:
            check(data, schema, rng.choice((None, cls)), rng.choice((60, 80, 120)))
        except Exception as error:
            error.add_note(f"{name}, seed {seed}, {cls.TL_NAME}: {data.hex()}")
            raise


TYPES = [None, "Thing", "Vector<Thing>", "vector<int>", "%Message", "Bool", "string", "bytes", "int", "true"]


@given(
    st.binary(max_size=64),
    st.sampled_from(sorted(NEW.SCHEMA.declared)),
    st.sampled_from(TYPES),
    st.booleans(),
)
def test_any_bytes_are_drawn(data: bytes, name: str, as_type: str | None, has_id: bool) -> None:
    number: int = NEW.SCHEMA.by_name[name].CONSTRUCTOR_ID
    check(words(number) + data if has_id else data, NEW.SCHEMA, as_type, 80)


def test_colours_change_nothing_else() -> None:
    rich_dump = pytest.importorskip("tl.rich_dump", reason="rich is not installed: there are no colours")
    rows = rows_of(REQUEST[:19] + b"\1" + REQUEST[20:] + b"\0", api)
    for width in (80, 120):
        for line in lines(rows, width):
            assert rich_dump.dump_text(line).plain == str(line)
    red = [
        (text.plain[part.start : part.end], str(part.style))
        for text in map(rich_dump.dump_text, lines(rows, 80))
        for part in text.spans
        if "red" in str(part.style)
    ]
    assert red == [
        ("! ", "bold red"),
        ("00", "bold red"),
        ("00", "bold red"),
        ("01", "bold red"),
        ("  ! NonZeroPadding at 0011: padding 000001 behind string, expected zeros", "red"),
        ("! ", "bold red"),
        ("00", "bold red"),
        ("  ! TrailingBytes at 0038: 1 byte is left over", "red"),
    ]


def test_hostile_findings_are_text() -> None:
    error = "</script><b>&\x1b"
    finding = Finding(error, 0, error, None, 5, error, (error,))
    reading = read(words(5))
    text = html_page(reading.span, words(5), findings=[finding])
    assert Page(text).open == []
    assert text.count("<script>") == 1
    row = Row(0, b"\0", error, error, marks=(Mark(0, 1, finding),))
    check_picture(svg_dump([row]), (finding,))
    assert "\x1b" not in svg_dump([row])
