"""Schemas as they might have been edited: pairs of an old and a new one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.strategies import heights_of
from tl.ast import Combinator, FlagRef, Multiplicity, Parameter, TypeExpr, TypeRef
from tl.errors import SchemaError
from tl.loader import load
from tl.schema import Schema

__all__ = ["edited_schemas"]

_BASE = """\
one#1 x:int y:int = T;
two#2 flags:# s:string a:flags.0?true b:flags.1?int c:flags.2?one = T;
leaf#3 n:long = Leaf;
item#4 flags:# leaf:Leaf t:flags.0?T b:flags.1?Vector<bytes> = Item;
list#5 flags:# items:Vector<Item> n:# rows:n*[ a:int b:long ] any:flags.4?Object = List;
rest#6 flags:# flags2:# x:flags2.0?int y:flags.0?int z:flags2.1?true = List;
boolTrue = Bool; boolFalse = Bool;
---functions---
get#11 flags:# id:Vector<int> hash:flags.0?long = Vector<T>;
set#12 item:Item to:Bool = Bool;
find#13 flags:# q:string exact:flags.3?true = List;
"""
_INT = TypeRef("int")
_KINDS: Sequence[TypeExpr] = [
    *map(
        TypeRef, ("int", "long", "string", "bytes", "Bool", "T", "Leaf", "Item", "one", "Object", "true", "#")
    ),
    *(TypeRef("Vector", (TypeRef(name),)) for name in ("int", "string", "bytes", "T")),
    TypeRef("Leaf", bare=True),
    TypeRef("vector", (TypeRef("leaf"),)),
    Multiplicity(2, (Parameter("a", _INT),)),
]
_FIELDS = ("x", "y", "a", "b", "n", "fresh", "flags", "flags2", "s")
_COMBINATORS = ("one", "leaf", "item", "fresh", "other", "spare")
_TYPES = ("T", "Leaf", "Item", "List", "U", "V")


@st.composite
def edited_schemas(draw: DrawFn) -> tuple[Schema, Schema]:
    """An old schema, and a new one made from it by a few edits; most keep the ids that there were."""
    old = _after_edits(draw, Schema.parse(_BASE), draw(st.integers(0, 2)))
    return old, _after_edits(draw, old, draw(st.integers(1, 4)))


def _after_edits(draw: DrawFn, schema: Schema, count: int) -> Schema:
    for _ in range(count):
        declarations = list(schema.declarations)
        draw(st.sampled_from(_EDITS))(draw, declarations)
        try:
            edited = Schema(declarations)
            if edited.shared_ids or math.inf in heights_of(load(edited).SCHEMA).values():
                continue  # what a body is depends on where it stands; or something has no values
        except SchemaError:
            continue  # it does not hold together
        schema = edited
    return schema


def _place(draw: DrawFn, items: Sequence[object]) -> int:
    return draw(st.integers(0, len(items) - 1))


# Fields


def _edit_fields(draw: DrawFn, declarations: list[Combinator]) -> None:
    place = _place(draw, declarations)
    fields = list(declarations[place].parameters)
    edit = draw(st.sampled_from((_add_field, _remove_field, _edit_field, _swap_fields)))
    if fields or edit is _add_field:
        edit(draw, fields)
    declarations[place] = replace(declarations[place], parameters=tuple(fields))


def _add_field(draw: DrawFn, fields: list[Parameter]) -> None:
    field = Parameter(draw(st.sampled_from(_FIELDS)), draw(st.sampled_from(_KINDS)), draw(_flags(fields)))
    fields.insert(draw(st.integers(0, len(fields))), field)


def _remove_field(draw: DrawFn, fields: list[Parameter]) -> None:
    fields.pop(_place(draw, fields))


def _edit_field(draw: DrawFn, fields: list[Parameter]) -> None:
    place = _place(draw, fields)
    field = fields[place]
    what = draw(st.sampled_from(("name", "type", "flag")))
    if what == "name":
        fields[place] = replace(field, name=draw(st.sampled_from(_FIELDS)))
    elif what == "type":
        fields[place] = replace(field, type=draw(st.sampled_from(_KINDS)))
    else:
        fields[place] = replace(field, flag=draw(_flags(fields)))


def _swap_fields(draw: DrawFn, fields: list[Parameter]) -> None:
    i, j = _place(draw, fields), _place(draw, fields)
    fields[i], fields[j] = fields[j], fields[i]


def _flags(fields: Sequence[Parameter]) -> SearchStrategy[FlagRef | None]:
    words = [p.name for p in fields if p.type == TypeRef("#") and p.name.startswith("flags")]
    bits = st.builds(FlagRef, st.sampled_from(words), st.integers(0, 5)) if words else st.none()
    return st.none() | bits


# Combinators


def _edit_head(draw: DrawFn, declarations: list[Combinator]) -> None:
    place = _place(draw, declarations)
    if draw(st.booleans()):
        declarations[place] = replace(declarations[place], name=draw(st.sampled_from(_COMBINATORS)))
    else:
        declarations[place] = replace(declarations[place], id=draw(st.integers(0x20, 0x40)))


def _add_combinator(draw: DrawFn, declarations: list[Combinator]) -> None:
    fields = (Parameter("x", draw(st.sampled_from(_KINDS))),)
    name, result = draw(st.sampled_from(_COMBINATORS)), TypeRef(draw(st.sampled_from(_TYPES)))
    declarations.append(Combinator(name, draw(st.integers(0x50, 0x60)), (), fields, result))


def _remove_combinator(draw: DrawFn, declarations: list[Combinator]) -> None:
    declarations.pop(_place(draw, declarations))


def _edit_result(draw: DrawFn, declarations: list[Combinator]) -> None:
    place = _place(draw, declarations)
    result = TypeRef(draw(st.sampled_from(_TYPES)))
    if declarations[place].is_function and draw(st.booleans()):
        result = TypeRef("Vector", (result,))
    declarations[place] = replace(declarations[place], result=result)


def _rename_type(draw: DrawFn, declarations: list[Combinator]) -> None:
    old, new = draw(st.sampled_from(_TYPES)), draw(st.sampled_from(_TYPES))

    def renamed(kind: TypeExpr) -> TypeExpr:
        if isinstance(kind, Multiplicity):
            return kind
        name = new if kind.name == old else kind.name
        return replace(kind, name=name, arguments=tuple(map(renamed, kind.arguments)))

    for place, combinator in enumerate(declarations):
        fields = tuple(replace(p, type=renamed(p.type)) for p in combinator.parameters)
        result = renamed(combinator.result)
        assert isinstance(result, TypeRef)
        declarations[place] = replace(combinator, parameters=fields, result=result)


_EDITS = (
    *[_edit_fields] * 5,
    _edit_head,
    _add_combinator,
    _remove_combinator,
    _edit_result,
    _rename_type,
)
