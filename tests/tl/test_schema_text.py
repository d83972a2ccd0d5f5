"""A schema written with its docs is read as the same schema with the same docs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.schemas import schemas
from tl.ast import Doc
from tl.schema import Schema
from tl.schema_text import schema_text

SCHEMAS = Path(__file__).parents[2] / "schema"
SCHEMA = """\
---types---

//@class A @description What all of it is.
//@description One of them, with words enough to be more than a line of it can take in.
//@param x A number.
a#1 x:int = A;

b = A;

---functions---

//@description Does it.
//@error 400 X_INVALID Not this x.
//@error 420 FLOOD_WAIT_X
f#ab {X:Type} x:!X = X;

// LAYER 5
"""


def test_the_text() -> None:
    assert schema_text(Schema.parse(SCHEMA)) == SCHEMA


def test_long_lines_go_on_in_others() -> None:
    lines = schema_text(Schema.parse(SCHEMA), width=40).splitlines()
    assert lines[2:8] == [
        "//@class A @description What all of it",
        "//- is.",
        "//@description One of them, with words",
        "//- enough to be more than a line of it",
        "//- can take in.",
        "//@param x A number.",
    ]


def test_without_docs_there_are_no_empty_lines() -> None:
    text = "a#1 = A; b = A; ---functions--- f = A; ---types--- c = C;"
    assert schema_text(Schema.parse(text)) == (
        "---types---\n\na#1 = A;\nb = A;\n\n---functions---\n\nf = A;\n\n---types---\n\nc = C;\n"
    )
    assert schema_text(Schema([])) == ""


def test_a_line_break_in_a_description_begins_no_declaration() -> None:
    (combinator,) = Schema.parse("a = A;").combinators
    text = schema_text(Schema([replace(combinator, doc=Doc("x\nb = B;"))]))
    assert Schema.parse(text).combinators == (combinator,)


@pytest.mark.parametrize("file", ["api.tl", "mtproto.tl"])
def test_our_schemas(file: str) -> None:
    schema = Schema.read(SCHEMAS / file)
    again = Schema.parse(schema_text(schema))
    assert again == schema
    assert [c.doc for c in again.combinators] == [c.doc for c in schema.combinators]


_WORDS = st.sampled_from(("of", "@it", "@", "a@description", "-", "//", "*/", ";", "=", "x" * 50, "é"))
_TEXTS = st.lists(st.tuples(_WORDS, st.sampled_from((" ", "  ", "\t", " \t "))), max_size=9).map(
    lambda parts: "".join(word + space for word, space in parts).strip()
)
_NAMES = st.sampled_from(("x", "description", "param", "class", "@"))
_PARAMETERS = st.lists(st.tuples(_NAMES, _TEXTS), max_size=2).map(tuple)
_ERRORS = st.lists(st.tuples(st.integers(0, 999), _NAMES, _TEXTS), max_size=2).map(tuple)
_DOCS = st.builds(Doc, _TEXTS, _PARAMETERS, _ERRORS)


@st.composite
def documented(draw: DrawFn) -> Schema:
    schema = draw(schemas())
    made = Schema([replace(c, doc=draw(_DOCS)) for c in schema.declarations], schema.layer)
    made.type_docs = draw(st.dictionaries(st.sampled_from(("Foo", "Bar", "a.Baz", "Bool")), _TEXTS))
    return made


@given(documented(), st.integers(10, 120))
def test_any_docs_are_read_again(schema: Schema, width: int) -> None:
    again = Schema.parse(schema_text(schema, width=width))
    assert again == schema
    assert [c.doc for c in again.declarations] == [c.doc for c in schema.declarations]
    assert again.type_docs == (schema.type_docs if schema.declarations else {})
