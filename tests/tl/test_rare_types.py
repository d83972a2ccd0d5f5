"""What Telegram's API has no use for, and TL has all the same: repetitions, bare types, names of any kind."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import values_of
from tests.tl.helpers import load_package, refused
from tl import DecodeError, InvalidCount, LimitExceeded, Limits, Schema, UnexpectedEnd, decode
from tl.reference import reference_decode, reference_encode

SCHEMA = """\
int128Of#1 4*[ int ] = Int128Of;
listOf#2 # [ string ] = ListOf;
listsOf#3 # [ int ] # [ long ] = ListsOf;
rows#4 n:# rows:n*[ a:int b:long ] tail:int = Rows;
maybe#5 flags:# n:# rows:flags.0?n*[ int ] fixed:flags.1?2*[ int ] = Maybe;
nested#6 grid:2*[ 3*[ int ] ] lists:2*[ n:# items:n*[ bytes ] ] = Nested;
flagged#7 rows:2*[ flags:# a:flags.0?true b:flags.1?int c:string ] = Flagged;
vectors#8 a:Vector<2*[ int ]> b:Vector<Vector<Vector<int>>> c:vector<vector<string>> = Vectors;
empty#9 n:# rows:n*[ true ] = Empty;
salt#a since:int salt:long = Salt;
salts#b a:vector<salt> b:Vector<%Salt> c:%Salt d:salt e:vector<Salt> f:%Vector<Salt> = Salts;
dots#c x:a.salt y:%a.Salt = Dots;
a.salt#d x:int = a.Salt;
tree#e children:vector<%Tree> = Tree;
chain#f flags:# next:flags.0?%Chain = Chain;
boolTrue = Bool;
boolFalse = Bool;
bools#11 flags:# a:Bool b:flags.0?Bool c:Vector<Bool> d:vector<Bool> e:flags.1?Vector<Bool> = Bools;
anything#12 a:Object b:Vector<Object> = Anything;
names#13 self:int from:int type:int bytes:int None:int int:int list:int data:int pos:int depth:int
    obj:int = Names;
more#14 flags:# str:string n:bytes end:flags.0?string value:flags.1?bytes cls:flags.2?Bool
    dict:Vector<int> TYPE:int = More;
taken#15 TL:int TL_NAME:string CONSTRUCTOR_ID:bytes SCHEMA:Bool RESULT:int FIELDS:int self_:int self:int
    class:int = Taken;
none#16 object:true isinstance:int len:int any:int = None;
far.member#19 = Far;
member#1a = near.Far;
root.member#1b x:Far y:near.Far = near.Far;
---functions---
class#17 import:int lambda:Salt = Bool;
new.object#18 x:near.Far = Vector<Far>;
"""
NAMES = [combinator.name for combinator in Schema.parse(SCHEMA).combinators]
every_class = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def rare(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return load_package(SCHEMA, tmp_path_factory.mktemp("rare"), "rare")


def both_ways(value: Any, body: str) -> None:
    """Assert that both codecs write `value` as its id and `body`, and read it back."""
    data = value.CONSTRUCTOR_ID.to_bytes(4, "little") + bytes.fromhex(body)
    assert bytes(value) == data
    assert reference_encode(value) == data
    assert decode(value.SCHEMA, data) == value
    assert reference_decode(value.SCHEMA, data) == value


@every_class
@settings(max_examples=25)
@given(data=st.data())
def test_round_trip(rare: ModuleType, name: str, data: st.DataObject) -> None:
    cls = rare.SCHEMA.by_name[name]
    value = data.draw(values_of(cls))
    encoded = bytes(value)
    assert reference_encode(value) == encoded
    for codec in (decode, reference_decode):
        again = codec(rare.SCHEMA, encoded)
        assert again == value
        assert repr(again) == repr(value)
        assert bytes(again) == encoded
    size = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(DecodeError):
        decode(rare.SCHEMA, encoded[:size])


# Repetitions: the elements one after the other, and nothing else


def test_repetitions(rare: ModuleType) -> None:
    both_ways(rare.Int128Of(field0=[1, 2, 3, -1]), "01000000 02000000 03000000 ffffffff")
    both_ways(rare.ListOf(field0=2, field1=["a", ""]), "02000000 01610000 00000000")
    both_ways(rare.ListOf(field0=0, field1=[]), "00000000")
    both_ways(
        rare.ListsOf(field0=1, field1=[7], field2=2, field3=[8, 9]),
        "01000000 07000000 02000000 0800000000000000 0900000000000000",
    )
    both_ways(
        rare.Rows(n=2, rows=[(1, 2), (3, 4)], tail=5),
        "02000000 01000000 0200000000000000 03000000 0400000000000000 05000000",
    )


def test_repetitions_under_flags(rare: ModuleType) -> None:
    both_ways(rare.Maybe(n=1), "00000000 01000000")
    both_ways(rare.Maybe(n=1, rows=[5]), "01000000 01000000 05000000")
    both_ways(rare.Maybe(n=0, rows=[], fixed=[6, 7]), "03000000 00000000 06000000 07000000")


def test_repetitions_in_repetitions(rare: ModuleType) -> None:
    value = rare.Nested(grid=[[1, 2, 3], [4, 5, 6]], lists=[(1, [b"a"]), (0, [])])
    body = "01000000 02000000 03000000 04000000 05000000 06000000 01000000 01610000 00000000"
    both_ways(value, body)
    both_ways(
        rare.Flagged(rows=[(0, True, None, "x"), (4, False, 5, "")]),
        "01000000 01780000 06000000 05000000 00000000",
    )
    both_ways(
        rare.Vectors(a=[[1, 2]], b=[[], [[3]]], c=[["x"]]),
        "15c4b51c 01000000 01000000 02000000"
        "15c4b51c 02000000 15c4b51c 00000000 15c4b51c 01000000 15c4b51c 01000000 03000000"
        "01000000 01000000 01780000",
    )


def test_repetitions_that_do_not_fit(rare: ModuleType) -> None:
    cases = [
        (rare.Int128Of(field0=[1, 2, 3]), "field0", "got 3 elements, expected 4"),
        (rare.Int128Of(field0=5), "field0", "got int 5, expected a list for 4*[ int ]"),
        (rare.Int128Of(field0=[1, 2, 3, "4"]), "field0[3].field0", "got str '4', expected an int for int"),
        (rare.ListOf(field0=2, field1=["a"]), "field1", "got 1 elements, expected 2"),
        (rare.ListOf(field0=2, field1=None), "field1", "missing, expected [ string ]"),
        (rare.ListOf(field0=None, field1=[]), "field0", "missing, expected #"),
        (rare.Rows(n=1, rows=[1], tail=0), "rows[0]", "got int 1, expected a tuple of 2"),
        (rare.Rows(n=1, rows=[(1, 2, 3)], tail=0), "rows[0]", "got tuple (1, 2, 3), expected a tuple of 2"),
        (rare.Rows(n=1, rows=[(1, None)], tail=0), "rows[0].b", "missing, expected long"),
        (rare.Vectors(a=[[1]], b=[], c=[]), "a[0]", "got 1 elements, expected 2"),
    ]
    for value, path, message in cases:
        error = refused(value)
        assert (error.path, error.message) == (path, message)


@pytest.mark.parametrize(
    ("data", "error", "offset", "path"),
    [
        ("01000000 01000000 02000000 03000000", InvalidCount, 4, "field0"),
        ("02000000 ffffffff 00000000", InvalidCount, 8, "field1"),
        ("02000000 01000000 03616200", None, 0, ""),
        ("02000000 01000000 04616263", UnexpectedEnd, 9, "field1[0].field0"),
        ("04000000 02000000 01000000 0200000000000000 05000000", InvalidCount, 8, "rows"),
        ("09000000 01040000", LimitExceeded, 8, "rows"),
        ("09000000 ffffffff", LimitExceeded, 8, "rows"),
        ("06000000 01000000 02000000 03000000 04000000 05000000", InvalidCount, 4, "grid"),
    ],
)
def test_repetitions_that_the_bytes_do_not_hold(
    rare: ModuleType, data: str, error: type[DecodeError] | None, offset: int, path: str
) -> None:
    if error is None:
        assert decode(rare.SCHEMA, bytes.fromhex(data)) is not None
        return
    with pytest.raises(error) as caught:
        decode(rare.SCHEMA, bytes.fromhex(data))
    assert type(caught.value) is error
    assert (caught.value.offset, caught.value.path) == (offset, path)


def test_repetitions_of_nothing_are_limited(rare: ModuleType) -> None:
    data = bytes.fromhex("09000000 03000000")
    assert decode(rare.SCHEMA, data) == rare.Empty(n=3, rows=[True] * 3)
    with pytest.raises(LimitExceeded):
        decode(rare.SCHEMA, data, limits=Limits(empty_elements=2))


# Bare types: the fields without the constructor id


def test_bare_types(rare: ModuleType) -> None:
    salt = rare.Salt(since=1, salt=2)
    bare, boxed = "01000000 0200000000000000", "0a000000 01000000 0200000000000000"
    both_ways(
        rare.Salts(a=[salt, salt], b=[salt], c=salt, d=salt, e=[salt], f=[salt]),
        f"02000000 {bare} {bare} 15c4b51c 01000000 {bare} {bare} {bare} 01000000 {boxed} 01000000 {boxed}",
    )
    both_ways(rare.Dots(x=rare.a.Salt(x=1), y=rare.a.Salt(x=2)), "01000000 02000000")


def test_bare_types_that_do_not_fit(rare: ModuleType) -> None:
    salt = rare.Salt(since=1, salt=2)
    error = refused(rare.Salts(a=[salt, 5], b=[], c=salt, d=salt, e=[], f=[]))
    assert (error.path, error.message) == ("a[1]", "got int 5, expected salt")
    error = refused(rare.Salts(a=[], b=[], c=rare.a.Salt(x=1), d=salt, e=[], f=[]))
    assert (error.path, error.message) == ("c", "got Salt a.Salt(x=1), expected salt")
    error = refused(rare.Salts(a=[], b=[], c=rare.Salt(since=1, salt=None), d=salt, e=[], f=[]))
    assert (error.path, error.message) == ("c.salt", "missing, expected long")
    with pytest.raises(InvalidCount, match="got count 2, the 12 bytes left hold at most 1"):
        rare.decode(bytes.fromhex("0b000000 02000000") + bytes(12))


def test_bare_types_nest_no_deeper_than_others(rare: ModuleType) -> None:
    for level, end, head in ((b"\1\0\0\0", b"\0\0\0\0", b"\x0e"), (b"\1\0\0\0", b"\0\0\0\0", b"\x0f")):
        data = head + bytes(3) + level * 63 + end
        assert bytes(rare.decode(data)) == data
        for levels in (64, 10**5):
            with pytest.raises(LimitExceeded, match="nested deeper than 64"):
                rare.decode(head + bytes(3) + level * levels + end)


# Bool is built in, even where a schema declares it


def test_bool_is_a_bool_everywhere(rare: ModuleType) -> None:
    yes, no = "b5757299", "379779bc"
    both_ways(
        rare.Bools(a=True, b=False, c=[True, False], d=[True], e=[]),
        f"03000000 {yes} {no} 15c4b51c 02000000 {yes} {no} 01000000 {yes} 15c4b51c 00000000",
    )
    value = rare.decode(bytes.fromhex(f"11000000 00000000 {yes} 15c4b51c 01000000 {no} 01000000 {no}"))
    assert (value.a, value.b, value.c, value.d, value.e) == (True, None, [False], [False], None)
    error = refused(rare.Bools(a=True, c=[rare.BoolTrue()], d=[]))
    assert (error.path, error.message) == ("c[0]", "got BoolTrue BoolTrue(), expected a bool")
    assert rare.decode(bytes.fromhex(no), "Bool") is False
    assert rare.decode(bytes.fromhex("15c4b51c 01000000" + no), "Vector<Bool>") == [False]
    # Where any object may stand there is no other way to tell it.
    both_ways(rare.Anything(a=rare.BoolTrue(), b=[rare.BoolFalse()]), f"{yes} 15c4b51c 01000000 {no}")


# Names


def test_hostile_field_names(rare: ModuleType) -> None:
    names = ("self_", "from_", "type", "bytes", "None_", "int", "list", "data", "pos", "depth", "obj")
    assert tuple(field.name for field in rare.Names.FIELDS) == names
    value = rare.Names(**{name: index for index, name in enumerate(names)})
    both_ways(value, "".join(f"{index:02x}000000" for index in range(len(names))))
    assert value.from_ == 1
    error = refused(rare.Names(**dict.fromkeys(names[:-1], 0), obj="x"))
    assert error.path == "obj"
    value.from_ = None
    assert refused(value).path == "from"
    both_ways(
        rare.More(str="x", n=b"y", end="z", value=b"", cls=True, dict=[1], TYPE_=2),
        "07000000 01780000 01790000 017a0000 00000000 b5757299 15c4b51c 01000000 01000000 02000000",
    )


def test_names_that_are_taken(rare: ModuleType) -> None:
    assert [field.name for field in rare.Taken.FIELDS] == [
        *("TL_", "TL_NAME_", "CONSTRUCTOR_ID_", "SCHEMA_", "RESULT_", "FIELDS_", "self_", "self__", "class_"),
    ]
    assert [field.tl_name for field in rare.Taken.FIELDS][-3:] == ["self_", "self", "class"]
    assert (rare.Taken.TL_NAME, rare.Taken.CONSTRUCTOR_ID) == ("taken", 0x15)
    assert rare.None_.TYPE == "None"
    assert rare.Class.RESULT == "Bool"
    assert rare.Class(import_=1, lambda_=rare.Salt(since=1, salt=2)).import_ == 1


def test_types_whose_constructors_are_all_over_the_place(rare: ModuleType) -> None:
    assert rare.TypeFar is rare.far.Member
    assert rare.near.TypeFar == rare.Member | rare.root_.Member
    request = rare.new_.Object(x=rare.root_.Member(x=rare.far.Member(), y=rare.Member()))
    both_ways(request, "1b000000 19000000 1a000000")
    assert rare.decode(b"\x1a\0\0\0", rare.near.TypeFar) == rare.Member()


def test_long_names(tmp_path: Path) -> None:
    name = "a" * 300
    package = load_package(f"{name}#1 x:int {name}:int = Foo;", tmp_path, "long_names")
    cls = package.SCHEMA.by_name[name]
    assert [field.name for field in cls.FIELDS] == ["x", name]
    both_ways(cls(**{"x": 1, name: 2}), "01000000 02000000")


def test_elements_of_no_bytes_are_counted_over_the_whole_value(tmp_path: Path) -> None:
    nest = load_package("nest#11223344 rows:Vector<vector<true>> = Nest;", tmp_path, "nest")

    def data(rows: int, each: int) -> bytes:
        head = bytes.fromhex("4433221115c4b51c") + rows.to_bytes(4, "little")
        return head + each.to_bytes(4, "little") * rows

    assert len(nest.decode(data(4, 256)).rows) == 4
    with pytest.raises(LimitExceeded) as caught:
        nest.decode(data(5, 256))
    assert (caught.value.got, caught.value.path, caught.value.offset) == (1280, "rows[4]", 28)


def test_no_times_itself(tmp_path: Path) -> None:
    package = load_package("a#11223344 x:0*[ a ] = A;", tmp_path, "no_times")
    value = package.A(x=[])
    assert bytes(value) == reference_encode(value) == bytes.fromhex("44332211")
    for codec in (decode, reference_decode):
        assert codec(package.SCHEMA, bytes.fromhex("44332211")) == value
    assert repr(value) == "A(x=[])"
