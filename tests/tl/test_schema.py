"""A schema as a whole: what its references resolve to, and what is wrong where they don't."""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import pytest

from tl.errors import SchemaError
from tl.schema import Schema

GOOD = """\
// LAYER 7
int ? = Int;
vector#1cb5c415 {t:Type} # [ t ] = Vector t;
user#1 id:int = User;
noUser#2 = User;
auth.code#3 flags:# user:flags.0?User codes:flags.1?Vector<bytes> = auth.Code;
---functions---
getUser#1 id:int = User;
wrap {X:Type} query:!X = X;
getCodes = Vector<auth.Code>;
"""

A_ID = crc32(b"a = A")
NO_FLAGS = "1: a: x depends on flags, expected a '#' field before it that is always there"
NO_COUNT = "1: a: x: a repetition by 'n', expected a number or a '#' field before it"
OPEN_RESULT = "1: a: the result type {} is open: MTProto has no such constructor but vector"


def problems(text: str) -> list[str]:
    """``line:message`` for everything that is wrong with the schema `text`."""
    with pytest.raises(SchemaError) as caught:
        Schema.parse(text)
    return [f"{error.line}: {error.message}" for error in caught.value.errors]


def test_indexes() -> None:
    schema = Schema.parse(GOOD)
    assert schema.layer == 7
    assert [c.name for c in schema.constructors] == ["user", "noUser", "auth.code"]
    assert [c.name for c in schema.functions] == ["getUser", "wrap", "getCodes"]
    assert schema.combinators == schema.constructors + schema.functions
    assert [c.name for c in schema.declarations][:2] == ["int", "vector"]
    assert schema.by_name["auth.code"].id == 3
    assert {name: [c.name for c in cs] for name, cs in schema.types.items()} == {
        "User": ["user", "noUser"],
        "auth.Code": ["auth.code"],
    }
    assert schema.by_id[2] is schema.by_name["noUser"]
    assert schema.by_id[schema.by_name["wrap"].computed_id] is schema.by_name["wrap"]


def test_equality_and_text() -> None:
    schema = Schema.parse(GOOD)
    assert schema == Schema.parse(GOOD.replace("\n", "\n\n// more\n"))
    assert schema != Schema.parse(GOOD.replace("LAYER 7", "LAYER 8"))
    assert schema != Schema.parse(GOOD.replace("noUser#2", "noUser#4"))
    assert schema != GOOD
    assert str(schema).splitlines()[-1] == "// LAYER 7"
    assert str(schema).count("---functions---") == 1


def test_a_constructor_and_a_function_may_share_an_id() -> None:
    assert Schema.parse("a#1 = A; ---functions--- b#1 = A;").id_mismatches[0].declared == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a#1 = A;\nb#2 = B;\na#3 = A;", ["3: a is declared twice, first on line 1"]),
        ("a#1 = A;\n---functions---\na#2 = A;", ["3: a is declared twice, first on line 1"]),
        ("a#1 = A;\nb#1 = A;", ["2: b has the id 00000001 of a, line 1"]),
        (f"a = A;\nb#{A_ID:08x} = B;", [f"2: b has the id {A_ID:08x} of a, line 1"]),
        ("---functions---\na#a = Bool;\nb#a = Bool;", ["3: b has the id 0000000a of a, line 2"]),
        ("a x:int y:long x:int = A;", ["1: a: the field x is there twice"]),
        ("a x:Nope = A;", ["1: a: x: unknown type 'Nope'"]),
        ("a x:nope = A;", ["1: a: x: unknown type 'nope'"]),
        ("a x:%Nope = A;", ["1: a: x: unknown type 'Nope'"]),
        ("a x:Vector<Vector<auth.Nope>> = A;", ["1: a: x: unknown type 'auth.Nope'"]),
        ("a x:2*[ y:3*[ Nope ] ] = A;", ["1: a: unknown type 'Nope'"]),
        ("a x:Type = A;", ["1: a: x: unknown type 'Type'"]),
        ("a x:Int = A;", ["1: a: x: unknown type 'Int'"]),
        ("A = B;\nb x:A = B;", ["2: b: x: unknown type 'A'"]),
        ("---functions---\nf x:f = Bool;", ["2: f: x: unknown type 'f'"]),
        ("---functions---\nf = Nope;", ["2: f: unknown type 'Nope'"]),
        ("---functions---\nf = X;", ["2: f: unknown type 'X'"]),
        ("---functions---\nf x:!X = Bool;", ["2: f: x: '!X' is no type variable of this combinator"]),
        ("---functions---\nf {X:Type} x:!Y = X;", ["2: f: x: '!Y' is no type variable of this combinator"]),
        ("a x:Vector = A;", ["1: a: x: Vector takes 1 argument(s), got 0"]),
        ("a x:Vector<int,int> = A;", ["1: a: x: Vector takes 1 argument(s), got 2"]),
        ("a x:int<long> = A;", ["1: a: x: int takes 0 argument(s), got 1"]),
        ("a x:A<int> = A;", ["1: a: x: A takes 0 argument(s), got 1"]),
        ("a x:%int = A;", ["1: a: x: %int has no bare form"]),
        ("a x:%Bool = A;", ["1: a: x: %Bool has no bare form"]),
        ("a x:flags.0?int = A;", [NO_FLAGS]),
        ("a x:flags.0?int flags:# = A;", [NO_FLAGS]),
        ("a flags:int x:flags.0?int = A;", [NO_FLAGS]),
        ("a f:# flags:f.0?# x:flags.0?int = A;", [NO_FLAGS]),
        ("a f:# x:f.0?Nope = A;", ["1: a: x: unknown type 'Nope'"]),
        ("a x:n*[ int ] = A;", [NO_COUNT]),
        (
            "a [ int ] = A;",
            ["1: a: a repetition without a count, expected a number or a '#' field before it"],
        ),
        ("a n:# x:Vector<n*[ int ]> = A;", [NO_COUNT]),
        ("a n:# x:2*[ y:n*[ int ] ] = A;", [NO_COUNT.replace("x:", "y:")]),
        ("a = A;\nb = A;\nc x:%A = C;", ["3: c: x: %A has 2 constructors, a bare type has one"]),
        ("a = a;", ["1: a: the result type a is not a boxed type: expected a capital letter"]),
        ("a = %A;", ["1: a: the result type %A is not a boxed type: expected a capital letter"]),
        ("a {X:Type} x:X = Pair X;", [OPEN_RESULT.format("Pair<X>")]),
        ("a {X:Type} x:X = X;", [OPEN_RESULT.format("X")]),
    ],
)
def test_what_does_not_hold_together(text: str, expected: list[str]) -> None:
    assert problems(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "a x:%B = A; b = B;",
        "a x:b y:vector<b> z:Vector<%B> = A; b = B;",
        "a x:%b = A; b = B; c = B;",
        "a x:Object y:true z:Bool = A;",
        "a n:# x:n*[ m:# y:m*[ int ] z:m.0?long ] = A;",
        "a # [ int ] # [ long ] = A;",
        "a x:3*[ int ] y:Vector<2*[ int ]> z:2*[ 2*[ int ] ] = A;",
        "a x:A = A;",
        "a x:Vector<%A> = A;",
        "a = Object; ---functions--- f {X:Type} a:int x:!X = X; g = Vector<int>; h = int;",
        "x.y.z a:x.y.Z = x.y.Z;",
    ],
)
def test_what_holds_together(text: str) -> None:
    assert Schema.parse(text).combinators


def test_all_that_is_wrong_at_once() -> None:
    text = "a#1 x:Nope = A;\r\nb#1 y:Vector = A;\n\n  c x:A z:f.0?Nope = C;\na = A;"
    with pytest.raises(SchemaError) as caught:
        Schema.parse(text)
    assert str(caught.value) == (
        "1:1: a: x: unknown type 'Nope'\n"
        "    a#1 x:Nope = A;\n"
        "    ^\n"
        "2:1: b has the id 00000001 of a, line 1\n"
        "    b#1 y:Vector = A;\n"
        "    ^\n"
        "2:1: b: y: Vector takes 1 argument(s), got 0\n"
        "    b#1 y:Vector = A;\n"
        "    ^\n"
        "4:3: c: z depends on f, expected a '#' field before it that is always there\n"
        "      c x:A z:f.0?Nope = C;\n"
        "      ^\n"
        "4:3: c: z: unknown type 'Nope'\n"
        "      c x:A z:f.0?Nope = C;\n"
        "      ^\n"
        "5:1: a is declared twice, first on line 1\n"
        "    a = A;\n"
        "    ^"
    )


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert Schema.parse("\ufeffa = A;") == Schema.parse("a = A;")
    with pytest.raises(SchemaError) as caught:
        Schema.parse("\ufeffa x:Nope = A;")
    assert (caught.value.column, caught.value.text) == (1, "a x:Nope = A;")
    with pytest.raises(SchemaError, match=r"got '\\ufeff', expected the name") as caught:
        Schema.parse("\ufeff\ufeffa = A;")  # one of them, no more
    assert caught.value.column == 1


def test_errors_point_to_a_name_and_not_to_a_part_of_one() -> None:
    with pytest.raises(SchemaError) as caught:
        Schema.parse("x.ab ab:int = Ab; b y:Nope = B;")
    assert caught.value.column == 19


def test_many_errors_take_no_long_time() -> None:
    count = 10_000
    assert len(problems("".join(f"f{i} x:Nope = F;\n" for i in range(count)))) == count


def test_errors_of_a_schema_made_of_combinators_have_no_text() -> None:
    combinators = Schema.parse("a#1 = A; b#2 = B;").combinators
    with pytest.raises(SchemaError) as caught:
        Schema([*combinators, combinators[0]])
    assert (caught.value.line, caught.value.text) == (1, "")
    assert str(caught.value) == "1:1: a is declared twice, first on line 1"


def test_reading_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.tl"
    path.write_bytes("//@description é\na = A;".encode())
    assert Schema.read(path).combinators[0].doc.description == "é"
    assert Schema.read(str(path)) == Schema.read(path)
    path.write_bytes(b"\xef\xbb\xbfa = A;")
    assert Schema.read(path) == Schema.parse("a = A;")
    path.write_bytes(b"a = A; // \xff")
    with pytest.raises(SchemaError, match="is not UTF-8: invalid start byte at byte 10"):
        Schema.read(path)
    with pytest.raises(FileNotFoundError):
        Schema.read(tmp_path / "b.tl")
