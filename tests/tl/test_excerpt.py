"""Excerpts of schemas: closed, in order, with their docs; `schema/api.tl` is one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.schemas import schemas
from tl.errors import SchemaError
from tl.excerpt import excerpt
from tl.merge import merge
from tl.schema import Schema
from tl.schema_text import schema_text

SCHEMAS = Path(__file__).parents[2] / "schema"
FULL_SCHEMAS = Path(__file__).parents[2].parent / "shared" / "schemas"

SCHEMA = """\
int ? = Int;
vector#1cb5c415 {t:Type} # [ t ] = Vector t;
boolTrue = Bool; boolFalse = Bool;
true#3fedd339 = True;
//@class User @description Who.
//@description No user.
noUser#1 = User;
//@description A user.
//@param id Its id.
user#2 flags:# self:flags.0?true id:long photo:flags.1?Photo = User;
photo#3 sizes:Vector<vector<size>> any:Object = Photo;
size#4 w:int h:2*[ a:int64 b:auth.Code ] = Size;
auth.code#5 = auth.Code;
//@class File @description What is not reached.
file#6 x:%Page = File;
page#7 = Page;
---functions---
//@description Gets users.
//@error 400 ID_INVALID None.
getUsers#8 id:Vector<Bool> = Vector<User>;
wrap#9 {X:Type} query:!X = X;
send#a file:File = Bool;
---types---
late#b = Photo;
// LAYER 7
"""


def names_of(*wanted: str) -> list[str]:
    return [c.name for c in excerpt(Schema.parse(SCHEMA), wanted).declarations]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("auth.code", "auth.code"),
        ("auth.Code", "auth.code"),
        ("page", "page"),
        ("file", "file page"),
        ("size", "int size auth.code"),
        ("Photo", "int vector size auth.code photo late"),
        ("late", "int vector size auth.code photo late"),
        ("noUser", "int vector true noUser user photo size auth.code late"),
        ("getUsers", "int vector boolTrue boolFalse true noUser user photo size auth.code getUsers late"),
        ("wrap", "wrap"),
        ("send", "boolTrue boolFalse file page send"),
        ("wrap page wrap", "page wrap"),
        ("Bool", "boolTrue boolFalse"),
        ("int", "int"),
        ("", ""),
    ],
)
def test_what_is_needed(wanted: str, expected: str) -> None:
    found = names_of(*wanted.split())
    order = [c.name for c in Schema.parse(SCHEMA).declarations]
    assert set(found) == set(expected.split())
    assert found == sorted(found, key=order.index)


def test_other_names_of_types_mean_what_they_meant() -> None:
    """``futureSalt`` is ``%FutureSalt``, as long as that has one constructor."""
    text = "future_salt#1 x:int53 = FutureSalt; salts#2 salts:vector<futureSalt> = Salts; other#3 = Other;"
    part = excerpt(Schema.parse(text), ["salts"])
    assert [c.name for c in part.combinators] == ["future_salt", "salts"]
    assert str(part.by_name["salts"]) == "salts#00000002 salts:vector<%FutureSalt> = Salts;"


def test_a_type_variable_is_no_type() -> None:
    schema = Schema.parse("x#1 = X; ---functions--- wrap#2 {X:Type} query:!X = X;")
    assert [c.name for c in excerpt(schema, ["wrap"]).combinators] == ["wrap"]


def test_docs_layer_and_ids_are_kept() -> None:
    part = excerpt(Schema.parse(SCHEMA), ["getUsers"])
    assert part.layer == 7
    assert part.type_docs == {"User": "Who."}
    assert part.by_name["user"].doc.parameters == (("id", "Its id."),)
    assert part.by_name["getUsers"].doc.errors == ((400, "ID_INVALID", "None."),)
    assert part.by_name["getUsers"].constructor_id == 8


def test_unknown_names_are_all_told_with_what_is_near() -> None:
    with pytest.raises(SchemaError) as caught:
        excerpt(Schema.parse(SCHEMA), ["user", "GetUsers", "Code", "usr", "pagee", "zzz", "zzz", "x" * 200])
    assert [error.message for error in caught.value.errors] == [
        "the schema has no combinator or type 'GetUsers', did you mean 'getUsers'?",
        "the schema has no combinator or type 'Code', did you mean 'auth.code' or 'auth.Code'?",
        "the schema has no combinator or type 'usr', did you mean 'user'?",
        "the schema has no combinator or type 'pagee', did you mean 'page'?",
        "the schema has no combinator or type 'zzz'",
        f"the schema has no combinator or type '{'x' * 60}…'",
    ]


def test_many_unknown_names_take_no_long_time() -> None:
    schema = Schema.parse("".join(f"combinator{i}#{i:x} = A;" for i in range(2000)))
    with pytest.raises(SchemaError) as caught:
        excerpt(schema, [f"kombinator{i}" for i in range(2000)])
    assert len(caught.value.errors) == 2000
    assert sum("did you mean" in error.message for error in caught.value.errors) == 20


@given(schemas(), st.data())
def test_any_excerpt_is_closed(schema: Schema, data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from([c.name for c in schema.declarations]), unique=True))
    part = excerpt(schema, names)
    assert {c.name for c in part.declarations} >= set(names)
    for name, constructors in part.types.items():
        assert constructors == schema.types[name]
    for combinator in part.combinators:
        assert combinator == schema.by_name[combinator.name]
    assert excerpt(part, names) == part
    assert excerpt(schema, [c.name for c in schema.declarations]) == schema


@given(schemas(), st.data())
def test_nothing_in_an_excerpt_can_be_left_out(schema: Schema, data: st.DataObject) -> None:
    name = data.draw(
        st.sampled_from([c.name for c in schema.combinators] or [c.name for c in schema.declarations])
    )
    part = excerpt(schema, [name])
    for left_out in part.declarations:
        rest = [c for c in part.declarations if c is not left_out]
        siblings = [c for c in rest if c.result.name == left_out.result.name and not c.is_function]
        if left_out.name == name or left_out.result.name in ("Bool", "True") or siblings:
            continue
        if left_out.name not in schema.by_name:
            continue  # it only restates a built-in type
        with pytest.raises(SchemaError):
            Schema(rest)


# schema/api.tl


@pytest.mark.skipif(not FULL_SCHEMAS.is_dir(), reason=f"the full schemas are not at {FULL_SCHEMAS}")
def test_the_schema_of_the_api_is_an_excerpt_of_the_layer() -> None:
    ours, full = Schema.read(SCHEMAS / "api.tl"), Schema.read(FULL_SCHEMAS / "api.tl")
    functions = [c.name for c in ours.functions]
    made = excerpt(full, functions)
    assert (len(functions), len(made.combinators), made.layer) == (12, 110, 228)
    assert made == ours
    # The docs are our own: put together with the whole layer, they make the file again.
    text = (SCHEMAS / "api.tl").read_text("utf-8")
    assert text.endswith("\n\n" + schema_text(excerpt(merge([full, ours]), functions)))


def test_the_schema_of_the_api_is_closed() -> None:
    ours = Schema.read(SCHEMAS / "api.tl")
    assert excerpt(ours, [c.name for c in ours.functions]) == ours
