"""Several schemas as one: what they say alike is said once, what they say differently is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.schemas import schemas
from tl.errors import SchemaError
from tl.excerpt import excerpt
from tl.merge import merge
from tl.schema import Schema

SCHEMAS = Path(__file__).parents[2] / "schema"


def merged(*texts: str, layer: int | None = None) -> Schema:
    return merge([Schema.parse(text) for text in texts], layer=layer)


def problems(*texts: str) -> list[str]:
    with pytest.raises(SchemaError) as caught:
        merge([Schema.parse(text) for text in texts], names=("a.tl", "b.tl", "c.tl")[: len(texts)])
    return [error.message for error in caught.value.errors]


def test_all_is_there_once_in_the_order_of_its_first_place() -> None:
    both = merged(
        "b#1 = B; a#2 x:B = A; ---functions--- f#3 = A;", "---types--- a#2 x:B = A; b#1 = B; c#4 y:A = A;"
    )
    assert [c.name for c in both.combinators] == ["b", "a", "f", "c"]
    assert [c.name for c in both.types["A"]] == ["a", "c"]


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("a x:int = A;", "a#a2c1ee72 x:int = A;"),
        ("a x:Vector<int> = A;", "a x:(Vector int) = A;"),
        ("a#1 x:int53 = A;", "a#1 x:long = A;"),
        ("int ? = Int; a x:int = A;", "a x:int = A;"),
        ("vector {t:Type} # [ t ] = Vector t; a = A;", "vector#1cb5c415 {t:Type} # [ t ] = Vector t; a = A;"),
        ("int128 4*[ int ] = Int128; a = A;", "int128 ? = Int128; a = A;"),
    ],
)
def test_other_spellings_are_the_same(text: str, other: str) -> None:
    if "#a2c1ee72" in other:
        other = other.replace("a2c1ee72", f"{Schema.parse(text).combinators[0].computed_id:08x}")
    for texts in ((text, other), (other, text)):
        both = merged(*texts)
        (combinator,) = both.combinators
        assert combinator.constructor_id == Schema.parse(text).combinators[0].constructor_id


def test_an_id_that_only_one_declares_is_declared() -> None:
    (combinator,) = merged(
        "a = A;", f"a#{Schema.parse('a = A;').combinators[0].computed_id:08x} = A;"
    ).declarations
    assert combinator.id == combinator.computed_id


@pytest.mark.parametrize(
    ("layers", "given", "expected"),
    [((5, 7, None), None, 7), ((None, None), None, None), ((5, 7), 3, 3), ((), None, None), ((), 3, 3)],
)
def test_layers(layers: tuple[int | None, ...], given: int | None, expected: int | None) -> None:
    assert merge([Schema((), layer) for layer in layers], layer=given).layer == expected


def test_docs_are_put_together() -> None:
    both = merged(
        "//@class B @description Of the first.\n//@param x First.\n//@error 400 A One.\na x:int y:int = A;",
        "//@class A @description All.\n//@class B @description Of the second.\n"
        "//@description It.\n//@param x Second.\n//@param y Third.\n"
        "//@error 400 A Two.\n//@error 500 A Three.\na x:int y:int = A;",
    )
    doc = both.by_name["a"].doc
    assert doc.description == "It."
    assert doc.parameters == (("x", "First."), ("y", "Third."))
    assert doc.errors == ((400, "A", "One."), (500, "A", "Three."))
    assert both.type_docs == {"A": "All.", "B": "Of the first."}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (
            "a#1 = A;",
            "\na#2 = A;",
            "a (b.tl, line 2) contradicts a (a.tl, line 1): the id is 00000002, not 00000001",
        ),
        (
            "a#1 = A;",
            "a#1 = B;",
            "a (b.tl, line 1) contradicts a (a.tl, line 1): the result type is B, not A",
        ),
        (
            "a#1 x:int y:int = A;",
            "a#1 x:int y:long = A;",
            "a (b.tl, line 1) contradicts a (a.tl, line 1): field 2 is y:long, not y:int",
        ),
        (
            "a#1 x:int = A;",
            "a#1 x:int y:long = A;",
            "a (b.tl, line 1) contradicts a (a.tl, line 1): field 2 is y:long, not nothing",
        ),
        (
            "---functions--- a#1 = Bool;",
            "a#1 = Bool2;",
            "a (b.tl, line 1) contradicts a (a.tl, line 1): a constructor, not a function",
        ),
        ("a#1 = A;", "b#1 = B;", "b (b.tl, line 1) has the id 00000001 of a (a.tl, line 1)"),
        (
            "---functions--- a#1 = Bool;",
            "---functions--- b#1 = Bool;",
            "b (b.tl, line 1) has the id 00000001 of a (a.tl, line 1)",
        ),
        (
            "a#1 = A;",
            "---functions--- b#1 = Bool;",
            "b (b.tl, line 1) has the id 00000001 of a (a.tl, line 1)",
        ),
        (
            "a#1 = A; b#2 x:%A = B;",
            "c#3 = A;",
            "b (a.tl, line 1): x: %A has 2 constructors, a bare type has one",
        ),
        (
            "a_b#1 = AB; b#2 x:aB = B;",
            "\naB#3 = C;",
            "b (a.tl, line 1) would get another meaning by the other schemas: field 1 is x:aB, not x:%AB",
        ),
        (
            "int53 = Int53; a#1 x:int53 = A;",
            "int53#2 x:int = Int53;",
            "int53 (b.tl, line 1) contradicts int53 (a.tl, line 1): one is a combinator, the other only names a "
            "built-in type",
        ),
    ],
)
def test_contradictions(first: str, second: str, expected: str) -> None:
    assert problems(first, second) == [expected]


def test_all_contradictions_are_told() -> None:
    assert (
        len(problems("a#1 = A; b#2 = A;", "a#1 = B; b#2 = B;", "c#3 = A; d#3 = A;".replace("d#3", "d#4")))
        == 2
    )
    assert len(problems("a#1 = A;", "b#1 = B;", "c#1 = C;")) == 2
    pair = "---functions--- a#1 = Bool; b#1 x:int = Bool;"
    assert problems(pair, "---functions--- c#1 y:int = Bool;") == [
        "c (b.tl, line 1) has the id 00000001 of a (a.tl, line 1)"
    ]


def test_schemas_without_names_are_numbered() -> None:
    with pytest.raises(SchemaError, match=r"a \(schema 2, line 1\) contradicts a \(old.tl, line 1\)"):
        merge([Schema.parse("a#1 = A;"), Schema.parse("a#2 = A;")], names=["old.tl"])


def test_functions_that_share_an_id_in_one_schema_may() -> None:
    pair = "---functions--- a#1 = Bool; b#1 x:int = Bool;"
    assert len(merged(pair, "c#2 = C;", pair).combinators) == 3
    assert len(merged("---functions--- a#1 = Bool;", pair).combinators) == 2


@given(schemas())
def test_of_one_schema(schema: Schema) -> None:
    assert merge([schema]) == merge([schema, schema]) == schema


@given(schemas(), st.data())
def test_parts_of_a_schema_fit_together(schema: Schema, data: st.DataObject) -> None:
    assume(not schema.shared_ids)
    names = [c.name for c in schema.declarations]
    parts = [data.draw(st.lists(st.sampled_from(names), unique=True)) for _ in range(2)]
    both = merge([excerpt(schema, part) for part in parts])
    whole = excerpt(schema, [*parts[0], *parts[1]])
    assert {c.name: c for c in both.declarations} == {c.name: c for c in whole.declarations}
    assert both.layer == schema.layer


def test_both_of_our_schemas() -> None:
    service, api = Schema.read(SCHEMAS / "mtproto.tl"), Schema.read(SCHEMAS / "api.tl")
    both = merge([service, api])
    assert both.layer == 228
    assert len(both.combinators) == len(service.combinators) + len(api.combinators)
    assert both.by_name["user"].doc
