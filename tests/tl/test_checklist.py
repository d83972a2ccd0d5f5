"""The strictness checklist, T1–T12: a test for each, by both codecs.  docs/tl.md has the same table in words."""

from __future__ import annotations

import gzip
import re
import struct
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tl
from mtproto import service
from mtproto.errors import RemoteProtocolError
from mtproto.message import unpack_gzip
from tl.reference import reference_decode, reference_encode

SHAPES = tl.load(
    """\
text#1 flags:# value:string raw:bytes on:flags.0?true n:flags.1?int ok:Bool = Shape;
many#2 items:Vector<Shape> longs:Vector<long> strings:Vector<string> = Shape;
leaf#3 = Shape;
other#4 x:double big:int128 = Other;
nothing#5 items:vector<true> = Nothing;
any#6 value:Object = Any;
tail#9 raw:bytes = Tail;
---functions---
call#7 {X:Type} query:!X = X;
get#8 = Shape;
""",
    "shapes",
)
CODECS: tuple[Callable[..., Any], ...] = (
    SHAPES.decode,
    lambda data, *args, **kwargs: reference_decode(SHAPES.SCHEMA, data, *args, **kwargs),
)
TEXT = SHAPES.Text(value="héllo", raw=bytes(300), on=True, n=-1, ok=True)
MANY = SHAPES.Many(items=[TEXT, SHAPES.Leaf()], longs=[1, -1], strings=["", "ab"])
VALUES = [
    TEXT,
    MANY,
    SHAPES.Other(x=0.5, big=bytes(range(16))),
    SHAPES.Any(value=MANY),
    SHAPES.Tail(raw=bytes(300)),
    SHAPES.Call(query=SHAPES.Call(query=SHAPES.Get())),
]
VECTOR = "15c4b51c"

both = pytest.mark.parametrize("decode", CODECS, ids=["seam", "reference"])


def refused(
    decode: Callable[..., Any],
    data: bytes | str,
    error: type[tl.DecodeError],
    offset: int,
    path: str,
    **rules: Any,
) -> tl.DecodeError:
    data = bytes.fromhex(data) if isinstance(data, str) else data
    with pytest.raises(tl.DecodeError) as caught:
        decode(data, **rules)
    assert type(caught.value) is error
    assert (caught.value.offset, caught.value.path) == (offset, path)
    assert caught.value.got is not None
    assert caught.value.expected is not None
    return caught.value


@both
@pytest.mark.parametrize("value", VALUES, ids=lambda v: v.TL_NAME)
def test_t1_every_cut_is_an_error(decode: Callable[..., Any], value: Any) -> None:
    data = bytes(value)
    assert decode(data) == value
    for end in range(len(data)):
        with pytest.raises(tl.UnexpectedEnd) as caught:
            decode(data[:end])
        assert 0 <= caught.value.offset <= end


@both
@pytest.mark.parametrize("count", [-1, -(2**31), 2**31 - 1, 2, 3])
@pytest.mark.parametrize("field", ["items", "longs", "strings"])
def test_t2_counts(decode: Callable[..., Any], count: int, field: str) -> None:
    before = {"items": 0, "longs": 1, "strings": 2}[field]
    element = bytes.fromhex("03000000") if field == "items" else bytes(8 if field == "longs" else 4)
    empty = bytes.fromhex(VECTOR + "00000000")
    offset = 4 + 8 * before + 4
    head = bytes.fromhex("02000000") + empty * before
    data = head + bytes.fromhex(VECTOR) + struct.pack("<i", count) + element
    refused(decode, data, tl.InvalidCount, offset, field)


@both
@pytest.mark.parametrize("field", ["items", "longs", "strings"])
def test_t2_a_count_is_refused_before_anything_is_read(decode: Callable[..., Any], field: str) -> None:
    before = {"items": 0, "longs": 1, "strings": 2}[field]
    head = bytes.fromhex("02000000") + bytes.fromhex(VECTOR + "00000000") * before
    filler = bytes.fromhex("03000000") if field == "items" else bytes(4)
    data = head + bytes.fromhex(VECTOR) + struct.pack("<i", 2**31 - 1) + filler * 250_000
    decode(bytes(SHAPES.Leaf()))  # what is loaded on first use
    tracemalloc.start()
    try:
        refused(decode, data, tl.InvalidCount, len(head) + 4, field)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@both
@pytest.mark.parametrize("count", [1025, 2**31 - 1])
def test_t3_elements_of_no_bytes(decode: Callable[..., Any], count: int) -> None:
    assert decode(bytes.fromhex("05000000") + struct.pack("<i", 1024)).items == [True] * 1024
    refused(decode, bytes.fromhex("05000000") + struct.pack("<i", count), tl.LimitExceeded, 4, "items")


@both
@pytest.mark.parametrize("levels", [65, 100_000])
def test_t4_depth(decode: Callable[..., Any], levels: int) -> None:
    assert decode(bytes.fromhex("06000000") * 64 + bytes.fromhex("03000000"))
    with pytest.raises(tl.LimitExceeded, match="nested deeper than 64") as caught:
        decode(bytes.fromhex("06000000") * levels + bytes.fromhex("03000000"))
    assert caught.value.path == ".".join(["value"] * 64)


@both
def test_t4_what_the_interpreter_has_no_room_for(decode: Callable[..., Any]) -> None:
    data = bytes.fromhex("06000000") * 100_000 + bytes.fromhex("03000000")
    with pytest.raises(tl.LimitExceeded, match="deeper than the interpreter allows"):
        decode(data, limits=tl.Limits(depth=10**6))


@both
@pytest.mark.parametrize(
    ("string", "error", "offset", "lenient"),
    [
        ("ff030000 61626300 00000000", tl.ReservedLength, 8, None),  # 255 as a length
        ("fe030000 61626300", tl.NonMinimalLength, 8, "abc"),  # three bytes in the long form
        ("01610001", tl.NonZeroPadding, 10, "a"),  # padding that is not zero
        ("ff2c0100" + "61" * 300, tl.ReservedLength, 8, None),
        ("fefe0000" + "61" * 254 + "0001", tl.NonZeroPadding, 266, "a" * 254),
    ],
)
def test_t5_strings(
    decode: Callable[..., Any], string: str, error: type[tl.NonCanonical], offset: int, lenient: str | None
) -> None:
    data = f"01000000 00000000 {string} 00000000 b5757299"
    refused(decode, data, error, offset, "value")
    if lenient is None:
        refused(decode, data, error, offset, "value", canonical=False)
    else:
        assert decode(bytes.fromhex(data), canonical=False).value == lenient


@both
def test_t6_bools_and_flags(decode: Callable[..., Any]) -> None:
    value = decode(bytes.fromhex("01000000 010000f0 00000000 00000000 379779bc"))
    assert (value.on, value.n, value.ok, value.flags) == (True, None, False, 0xF0000000)
    assert bytes(value).hex() == "01000000010000f00000000000000000379779bc"
    error = refused(decode, bytes(value), tl.UnknownFlags, 4, "flags", strict_flags=True)
    assert error.got == 0xF0000000
    assert decode(bytes(TEXT), strict_flags=True) == TEXT
    for number in ("00000000", "01000000", "b5757298", "03000000"):
        data = f"01000000 00000000 00000000 00000000 {number}"
        refused(decode, data, tl.WrongType, 16, "ok")


@both
@pytest.mark.parametrize("raw", ["80", "c3", "c080", "eda080", "f4908080", "ff"])
def test_t7_utf8(decode: Callable[..., Any], raw: str) -> None:
    size = len(raw) // 2
    string = f"{size:02x}{raw}{'00' * (-(size + 1) % 4)}"
    data = f"01000000 00000000 {string} 00000000 b5757299"
    refused(decode, data, tl.InvalidUtf8, 8, "value")
    refused(decode, data, tl.InvalidUtf8, 8, "value", canonical=False)


@both
def test_t8_constructors(decode: Callable[..., Any]) -> None:
    error = refused(decode, "efbeadde", tl.UnknownConstructor, 0, "")
    assert error.got == 0xDEADBEEF
    item = f"02000000 {VECTOR} 01000000"
    refused(decode, f"{item} 04000000 {'00' * 24}", tl.WrongType, 12, "items[0]")  # known, elsewhere
    refused(decode, f"{item} 08000000", tl.WrongType, 12, "items[0]")  # a function
    refused(decode, "02000000 00000000 00000000", tl.WrongType, 4, "items")  # no vector
    with pytest.raises(tl.WrongType):
        decode(bytes(SHAPES.Leaf()), SHAPES.Other)
    with pytest.raises(tl.WrongType):
        decode(bytes(SHAPES.Call(query=SHAPES.Get()))[:4] + bytes(SHAPES.Leaf()))  # not a function


@both
@pytest.mark.parametrize("value", VALUES, ids=lambda v: v.TL_NAME)
def test_t9_trailing_bytes(decode: Callable[..., Any], value: Any) -> None:
    data = bytes(value)
    for extra in (b"\0", bytes(4), data):
        assert refused(decode, data + extra, tl.TrailingBytes, len(data), "").got == len(extra)
        assert tl.decode_prefix(SHAPES.SCHEMA, data + extra) == (value, len(data))


@both
@pytest.mark.parametrize("head", ["06000000", "07000000"], ids=["Object", "!X"])
def test_t10_the_budget_goes_through_object_and_query(decode: Callable[..., Any], head: str) -> None:
    data = bytes.fromhex(head) * 5 + bytes.fromhex("08000000")
    assert decode(data, limits=tl.Limits(depth=5, objects=5))
    for limits in (tl.Limits(depth=4), tl.Limits(objects=4)):
        with pytest.raises(tl.LimitExceeded):
            decode(data, limits=limits)


@both
def test_t10_the_budget_goes_through_gzip(decode: Callable[..., Any]) -> None:
    data = bytes(SHAPES.Many(items=[SHAPES.Leaf()] * 10, longs=[], strings=[]))
    body = bytes(service.GzipPacked(packed_data=gzip.compress(data)))
    budget = tl.Limits(elements=15, gunzipped_bytes=2 * len(data)).budget()
    unpacked = unpack_gzip(body, budget)
    assert decode(unpacked, limits=budget).items == [SHAPES.Leaf()] * 10
    unpacked = unpack_gzip(body, budget)
    with pytest.raises(tl.LimitExceeded, match="got 20 elements, expected at most 15") as caught:
        decode(unpacked, limits=budget)
    assert (caught.value.path, caught.value.got, caught.value.expected) == ("items", 20, 15)
    with pytest.raises(RemoteProtocolError, match="it unpacks to too much"):
        unpack_gzip(body, budget)


values = st.sampled_from(VALUES)


@given(
    st.binary(max_size=80)
    | st.sampled_from([bytes(v) for v in VALUES]).flatmap(st.permutations).map(bytes)
    | st.builds(
        lambda v, end, more: bytes(v)[:end] + more, values, st.integers(0, 400), st.binary(max_size=8)
    )
)
def test_t11_one_family_of_errors(data: bytes) -> None:
    for decode in CODECS:
        try:
            value = decode(data)
        except tl.DecodeError:
            continue
        assert bytes(value) == reference_encode(value) == data


@both
@pytest.mark.parametrize(
    "bits", ["000000000000f87f", "010000000000f0ff", "efbeadde0000f47f", "0000000000000080"]
)
def test_t11_doubles_keep_their_bits(decode: Callable[..., Any], bits: str) -> None:
    data = bytes.fromhex(f"04000000 {bits} {'00' * 16}")
    assert bytes(decode(data)) == reference_encode(decode(data)) == data


class Encodable:
    def encode(self) -> bytes:
        return b"\xff\xfe"


class Sly(str):
    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        return b"\xff\xfe"


def test_t11_only_str_is_text() -> None:
    for name, changes in (("value", {"value": Encodable()}), ("strings[0]", {"strings": [Encodable()]})):
        fields = (
            {"items": [], "longs": [], "strings": []} if "strings" in changes else {"raw": b"", "ok": True}
        )
        value = (SHAPES.Many if "strings" in changes else SHAPES.Text)(**fields | changes)
        for encode in (bytes, reference_encode):
            with pytest.raises(tl.EncodeError, match=rf"^{re.escape(name)}: got Encodable"):
                encode(value)
    value = SHAPES.Text(value=Sly("a"), raw=b"", ok=True)
    assert bytes(value) == reference_encode(value) == bytes(SHAPES.Text(value="a", raw=b"", ok=True))


@pytest.mark.parametrize("n", [2**31, -(2**31) - 1, 2**64])
def test_t11_numbers_are_checked_on_the_way_out(n: int) -> None:
    value = SHAPES.Text(value="", raw=b"", ok=True, n=n)
    for encode in (bytes, reference_encode):
        with pytest.raises(
            tl.EncodeError, match=r"^n: got -?\d+, expected -2147483648\.\.2147483647 for int"
        ):
            encode(value)


NAMES = (
    "from", "self", "None", "type", "bytes", "long_", "cls", "data", "pos", "depth", "obj", "flags_", "value",
    "init__", "x__class__", "TL", "SCHEMA", "decode_", "object", "int32", "super", "tl", "rt", "new", "read",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_t12_names(name: str) -> None:
    combinator = f"x{name}" if name in ("bytes", "SCHEMA") else name  # built in; what the package has itself
    package = tl.load(
        f"{combinator}#1 {name}:int other:string = Foo;\n"
        f"thing.{combinator}#2 flags:# {name}:flags.0?true = Foo;\n"
    )
    first, second = (package.SCHEMA.by_name[n] for n in (combinator, f"thing.{combinator}"))
    field = first.FIELDS[0].name
    value = first(**{field: 7, "other": "x"})
    assert bytes(value) == bytes.fromhex("01000000 07000000 01780000")
    assert getattr(package.decode(bytes(value)), field) == 7
    flag = second.FIELDS[1].name
    assert bytes(second(**{flag: True})) == bytes.fromhex("02000000 01000000")


def test_t12_clashes() -> None:
    with pytest.raises(
        tl.SchemaError, match="the package's own SCHEMA and combinator SCHEMA would both be SCHEMA"
    ):
        tl.load("SCHEMA x:int = Foo;")


@pytest.mark.parametrize(
    "name", ["1x", "a-b", "__class__", "_x", "é", "a;b", 'a"b', "a'b", "a\\b", "a#", "a\u2028b"]
)
def test_t12_no_names(name: str) -> None:
    with pytest.raises(tl.SchemaError):
        tl.load(f"{name} x:int = Foo;\n")
    with pytest.raises(tl.SchemaError):
        tl.load(f"foo {name}:int = Foo;\n")
