"""Hypothesis strategies for TL: objects of any generated class, from its field table; schemas.

`values_of(cls)` draws what `cls` can hold, and nothing it can't: flag bits that several fields share are
set or clear for all of them, unknown flag bits are set now and then, numbers and lengths tend to their
limits.  Recursion is bounded: the deeper, the fewer optional fields and elements, and at the bottom only
constructors from which the shortest way out leads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.schemas import schemas
from tl.fields import Field, Flags, Repetition, Table
from tl.objects import AnyObject, Bare, Boxed
from tl.primitives import Vector
from tl.registry import Registry
from tl.wire import WireType

__all__ = [
    "bytes_values",
    "classes_of",
    "doubles",
    "heights_of",
    "numbers",
    "schemas",
    "strings",
    "values_of",
]

EDGE_LENGTHS = (0, 1, 2, 3, 4, 253, 254, 255, 256)
"""Where the length form or the padding of a string changes."""


def numbers(low: int, high: int) -> SearchStrategy[int]:
    """Integers of a range, often its limits."""
    return st.sampled_from((0, low, high)) | st.integers(low, high)


def doubles() -> SearchStrategy[float]:
    """All doubles but NaN, which is not equal to itself."""
    return st.floats(allow_nan=False)


def bytes_values() -> SearchStrategy[bytes]:
    """Byte strings, often of a length where the encoding changes."""
    return st.binary(max_size=12) | st.sampled_from(EDGE_LENGTHS).map(_bytes_of_length)


def _bytes_of_length(size: int) -> bytes:
    return bytes(i & 255 for i in range(size))


def strings() -> SearchStrategy[str]:
    """Strings of any characters but surrogates, often of a length where the encoding changes."""
    characters = st.characters(codec="utf-8")
    return st.text(characters, max_size=12) | st.sampled_from(EDGE_LENGTHS).map(_string_of_length)


def _string_of_length(size: int) -> str:
    return "é" * (size // 2) + "x" * (size % 2)


_SCALARS: Mapping[str, SearchStrategy[Any]] = {
    "#": numbers(0, 2**32 - 1),
    "int": numbers(-(2**31), 2**31 - 1),
    "long": numbers(-(2**63), 2**63 - 1),
    "double": doubles(),
    "int128": st.binary(min_size=16, max_size=16),
    "int256": st.binary(min_size=32, max_size=32),
    "bytes": bytes_values(),
    "string": strings(),
    "Bool": st.booleans(),
    "true": st.just(True),
}
_COUNTS = st.integers(0, 3)
_ALL_BITS = 2**32 - 1
_WORDS = st.sampled_from((0, _ALL_BITS)) | st.integers(0, _ALL_BITS)


@st.composite
def values_of(draw: DrawFn, cls: Any, depth: int = 3) -> Any:
    """Objects of a generated class, in which at most about `depth` others are nested in each other."""
    return cls(**_draw_fields(draw, cls.FIELDS, cls.SCHEMA, depth))


def _draw_fields(draw: DrawFn, table: Table, schema: Registry, depth: int) -> dict[str, object]:
    values: dict[str, object] = {}
    words: dict[int, int] = {}
    counts = {f.type.count for f in table if isinstance(f.type, Repetition)}
    for index, field in enumerate(table):
        if isinstance(field.type, Flags):
            words[index] = _draw_word(draw, table, index, depth)
            keeps_unknown = draw(st.booleans())
            values[field.name] = words[index] & ~field.type.known if keeps_unknown else 0
        elif field.flag and not words[field.flag[0]] >> field.flag[1] & 1:
            values[field.name] = False if field.is_true_flag else None
        elif field.name in counts:
            values[field.name] = draw(_COUNTS)
        elif isinstance(field.type, Repetition):
            times = field.type.times(values)
            values[field.name] = [_draw_row(draw, field.type.items, schema, depth) for _ in range(times)]
        else:
            values[field.name] = _draw_value(draw, field.type, schema, depth)
    return values


def _draw_word(draw: DrawFn, table: Table, index: int, depth: int) -> int:
    """A word of flags: any at the top, few bits deeper down, none at the bottom that lead down further."""
    word = draw(_WORDS)
    if depth < 3 and word:
        word &= draw(_WORDS)
    if depth <= 0:
        for field in table:
            if field.flag and field.flag[0] == index and _leads_down(field):
                word &= ~(1 << field.flag[1])
    return word


def _leads_down(field: Field) -> bool:
    return not isinstance(field.type, Vector) and field.type.name not in _SCALARS


def _draw_row(draw: DrawFn, items: Table, schema: Registry, depth: int) -> object:
    row = tuple(_draw_fields(draw, items, schema, depth).values())
    return row[0] if len(row) == 1 else row


def _draw_value(draw: DrawFn, kind: WireType, schema: Registry, depth: int) -> object:
    if kind.name in _SCALARS:
        return draw(_SCALARS[kind.name])
    if isinstance(kind, Vector):
        size = draw(_COUNTS) if kind.item.name in _SCALARS else draw(st.integers(0, min(2, max(0, depth))))
        return [_draw_value(draw, kind.item, schema, depth - 1) for _ in range(size)]
    if isinstance(kind, Repetition):
        return [_draw_row(draw, kind.items, schema, depth - 1) for _ in range(kind.times({}))]
    classes = classes_of(kind, schema)
    if depth <= 0:
        heights = heights_of(schema)
        lowest = min(heights[cls] for cls in classes)
        classes = tuple(cls for cls in classes if heights[cls] == lowest)
    return draw(values_of(draw(st.sampled_from(classes)), depth - 1))


def classes_of(kind: WireType, schema: Registry) -> tuple[Any, ...]:
    """The classes whose objects a field of type `kind` takes."""
    if isinstance(kind, AnyObject):
        return tuple(c for c in schema.by_name.values() if kind.name == "Object" or hasattr(c, "RESULT"))
    if isinstance(kind, Boxed):
        return kind.classes()
    assert isinstance(kind, Bare)
    return (schema.by_name[schema.bare_name(kind.name.lstrip("%"))],)


@cache
def heights_of(schema: Registry) -> dict[Any, float]:
    """How many objects the smallest value of each class nests in each other."""
    heights: dict[Any, float] = dict.fromkeys(schema.by_name.values(), math.inf)

    def height_of_type(kind: WireType) -> float:
        if kind.name in _SCALARS or isinstance(kind, Vector | Flags | Repetition):
            return 0
        return min(heights[c] for c in classes_of(kind, schema))

    changed = True
    while changed:
        changed = False
        for cls in heights:
            height = 1 + max((height_of_type(f.type) for f in cls.FIELDS if f.flag is None), default=-1)
            if height < heights[cls]:
                heights[cls] = height
                changed = True
    return heights
