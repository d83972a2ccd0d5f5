"""A schema as a whole: what its references resolve to, and what is wrong where they don't."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from zlib import crc32

import pytest

import tl
from tl.errors import IdMismatchWarning, SchemaError
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
ENDLESS = "1: {}: {} is bare and always there, and contains {}: such a value has no end"
BOOL = "1: Bool is built in, expected boolFalse#bc799737 or boolTrue#997275b5"
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


def test_functions_may_share_an_id_and_constructors_may_not() -> None:
    schema = Schema.parse(
        "a#1 = A;\n---functions---\nb#1 = A;\nc#2 = A;\n---types---\nd#2 = D;\n---functions---\ne#3 = A;\nf#2 = A;"
    )
    shared = {number: [c.name for c in sharing] for number, sharing in schema.shared_ids.items()}
    assert shared == {1: ["a", "b"], 2: ["d", "c", "f"]}
    assert {number: c.name for number, c in schema.by_id.items()} == {1: "b", 2: "f", 3: "e"}
    assert problems("a#1 = A;\n---functions---\nb#1 = A;\n---types---\nc#1 = A;") == [
        "5: c has the id 00000001 of a, line 1"
    ]
    assert Schema.parse("a#1 = A; b#2 = B;").shared_ids == {}


def test_what_a_registry_takes_a_shared_id_for() -> None:
    text = "a#1 = A;\n---functions---\nb#1 = A;\nc#2 = A;\nd#2 = A;\n---types---\ne#2 = E;"
    schema, registry = Schema.parse(text), tl.load(text).SCHEMA
    for number, combinator in schema.by_id.items():
        cls = registry.find(number)
        assert cls is not None
        assert combinator.name == cls.TL_NAME


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a#1 = A;\nb#2 = B;\na#3 = A;", ["3: a is declared twice, first on line 1"]),
        ("a#1 = A;\n---functions---\na#2 = A;", ["3: a is declared twice, first on line 1"]),
        ("a#1 = A;\nb#1 = A;", ["2: b has the id 00000001 of a, line 1"]),
        (f"a = A;\nb#{A_ID:08x} = B;", [f"2: b has the id {A_ID:08x} of a, line 1"]),
        ("a x:int y:long x:int = A;", ["1: a: the field x is there twice"]),
        ("a x:Nope = A;", ["1: a: x: unknown type 'Nope'"]),
        ("a x:nope = A;", ["1: a: x: unknown type 'nope'"]),
        ("a x:%Nope = A;", ["1: a: x: unknown type 'Nope'"]),
        ("a x:Vector<Vector<auth.Nope>> = A;", ["1: a: x: unknown type 'auth.Nope'"]),
        ("a x:2*[ y:3*[ Nope ] ] = A;", ["1: a: x: y: unknown type 'Nope'"]),
        ("a x:Type = A;", ["1: a: x: unknown type 'Type'"]),
        ("a x:Int = A;", ["1: a: x: unknown type 'Int', did you mean 'int'?"]),
        ("boolTrue = Bool;\na x:bool = A;", ["2: a: x: unknown type 'bool', did you mean 'Bool'?"]),
        (
            "a_b x:AB = AC; c x:aB y:n.aB = C;",
            [
                f"1: {name}: x: unknown type '{got}', did you mean '{similar}'?"
                for name, got, similar in (("a_b", "AB", "a_b"), ("c", "aB", "a_b"))
            ]
            + ["1: c: y: unknown type 'n.aB'"],
        ),
        ("a_bc = ABc;\nb x:A_bc y:aBc = B;", ["2: b: x: unknown type 'A_bc', did you mean 'ABc'?"]),
        (
            "float ? = Float;\na x:float = A;",
            ["2: a: x: unknown type 'float': it is declared as built in, but no codec knows it"],
        ),
        (
            "a {n:#} x:int = A;",
            [
                "1: a: the type variable n is of kind #, expected Type: MTProto has no types that depend on values"
            ],
        ),
        ("a x:Tuple<int> = A;", ["1: a: x: unknown type 'Tuple'"]),
        ("A = B;\nb x:A = B;", ["2: b: x: unknown type 'A'"]),
        ("---functions---\nf x:f = Bool;", ["2: f: x: unknown type 'f'"]),
        ("---functions---\nf = Nope;", ["2: f: unknown type 'Nope'"]),
        ("---functions---\nf = X;", ["2: f: unknown type 'X'"]),
        ("---functions---\nf x:!X = Bool;", ["2: f: x: '!X' is no type variable of this combinator"]),
        ("---functions---\nf {X:Type} x:!Y = X;", ["2: f: x: '!Y' is no type variable of this combinator"]),
        ("a x:Vector = A;", ["1: a: x: Vector takes 1 argument(s), got 0"]),
        ("a x:Vector y:int = A;", ["1: a: x: Vector takes 1 argument(s), got 0"]),
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
        ("a n:# x:2*[ y:n*[ int ] ] = A;", [NO_COUNT.replace("x:", "x: y:") + " in the same repetition"]),
        (
            "a f:# x:2*[ y:f.0?int ] = A;",
            [
                "1: a: x: y depends on f, expected a '#' field before it in the repetition that is always there"
            ],
        ),
        ("a x:a = A;", [ENDLESS.format("a", "a", "a")]),
        ("a x:%A = A;", [ENDLESS.format("a", "a", "a")]),
        ("a x:2*[ y:a ] = A;", [ENDLESS.format("a", "a", "a")]),
        (
            "a x:int y:b = A; b x:%C = B; c x:a = C; d x:a = D;",
            [ENDLESS.format("a", "b", "a"), ENDLESS.format("b", "c", "b"), ENDLESS.format("c", "a", "c")],
        ),
        ("int x:string = Foo;", ["1: int is built in, expected the result type Int, got Foo"]),
        (
            "vector#12345678 {t:Type} # [ t ] = Vector t;",
            ["1: vector is built in with the id 1cb5c415, got 12345678"],
        ),
        ("true x:int = True;", ["1: true is built in and has no fields"]),
        ("boolTrue#1 = Bool;", [BOOL]),
        ("yes = Bool;", [BOOL]),
        ("boolTrue x:int = Bool;", [BOOL]),
        ("list = Vector;", ["1: Vector is built in and has no other constructors"]),
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
        "a f:# x:f.0?a y:vector<a> n:# z:n*[ a ] = A;",
        "a x:0*[ a ] = A;",
        "int ? = Int; int = Int; long#1 ? = Long; vector#1cb5c415 {X:Type} (n:#) [ X ] = Vector X;",
        "bytes data:string = Bytes; int128 long long = Int128; int256 8*[ int ] = Int256;",
        "boolTrue = Bool; boolFalse#bc799737 = Bool; true#3fedd339 = True;",
        "float ? = Float; a x:int = Int;",
        "a = Object; ---functions--- f {X:Type} a:int x:!X = X; g = Vector<int>; h = int;",
        "x.y.z a:x.y.Z = x.y.Z;",
    ],
)
def test_what_holds_together(text: str) -> None:
    assert Schema.parse(text).declarations


def test_bare_types_nest_no_deeper_than_types_do() -> None:
    def chain(length: int) -> str:
        return "".join(f"a{i} x:a{i + 1} = A{i};\n" for i in range(length)) + f"a{length} = End;"

    assert len(Schema.parse(chain(64)).combinators) == 65
    for length in (65, 5_000):
        assert problems(chain(length)) == [
            f"{length - 64}: a{length - 65}: bare types nest in each other deeper than 64"
        ]


def test_all_that_is_wrong_at_once() -> None:
    text = "a#1 x:Nope = A;\r\nb#1 y:Vector = A;\n\n  c x:A\n    z:f.0?Nope = C;\na = A;"
    with pytest.raises(SchemaError) as caught:
        Schema.parse(text)
    assert str(caught.value) == (
        "1:7: a: x: unknown type 'Nope'\n"
        "    a#1 x:Nope = A;\n"
        "          ^\n"
        "2:1: b has the id 00000001 of a, line 1\n"
        "    b#1 y:Vector = A;\n"
        "    ^\n"
        "2:7: b: y: Vector takes 1 argument(s), got 0\n"
        "    b#1 y:Vector = A;\n"
        "          ^\n"
        "5:5: c: z depends on f, expected a '#' field before it that is always there\n"
        "        z:f.0?Nope = C;\n"
        "        ^\n"
        "5:11: c: z: unknown type 'Nope'\n"
        "        z:f.0?Nope = C;\n"
        "              ^\n"
        "6:1: a is declared twice, first on line 1\n"
        "    a = A;\n"
        "    ^"
    )


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a x:int y:Vector<Vector<Nope>> = A;", "Nope"),
        ("a x:2*[ y:2*[ z:Nope ] ] = A;", "Nope"),
        ("a x:%B = A;", "%B"),
        ("a x:!B = A;", "!B"),
        ("a\n  x:int\n  = b;", "b;"),
        ("b = B; a x:int n:n*[ int ] = A;", "n*["),
        ("a x:int [ int ] = A;", "[ int"),
        ("a {T:Int} = A;", "T:Int"),
        ("a x:int xy:int x:int = A;", "x:int ="),
        ("a xy:int x:f.0?int = A;", "x:f"),
        ("a xy:int x:a = A;", "a = A"),
        ("aa xa:int = AA; a y:int = A; a x:long = A;", "a x:long"),
        ("---functions---\nf = Vector<Nope>;", "Nope"),
    ],
)
def test_errors_point_to_what_is_wrong(text: str, word: str) -> None:
    with pytest.raises(SchemaError) as caught:
        Schema.parse(text)
    before = text[: text.index(word)]
    assert caught.value.line == before.count("\n") + 1
    assert caught.value.column == len(before.rpartition("\n")[2]) + 1
    assert caught.value.text == text.split("\n")[caught.value.line - 1]


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert Schema.parse("\ufeffa = A;") == Schema.parse("a = A;")
    with pytest.raises(SchemaError) as caught:
        Schema.parse("\ufeffa x:Nope = A;")
    assert (caught.value.column, caught.value.text) == (5, "a x:Nope = A;")
    with pytest.raises(SchemaError, match=r"got '\\ufeff', expected the name") as caught:
        Schema.parse("\ufeff\ufeffa = A;")  # one of them, no more
    assert caught.value.column == 1


@pytest.mark.parametrize("between", ["\n", " "])
def test_many_errors_take_no_long_time(between: str) -> None:
    count = 10_000
    assert len(problems(between.join(f"f{i} x:Nope = F;" for i in range(count)))) == count


def test_errors_are_not_without_end() -> None:
    found = problems("".join(f"f{i} x:Nope = F;\n" for i in range(10_001)))
    assert len(found) == 10_001
    assert found[-2:] == ["10000: f9999: x: unknown type 'Nope'", "0: there is more: 10000 errors are listed"]


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


def test_line_ends_of_any_system(tmp_path: Path) -> None:
    for end in ("\n", "\r\n", "\r"):
        path = tmp_path / "a.tl"
        path.write_bytes(f"// one{end}a = A;{end}// two{end}b x:Nope = B;{end}".encode())
        with pytest.raises(SchemaError) as caught:
            Schema.read(path)
        assert (caught.value.line, caught.value.column, caught.value.text) == (4, 5, "b x:Nope = B;")


# Other names of built-in types


def combinators(text: str) -> list[str]:
    """The combinators that get classes, as text without ids."""
    return [re.sub("#[0-9a-f]{8}", "", str(c)) for c in Schema.parse(text).combinators]


def test_other_names_of_builtin_types() -> None:
    text = (
        "a i:int32 j:int53 l:int64 s:secureString b:secureBytes o:object v:vector<int53> = A;\n"
        "b f:# x:f.0?int64 y:2*[ z:int32 ] = B;\n"
        "---functions---\nf = Vector<int64>;\n"
    )
    expected = [
        "a i:int j:long l:long s:string b:bytes o:Object v:vector<long> = A;",
        "b f:# x:f.0?long y:2*[ z:int ] = B;",
        "f = Vector<long>;",
    ]
    assert combinators(text) == expected
    declared = (
        "int32 = Int32; int53 ? = Int53; int64 = Int64; secureString = SecureString; object ? = Object;"
    )
    assert combinators(f"{declared}\n{text}") == expected


def test_any_function_as_a_type() -> None:
    text = (
        "function ? = Function; a f:function v:Vector<Function> = A;"
        "---functions--- with {X:Type} x:!X f:Function = X;"
    )
    assert combinators(text) == [
        "a {Function:Type} f:!Function v:Vector<!Function> = A;",
        "with {X:Type} {Function:Type} x:!X f:!Function = X;",
    ]
    assert problems("---functions---\nf = Function;") == ["2: f: unknown type 'Function'"]


def test_ids_follow_from_what_was_declared() -> None:
    schema = Schema.parse("a x:int53 = A; b#2 y:int64 = B;")
    assert [c.constructor_id for c in schema.combinators] == [crc32(b"a x:int53 = A"), 2]
    assert [str(mismatch) for mismatch in schema.id_mismatches] == [
        f"1: b: declared id 00000002, its text gives {crc32(b'b y:int64 = B'):08x}"
    ]
    assert "a x:int53 = A;" in str(schema)


@pytest.mark.parametrize(
    "text",
    [
        "int64 high:int low:int = Int64; a x:int64 = A;",
        "int64 = Wide; a x:int64 = A;",
        "object x:int = object.Thing; a x:object = A;",
        "f = Function; g = Function; a x:Function = A;",
        "aB = AB; a x:aB = A;",
        "b = AB; c = AB; aB = D; a x:aB = A;",
    ],
)
def test_a_schemas_own_names_come_first(text: str) -> None:
    assert Schema.parse(text).combinators == Schema.parse(text).declarations


def test_a_type_of_one_constructor_is_bare_by_its_lower_case_name_too() -> None:
    text = "future_salt salt:long = FutureSalt; n.one = n.One;\nsalts x:vector<futureSalt> y:n.one = Salts;"
    assert combinators(text)[2] == "salts x:vector<%FutureSalt> y:n.one = Salts;"
    assert problems(f"{text} other = FutureSalt;") == [
        "2: salts: x: unknown type 'futureSalt', did you mean 'future_salt'?"
    ]


def test_a_request_that_is_never_answered() -> None:
    assert combinators(
        "---functions---\nx {X:Type} query:!X at:int64 = X;\nhttp_wait max:int64 = HttpWait;"
    ) == [
        "x {X:Type} query:!X at:long = X;",  # a type variable is no type of its own
        "http_wait max:long = Object;",
    ]
    assert combinators("---functions---\nhttp_wait max:int = HttpWait;\nn.pingDelay = PingDelay;") == [
        "http_wait max:int = Object;",
        "n.pingDelay = Object;",
    ]
    (wait,) = Schema.parse("---functions--- http_wait max:int64 = HttpWait;").combinators
    assert wait.constructor_id == crc32(b"http_wait max:int64 = HttpWait")
    assert problems("---functions---\nhttp_wait = HttpWaits;") == ["2: http_wait: unknown type 'HttpWaits'"]
    assert combinators("http = HttpWait; ---functions--- http_wait = HttpWait;")[1] == "http_wait = HttpWait;"


# Ids that do not follow from the text

ODD_IDS = "a#1 = A;\nb = B;\n\n  n.c#2 x:int = C; d#2 = D;\nint#3 ? = Int;"


def test_strict_ids() -> None:
    assert Schema.parse(f"a#{A_ID:08x} = A;\nb = B;", strict_ids=True).id_mismatches == ()
    with pytest.raises(SchemaError) as caught:
        Schema.parse(ODD_IDS, strict_ids=True)
    computed = [crc32(text) for text in (b"a = A", b"n.c x:int = C", b"d = D", b"int ? = Int")]
    assert str(caught.value).split("\n") == [
        f"1:2: a: declared id 00000001, its text gives {computed[0]:08x}",
        "    a#1 = A;",
        "     ^",
        f"4:6: n.c: declared id 00000002, its text gives {computed[1]:08x}",
        "      n.c#2 x:int = C; d#2 = D;",
        "         ^",
        "4:20: d has the id 00000002 of n.c, line 4",
        "      n.c#2 x:int = C; d#2 = D;",
        "                       ^",
        f"4:21: d: declared id 00000002, its text gives {computed[2]:08x}",
        "      n.c#2 x:int = C; d#2 = D;",
        "                        ^",
        f"5:4: int: declared id 00000003, its text gives {computed[3]:08x}",
        "    int#3 ? = Int;",
        "       ^",
    ]


def test_strict_ids_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.tl"
    path.write_text("a#1 = A;")
    assert Schema.read(path).by_id[1].name == "a"
    with pytest.raises(SchemaError, match="its text gives"):
        Schema.read(path, strict_ids=True)


def test_a_warning_names_all_of_them() -> None:
    schema = Schema.parse("a#1 = A;\nb = B;\nc#3 = C;")
    with pytest.warns(IdMismatchWarning) as caught:
        schema.warn_of_mismatches("my.tl")
    (warning,) = caught
    first, second = schema.id_mismatches
    assert warning.filename == __file__
    assert str(warning.message) == (
        f"my.tl: constructor ids that do not follow from the text:\n    {first}\n    {second}"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Schema.parse("a = A;").warn_of_mismatches()
