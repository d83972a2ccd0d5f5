"""The TL language: what a text means, what is wrong with one, and where."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from tests.schemas import schemas, spelled_schemas
from tl.ast import Combinator, Doc, FlagRef, Multiplicity, Parameter, TypeExpr, TypeRef
from tl.errors import SchemaError
from tl.parser import ParsedSchema, parse, parse_type
from tl.schema import Schema

SCHEMAS = Path(__file__).parents[2] / "schema"


def one(text: str) -> Combinator:
    """The only combinator of `text`."""
    (combinator,) = parse(text).combinators
    return combinator


# What a declaration says


def test_declaration() -> None:
    combinator = one("auth.sentCode#5e002502 flags:# hash:string timeout:flags.2?int = auth.SentCode;")
    assert combinator == Combinator(
        name="auth.sentCode",
        id=0x5E002502,
        implicit=(),
        parameters=(
            Parameter("flags", TypeRef("#")),
            Parameter("hash", TypeRef("string")),
            Parameter("timeout", TypeRef("int"), FlagRef("flags", 2)),
        ),
        result=TypeRef("auth.SentCode"),
    )
    assert combinator.namespace == "auth"
    assert not combinator.is_function
    assert not combinator.is_builtin


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = A;", None),
        ("a#0 = A;", 0),
        ("a#d91a548 = A;", 0x0D91A548),
        ("a#0D91A548 = A;", 0x0D91A548),
        ("a#ffffffff = A;", 0xFFFFFFFF),
    ],
)
def test_ids_have_one_to_eight_hex_digits(text: str, expected: int | None) -> None:
    assert one(text).id == expected


def test_sections_may_repeat() -> None:
    text = "a = A;\n---functions---\nb = A;\n--- types ---\nc = A;\n---  functions  ---\nd = A;\n---types---"
    assert [(c.name, c.is_function) for c in parse(text).combinators] == [
        ("a", False),
        ("b", True),
        ("c", False),
        ("d", True),
    ]


def test_comments_count_for_nothing() -> None:
    text = "// one\na // two; = B\n /* x:int\n * y:int */ = A; /**/ b /* / * */ = /*;*/ B;//= end"
    assert [str(c) for c in parse(text).combinators] == ["a = A;", "b = B;"]


@pytest.mark.parametrize("text", ["", " \t\r\n\f\v", "// only a comment", "/* and another */", "---types---"])
def test_nothing_is_a_schema_too(text: str) -> None:
    assert parse(text) == ParsedSchema((), None)


@pytest.mark.parametrize(
    ("text", "layer"),
    [
        ("// LAYER 228", 228),
        ("// LAYER 228\na = A;", 228),
        ("a = A;\n//LAYER  7\t\r\n", 7),
        ("// LAYER 1\n// LAYER 2", 2),
        ("// LAYER", None),
        ("// LAYER x", None),
        ("// LAYER 228 or so", None),
        ("// PLAYER 228", None),
        (f"// LAYER {'9' * 5000}", None),
    ],
)
def test_layer_comment(text: str, layer: int | None) -> None:
    assert parse(text).layer == layer


def test_builtin_declaration() -> None:
    combinator = one("int#a8509bda ? = Int;")
    assert combinator.is_builtin
    assert combinator.parameters == ()
    assert combinator.result == TypeRef("Int")
    assert str(combinator) == "int#a8509bda ? = Int;"


def test_implicit_parameters_and_the_vector_of_the_documents() -> None:
    combinator = one("vector#1cb5c415 {t:Type} # [ t ] = Vector t;")
    assert combinator.implicit == (Parameter("t", TypeRef("Type")),)
    assert combinator.parameters == (
        Parameter("", TypeRef("#")),
        Parameter("", Multiplicity(None, (Parameter("", TypeRef("t")),))),
    )
    assert combinator.result == TypeRef("Vector", (TypeRef("t"),))


def test_several_implicit_parameters() -> None:
    combinator = one("f {X:Type} {Y Z:Type} query:!X = X;")
    assert [p.name for p in combinator.implicit] == ["X", "Y", "Z"]
    assert combinator.parameters == (Parameter("query", TypeRef("X", generic=True)),)


def test_several_fields_of_one_type() -> None:
    assert one("point (x y z:double) name:string = Point;").parameters == (
        Parameter("x", TypeRef("double")),
        Parameter("y", TypeRef("double")),
        Parameter("z", TypeRef("double")),
        Parameter("name", TypeRef("string")),
    )


def test_fields_without_a_name() -> None:
    combinator = one("a _:int long (_ x:#) _:x.0?string _:x.1?true = A;")
    assert [p.name for p in combinator.parameters] == ["", "", "", "x", "", ""]
    assert [str(p) for p in combinator.parameters] == [
        *("int", "long", "#", "x:#"),
        *("_:x.0?string", "_:x.1?true"),  # without the `_` this would read `x . 0 ? string`
    ]
    assert one(str(combinator)) == combinator


def test_conditions_in_parentheses_as_the_documents_write_them() -> None:
    plain = one("user fields:# first_name:fields.0?string friends:fields.2?%Vector<int> = User;")
    assert one("user fields:# first_name:(fields.0?string) friends:(fields.2?%(Vector int)) = User;") == plain


def test_a_query_needs_no_declared_type_variable() -> None:
    old, declared = (
        "invokeWithLayer1#53835315 query:!X = X;",
        "invokeWithLayer1#53835315 {X:Type} query:!X = X;",
    )
    (combinator,) = parse(f"---functions--- {old}").combinators
    assert [combinator] == list(parse(f"---functions--- {declared}").combinators)
    assert combinator.computed_id == 0x53835315  # braces were lost in handing layers down, not in making ids


@pytest.mark.parametrize(
    "text",
    ["---functions--- f {Y:Type} query:!X = X;", "---functions--- f query:!X = Bool;", "a query:!X = X;"],
)
def test_any_other_type_variable_has_to_be_declared(text: str) -> None:
    with pytest.raises(SchemaError, match=r"'!X' is no type variable of this combinator"):
        Schema.parse(text)


def test_types_with_arguments_in_the_parentheses_of_fields() -> None:
    plain = one("a x:Map<int,long> y:Map<int,long> z:flags.1?Map<int,long> = A;")
    assert one("a (x y : Map int long) z:(flags.1? Map int long) = A;") == plain


def test_several_flag_words() -> None:
    first, _, second, last = one("a flags:# b:flags.31?true flags2:# c:flags2.0?Vector<int> = A;").parameters
    assert first == Parameter("flags", TypeRef("#"))
    assert second == Parameter("flags2", TypeRef("#"))
    assert last == Parameter("c", TypeRef("Vector", (TypeRef("int"),)), FlagRef("flags2", 0))


@pytest.mark.parametrize("name", ["type", "from", "long", "bytes", "self", "None", "a1", "Vector", "x_y_"])
def test_any_word_may_name_a_field(name: str) -> None:
    assert one(f"a {name}:int = A;").parameters == (Parameter(name, TypeRef("int")),)


INT = TypeRef("int")
ROW = Multiplicity("n", (Parameter("a", INT), Parameter("b", TypeRef("long"))))


@pytest.mark.parametrize(
    ("text", "expected", "normal"),
    [
        ("int", INT, "int"),
        ("#", TypeRef("#"), "#"),
        ("auth.SentCode", TypeRef("auth.SentCode"), "auth.SentCode"),
        ("Vector<int>", TypeRef("Vector", (INT,)), "Vector<int>"),
        ("vector int", TypeRef("vector", (INT,)), "vector<int>"),
        ("Vector Vector int", TypeRef("Vector", (TypeRef("Vector", (INT,)),)), "Vector<Vector<int>>"),
        ("vector<%Message>", TypeRef("vector", (TypeRef("Message", bare=True),)), "vector<%Message>"),
        ("%Vector<int>", TypeRef("Vector", (INT,), bare=True), "%Vector<int>"),
        ("Map<int, Vector long>", TypeRef("Map", (INT, TypeRef("Vector", (TypeRef("long"),)))), None),
        ("(int)", INT, "int"),
        ("(Map int (Vector long))", TypeRef("Map", (INT, TypeRef("Vector", (TypeRef("long"),)))), None),
        ("!X", TypeRef("X", generic=True), "!X"),
        ("%!X", TypeRef("X", bare=True, generic=True), "%!X"),
        ("4*[ int ]", Multiplicity(4, (Parameter("", INT),)), "4*[ int ]"),
        ("4*[int]", Multiplicity(4, (Parameter("", INT),)), "4*[ int ]"),
        ("[ int ]", Multiplicity(None, (Parameter("", INT),)), "[ int ]"),
        ("n*[ a:int b:long ]", ROW, "n*[ a:int b:long ]"),
        ("2*[ n*[ a:int b:long ] ]", Multiplicity(2, (Parameter("", ROW),)), None),
        ("2*[ f:# a:f.1?int ]", None, "2*[ f:# a:f.1?int ]"),
    ],
)
def test_type_expressions(text: str, expected: TypeExpr | None, normal: str | None) -> None:
    parsed = parse_type(text)
    if expected is not None:
        assert parsed == expected
    if normal is not None:
        assert str(parsed) == normal
    assert parse_type(str(parsed)) == parsed


@pytest.mark.parametrize("text", ["", "int int2:", "Vector<int", "int;", "a:int", "4*int", "n*[ int"])
def test_what_is_no_type_expression(text: str) -> None:
    with pytest.raises(SchemaError):
        parse_type(text)


def test_bareness() -> None:
    bare = [text for text in ("int", "auth.sentCode", "Auth.sentCode", "%Message", "#") if _is_bare(text)]
    boxed = [text for text in ("Message", "auth.SentCode", "Vector<int>") if not _is_bare(text)]
    assert (len(bare), len(boxed)) == (5, 3)


def _is_bare(text: str) -> bool:
    parsed = parse_type(text)
    assert isinstance(parsed, TypeRef)
    return parsed.is_bare


def test_nodes_know_where_they_begin() -> None:
    text = "\n a {X:Type} f:# x:f.0?Vector<int> 2*[ y:%(Vector B) ] z:!X = A;"
    (a,) = parse(text).combinators
    x, repetition, z = a.parameters[1:]
    assert isinstance(x.type, TypeRef)
    assert isinstance(repetition.type, Multiplicity)
    (y,) = repetition.type.items
    starts = {
        "a {X": a.start,
        "X:Type": a.implicit[0].start,
        "x:f": x.start,
        "Vector<": x.type.start,
        "int": x.type.arguments[0].start,
        "2*": repetition.type.start,
        "y:": y.start,
        "%": y.type.start,
        "z:": z.start,
        "!X": z.type.start,
        "A;": a.result.start,
    }
    assert starts == {word: text.index(word) for word in starts}
    assert repetition.start == repetition.type.start


# Layers in one text

SECRET = """\
a = A;
===8===
message#1 text:string = Message;
layer8 = Only;
// === 17 ===
message#2 text:string ttl:int = Message;
---functions---
send message:Message = A;
=== 45 ===
send to:long message:Message = A;
---types---
// ===46===
message#3 text:string ttl:int media:A = Message;
"""


@pytest.mark.parametrize(
    ("layer", "ids", "names"),
    [
        (None, [3], ["a", "layer8", "send", "message"]),
        (46, [3], ["a", "layer8", "send", "message"]),
        (144, [3], ["a", "layer8", "send", "message"]),
        (45, [2], ["a", "layer8", "message", "send"]),
        (44, [2], ["a", "layer8", "message", "send"]),
        (17, [2], ["a", "layer8", "message", "send"]),
        (16, [1], ["a", "message", "layer8"]),
        (8, [1], ["a", "message", "layer8"]),
    ],
)
def test_a_text_of_several_layers(layer: int | None, ids: list[int], names: list[str]) -> None:
    parsed = parse(SECRET, layer=layer)
    assert parsed.layers == (8, 17, 45, 46)
    assert parsed.layer == (46 if layer is None else layer)
    assert [c.name for c in parsed.combinators] == names
    assert [c.id for c in parsed.combinators if c.name == "message"] == ids
    for c in parsed.combinators:
        assert c.is_function == (c.name == "send")
        assert len(c.parameters) == (2 if c.name == "send" and parsed.layer >= 45 else len(c.parameters))
    schema = Schema.parse(SECRET, layer=layer)
    assert (schema.layers, schema.layer) == (parsed.layers, parsed.layer)
    assert Schema.parse(str(schema)) == schema


def test_marks_in_any_order() -> None:
    text = "===9=== a#9 = A; ===3=== a#3 = A; b = B; ===5=== a#5 = A;"
    for layer, expected in ((None, 9), (9, 9), (8, 5), (5, 5), (4, 3), (3, 3)):
        found = {c.name: c.id for c in parse(text, layer=layer).combinators}
        assert found == {"a": expected, "b": None}


@pytest.mark.parametrize(
    ("text", "layer", "message"),
    [
        (SECRET, 7, "the schema has no layer 7: its first is 8"),
        ("a = A;", 7, "the schema has no layer 7: no line such as '===7===' marks one"),
        ("a = A; // LAYER 8", 7, "the schema is of layer 8, not 7"),
    ],
)
def test_a_layer_that_is_not_there(text: str, layer: int, message: str) -> None:
    with pytest.raises(SchemaError) as caught:
        parse(text, layer=layer)
    assert caught.value.message == message


def test_a_layer_can_be_asked_for_by_its_comment_too() -> None:
    assert parse("a = A; // LAYER 8", layer=8).layer == 8


# Doc comments

DOCUMENTED = """\
//@description Sends a code
//- to the number given.
// An ordinary comment between them.
//@param phone_number In international form,
//-  with or without '+'.
//@param settings How
//@error 400 PHONE_NUMBER_INVALID The number
//- is none.
//@error 406 PHONE_NUMBER_BANNED
account.send phone_number:string settings:int = Bool;
plain = Bool;
"""


def test_doc_comments() -> None:
    documented, plain = parse(DOCUMENTED).combinators
    assert documented.doc == Doc(
        description="Sends a code to the number given.",
        parameters=(
            ("phone_number", "In international form, with or without '+'."),
            ("settings", "How"),
        ),
        errors=((400, "PHONE_NUMBER_INVALID", "The number is none."), (406, "PHONE_NUMBER_BANNED", "")),
    )
    assert plain.doc == Doc()
    assert not plain.doc


def test_doc_comments_in_tdlibs_form() -> None:
    text = (
        "//@description A user @id Its number @name What it is called @param_description What is said of it\n"
        "//@extra More\n//-of it\na id:int name:string description:string = A;"
    )
    assert one(text).doc == Doc(
        "A user",
        (
            ("id", "Its number"),
            ("name", "What it is called"),
            ("description", "What is said of it"),
            ("extra", "More of it"),
        ),
    )


def test_what_looks_like_a_tag_in_the_middle_of_a_text_is_text() -> None:
    text = (
        "//@description Ask @botfather, or a@b.c @name What it is called, as\n//- in @n @title or A@b\n"
        "a name:string = A;"
    )
    assert one(text).doc == Doc(
        "Ask @botfather, or a@b.c", (("name", "What it is called, as in @n @title or A@b"),)
    )


def test_descriptions_of_types_are_not_those_of_the_next_constructor() -> None:
    text = (
        "//@class Shape @description What has\n//- a form\n\n"
        "//@description A circle @class What kind\ncircle class:int = Shape;\nsquare = Shape;\n"
        "// @type What can be said.\n// @constructor A word.\n//   @param text Its letters\n"
        "word text:string = Speech;\n"
        "//@type Its kind @method How it is made\nsound type:int method:int = Speech;"
    )
    parsed = parse(text)
    assert parsed.type_docs == {"Shape": "What has a form", "Speech": "What can be said."}
    assert [c.doc for c in parsed.combinators] == [
        Doc("A circle", (("class", "What kind"),)),
        Doc(),
        Doc("A word.", (("text", "Its letters"),)),
        Doc("", (("type", "Its kind"), ("method", "How it is made"))),
    ]
    assert Schema.parse(text).type_docs == parsed.type_docs


@pytest.mark.parametrize("comment", ["// @someone said so", "/* //@description no */", "/// @description no"])
def test_comments_that_are_no_doc_comments(comment: str) -> None:
    assert not one(f"{comment}\na = A;").doc


def test_doc_comments_belong_to_what_follows_at_once() -> None:
    text = (
        "//@description lost\n---types---\n//- goes on with nothing\na = A;\n//@description of b\n\n\nb = B;"
    )
    assert [c.doc.description for c in parse(text).combinators] == ["", "of b"]


def test_docs_count_neither_for_equality_nor_for_the_id() -> None:
    plain, documented = one("a x:int = A;"), one("\n//@description x\na x:int = A;")
    assert plain == documented
    assert plain.computed_id == documented.computed_id
    assert (plain.line, documented.line) == (1, 3)


@pytest.mark.parametrize(
    "comment",
    [
        "//@",
        "//@error",
        "//@error x Y",
        "//@error ² Y",
        f"//@error {'9' * 5000} Y",
        "//@param",
        "//- x",
        "//-",
    ],
)
def test_odd_doc_comments_do_no_harm(comment: str) -> None:
    assert one(f"{comment}\na = A;").doc.errors == ()


# Properties


@pytest.mark.parametrize("file", ["mtproto.tl", "api.tl"])
def test_a_schema_prints_as_text_that_means_the_same(file: str) -> None:
    schema = Schema.read(SCHEMAS / file)
    text = str(schema)
    again = Schema.parse(text)
    assert again == schema
    assert str(again) == text
    assert "//@" not in text


@given(schemas())
def test_any_schema_prints_as_text_that_means_the_same(schema: Schema) -> None:
    assert Schema.parse(str(schema)) == schema


@given(spelled_schemas())
def test_any_spelling_of_a_schema_means_the_same(spelled: tuple[Schema, str]) -> None:
    schema, text = spelled
    assert Schema.parse(text) == schema
