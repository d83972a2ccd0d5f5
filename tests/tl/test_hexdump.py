"""Hexdumps: all bytes, in lines that fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtproto import api, service
from tests.strategies import values_of
from tests.tl.helpers import load_package
from tl.hexdump import Row, hexdump, lines, render_text
from tl.inspection import inspect

REQUEST = bytes.fromhex(
    "f956a3a50c2b3132303235353530313233000000783d25ad7300000015c4b51c01000000"
    "1361726269747261727920646174612068657265"
)
CLASSES = [*api.SCHEMA.by_name.values(), *service.SCHEMA.by_name.values()]

NARROW = """\
at    bytes                    field            value
0000  f9 56 a3 a5              0xa5a356f9 account.sendVerifyPhoneCode
0004  0c 2b 31 32 30 32 35 35  phone_number     '+12025550123'
000c  35 30 31 32 33 00 00 00                   length 12, padding 3
0014  78 3d 25 ad              settings         0xad253d78 codeSettings
0018  73 00 00 00                flags          0x73: allow_flashcall,
                                                current_number, allow_app_hash,
                                                allow_missed_call, logout_tokens
001c  15 c4 b5 1c                logout_tokens  0x1cb5c415 Vector<bytes>
0020  01 00 00 00                  count        1
0024  13 61 72 62 69 74 72 61      [0]          b'arbitrary data here'
002c  72 79 20 64 61 74 61 20                   length 19
0034  68 65 72 65
"""


def test_the_request_at_80_columns() -> None:
    assert render_text(hexdump(inspect(REQUEST, api.SCHEMA), REQUEST), 80) == NARROW


def test_the_request_at_120_columns() -> None:
    wide = render_text(hexdump(inspect(REQUEST, api.SCHEMA), REQUEST), 120).splitlines()
    assert wide[2] == "0004  0c 2b 31 32 30 32 35 35 35 30 31 32 33 00 00 00  phone_number     '+12025550123'"
    assert len(wide) == 10


def test_rows_of_the_request() -> None:
    rows = hexdump(inspect(REQUEST, api.SCHEMA), REQUEST)
    assert [(row.offset, row.path, row.depth) for row in rows] == [
        (0, "", 0),
        (4, "phone_number", 1),
        (20, "settings", 1),
        (24, "settings.flags", 2),
        (28, "settings.logout_tokens", 2),
        (32, "settings.logout_tokens", 3),
        (36, "settings.logout_tokens[0]", 3),
    ]
    assert [row.label for row in rows][3:] == ["flags", "logout_tokens", "count", "[0]"]
    assert (rows[1].head, rows[1].tail, rows[1].data[rows[1].head : -rows[1].tail]) == (1, 3, b"+12025550123")


@given(data=st.data(), cls=st.sampled_from(CLASSES), width=st.integers(60, 130))
def test_all_bytes_are_shown_in_lines_that_fit(data: st.DataObject, cls: Any, width: int) -> None:
    encoded = bytes(data.draw(values_of(cls)))
    rows = hexdump(inspect(encoded, cls.SCHEMA), encoded)
    assert b"".join(row.data for row in rows) == encoded
    text = render_text(rows, width)
    assert all(len(line) <= width and line == line.rstrip() for line in text.split("\n"))
    shown = list(lines(rows, width))
    assert b"".join(bytes.fromhex(line.data) for line in shown) == encoded
    for line in shown:
        if line.start < line.end:
            assert int(line.offset, 16) == line.row.offset + line.start
    columns = {(len(line.offset), len(line.data)) for line in shown}
    assert len(columns) == 1


def test_values_are_whole_however_narrow() -> None:
    value = api.auth.SentCodeTypeFirebaseSms(length=5, nonce=b"\0\1", receipt="word " * 40, push_timeout=1)
    encoded = bytes(value)
    for width in (60, 80, 120):
        shown = list(lines(hexdump(inspect(encoded, api.SCHEMA), encoded), width))
        values = {
            path: " ".join(line.value for line in shown if line.row.path == path and not line.is_note)
            for path in ("nonce", "receipt")
        }
        assert values["nonce"] == "2 bytes"
        assert values["receipt"].split() == repr("word " * 40).split()


def test_a_long_word_takes_no_longer_than_its_bytes() -> None:
    value = api.DataJSON(data="x" * 400_000)
    encoded = bytes(value)
    text = render_text(hexdump(inspect(encoded, api.SCHEMA), encoded))
    assert text.count("\n") == 2 + (4 + 400_000) // 8 + 1
    assert text.count("x") == 400_000 + 1  # and that of 0x7d748d04


def test_nothing_reaches_the_terminal_raw() -> None:
    encoded = bytes(api.DataJSON(data="\x1b[31m\u202e\r\n\x9b"))
    text = render_text(hexdump(inspect(encoded, api.SCHEMA), encoded))
    assert all(c.isprintable() or c == "\n" for c in text)
    assert "\\x1b[31m\\u202e\\r\\n\\x9b" in text


def test_what_has_no_bytes_of_its_own(tmp_path: Path) -> None:
    package = load_package(
        "pair#00000001 a:int = Pair; bare#00000002 one:%Pair many:vector<pair> two:2*[ x:int ] = Bare;",
        tmp_path,
        "hexdump_package",
    )
    encoded = bytes(package.Bare(one=package.Pair(a=1), many=[package.Pair(a=2)], two=[3, 4]))
    text = render_text(hexdump(inspect(encoded, package.SCHEMA), encoded))
    assert (
        text
        == """\
at    bytes                    field    value
0000  02 00 00 00              0x00000002 bare
0004                           one      pair
0004  01 00 00 00                a      1
0008                           many     vector<pair>
0008  01 00 00 00                count  1
000c                             [0]    pair
000c  02 00 00 00                  a    2
0010                           two      2*[ x:int ]
0010  03 00 00 00                x      3
0014  04 00 00 00                x      4
"""
    )


def test_deep_and_long_labels_are_cut() -> None:
    rows = [Row(0, b"\0", "a.b", "first", 40), Row(70000, bytes(4), f"x.{'y' * 200}", "second", 2)]
    text = render_text(rows, 80).splitlines()
    assert all(len(line) <= 80 for line in text)
    assert text[1].startswith("00000  00")
    assert text[1].endswith("first")
    assert "yyy…" in text[2]


def test_a_span_of_other_data() -> None:
    with pytest.raises(ValueError, match="up to 56 of 55"):
        hexdump(inspect(REQUEST, api.SCHEMA), REQUEST[:-1])


def test_no_rows() -> None:
    assert render_text([]) == "at    bytes                    value\n"
