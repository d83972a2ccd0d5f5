"""How much a decoder takes: each limit at its edge, in both codecs; hostile bytes, which cost little."""

from __future__ import annotations

import copy
import pickle
import tracemalloc
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtproto import api, service
from tests.strategies import values_of
from tests.tl.helpers import load_package
from tl import (
    Budget,
    DecodeError,
    InvalidCount,
    LimitExceeded,
    Limits,
    NonMinimalLength,
    ReservedLength,
    Schema,
    UnexpectedEnd,
    decode,
    decode_prefix,
    decode_result,
)
from tl.fast import BOOL_FALSE, BOOL_TRUE, VECTOR_ID, Level, Unfit
from tl.fields import Repetition
from tl.limits import DEFAULT_LIMITS, OverBudget
from tl.objects import Bare, Boxed
from tl.primitives import Vector
from tl.reference import reference_decode
from tl.wire import WireType

SCHEMA = """\
end#1 = Node;
node#2 next:Node = Node;
tree#3 children:Vector<Node> = Node;
numbers#4 a:Vector<int> b:Vector<long> c:Vector<double> = Numbers;
words#5 s:string b:Vector<bytes> t:Vector<string> x:bytes = Words;
fixed#6 n:int128 m:int256 d:double s:string = Fixed;
counts#7 v:vector<int> r:2*[ int ] n:# s:n*[ a:int b:string ] w:%Vector<Node> = Counts;
empty#8 v:Vector<true> w:vector<%Nothing> r:3*[ true ] = Empty;
nothing#9 = Nothing;
bare#a one:%Pair two:vector<pair> = Bare;
pair#b left:Node right:Node = Pair;
boolTrue = Bool;
boolFalse = Bool;
bools#c v:Vector<Bool> = Bools;
grid#d v:Vector<Vector<int>> = Grid;
rows#e n:# v:n*[ int ] = Rows;
nils#f n:# v:n*[ true ] = Nils;
trues#11 v:Vector<true> = Trues;
nothings#12 v:vector<%Nothing> = Nothings;
json#13 v:Vector<Json> = Json;
null#14 = Json;
---functions---
getNodes#10 = Vector<Node>;
"""
VECTOR = VECTOR_ID
NAMES = ("depth", "objects", "elements", "empty_elements", "string_bytes", "gunzipped_bytes", "gunzip_ratio")


@pytest.fixture(scope="module")
def heaps(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return load_package(SCHEMA, tmp_path_factory.mktemp("heaps"), "heaps")


def words(*numbers: int) -> bytes:
    return b"".join((number & 0xFFFFFFFF).to_bytes(4, "little") for number in numbers)


def string(raw: bytes) -> bytes:
    head = bytes([len(raw)]) if len(raw) < 254 else b"\xfe" + len(raw).to_bytes(3, "little")
    return head + raw + bytes(-(len(head) + len(raw)) % 4)


def vector(*elements: bytes) -> bytes:
    return VECTOR + words(len(elements)) + b"".join(elements)


# Limits and budgets


def test_limits_have_defaults() -> None:
    assert Limits() == DEFAULT_LIMITS
    assert {name: getattr(Limits(), name) for name in NAMES} == {
        "depth": 64,
        "objects": 2**20,
        "elements": 2**20,
        "empty_elements": 1024,
        "string_bytes": 2**26,
        "gunzipped_bytes": 10 * 2**20,
        "gunzip_ratio": 256,
    }


@pytest.mark.parametrize("name", NAMES)
def test_limits_are_numbers_from_0_on(name: str) -> None:
    for value in (0, 1, 2**70):
        assert getattr(Limits(**{name: value}), name) == value
    with pytest.raises(ValueError, match=f"{name}: got -1, expected >= 0"):
        Limits(**{name: -1})
    wrongs: list[Any] = [True, 1.0, "1", None]
    for wrong in wrongs:
        with pytest.raises(TypeError, match=f"{name}: got {type(wrong).__name__}, expected an int"):
            Limits(**{name: wrong})


@pytest.mark.parametrize("name", NAMES)
def test_limits_are_values(name: str) -> None:
    one, same, other = Limits(**{name: 3}), Limits(**{name: 3}), Limits(**{name: 4})
    assert one == same
    assert hash(one) == hash(same)
    assert one not in (other, 3)
    assert f"{name}=3" in repr(one)
    for again in (pickle.loads(pickle.dumps(one)), copy.copy(one), copy.deepcopy(one)):  # noqa: S301
        assert again == one
    with pytest.raises(AttributeError, match=name):
        setattr(one, name, 5)
    with pytest.raises(AttributeError, match=name):
        delattr(one, name)
    assert getattr(one, name) == 3


@pytest.mark.parametrize("name", NAMES[1:6])
def test_a_budget_is_charged_until_nothing_is_left(name: str) -> None:
    limits = Limits(**{name: 10})
    budget = limits.budget()
    assert budget.limits is limits
    assert budget.budget() is budget
    assert limits.budget() is not budget
    budget.charge(name, 4)
    budget.charge(name, 0)
    assert getattr(budget, name) == 6
    with pytest.raises(OverBudget) as caught:
        budget.charge(name, 7)
    assert (caught.value.what, caught.value.got, caught.value.limit) == (name, 11, 10)
    assert str(caught.value) == f"got 11 {name.replace('_', ' ')}, expected at most 10"
    assert getattr(budget, name) == 6
    budget.charge(name, 6)
    assert getattr(budget, name) == 0
    assert f"0 {name}" in repr(budget)
    assert getattr(limits, name) == 10


@pytest.mark.parametrize(
    ("ratio", "total", "packed", "allowed"),
    [
        (256, 10 * 2**20, 0, 2**20),
        (256, 10 * 2**20, 100, 2**20 + 25600),
        (256, 10 * 2**20, 36864, 10 * 2**20),
        (256, 10 * 2**20, 36863, 10 * 2**20 - 256),
        (256, 500, 100, 500),
        (1, 10**6, 20, 4116),
        (0, 10**6, 10**6, 0),
        (256, 0, 100, 0),
    ],
)
def test_how_much_may_be_unpacked(ratio: int, total: int, packed: int, allowed: int) -> None:
    budget = Limits(gunzip_ratio=ratio, gunzipped_bytes=total).budget()
    assert budget.may_gunzip(packed) == allowed
    budget.gunzipped_bytes = -5
    assert budget.may_gunzip(packed) == 0


# Each limit at its edge

Codec = Callable[[ModuleType, bytes, Limits | Budget], Any]
CODECS: dict[str, Codec] = {
    "seam": lambda package, data, limits: decode(package.SCHEMA, data, limits=limits),
    "package": lambda package, data, limits: package.decode(data, limits=limits),
    "prefix": lambda package, data, limits: decode_prefix(package.SCHEMA, data, limits=limits)[0],
    "reference": lambda package, data, limits: reference_decode(package.SCHEMA, data, limits=limits),
    "budget": lambda package, data, limits: decode(package.SCHEMA, data, limits=limits.budget()),
}
every_codec = pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)

EDGES = {
    "depth": (words(2, 2, 2, 1), "depth", 3, 12, "next.next"),
    "depth in vectors": (words(3) + vector(words(3) + vector(words(1))), "depth", 2, 16, "children[0]"),
    "depth of bare": (words(0xA, 2, 1, 1, 0), "depth", 3, 8, "one.left"),
    "depth beside another": (
        words(3) + vector(words(2, 1), words(2, 2, 1)),
        *("depth", 3, 28, "children[1].next"),
    ),
    "objects": (
        words(3) + vector(words(2, 1), words(3) + vector(), words(1)),
        *("objects", 3, 24, "children[1]"),
    ),
    "one object": (words(2, 1), "objects", 1, 4, ""),
    "bare objects": (words(0xA, 1, 1, 2, 1, 1, 2, 1, 1), "objects", 5, 28, "two[1].left"),
    "elements": (
        words(4) + vector(words(1), words(2)) + vector(bytes(8)) + vector(bytes(8), bytes(8)),
        *("elements", 5, 40, "c"),
    ),
    "elements of the first vector": (
        words(4) + vector(words(1)) + vector() + vector(),
        *("elements", 1, 8, "a"),
    ),
    "elements that are objects": (
        words(3) + vector(words(1), words(3) + vector(words(1))),
        *("elements", 3, 24, "children[1].children"),
    ),
    "elements that are strings": (
        words(5, 0) + vector(bytes(4)) + vector(bytes(4), bytes(4)) + words(0),
        *("elements", 3, 24, "t"),
    ),
    "elements that are Bool": (words(0xC) + vector(BOOL_TRUE, BOOL_FALSE), "elements", 2, 8, "v"),
    "elements that are vectors": (words(0xD) + vector(vector(), vector(words(5))), "elements", 3, 24, "v[1]"),
    "elements of a bare vector": (words(7, 1, 9, 0, 0, 0, 2, 1, 1), "elements", 5, 24, "w"),
    "elements of a fixed repetition": (words(7, 1, 9, 0, 0, 0, 0), "elements", 3, 12, "r"),
    "elements of a repetition": (words(7, 0, 0, 0, 2, 1, 0, 2, 0, 0), "elements", 4, 20, "s"),
    "elements of no bytes are elements": (words(8) + vector() + words(0), "elements", 3, 16, "r"),
    "empty elements": (words(8) + VECTOR + words(2, 1), "empty_elements", 6, 16, "r"),
    "empty elements of a vector": (words(0x11) + VECTOR + words(7), "empty_elements", 7, 8, "v"),
    "empty elements that are bare": (words(0x12, 4), "empty_elements", 4, 4, "v"),
    "empty elements of a repetition": (words(0xF, 9), "empty_elements", 9, 8, "v"),
    "string bytes": (
        words(5)
        + string(b"ab")
        + vector(string(b"cde"), string(b""))
        + vector(string("é".encode()))
        + string(b"x"),
        *("string_bytes", 8, 36, "x"),
    ),
    "string bytes in a vector": (
        words(5, 0) + vector(string(b"a"), string(b"b")) + vector() + words(0),
        *("string_bytes", 2, 20, "b[1]"),
    ),
    "string bytes but no numbers": (
        words(6) + bytes(56) + string("€".encode()),
        *("string_bytes", 3, 60, "s"),
    ),
    "string bytes of a long one": (
        words(5) + string(b"x" * 300) + vector() + vector() + words(0),
        *("string_bytes", 300, 4, "s"),
    ),
}
"""Bytes, the limit that they reach, with which number, and where they are too much when it is less by one."""


@every_codec
@pytest.mark.parametrize(("data", "name", "takes", "offset", "path"), EDGES.values(), ids=EDGES)
def test_the_edge_of_each_limit(
    heaps: ModuleType, codec: Codec, data: bytes, name: str, takes: int, offset: int, path: str
) -> None:
    for enough in (takes, takes + 1):
        assert bytes(codec(heaps, data, Limits(**{name: enough}))) == data
    with pytest.raises(LimitExceeded) as caught:
        codec(heaps, data, Limits(**{name: takes - 1}))
    error = caught.value
    assert (error.offset, error.path, error.got, error.expected) == (offset, path, takes, takes - 1)
    if name == "depth":
        assert error.message == f"objects are nested deeper than {takes - 1}"
    else:
        what = name.replace("_", " ")
        assert error.message == f"got {takes} {what}, expected at most {takes - 1}"


def test_every_limit_of_a_decoder_has_an_edge() -> None:
    assert {edge[1] for edge in EDGES.values()} == set(NAMES[:5])


# Of the classes with straight-line code; data that may hold too many string bytes is not for that at all.
STRAIGHT = [name for name, edge in EDGES.items() if edge[0][0] in (2, 3, 4, 5) and edge[1] != "string_bytes"]


@pytest.mark.parametrize("name", STRAIGHT)
def test_straight_line_code_counts_alike(heaps: ModuleType, name: str) -> None:
    data, limit, takes, _, _ = EDGES[name]
    read = heaps.SCHEMA.find(data[0])._read
    for number in range(takes + 2):
        limits = Limits(**{limit: number})
        level = Level.at(limits.depth, limits.budget())
        if number >= takes:
            assert read(data, 4, level)[1] == len(data)
        else:
            with pytest.raises(Unfit):
                read(data, 4, level)


@every_codec
@pytest.mark.parametrize(
    ("data", "limits"),
    [
        (words(5) + b"\3\xff\xff\xff" + words(0), Limits(string_bytes=2)),
        (words(5) + b"\1a\xff\xff" + words(0), Limits(string_bytes=0)),
        (words(3) + vector(words(0xBAD), words(0xBAD)), Limits(elements=1)),
        (words(0xE, 2, 0, 0) + b"trailing", Limits(elements=1)),
        (words(2, 0xBAD), Limits(objects=0)),
        (words(2), Limits(depth=0)),
        (words(8) + VECTOR + words(2), Limits(empty_elements=1)),
        (words(7, 2, 1, 2), Limits(elements=1)),
    ],
)
def test_what_is_declared_is_charged_before_it_is_read(
    heaps: ModuleType, codec: Codec, data: bytes, limits: Limits
) -> None:
    with pytest.raises(LimitExceeded):
        codec(heaps, data, limits)
    with pytest.raises(DecodeError) as caught:
        reference_decode(heaps.SCHEMA, data)
    assert not isinstance(caught.value, LimitExceeded)


@every_codec
@pytest.mark.parametrize(
    ("data", "error"),
    [
        (words(4) + VECTOR + words(2, 0), InvalidCount),
        (words(4) + VECTOR + words(-1, 0), InvalidCount),
        (words(7, 3, 0, 0), InvalidCount),
        (words(7, 0, 0), InvalidCount),
        (words(0xE, 2, 0), InvalidCount),
        (words(5) + b"\4abc", UnexpectedEnd),
        (words(5) + b"\xfe\xff\xff\xffabcd", UnexpectedEnd),
        (words(5) + b"\xfe\3\0\0abc\0", NonMinimalLength),
        (words(5) + b"\xff\1\0\0", ReservedLength),
    ],
)
def test_what_the_bytes_can_not_hold_is_wrong_under_any_limits(
    heaps: ModuleType, codec: Codec, data: bytes, error: type[DecodeError]
) -> None:
    for limits in (Limits(), Limits(elements=0, string_bytes=0, empty_elements=0)):
        with pytest.raises(error) as caught:
            codec(heaps, data, limits)
        assert type(caught.value) is error


# One budget through several decodes


@pytest.mark.parametrize("reader", [decode, reference_decode])
def test_a_budget_goes_through_several_decodes(heaps: ModuleType, reader: Any) -> None:
    data = words(3) + vector(words(2, 1), words(3) + vector(), words(1))
    budget = Limits(objects=7, elements=10, string_bytes=20, empty_elements=9).budget()
    reader(heaps.SCHEMA, data, limits=budget)
    assert (budget.objects, budget.elements, budget.string_bytes) == (4, 7, 20)
    reader(heaps.SCHEMA, data, limits=budget)
    assert (budget.objects, budget.elements) == (1, 4)
    with pytest.raises(LimitExceeded) as caught:
        reader(heaps.SCHEMA, data, limits=budget)
    assert (caught.value.got, caught.value.expected, caught.value.path) == (8, 7, "children[0]")
    assert (budget.objects, budget.elements) == (0, 1)  # what a failed decode has used stays used
    reader(heaps.SCHEMA, words(5) + string(b"abcde") + vector() + vector() + string(b"fg"), limits=budget)
    assert budget.string_bytes == 13
    with pytest.raises(LimitExceeded):
        reader(heaps.SCHEMA, words(0xF, 2), limits=budget)
    assert budget.elements == 1
    reader(heaps.SCHEMA, words(0xF, 1), limits=budget)
    assert (budget.elements, budget.empty_elements) == (0, 6)


def test_depth_is_that_of_each_decode(heaps: ModuleType) -> None:
    budget = Limits(depth=2).budget()
    for _ in range(3):
        decode(heaps.SCHEMA, words(2, 2, 1), limits=budget)
        with pytest.raises(LimitExceeded, match="nested deeper than 2"):
            decode(heaps.SCHEMA, words(2, 2, 2, 1), limits=budget)


@every_codec
def test_limits_are_a_new_budget_each_time(heaps: ModuleType, codec: Codec) -> None:
    limits = Limits(objects=1, elements=1)
    for _ in range(3):
        codec(heaps, words(2, 1), limits)
        codec(heaps, words(3) + vector(words(1)), limits)


def test_answers_are_charged_too(heaps: ModuleType) -> None:
    request, data = heaps.GetNodes(), vector(words(2, 1), words(2, 1))
    budget = Limits(objects=3, elements=4).budget()
    assert len(decode_result(request, data, limits=budget)) == 2
    assert (budget.objects, budget.elements) == (1, 2)
    with pytest.raises(LimitExceeded) as caught:
        decode_result(request, data, limits=budget)
    assert (caught.value.path, caught.value.offset, caught.value.got) == ("[1]", 20, 4)
    for limits in (Limits(elements=1), Limits(objects=1)):
        with pytest.raises(LimitExceeded):
            decode_result(request, data, limits=limits)
    assert len(decode_result(request, data, limits=Limits(elements=2, objects=2))) == 2


# Both codecs are of one mind, about every class

CLASSES = [
    pytest.param(cls, id=f"{schema.name}.{name}")
    for schema in (service.SCHEMA, api.SCHEMA)
    for name, cls in schema.by_name.items()
]
every_class = pytest.mark.parametrize("cls", CLASSES)
OWN = [combinator.name for combinator in Schema.parse(SCHEMA).combinators]


def tally(value: Any) -> dict[str, int]:
    """What an object comes to under each limit, counted over its values."""
    found = dict.fromkeys(NAMES[:5], 0)
    _tally_object(value, 0, found)
    return found


def _tally_object(value: Any, depth: int, found: dict[str, int]) -> None:
    fields = [(field.type, getattr(value, field.name)) for field in type(value).FIELDS]
    if any(_holds_objects(kind) for kind, _ in fields):
        depth += 1
        found["objects"] += 1
        found["depth"] = max(depth, found["depth"])
    for kind, item in fields:
        if item is not None:
            _tally(item, kind, depth, found)


def _tally(value: Any, kind: WireType, depth: int, found: dict[str, int]) -> None:
    if isinstance(kind, Vector | Repetition):
        size = kind.item.size if isinstance(kind, Vector) else kind.items.size
        found["elements"] += len(value)
        found["empty_elements"] += 0 if size else len(value)
        for element in value:
            if isinstance(kind, Vector):
                _tally(element, kind.item, depth, found)
                continue
            row = (element,) if len(kind.items) == 1 else element
            for field, part in zip(kind.items, row, strict=True):
                if part is not None:
                    _tally(part, field.type, depth, found)
    elif kind.name in ("string", "bytes"):
        found["string_bytes"] += len(value.encode() if isinstance(value, str) else value)
    elif isinstance(kind, Boxed | Bare):
        _tally_object(value, depth, found)


def _holds_objects(kind: WireType) -> bool:
    if isinstance(kind, Vector):
        return _holds_objects(kind.item)
    if isinstance(kind, Repetition):
        return any(_holds_objects(field.type) for field in kind.items)
    return isinstance(kind, Boxed | Bare)


def verdict(reader: Any, cls: Any, data: bytes, limits: Limits | Budget) -> object:
    """What a codec makes of `data`, in a form that can be compared."""
    try:
        value = reader(cls.SCHEMA, data, limits=limits)
    except DecodeError as error:
        return type(error), error.offset, error.path, error.got, error.expected
    assert bytes(value) == data
    return repr(value)


def judge_at_the_edges(cls: Any, data: st.DataObject) -> None:
    """Assert that limits near what a value takes let it through exactly if they are enough for it."""
    value = data.draw(values_of(cls))
    encoded, takes = bytes(value), tally(value)
    for name, number in takes.items():
        for limit in {max(0, number - 1), number}:
            limits = Limits(**{name: limit})
            expected = verdict(reference_decode, cls, encoded, limits)
            if number <= limit:
                assert expected == repr(value)
            else:
                assert isinstance(expected, tuple)
                error, _, _, got, most = expected
                assert (error, most) == (LimitExceeded, limit)
                assert limit < got <= number
            assert verdict(decode, cls, encoded, limits) == expected
            assert verdict(decode, cls, encoded, limits.budget()) == expected
    budget = Limits().budget()
    decode(cls.SCHEMA, encoded, limits=budget)
    for name in NAMES[1:5]:
        assert getattr(Limits(), name) - getattr(budget, name) == takes[name]


def judge_under_any(cls: Any, data: st.DataObject) -> None:
    """Assert that both codecs say the same of bytes, good or damaged, under limits drawn at random."""
    encoded = bytearray(bytes(data.draw(values_of(cls))))
    if data.draw(st.booleans()):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))
    few = st.integers(0, 9) | st.just(1000)
    limits = data.draw(st.builds(Limits, **dict.fromkeys(NAMES[:5], few)))
    expected = verdict(reference_decode, cls, bytes(encoded), limits)
    assert verdict(decode, cls, bytes(encoded), limits) == expected
    assert verdict(decode, cls, bytes(encoded), limits.budget()) == expected


@every_class
@settings(max_examples=6)
@given(data=st.data())
def test_limits_are_exact_for_every_class(cls: Any, data: st.DataObject) -> None:
    judge_at_the_edges(cls, data)


@every_class
@settings(max_examples=6)
@given(data=st.data())
def test_any_limits_are_judged_alike(cls: Any, data: st.DataObject) -> None:
    judge_under_any(cls, data)


@pytest.mark.parametrize("name", OWN)
@settings(max_examples=12)
@given(data=st.data())
def test_limits_of_rare_types_are_exact(heaps: ModuleType, name: str, data: st.DataObject) -> None:
    cls = heaps.SCHEMA.by_name[name]
    judge_at_the_edges(cls, data)
    judge_under_any(cls, data)


# Hostile bytes: refused at their header, whatever they promise

MANY = 10**6
HOSTILE: dict[str, tuple[bytes, str | None, type[DecodeError]]] = {
    "2^31-1 numbers": (words(4) + VECTOR + words(2**31 - 1) + bytes(64), None, InvalidCount),
    "2^31-1 objects": (words(3) + VECTOR + words(2**31 - 1) + words(1) * 16, None, InvalidCount),
    "2^31-1 strings": (words(5, 0) + VECTOR + words(2**31 - 1) + bytes(64), None, InvalidCount),
    "2^31-1 Bool": (words(0xC) + VECTOR + words(2**31 - 1) + BOOL_TRUE * 16, None, InvalidCount),
    "2^31-1 vectors": (words(0xD) + VECTOR + words(2**31 - 1) + vector() * 8, None, InvalidCount),
    "2^31-1 bare": (words(7, 2**31 - 1) + bytes(64), None, InvalidCount),
    "2^32-1 repetitions": (words(0xE, 2**32 - 1) + bytes(64), None, InvalidCount),
    "2^31-1 at the top": (VECTOR + words(2**31 - 1) + bytes(64), "Vector<long>", InvalidCount),
    "-1 numbers": (words(4) + VECTOR + words(-1) + bytes(64), None, InvalidCount),
    "-1 objects": (words(3) + VECTOR + words(-1) + words(1) * 16, None, InvalidCount),
    "-1 bare": (words(7, -1) + bytes(64), None, InvalidCount),
    "-1 of no bytes": (words(0x11) + VECTOR + words(-1), None, InvalidCount),
    "-1 at the top": (VECTOR + words(-1), "Vector<Node>", InvalidCount),
    "a string of 16 MiB": (words(5) + b"\xfe\xff\xff\xff" + bytes(64), None, UnexpectedEnd),
    "bytes of 16 MiB": (words(5, 0) + VECTOR + words(1) + b"\xfe\xff\xff\xff" + bytes(64), None, UnexpectedEnd),
    "10^5 levels of vectors": ((words(0x13) + VECTOR + words(1)) * 10**5 + words(0x14), None, LimitExceeded),
    "10^5 levels of objects": (words(2) * 10**5 + words(1), None, LimitExceeded),
    "10^5 levels of bare": (words(0xA) + words(2) * 10**5 + words(1, 1, 0), None, LimitExceeded),
    "10^6 of no bytes": (words(0x11) + VECTOR + words(MANY), None, LimitExceeded),
    "10^6 of no bytes, bare": (words(0x12, MANY), None, LimitExceeded),
    "10^6 of no bytes, repeated": (words(0xF, MANY), None, LimitExceeded),
    "2^31-1 of no bytes": (words(0x11) + VECTOR + words(2**31 - 1), None, LimitExceeded),
    "2^32-1 of no bytes": (words(0xF, 2**32 - 1), None, LimitExceeded),
    "2^20+1 elements": (words(4) + VECTOR + words(2**20 + 1) + bytes(4 * 2**20 + 4), None, LimitExceeded),
    "2^20+1 objects": (words(3) + VECTOR + words(2**20 + 1) + bytes(4 * 2**20 + 4), None, LimitExceeded),
}  # fmt: skip


def peak(call: Callable[[], object]) -> int:
    """The most memory that a call takes at once, in bytes."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def refusal(call: Callable[[], object]) -> DecodeError:
    try:
        call()
    except DecodeError as error:
        return error.with_traceback(None)
    raise AssertionError("it was not refused")


@pytest.mark.parametrize("is_budget", [False, True], ids=["limits", "budget"])
@pytest.mark.parametrize("reader", [decode, reference_decode], ids=["seam", "reference"])
@pytest.mark.parametrize(("data", "kind", "error"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_bytes_cost_little(
    heaps: ModuleType,
    reader: Any,
    data: bytes,
    kind: str | None,
    error: type[DecodeError],
    is_budget: bool,
) -> None:
    limits = Limits().budget() if is_budget else Limits()
    read = partial(refusal, partial(reader, heaps.SCHEMA, data, kind, limits=limits))
    assert type(read()) is error
    assert peak(read) < 2**20


@pytest.mark.parametrize("reader", [decode, reference_decode], ids=["seam", "reference"])
@pytest.mark.parametrize("size", [253, 2**21, 2**24 - 1])
def test_a_string_that_is_too_long_is_not_taken(heaps: ModuleType, reader: Any, size: int) -> None:
    data = words(5) + string(bytes(size)) + vector() + vector() + words(0)
    reader(heaps.SCHEMA, data, limits=Limits(string_bytes=size))
    read = partial(refusal, partial(reader, heaps.SCHEMA, data, limits=Limits(string_bytes=size - 1)))
    error = read()
    assert (type(error), error.offset, error.path, error.got) == (LimitExceeded, 4, "s", size)
    assert peak(read) < 2**20


def test_hostile_bytes_for_the_api_cost_little() -> None:
    nested = (words(0xF7444763) + VECTOR + words(1)) * 10**5 + words(0x3F6D7B68)
    for data, error in (
        (nested, LimitExceeded),
        (words(0xF7444763) + VECTOR + words(2**31 - 1) + words(0x3F6D7B68), InvalidCount),
        (words(0xF7444763) + VECTOR + words(-1) + words(0x3F6D7B68), InvalidCount),
        (words(0xB71E767A) + b"\xfe\xff\xff\xff" + bytes(16), UnexpectedEnd),
    ):
        for kind in (None, api.TypeJSONValue):
            read = partial(refusal, partial(api.decode, data, kind))
            assert type(read()) is error
            assert peak(read) < 2**20
