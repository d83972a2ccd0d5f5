"""Values of any class of any schema, small and quickly drawn: for classes that a fuzzer has made up.

A fuzzed schema has types without finite values, and counts in the bits of flag words; so what can't be drawn
within a few objects is given up with `NoValue`, and every value that is drawn is one that can be encoded.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from tl.fields import Field, Flags, Repetition, Table
from tl.objects import AnyObject, Bare, Boxed
from tl.primitives import Vector
from tl.registry import Registry
from tl.wire import WireType

__all__ = ["NoValue", "draw"]

_MOST_DEEP = 6
_MOST_DRAWN = 200


class NoValue(Exception):
    """There is no value, or none that is small."""


def draw(rng: random.Random, cls: Any, likely: float) -> Any:
    """An object of the class, in which each optional field is as `likely` to be there, from 0 to 1.

    Raise NoValue where there is no small one.
    """
    return _Drawer(rng, cls.SCHEMA, likely).instance(cls)


class _Drawer:
    def __init__(self, rng: random.Random, schema: Registry, likely: float) -> None:
        self.rng = rng
        self.likely = likely
        self.schema = schema
        self.depth = 0
        self.left = _MOST_DRAWN
        self.scalars: dict[str, Callable[[], object]] = {
            "#": lambda: rng.getrandbits(32),
            "int": lambda: rng.getrandbits(32) - 2**31,
            "long": lambda: rng.getrandbits(64) - 2**63,
            "double": lambda: rng.choice((0.0, -0.0, float("nan"), float("-inf"), 0.1)),
            "int128": lambda: rng.randbytes(16),
            "int256": lambda: rng.randbytes(32),
            "bytes": lambda: rng.randbytes(rng.choice((0, 1, 3, 4, 253, 254))),
            "string": lambda: "aé€𝄞"[: rng.randrange(5)] * rng.choice((1, 1, 100)),
            "Bool": lambda: rng.random() < 0.5,
            "true": lambda: True,
        }

    def instance(self, cls: Any) -> Any:
        self.left -= 1
        if self.depth == _MOST_DEEP or self.left < 0:
            raise NoValue
        self.depth += 1
        try:
            return cls(**self.fields(cls.FIELDS))
        finally:
            self.depth -= 1

    def fields(self, table: Table) -> dict[str, object]:
        """The values by Python name; fields under one bit are all there or none is."""
        counts = {field.type.count for field in table if isinstance(field.type, Repetition)}
        given: dict[str, object] = {}
        under: dict[tuple[int, int], dict[str, object] | None] = {}
        for field in table:
            if isinstance(field.type, Flags):
                unknown = self.rng.choice((0, 1, 2) if field.name in counts else (0, 0, 1 << 31, 5))
                given[field.name] = unknown & ~field.type.known
            elif field.flag is None:
                given[field.name] = self.field(field, given, counts)
            else:
                if field.flag not in under:
                    under[field.flag] = self.group([f for f in table if f.flag == field.flag], given)
                absent: object = False if field.is_true_flag else None
                given[field.name] = (under[field.flag] or {}).get(field.name, absent)
        return given

    def group(self, fields: list[Field], given: dict[str, object]) -> dict[str, object] | None:
        """The values of the fields under one bit, or None: it is not set, or one of them has no value."""
        if self.rng.random() >= self.likely:
            return None
        before = {name: value for name, value in given.items() if isinstance(value, int)}
        try:
            return {field.name: self.field(field, before, ()) for field in fields}
        except NoValue:
            return None

    def field(self, field: Field, given: Mapping[str, object], counts: Any) -> object:
        if field.name in counts:
            return self.rng.randrange(3)
        if isinstance(field.type, Repetition):
            return self.rows(field.type, field.type.times(given))
        return self.value(field.type)

    def rows(self, kind: Repetition, times: int) -> list[object]:
        if not 0 <= times <= _MOST_DRAWN:
            raise NoValue
        rows = [tuple(self.fields(kind.items).values()) for _ in range(times)]
        return [row[0] if len(row) == 1 else row for row in rows]

    def value(self, kind: WireType) -> object:
        if kind.name in self.scalars:
            return self.scalars[kind.name]()
        if isinstance(kind, Repetition):
            return self.rows(kind, kind.times({}))
        if isinstance(kind, Vector):
            try:
                return [self.value(kind.item) for _ in range(self.rng.randrange(3))]
            except NoValue:
                return []
        return self.one_of(self.classes(kind))

    def classes(self, kind: WireType) -> list[Any]:
        if isinstance(kind, Bare):
            return [self.schema.by_name[self.schema.bare_name(kind.name.lstrip("%"))]]
        if isinstance(kind, AnyObject):
            wants_function = kind.name.startswith("!")
            classes = self.schema.by_name.values()
            return [cls for cls in classes if hasattr(cls, "RESULT") or not wants_function]
        return list(kind.classes()) if isinstance(kind, Boxed) else []

    def one_of(self, classes: list[Any]) -> Any:
        self.rng.shuffle(classes)
        for cls in classes[:8]:
            try:
                return self.instance(cls)
            except NoValue:
                if self.left < 0:
                    break
        raise NoValue
