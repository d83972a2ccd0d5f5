"""Draws values by the field tables of their classes.

    values(kind, room) ─▶ a class of the type ─▶ its flags ─▶ its fields, each with a share of the room

`room` is how many objects a value may consist of, itself included.  An object that holds others divides what
is left among them, so the whole stays within about that size, and its nesting, too; an object without room for
more than itself has no optional objects and no lists of them.  At the end only the lightest constructors are
drawn (`tl.smallest`), from which it goes straight out.

Fields under one flag are there together or not at all.  How an example shrinks is decided here: the first
class is the simplest, each flag is a number of which 0 means absent, each field is drawn by itself.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tl.fields import Field, Flags, Repetition, Table
from tl.objects import Bare, Boxed
from tl.primitives import Vector
from tl.registry import Registry
from tl.smallest import MOST_ROWS, Smallest, key_of
from tl.strategies.scalars import scalars
from tl.wire import WireType

__all__ = ["Drawing"]

_WORDS = st.just(0) | st.just(2**32 - 1) | st.integers(0, 2**32 - 1)
_COUNTS = st.integers(0, 3)
# The flags of an object: none, few, half, nearly all.  Each is drawn as a number up to the first one here, and
# is set if that is at least the second.
_FLAGS = ((0, 0), (7, 7), (7, 7), (1, 1), (1, 1), (63, 1))
_MODES = st.integers(0, len(_FLAGS) - 1)
_DIGIT = 64
"""Up to so many numbers, Hypothesis draws each as often as the others; of more, the lower ones more often."""
_STEEP = 24
"""With more room than this, some of it is left unused at each step down, so that nesting stays bounded."""


class _Plan:
    """What drawing the fields of a table starts from."""

    def __init__(self, table: Table, smallest: Smallest) -> None:
        self.table = table
        self.counted: dict[str, list[Repetition]] = {}
        """Counts of repetitions, by name, and what they count."""
        flags: dict[tuple[int, int], list[WireType]] = {}
        for field in table:
            if isinstance(field.type, Repetition) and isinstance(field.type.count, str):
                self.counted.setdefault(field.type.count, []).append(field.type)
            if field.flag:
                flags.setdefault(field.flag, []).append(field.type)
        self.words = [f for f in table if isinstance(f.type, Flags) or f.name in self.counted]
        """The fields that say how much of the others there is."""
        self.flags = {
            flag: any(_always_holds(kind) for kind in kinds)
            for flag, kinds in flags.items()
            if all(smallest.is_possible(kind) for kind in kinds)
        }
        """The flags that can be set, in order, and whether objects depend on them."""
        self.parts = [f.flag for f in table if _may_hold(f.type)]
        """For each field that objects may be in, its flag."""


class Drawing:
    """Draws the values of one schema."""

    def __init__(self, smallest: Smallest, *, unknown_flags: bool, allow_nan: bool) -> None:
        self.schema: Registry = smallest.schema
        self.smallest = smallest
        self._unknown_flags = unknown_flags
        self._scalars = scalars(allow_nan=allow_nan)
        self._strategies: dict[tuple[object, int], SearchStrategy[Any]] = {}
        self._plans: dict[int, _Plan] = {}

    def __repr__(self) -> str:
        return f"<drawing of {self.schema.name}>"

    def values(self, kind: WireType, room: int) -> SearchStrategy[Any]:
        """Values of a type, of about `room` objects."""
        if not isinstance(kind, Boxed | Bare):
            return _values(self, kind, room)
        key = key_of(kind), room
        if key not in self._strategies:
            self._strategies[key] = _values(self, kind, room)
        return self._strategies[key]

    def value(self, draw: DrawFn, kind: WireType, room: int) -> object:
        """A value of a type; an object is drawn as a part of the example that can shrink by itself."""
        if isinstance(kind, Boxed | Bare):
            # Without room it goes straight out, maybe deeper than Hypothesis lets strategies nest.
            return draw(self.values(kind, room)) if room > 0 else self.new_object(draw, kind, 0)
        if isinstance(kind, Vector):
            return self._vector(draw, kind, room)
        if isinstance(kind, Repetition):
            return self._rows(draw, kind, kind.times({}), room)
        return draw(self._scalars[kind.name])

    def new_object(self, draw: DrawFn, kind: Boxed | Bare, room: int) -> object:
        """An object of one of a type's classes, of those that fit into `room`."""
        choice = self.smallest.choice(kind)
        cls = choice.classes[_index(draw, choice.count(room))]
        return cls(**self._fields(draw, cls.FIELDS, room - 1))

    def _vector(self, draw: DrawFn, kind: Vector, room: int) -> list[object]:
        if not _may_hold(kind):
            count = draw(_COUNTS)
        elif room > 0 and self.smallest.is_possible(kind.item):
            count = draw(_below(min(3, room) + 1))
        else:
            count = 0
        return [self.value(draw, kind.item, room // count) for _ in range(count)]

    def _rows(self, draw: DrawFn, kind: Repetition, times: int, room: int) -> list[object]:
        rows = [self._row(draw, kind.items, room // times) for _ in range(min(times, MOST_ROWS))]
        return [rows[index % MOST_ROWS] for index in range(times)]

    def _row(self, draw: DrawFn, items: Table, room: int) -> object:
        values = self._fields(draw, items, room)
        row = tuple(values[f.name] for f in items)
        return row[0] if len(row) == 1 else row

    def _fields(self, draw: DrawFn, table: Table, room: int) -> dict[str, object]:
        """A value for each field, by its Python name; `room` is for the objects in all of them."""
        plan = self._plan(table)
        values: dict[str, object] = {f.name: self._word(draw, f, plan, room) for f in plan.words}
        present = self._flags(draw, plan, room)
        share = _share(room, sum(flag is None or flag in present for flag in plan.parts))
        for field in table:
            if field.flag and field.flag not in present:
                values[field.name] = False if field.is_true_flag else None
            elif isinstance(field.type, Repetition):
                values[field.name] = self._rows(draw, field.type, field.type.times(values), share)
            elif field.name not in values:
                values[field.name] = self.value(draw, field.type, share)
        return values

    def _word(self, draw: DrawFn, field: Field, plan: _Plan, room: int) -> int:
        """The bits of a flag word that no field uses, or how often something is repeated, or even both."""
        kinds = plan.counted.get(field.name, [])
        if not isinstance(field.type, Flags):
            return self._count(draw, kinds, room)
        if not self._unknown_flags:
            return 0
        return (self._count(draw, kinds, room) if kinds else draw(_WORDS)) & ~field.type.known

    def _count(self, draw: DrawFn, kinds: list[Repetition], room: int) -> int:
        """How often to repeat what has one count."""
        if not all(self.smallest.are_possible(kind.items) for kind in kinds):
            return 0
        if room <= 0 and any(_always_holds(field.type) for kind in kinds for field in kind.items):
            return 0
        return draw(_COUNTS)

    def _flags(self, draw: DrawFn, plan: _Plan, room: int) -> set[tuple[int, int]]:
        """The flags that are set."""
        free = [flag for flag, holds_objects in plan.flags.items() if room > 0 or not holds_objects]
        highest, least = _FLAGS[draw(_MODES)] if free else (0, 0)
        return {flag for flag in free if highest and draw(_below(highest + 1)) >= least}

    def _plan(self, table: Table) -> _Plan:
        found = self._plans.get(id(table))
        if found is None:
            found = self._plans[id(table)] = _Plan(table, self.smallest)
        return found


@st.composite
def _values(draw: DrawFn, drawing: Drawing, kind: WireType, room: int) -> Any:
    if isinstance(kind, Boxed | Bare):
        return drawing.new_object(draw, kind, room)
    return drawing.value(draw, kind, room)


@cache
def _below(count: int) -> SearchStrategy[int]:
    """Numbers from 0 on, so many."""
    return st.integers(0, count - 1)


def _index(draw: DrawFn, count: int) -> int:
    """One of so many indexes, each as likely as the others."""
    if count <= _DIGIT:
        return draw(_below(count)) if count > 1 else 0
    first = _DIGIT * draw(_below(-(-count // _DIGIT)))
    return first + draw(_below(min(_DIGIT, count - first)))


def _share(room: int, parts: int) -> int:
    """The room for each of the fields that may hold objects."""
    share = max(0, room) // max(1, parts)
    return share if share <= _STEEP else max(_STEEP, min(share, room * 3 // 4))


def _always_holds(kind: WireType) -> bool:
    """Whether each value of a type holds objects."""
    if isinstance(kind, Repetition):
        return bool(kind.count) and any(_always_holds(f.type) for f in kind.items if f.flag is None)
    return isinstance(kind, Boxed | Bare)


def _may_hold(kind: WireType) -> bool:
    """Whether values of a type can hold objects."""
    if isinstance(kind, Vector):
        return _may_hold(kind.item)
    if isinstance(kind, Repetition):
        return any(_may_hold(f.type) for f in kind.items)
    return isinstance(kind, Boxed | Bare)
