"""Bytes that are not an encoding: what the codec says of them, and where; limits; what survives."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from mtproto import api
from tests.tl.helpers import everything, load_package
from tl import (
    DecodeError,
    InvalidCount,
    LimitExceeded,
    Limits,
    UnexpectedConstructor,
    UnexpectedEnd,
    UnknownFlags,
    decode,
    decode_prefix,
    decode_result,
)
from tl.reference import reference_decode, reference_encode
from tl.runtime import Unfit

# Bytes that are not right


@pytest.mark.parametrize(
    ("value", "cut", "error", "offset", "path", "message"),
    [
        (0, 2, UnexpectedEnd, 0, "", "the constructor id of Object takes 4 bytes, 2 are left"),
        (0, 6, UnexpectedEnd, 4, "i", "int takes 4 bytes, 2 are left"),
        (0, 12, UnexpectedEnd, 8, "l", "long takes 8 bytes, 4 are left"),
        (0, 23, UnexpectedEnd, 16, "d", "double takes 8 bytes, 7 are left"),
        (0, 39, UnexpectedEnd, 24, "n", "int128 takes 16 bytes, 15 are left"),
        (0, 40, UnexpectedEnd, 40, "s", "the length of string takes 1 bytes, 0 are left"),
        (0, 44, UnexpectedEnd, 41, "s", "string takes 4 bytes, 3 are left"),
        (0, 47, UnexpectedEnd, 45, "s", "the padding of string takes 3 bytes, 2 are left"),
        (0, 58, UnexpectedEnd, 56, "t", "the constructor id of Bool takes 4 bytes, 2 are left"),
        (0, 60, UnexpectedEnd, 60, "o", "the constructor id of Leaf takes 4 bytes, 0 are left"),
        (0, 64, UnexpectedEnd, 64, "v", "the constructor id of Vector<int> takes 4 bytes, 0 are left"),
        (0, 70, UnexpectedEnd, 68, "v", "the count of Vector<int> takes 4 bytes, 2 are left"),
        (0, 76, InvalidCount, 68, "v", "got count 2, the 4 bytes left hold at most 1"),
    ],
)  # fmt: skip
def test_where_bytes_end(
    shapes: ModuleType, value: int, cut: int, error: type[DecodeError], offset: int, path: str, message: str
) -> None:
    data = bytes(everything(shapes))
    assert len(data) == 80
    with pytest.raises(error) as caught:
        shapes.decode(data[:cut])
    assert type(caught.value) is error
    assert (caught.value.offset, caught.value.path) == (offset, path)
    assert caught.value.message == message
    assert str(caught.value) == f"{message} (offset {offset}{', ' if path else ''}{path})"


@pytest.mark.parametrize(
    ("offset", "patch", "path", "got", "expected"),
    [
        (0, "ff", "", 0xFF, "a constructor or function of shapes"),
        (56, "00000000", "t", 0, "boolTrue or boolFalse"),
        (60, "05000000", "o", 5, "Leaf (leaf | other)"),
        (60, "11000000", "o", 0x11, "Leaf (leaf | other)"),
        (64, "00000000", "v", 0, "0x1cb5c415 (Vector<int>)"),
    ],
)
def test_where_a_constructor_is_not_the_right_one(
    shapes: ModuleType, offset: int, patch: str, path: str, got: int, expected: str
) -> None:
    data = bytearray(bytes(everything(shapes)))
    data[offset : offset + len(patch) // 2] = bytes.fromhex(patch)
    with pytest.raises(UnexpectedConstructor) as caught:
        shapes.decode(data)
    error = caught.value
    assert (error.offset, error.path, error.got, error.expected) == (offset, path, got, expected)
    known = shapes.SCHEMA.find(got)
    note = f" ({known.TL_NAME})" if path == "o" else ", unknown to shapes" if not path else ""
    assert error.message == f"got constructor 0x{got:08x}{note}, expected {expected}"


def test_paths_lead_to_the_bytes(shapes: ModuleType) -> None:
    tree = shapes.Tree(
        children=[shapes.End(), shapes.Node(next=shapes.Tree(children=[shapes.End(), shapes.End()]))]
    )
    data = bytes(tree)
    with pytest.raises(UnexpectedConstructor) as caught:
        shapes.decode(data[:-4] + b"\3\0\0\0")
    assert (caught.value.path, caught.value.offset) == ("children[1].next.children[1]", len(data) - 4)


# Limits

NESTED = [
    pytest.param("node", b"\5\0\0\0", b"\6\0\0\0", id="objects"),
    pytest.param("tree", b"\7\0\0\0\x15\xc4\xb5\x1c\1\0\0\0", b"\6\0\0\0", id="vectors"),
    pytest.param("with", b"\x15\0\0\0\1\0\0\0", b"\x11\0\0\0", id="functions"),
]


@pytest.mark.parametrize(("name", "level", "end"), NESTED)
def test_nesting_is_limited(shapes: ModuleType, name: str, level: bytes, end: bytes) -> None:
    for codec in (decode, reference_decode):
        assert bytes(codec(shapes.SCHEMA, level * 64 + end)) == level * 64 + end
        with pytest.raises(LimitExceeded) as caught:
            codec(shapes.SCHEMA, level * 65 + end)
        assert caught.value.offset == 64 * len(level) + 4
        assert caught.value.message == "objects are nested deeper than 64"
        assert (caught.value.got, caught.value.expected) == (65, 64)
        limits = Limits(depth=3)
        assert codec(shapes.SCHEMA, level * 3 + end, limits=limits) is not None
        with pytest.raises(LimitExceeded):
            codec(shapes.SCHEMA, level * 4 + end, limits=limits)
        assert codec(shapes.SCHEMA, end, limits=Limits(depth=0)) is not None
    # Straight-line code goes as deep, and no deeper.
    straight_read = shapes.SCHEMA.by_name[name]._read
    assert straight_read(level * 64 + end, 4, 64)[1] == 64 * len(level) + 4
    with pytest.raises(Unfit):
        straight_read(level * 65 + end, 4, 64)


def test_neighbours_do_not_count_as_nesting(shapes: ModuleType) -> None:
    node = shapes.Node(next=shapes.Tree(children=[shapes.Node(next=shapes.End())] * 100))
    tree = shapes.Tree(children=[node] * 100)
    for codec in (decode, reference_decode):
        assert codec(shapes.SCHEMA, bytes(tree), limits=Limits(depth=4)) == tree
        with pytest.raises(LimitExceeded) as caught:
            codec(shapes.SCHEMA, bytes(tree), limits=Limits(depth=3))
        assert caught.value.path == "children[0].next.children[0]"


@pytest.mark.parametrize(("name", "level", "end"), NESTED)
@pytest.mark.parametrize("depth", [64, 10**6])
def test_nesting_without_end_is_refused(
    shapes: ModuleType, name: str, level: bytes, end: bytes, depth: int
) -> None:
    data = level * 10**5 + end
    for codec in (decode, reference_decode):
        with pytest.raises(LimitExceeded, match="nested deeper"):
            codec(shapes.SCHEMA, data, limits=Limits(depth=depth))


def test_nesting_in_the_api() -> None:
    level, end = bytes.fromhex("634744f715c4b51c01000000"), bytes.fromhex("687b6d3f")
    value: api.TypeJSONValue = api.JsonNull()
    for _ in range(64):
        value = api.JsonArray(value=[value])
    assert bytes(value) == level * 64 + end
    assert api.decode(level * 64 + end, api.TypeJSONValue) == value
    with pytest.raises(LimitExceeded) as caught:
        api.decode(level * 65 + end, api.TypeJSONValue)
    assert caught.value.path == ".".join(["value[0]"] * 64)


COUNTS = [b"\xff\xff\xff\x7f", b"\0\0\0\1", b"\xff\xff\xff\xff", b"\0\0\0\x80"]


@pytest.mark.parametrize("count", COUNTS, ids=bytes.hex)
@pytest.mark.parametrize(
    ("kind", "most"),
    [
        ("int", 4),
        ("long", 2),
        ("double", 2),
        ("string", 4),
        ("bytes", 4),
        ("int256", 0),
        ("Bool", 4),
        ("Leaf", 4),
        ("Object", 4),
        ("Vector<int>", 2),
        ("vector<int>", 4),
        ("%Other", 4),
    ],
)
def test_counts_are_held_against_the_bytes(tmp_path: Path, kind: str, most: int, count: bytes) -> None:
    text = f"v#1 v:Vector<{kind}> = V; leaf#2 = Leaf; leafToo#3 = Leaf; other#4 x:int = Other;"
    package = load_package(text, tmp_path, "counts_schema")
    data = b"\1\0\0\0\x15\xc4\xb5\x1c" + count + bytes(16)
    for codec in (decode, reference_decode):
        with pytest.raises(InvalidCount) as caught:
            codec(package.SCHEMA, data)
        assert (caught.value.offset, caught.value.path) == (8, "v")
        number = int.from_bytes(count, "little", signed=True)
        assert caught.value.got == number
        assert caught.value.expected == (f"<= {most}" if number > 0 else ">= 0")


@pytest.mark.parametrize("field", ["v", "w"])
def test_elements_without_bytes_are_limited(shapes: ModuleType, field: str) -> None:
    def data(count: int) -> bytes:
        counts = [count if name == field else 0 for name in "vw"]
        return b"\x09\0\0\0" + b"".join(b"\x15\xc4\xb5\x1c" + n.to_bytes(4, "little") for n in counts)

    value = shapes.decode(data(1024))
    assert len(getattr(value, field)) == 1024
    assert bytes(value) == data(1024)
    for count, limits in ((1025, Limits()), (2**31 - 1, Limits()), (2, Limits(empty_elements=1))):
        with pytest.raises(LimitExceeded) as caught:
            shapes.decode(data(count), limits=limits)
        assert caught.value.offset == (8 if field == "v" else 16)
        assert (caught.value.got, caught.value.path) == (count, field)


# What survives


@pytest.mark.parametrize("word", [0x80000000, 0x10, 0xFFFFFFF0])
def test_unknown_flags_survive(shapes: ModuleType, word: int) -> None:
    value = shapes.Maybe(flags=word, yes=True, i=5)
    data = bytes(value)
    assert data == b"\2\0\0\0" + (word | 3).to_bytes(4, "little") + b"\5\0\0\0"
    for codec in (decode, reference_decode):
        again = codec(shapes.SCHEMA, data)
        assert (again.flags, again.yes, again.i, again.a) == (word, True, 5, None)
        assert again == value
        assert bytes(again) == reference_encode(again) == data
    assert f"flags={word}" in repr(value)


# Flag bits that no field uses, refused on request

FLAGGED = """\
two#1 flags:# a:flags.0?true b:flags.3?int flags2:# c:flags2.31?string = Two;
plain#2 n:# = Plain;
rows#3 n:# rows:n*[ word:# set:word.1?true ] = Rows;
holder#4 all:Vector<Object> = Holder;
---functions---
ask#5 = Two;
"""


@pytest.mark.parametrize(
    ("data", "offset", "path", "got", "expected"),
    [
        ("01000000 02000000 00000000", 4, "flags", 0x2, 0x9),
        ("01000000 f7ffffff 00000000", 4, "flags", 0xFFFFFFF6, 0x9),
        ("01000000 09000000 07000000 01000080 00000000", 12, "flags2", 0x1, 0x80000000),
        ("03000000 02000000 02000000 03000000", 12, "rows[1].word", 0x1, 0x2),
        ("04000000 15c4b51c 01000000 01000000 00000000 00000040", 20, "all[0].flags2", 1 << 30, 1 << 31),
    ],
)
def test_unknown_flags_are_refused_on_request(
    tmp_path: Path, data: str, offset: int, path: str, got: int, expected: int
) -> None:
    package = load_package(FLAGGED, tmp_path, "flagged")
    encoded = bytes.fromhex(data)
    for codec in (decode, reference_decode):
        assert bytes(codec(package.SCHEMA, encoded)) == encoded
        with pytest.raises(UnknownFlags) as caught:
            codec(package.SCHEMA, encoded, strict_flags=True)
        error = caught.value
        assert isinstance(error, DecodeError)
        assert (error.offset, error.path, error.got) == (offset, path, got)
        assert error.expected == f"only bits of 0x{expected:08x}"
        assert error.message == f"got flag bits 0x{got:08x}, which no field uses"
    with pytest.raises(UnknownFlags):
        package.decode(encoded, strict_flags=True)
    with pytest.raises(UnknownFlags):
        decode_prefix(package.SCHEMA, encoded, strict_flags=True)


@pytest.mark.parametrize(
    "data",
    [
        "01000000 00000000 00000000",
        "01000000 09000000 07000000 00000080 00000000",
        "02000000 ffffffff",  # a number, for nothing depends on it
        "03000000 02000000 02000000 00000000",
    ],
)
def test_flags_that_are_known_are_read_in_any_mode(tmp_path: Path, data: str) -> None:
    package = load_package(FLAGGED, tmp_path, "flagged")
    encoded = bytes.fromhex(data)
    for codec in (decode, reference_decode):
        assert codec(package.SCHEMA, encoded, strict_flags=True) == codec(package.SCHEMA, encoded)


def test_an_answer_has_to_be_strict_too(tmp_path: Path) -> None:
    package = load_package(FLAGGED, tmp_path, "flagged")
    answer = bytes.fromhex("01000000 02000000 00000000")
    assert decode_result(package.Ask(), answer).flags == 2
    with pytest.raises(UnknownFlags):
        decode_result(package.Ask(), answer, strict_flags=True)


@pytest.mark.parametrize(
    "bits", ["010000000000f8ff", "010000000000f07f", "ffffffffffffff7f", "0000000000000080"]
)
def test_every_bit_of_a_double_survives(shapes: ModuleType, bits: str) -> None:
    raw = bytes.fromhex(bits)
    data = b"\x0c\0\0\0" + raw + b"\x15\xc4\xb5\x1c\1\0\0\0" + raw
    for codec in (decode, reference_decode):
        value = codec(shapes.SCHEMA, data)
        assert bytes(value) == data
        assert reference_encode(value) == data
