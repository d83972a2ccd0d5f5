"""The tree of an encoding: every byte in its place, nothing accepted that the codec refuses."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtproto import api, service
from tests.strategies import values_of
from tests.tl.helpers import load_package
from tl.errors import DecodeError, LimitExceeded, TrailingBytes, UnexpectedConstructor, UnexpectedEnd
from tl.inspection import inspect
from tl.notation import notation
from tl.reference import reference_decode
from tl.registry import Registry
from tl.spans import CONSTRUCTOR_ID, COUNT, DATA, LENGTH, PADDING, VECTOR, Span

# Both as six independent libraries encode them.
REQUEST = bytes.fromhex(
    "f956a3a50c2b3132303235353530313233000000783d25ad7300000015c4b51c01000000"
    "1361726269747261727920646174612068657265"
)
ANSWER = bytes.fromhex(
    "0225005e06000000a2bb00c0050000001230313233343536373839616263646566303100e3d31c743c000000"
)
CLASSES = [*api.SCHEMA.by_name.values(), *service.SCHEMA.by_name.values()]
RARE = """
    pair#00000001 a:int b:string = Pair;
    rare#00000002 n:# fixed:2*[ int ] many:n*[ x:int flags:# y:flags.3?bytes ] pairs:vector<%Pair> = Rare;
    shared#00000003 flags:# one:flags.4?int two:flags.4?true late:flags.7?Bool flags2:# on:flags2.0?true = S;
    empty#00000004 = Empty;
    bare#00000005 first:%Empty second:pair third:vector<true> fourth:# = Bare;
"""


@pytest.fixture(scope="module")
def rare(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    folder: Path = tmp_path_factory.mktemp("inspection")
    return load_package(RARE, folder, "rare")


def leaves(span: Span) -> list[tuple[int, int, str, str, object]]:
    return [(leaf.start, leaf.end, leaf.path, leaf.tl_type, leaf.value) for leaf in span.leaves()]


def check_cover(span: Span, size: int) -> None:
    """The leaves cover the bytes once and in order, and every span has its children within."""
    position = 0
    for leaf in span.leaves():
        assert leaf.start == position
        assert leaf.end >= leaf.start
        position = leaf.end
    assert position == size
    check_nesting(span)


def check_nesting(span: Span) -> None:
    if span.children:
        assert (span.children[0].start, span.children[-1].end) == (span.start, span.end)
        for child in span.children:
            assert child.path.startswith(span.path)
            check_nesting(child)


def test_the_leaves_of_the_request() -> None:
    span = inspect(REQUEST, api.SCHEMA)
    assert leaves(span) == [
        (0, 4, "", CONSTRUCTOR_ID, 0xA5A356F9),
        (4, 5, "phone_number", LENGTH, 12),
        (5, 17, "phone_number", DATA, "+12025550123"),
        (17, 20, "phone_number", PADDING, bytes(3)),
        (20, 24, "settings", CONSTRUCTOR_ID, 0xAD253D78),
        (24, 28, "settings.flags", "#", 0x73),
        (28, 32, "settings.logout_tokens", VECTOR, 0x1CB5C415),
        (32, 36, "settings.logout_tokens", COUNT, 1),
        (36, 37, "settings.logout_tokens[0]", LENGTH, 19),
        (37, 56, "settings.logout_tokens[0]", DATA, b"arbitrary data here"),
    ]
    notes = {leaf.note for leaf in span.leaves()}
    assert notes == {
        "",
        "account.sendVerifyPhoneCode",
        "codeSettings",
        "Vector<bytes>",
        "allow_flashcall, current_number, allow_app_hash, allow_missed_call, logout_tokens",
    }


def test_the_tree_of_the_answer() -> None:
    span = inspect(ANSWER, api.SCHEMA, api.auth.TypeSentCode)
    assert isinstance(span.value, api.auth.SentCode)
    assert span.value.phone_code_hash == "0123456789abcdef01"
    parts = [(part.path, part.tl_type, part.end - part.start) for part in span.children]
    assert parts == [
        ("", CONSTRUCTOR_ID, 4),
        ("flags", "#", 4),
        ("type", "auth.SentCodeType", 8),
        ("phone_code_hash", "string", 20),
        ("next_type", "auth.CodeType", 4),
        ("timeout", "int", 4),
    ]
    assert span.children[3].value == "0123456789abcdef01"
    assert span.children[2].value == api.auth.SentCodeTypeSms(length=5)
    assert span.children[5].value == 60


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: f"{cls.SCHEMA.name}.{cls.TL_NAME}")
@settings(max_examples=5)
@given(data=st.data())
def test_every_class_is_covered(cls: Any, data: st.DataObject) -> None:
    value = data.draw(values_of(cls))
    encoded = bytes(value)
    span = inspect(encoded, cls.SCHEMA, cls)
    check_cover(span, len(encoded))
    assert span.value == value


@given(data=st.data(), cls=st.sampled_from(CLASSES))
def test_what_the_codec_refuses_is_refused_with_its_words(data: st.DataObject, cls: Any) -> None:
    encoded = bytearray(bytes(data.draw(values_of(cls))))
    if data.draw(st.booleans()):
        del encoded[data.draw(st.integers(0, len(encoded) - 1)) :]
    else:
        encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))
    assert verdict(inspect, cls.SCHEMA, bytes(encoded)) == verdict(codec, cls.SCHEMA, bytes(encoded))


def codec(data: bytes, schema: Registry) -> None:
    reference_decode(schema, data)


def verdict(read: Any, schema: Registry, data: bytes) -> tuple[type[DecodeError], str] | None:
    try:
        read(data, schema)
    except DecodeError as error:
        return type(error), str(error)
    return None


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", UnexpectedEnd),
        (REQUEST[:-1], UnexpectedEnd),
        (REQUEST + b"\0", TrailingBytes),
        (b"abcd", UnexpectedConstructor),
    ],
)
def test_damage(data: bytes, error: type[DecodeError]) -> None:
    with pytest.raises(error):
        inspect(data, api.SCHEMA)


def test_deep_nesting_is_the_codec_s_error() -> None:
    value: Any = api.JsonNull()
    for _ in range(70):
        value = api.JsonArray(value=[value])
    with pytest.raises(LimitExceeded, match="deeper than 64"):
        inspect(bytes(value), api.SCHEMA)


def test_types_that_are_no_objects() -> None:
    assert leaves(inspect(b"\x05\0\0\0", api.SCHEMA, "int")) == [(0, 4, "", "int", 5)]
    assert leaves(inspect(b"\xb5\x75\x72\x99", api.SCHEMA, "Bool")) == [(0, 4, "", "Bool", True)]
    data = bytearray.fromhex("15c4b51c0100000015c4b51c0000000015c4b51c00000000")
    with pytest.raises(TrailingBytes):
        inspect(data, api.SCHEMA, "Vector<Vector<int>>")
    span = inspect(memoryview(data)[:16], api.SCHEMA, "Vector<Vector<int>>")
    assert [(leaf.path, leaf.tl_type) for leaf in span.leaves()] == [
        ("", VECTOR),
        ("", COUNT),
        ("[0]", VECTOR),
        ("[0]", COUNT),
    ]
    assert span.value == [[]]


def test_strings_of_all_forms() -> None:
    assert leaves(inspect(bytes(4), api.SCHEMA, "string")) == [
        (0, 1, "", LENGTH, 0),
        (1, 4, "", PADDING, bytes(3)),
    ]
    long = b"\xfe\xfe\x00\x00" + b"x" * 254 + b"\0\0"
    assert leaves(inspect(long, api.SCHEMA, "bytes")) == [
        (0, 4, "", LENGTH, 254),
        (4, 258, "", DATA, b"x" * 254),
        (258, 260, "", PADDING, bytes(2)),
    ]


def test_repetitions_and_bare_types(rare: ModuleType) -> None:
    rows = [(7, 0, None), (8, 1 << 9, b"ab")]
    value = rare.Rare(n=2, fixed=[5, 6], many=rows, pairs=[rare.Pair(a=1, b="é")])
    encoded = bytes(value)
    span = inspect(encoded, rare.SCHEMA)
    check_cover(span, len(encoded))
    assert span.value == value
    paths = [(leaf.path, leaf.tl_type, leaf.value, leaf.note) for leaf in span.leaves()]
    assert paths == [
        ("", CONSTRUCTOR_ID, 2, "rare"),
        ("n", "#", 2, ""),
        ("fixed[0].field0", "int", 5, ""),
        ("fixed[1].field0", "int", 6, ""),
        ("many[0].x", "int", 7, ""),
        ("many[0].flags", "#", 0, ""),
        ("many[1].x", "int", 8, ""),
        ("many[1].flags", "#", 1 << 9 | 1 << 3, "y, bit 9"),
        ("many[1].y", LENGTH, 2, ""),
        ("many[1].y", DATA, b"ab", ""),
        ("many[1].y", PADDING, b"\0", ""),
        ("pairs", COUNT, 1, ""),
        ("pairs[0].a", "int", 1, ""),
        ("pairs[0].b", LENGTH, 2, ""),
        ("pairs[0].b", DATA, "é", ""),
        ("pairs[0].b", PADDING, b"\0", ""),
    ]


def test_flags_by_name(rare: ModuleType) -> None:
    value = rare.Shared(one=1, two=True, late=False, flags=1, on=True, flags2=1 << 31)
    span = inspect(bytes(value), rare.SCHEMA)
    assert [(part.value, part.note) for part in span.children if part.tl_type == "#"] == [
        (1 << 0 | 1 << 4 | 1 << 7, "bit 0, one + two, late"),
        (1 << 0 | 1 << 31, "on, bit 31"),
    ]
    assert span.value == value


def test_values_of_no_bytes(rare: ModuleType) -> None:
    value = rare.Bare(first=rare.Empty(), second=rare.Pair(a=0, b=""), third=[True, True], fourth=9)
    encoded = bytes(value)
    span = inspect(encoded, rare.SCHEMA)
    check_cover(span, len(encoded))
    assert span.value == value
    assert [leaf.path for leaf in span.leaves() if leaf.start == leaf.end] == [
        "first",
        "third[0]",
        "third[1]",
    ]


# Notation

SENT = api.auth.SentCode(
    type=api.auth.SentCodeTypeSms(length=5),
    phone_code_hash="it's",
    next_type=api.auth.CodeTypeCall(),
)


def test_notation_in_one_line() -> None:
    assert notation(SENT) == (
        'auth.sentCode(type=auth.sentCodeTypeSms(length=5), phone_code_hash="it\'s", '
        "next_type=auth.codeTypeCall())"
    )
    assert notation(api.CodeSettings(allow_flashcall=True, logout_tokens=[b"\0"], flags=1 << 30)) == (
        "codeSettings(flags=1073741824, allow_flashcall=true, logout_tokens=[b'\\x00'])"
    )
    assert notation([True, 1.5, "\x1b[31m\u202e"]) == "[true, 1.5, '\\x1b[31m\\u202e']"


def test_notation_as_a_tree() -> None:
    tree = notation([SENT], 45)
    assert tree.splitlines() == [
        "[",
        "  auth.sentCode(",
        "    type=auth.sentCodeTypeSms(length=5),",
        '    phone_code_hash="it\'s",',
        "    next_type=auth.codeTypeCall(),",
        "  ),",
        "]",
    ]
    assert notation(SENT, 200) == notation(SENT)


def test_a_line_of_a_tree_is_broken_when_it_is_too_long() -> None:
    line = "  type=auth.sentCodeTypeSms(length=5),"
    assert line in notation(SENT, len(line)).splitlines()
    assert notation(SENT, len(line) - 1).splitlines()[1:4] == [
        "  type=auth.sentCodeTypeSms(",
        "    length=5,",
        "  ),",
    ]


@given(data=st.data(), cls=st.sampled_from(CLASSES), width=st.integers(20, 100))
def test_a_tree_is_the_line_broken(data: st.DataObject, cls: Any, width: int) -> None:
    value = data.draw(values_of(cls))
    line = notation(value)
    tree = notation(value, width)
    assert re.sub(r"[\s,]", "", tree) == re.sub(r"[\s,]", "", line)
    assert len(line) > width or tree == line
