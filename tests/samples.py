"""Values of any class, drawn by a `random.Random`: the same seed gives the same values, in any package.

Where Hypothesis would take too long, for each of a layer's two thousand classes, this is quick.  A `Plan` is a
value that belongs to no package yet: `plan` draws it from one package's tables, `Plan.build` makes it of
another's classes.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.strategies import classes_of, heights_of
from tl.fields import Flags, Repetition, Table
from tl.primitives import Vector
from tl.registry import Registry
from tl.wire import WireType

__all__ = ["Plan", "plan"]

_EDGES = (0, 1, 3, 4, 253, 254, 256)


@dataclass(frozen=True, slots=True)
class Plan:
    """An object to be: the TL name of its combinator, its fields by Python name."""

    name: str
    fields: dict[str, object]

    def build(self, schema: Registry) -> Any:
        """The object, of the class that `schema` has for the combinator."""
        return schema.by_name[self.name](**{name: _built(v, schema) for name, v in self.fields.items()})


def _built(value: object, schema: Registry) -> object:
    if isinstance(value, Plan):
        return value.build(schema)
    if isinstance(value, list):
        return [_built(v, schema) for v in value]
    if isinstance(value, tuple):
        return tuple(_built(v, schema) for v in value)
    return value


def plan(rng: random.Random, cls: Any, depth: int = 2) -> Plan:
    """An object of `cls`, in which about `depth` others are nested in each other."""
    return Plan(cls.TL_NAME, _fields(rng, cls.FIELDS, cls.SCHEMA, depth))


def _fields(rng: random.Random, table: Table, schema: Registry, depth: int) -> dict[str, object]:
    values: dict[str, object] = {}
    words: dict[int, int] = {}
    counts = {f.type.count for f in table if isinstance(f.type, Repetition)}
    for index, field in enumerate(table):
        if isinstance(field.type, Flags):
            words[index] = rng.getrandbits(32) & (rng.getrandbits(32) if depth > 0 else 0)
            values[field.name] = words[index] & ~field.type.known if rng.random() < 0.2 else 0
        elif field.flag and not words[field.flag[0]] >> field.flag[1] & 1:
            values[field.name] = False if field.is_true_flag else None
        elif field.name in counts:
            values[field.name] = rng.randrange(3)
        elif isinstance(field.type, Repetition):
            values[field.name] = _rows(rng, field.type, field.type.times(values), schema, depth)
        else:
            values[field.name] = _value(rng, field.type, schema, depth)
    return values


def _rows(rng: random.Random, kind: Repetition, times: int, schema: Registry, depth: int) -> list[object]:
    rows = [tuple(_fields(rng, kind.items, schema, depth - 1).values()) for _ in range(times)]
    return [row[0] if len(row) == 1 else row for row in rows]


def _value(rng: random.Random, kind: WireType, schema: Registry, depth: int) -> object:
    scalars: dict[str, Callable[[], object]] = {
        "#": lambda: rng.getrandbits(32),
        "int": lambda: rng.getrandbits(32) - 2**31,
        "long": lambda: rng.getrandbits(64) - 2**63,
        "double": lambda: rng.choice((0.0, -0.0, float("inf"), rng.uniform(-1e300, 1e300))),
        "int128": lambda: rng.randbytes(16),
        "int256": lambda: rng.randbytes(32),
        "bytes": lambda: rng.randbytes(rng.choice(_EDGES)),
        "string": lambda: "".join(rng.choices("ab é€𝄞", k=rng.choice(_EDGES))),
        "Bool": lambda: rng.random() < 0.5,
        "true": lambda: True,
    }
    if kind.name in scalars:
        return scalars[kind.name]()
    if isinstance(kind, Vector):
        return [
            _value(rng, kind.item, schema, depth - 1) for _ in range(rng.randrange(3 if depth > 0 else 1))
        ]
    if isinstance(kind, Repetition):
        return _rows(rng, kind, kind.times({}), schema, depth)
    classes = classes_of(kind, schema)
    if depth <= 0:
        heights = heights_of(schema)
        lowest = min(heights[cls] for cls in classes)
        classes = tuple(cls for cls in classes if heights[cls] == lowest)
    return plan(rng, rng.choice(classes), depth - 1)
