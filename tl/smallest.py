"""How small the values of a type can be: the way out of types that contain themselves.

The weight of a value is the number of objects in it.  The least weight of a class follows from those of the
types that it always holds, and the least weight of a type is that of its lightest constructor.  Only what a
value of the type asked for always holds is looked at: the classes of a layer are made when they are needed,
not before.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from tl.fields import Field, Repetition, Table
from tl.limits import DEFAULT_LIMITS
from tl.objects import AnyObject, Bare, Boxed, OneOf
from tl.registry import Registry
from tl.wire import WireType

__all__ = ["MOST_DEPTH", "MOST_OBJECTS", "MOST_ROWS", "Choice", "Smallest", "key_of"]

MOST_OBJECTS = 1000
"""A type whose smallest value has more objects is as good as without values: to draw one would take too long."""
MOST_DEPTH = DEFAULT_LIMITS.depth
"""How deep objects may be nested in the smallest value of a type; a decoder takes no more."""
MOST_ROWS = 8
"""How many rows of a repetition are drawn; where it has more, they take turns."""

_Key = tuple[object, ...]
_NEVER: _Key = ("never",)
"""A type without values."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The classes of a type that have values, the simplest first, and the least weight of each."""

    classes: tuple[Any, ...]
    weights: tuple[float, ...]

    def count(self, room: int) -> int:
        """How many of the classes, counted from the first, fit into `room` objects; the lightest always do."""
        return bisect_right(self.weights, max(room, self.weights[0]))


class Smallest:
    """The least weights of the classes and types of a schema."""

    def __init__(self, schema: Registry) -> None:
        self.schema = schema
        self._weights: dict[Any, float] = {}
        self._classes: dict[_Key, tuple[Any, ...]] = {_NEVER: ()}
        self._choices: dict[_Key, Choice] = {}

    # What there is to draw from

    def is_possible(self, kind: WireType) -> bool:
        """Whether a type has values, and small ones among them."""
        if isinstance(kind, Boxed | Bare):
            return bool(self.choice(kind).classes)
        if isinstance(kind, Repetition) and isinstance(kind.count, int):
            return _fits(kind) and (not kind.count or self.are_possible(kind.items))
        return True  # what may be empty can do without

    def are_possible(self, fields: Sequence[Field]) -> bool:
        """Whether all of some fields that are always there have values."""
        return all(self.is_possible(field.type) for field in fields if field.flag is None)

    def choice(self, kind: Boxed | Bare) -> Choice:
        """The classes whose objects the values of a type are."""
        key = key_of(kind)
        if key not in self._choices:
            weights = self.weights(self.classes(kind))
            light = [cls for cls, weight in weights.items() if weight <= MOST_OBJECTS]
            light.sort(key=lambda cls: (weights[cls], *_complexity(cls.FIELDS)))
            self._choices[key] = Choice(tuple(light), tuple(weights[cls] for cls in light))
        return self._choices[key]

    def classes(self, kind: Boxed | Bare) -> tuple[Any, ...]:
        """The classes whose objects a field of type `kind` takes, and a decoder gives back."""
        key = key_of(kind)
        if key not in self._classes:
            self._classes[key] = tuple(self._members(kind))
        return self._classes[key]

    def _members(self, kind: Boxed | Bare) -> Iterator[Any]:
        schema = self.schema
        if isinstance(kind, AnyObject):
            of = "!X" if kind.name.startswith("!") else "Object"
            for name, (number, type_name, _) in schema.declared.items():
                if of == "Object" or not type_name:
                    cls = schema.by_name[name]
                    if schema.find(number, of) is cls:  # an id that combinators share stands for one of them
                        yield cls
        elif isinstance(kind, Boxed):
            yield from kind.classes()
        else:
            yield schema.by_name[schema.bare_name(kind.name.lstrip("%"))]

    # The weights

    def weights(self, classes: Iterable[Any]) -> dict[Any, float]:
        """The least weight of each class; infinite where it has no values, or only such as nest too deep."""
        classes = list(classes)
        self._weigh(self._survey(classes))
        return {cls: self._weights[cls] for cls in classes}

    def _weigh(self, needs: Mapping[Any, Counter[_Key]]) -> None:
        """Find the least weights of classes; each round, those of values that nest one deeper."""
        weights = {cls: self._weights.get(cls, inf) for cls in needs}
        types = {key for counter in needs.values() for key in counter}
        for _ in range(MOST_DEPTH):
            lightest = {t: min((weights[c] for c in self._classes[t]), default=inf) for t in types}
            found = {
                cls: 1 + sum(lightest[key] * times for key, times in counter.items())
                for cls, counter in needs.items()
                if cls not in self._weights
            }
            if found.items() <= weights.items():
                break
            weights |= found
        self._weights |= weights

    def _survey(self, classes: Sequence[Any]) -> dict[Any, Counter[_Key]]:
        """What values always hold and how often, for `classes` and all that they need; nothing for known ones."""
        needs: dict[Any, Counter[_Key]] = {}
        todo = list(classes)
        while todo:
            cls = todo.pop()
            if cls not in needs:
                needs[cls] = Counter() if cls in self._weights else self._needs(cls.FIELDS)
                for key in needs[cls]:
                    todo += self._classes[key]
        return needs

    def _needs(self, table: Table) -> Counter[_Key]:
        """The types of the objects that the fields of a table always hold, and how many of each."""
        needs: Counter[_Key] = Counter()
        for kind in (field.type for field in table if field.flag is None):
            if isinstance(kind, Boxed | Bare):
                self.classes(kind)
                needs[key_of(kind)] += 1
            elif isinstance(kind, Repetition) and isinstance(kind.count, int) and kind.count:
                rows = min(kind.count, MOST_ROWS)
                needs.update({key: times * rows for key, times in self._needs(kind.items).items()})
                needs.update([] if _fits(kind) else [_NEVER])
        return needs


def key_of(kind: Boxed | Bare) -> _Key:
    """What tells types apart; each field has a `WireType` of its own."""
    return kind.classes() if isinstance(kind, OneOf) else (type(kind), kind.name)


def _complexity(table: Table) -> tuple[int, int]:
    """What makes one class simpler than another: few fields that are always there, few in all."""
    return sum(field.flag is None for field in table), len(table)


def _fits(kind: Repetition) -> bool:
    """Whether a decoder takes so many rows."""
    is_small = _elements(kind) <= DEFAULT_LIMITS.elements
    return is_small and _empty_elements(kind) <= DEFAULT_LIMITS.empty_elements


def _elements(kind: WireType) -> int:
    """How many values a repetition has at least, those in its rows' repetitions counted."""
    if not isinstance(kind, Repetition) or not isinstance(kind.count, int):
        return 1
    return kind.count * max(1, sum(_elements(field.type) for field in kind.items if field.flag is None))


def _empty_elements(kind: WireType) -> int:
    """How many of these take no bytes, at least."""
    if not isinstance(kind, Repetition) or not isinstance(kind.count, int):
        return 0
    inner = sum(_empty_elements(field.type) for field in kind.items if field.flag is None)
    return kind.count * (inner + (kind.items.size == 0))
