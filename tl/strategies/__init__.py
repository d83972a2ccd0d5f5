"""Hypothesis strategies for TL: values of a schema, of a type, of a class; their encodings; mutations of these.

    from tl import strategies

    @given(strategies.values(api, "auth.SentCode"))      # or a class, a union, None for any combinator
    def test_it(value): ...

    @given(strategies.wire(api, "Vector<User>"))         # (bytes, value)
    @given(strategies.mutations(api))                    # tl.mutations.Mutation: bytes, and whether they are legal
    @given(st.from_type(api.CodeSettings))               # plain Hypothesis knows the classes, too

What is drawn fits its type, and tends to the places where codecs break: limits of numbers, lengths at which the
encoding of a string changes, no flags and all flags, empty vectors, each constructor of a type.  Recursion is
bounded by `size`.  A failing example shrinks towards the constructor with the fewest fields, without flags,
with zeros and empty strings.  The same seed gives the same values.

This module alone needs Hypothesis (``pip install "mtwire[testing]"``); nothing else in `tl` imports it.
`st.from_type` finds the classes of installed packages by an entry point (`tl.hypothesis_plugin`), and in any
case once this module is imported.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

try:
    from hypothesis.strategies import SearchStrategy
except ModuleNotFoundError as error:
    if error.name != "hypothesis":
        raise
    raise ModuleNotFoundError(
        "tl.strategies needs Hypothesis, which is not installed: pip install 'mtwire[testing]'",
        name=error.name,
    ) from None

from tl import hypothesis_plugin
from tl.errors import SchemaError
from tl.mutations import Mutation
from tl.mutations.applied import chosen_operators
from tl.objects import Boxed, OneOf
from tl.primitives import PRIMITIVES
from tl.reference import reference_encode, reference_encode_as
from tl.registry import Registry, registry_of
from tl.smallest import MOST_DEPTH, MOST_OBJECTS, Smallest
from tl.strategies.drawing import Drawing
from tl.strategies.mutated import mutated
from tl.wire import WireType

__all__ = ["mutations", "values", "wire"]

hypothesis_plugin.register()


def values(
    schema_or_module: object,
    what: object = None,
    *,
    unknown_flags: bool = False,
    allow_nan: bool = False,
    size: int = 24,
) -> SearchStrategy[Any]:
    """Values of `what`, a type of a schema.

    `schema_or_module` is a generated package, what `tl.load` gives, or their registry (``api.SCHEMA``).  `what`
    is the name of a boxed type (``"auth.SentCode"``), of a constructor or function (``"auth.sentCode"``), the
    text of any other TL type (``"Vector<User>"``, ``"%SentCode"``), a class, a union, or None for any
    combinator of the schema.

    Flag words have bits that no field uses only with `unknown_flags`; doubles are NaN, which is not equal to
    itself, only with `allow_nan`.  `size` is about how many objects one value consists of, 0 or more: with 0
    it is the least there can be, but lists and flags that hold no objects are always drawn freely.

    What has to be found out about the schema is found out here, so that the first example is as quick as the
    others; for all of a layer of 2448 combinators that takes a second.

    Raise TypeError for arguments of other kinds, ValueError for a negative size, SchemaError for a name that
    the schema has not, and for a type that has no values: one that always contains itself.
    """
    kind, drawing = _prepare(schema_or_module, what, unknown_flags, allow_nan, size)
    return drawing.values(kind, size)


def wire(
    schema_or_module: object,
    what: object = None,
    *,
    unknown_flags: bool = False,
    allow_nan: bool = False,
    size: int = 24,
) -> SearchStrategy[tuple[bytes, Any]]:
    """Encodings and their values, as pairs; the bytes are those of the reference codec.

    All is as for `values`.  ``tl.decode(schema, data, what)`` gives the value again; where `what` is the name
    of a constructor or function, the bytes begin with its id, as those of its class do.
    """
    kind, drawing = _prepare(schema_or_module, what, unknown_flags, allow_nan, size)
    schema = drawing.schema

    def encoded(value: Any) -> tuple[bytes, Any]:
        if isinstance(kind, Boxed):
            return reference_encode(value), value
        return reference_encode_as(schema, value, what), value

    return drawing.values(kind, size).map(encoded)


def mutations(
    schema_or_module: object,
    what: object = None,
    *,
    operators: Iterable[str] | None = None,
    size: int = 24,
) -> SearchStrategy[Mutation]:
    """Valid encodings with one thing changed, as `tl.mutations.mutate` makes them: `Mutation` objects.

    `operators` are the names of those to apply, by default all.  The other arguments are as for `values`.
    ``tl.decode(schema, mutation.data, what)`` has to accept the legal ones, and to refuse the others at
    `mutation.offset` or behind it; where `what` is the name of a constructor or function, it is its class that
    decodes.

    Raise as `values` does, and ValueError for an operator that there is not.
    """
    kind, drawing = _prepare(schema_or_module, what, False, False, size)
    chosen = chosen_operators(operators)
    return mutated(wire(schema_or_module, what, size=size), drawing.schema, kind, chosen)


def _prepare(
    schema_or_module: object, what: object, unknown_flags: bool, allow_nan: bool, size: int
) -> tuple[WireType, Drawing]:
    """What the arguments mean; raise as `values` does."""
    if type(size) is not int:
        raise TypeError(f"size: got {size!r}, expected an int")
    if size < 0:
        raise ValueError(f"size: got {size}, expected 0 or more")
    schema = registry_of(schema_or_module)
    kind = _wire_type(schema, what)
    drawing = _drawing(schema, bool(unknown_flags), bool(allow_nan))
    if not drawing.smallest.is_possible(kind):
        name = "the whole schema" if what is None else kind.name
        raise SchemaError(
            f"{schema.name}: {name} has no values of up to {MOST_OBJECTS} objects, nested up to {MOST_DEPTH} deep: "
            f"what it contains always contains more, or has more elements than a decoder takes"
        )
    return kind, drawing


def _wire_type(schema: Registry, what: object) -> WireType:
    """The wire type that `what` means; a combinator's name is what its class is."""
    if isinstance(what, str):
        is_type = what in PRIMITIVES or schema.constructor_names(what)
        if what in schema.declared and not is_type:
            return OneOf((schema.by_name[what],), schema)
        return schema.wire_type(what)
    try:
        return schema.wire_type(what)
    except TypeError:
        raise TypeError(
            f"what: got {what!r}, expected a class or union of {schema.name}, a name, a TL type's text, or None"
        ) from None


@lru_cache(maxsize=64)
def _drawing(schema: Registry, unknown_flags: bool, allow_nan: bool) -> Drawing:
    """What draws the values of a schema: found once, and kept for the schemas used last."""
    return Drawing(_smallest(schema), unknown_flags=unknown_flags, allow_nan=allow_nan)


@lru_cache(maxsize=16)
def _smallest(schema: Registry) -> Smallest:
    return Smallest(schema)
