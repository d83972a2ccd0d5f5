"""What a change does to bytes, found out by writing and reading values: the other opinion on `tl.diff.grades`.

Nothing here knows how grades are found.  Values are drawn, written by one schema, read by the other, and looked
at field by field; which field became which is all that is taken from `tl`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import tl
from tests.samples import Plan, plan
from tests.strategies import classes_of
from tl.diff.changes import CombinatorChange, SchemaDiff
from tl.diff.field_pairs import pair_fields
from tl.diff.grades import Grade
from tl.errors import DecodeError
from tl.fields import Field, Flags, Repetition
from tl.names import field_names
from tl.primitives import Vector
from tl.schema import Schema
from tl.wire import WireType

__all__ = ["TRIES", "Direction", "answers", "directions", "names_in", "observed", "samples", "verdicts"]

TRIES = 40
"""Values for each combinator: enough for one that shows it, where a change makes a difference."""


@dataclass(frozen=True)
class Direction:
    """One side writes, the other reads.  `names` and `changes` go by the writer's names of combinators."""

    writer: Any
    reader: Any
    written: Schema
    read: Schema
    names: dict[str, str]
    changes: dict[str, CombinatorChange]
    is_forwards: bool
    fields: dict[tuple[str, str], tuple[list[tuple[str, str]], list[Field]]] = field(default_factory=dict)

    def allows(self, grade: Grade) -> bool:
        """Whether the reader reads, by `grade`."""
        return grade.new_reads_old if self.is_forwards else grade.old_reads_new

    def allows_all(self, names: set[str]) -> bool:
        """Whether no combinator of these keeps a message from being read, boxed or bare."""
        changes = [self.changes[name] for name in names if name in self.changes]
        return all(self.allows(c.grade) and self.allows(c.fields_grade) for c in changes)

    def are_same(self, names: set[str]) -> bool:
        """Whether no combinator of these changed on the wire."""
        changes = [self.changes[name] for name in names if name in self.changes]
        return all(c.grade is Grade.SAME and c.fields_grade is Grade.SAME for c in changes)

    def reads(self, value: Any) -> bool:
        """Whether a body is read where it is expected, each field as what it was."""
        of_type = getattr(value, "TYPE", None)
        as_type = of_type if of_type in self.read.types else None
        return self._reads(bytes(value), value, as_type)

    def reads_fields(self, value: Any, *, as_own: bool = False) -> bool:
        """Whether the fields alone are read, as those of what the combinator is to the reader.

        With `as_own` they also have to be ones that the reader could have written itself.
        """
        name = self.names.get(type(value).TL_NAME)
        if name is None:
            return False
        cls = self.reader.SCHEMA.by_name[name]
        data = cls.CONSTRUCTOR_ID.to_bytes(4, "little") + bytes(value)[4:]
        return self._reads(data, value, cls) and not (as_own and _has_unknown_flags(self.reader.decode(data)))

    def _reads(self, data: bytes, value: Any, as_type: object) -> bool:
        try:
            got = self.reader.decode(data, as_type=as_type)
        except DecodeError:
            return False
        return self._is_same(value, got)

    def reads_answer(self, request: Any, answer: object) -> bool:
        """Whether `answer` is read as one to what `request` is to the reader."""
        cls = self.reader.SCHEMA.by_name[self.names[type(request).TL_NAME]]
        data = tl.encode_result(request, answer)
        try:
            got = tl.decode_result(cls.__new__(cls), data)
        except DecodeError:
            return False
        return self._is_same(answer, got)

    def _is_same(self, written: Any, got: Any) -> bool:
        if isinstance(written, list | tuple):
            same = isinstance(got, list | tuple) and len(written) == len(got)
            return same and all(map(self._is_same, written, got))
        if isinstance(written, str) and isinstance(got, bytes):
            return written.encode() == got
        if not hasattr(written, "TL_NAME"):
            return type(written) is type(got) and bool(written == got)
        return self.names.get(written.TL_NAME) == getattr(got, "TL_NAME", "") and self._has_same_fields(
            written, got
        )

    def _has_same_fields(self, written: Any, got: Any) -> bool:
        pairs, others = self._fields(type(written), type(got))
        return not any(_takes_bytes(field, getattr(got, field.name)) for field in others) and all(
            self._is_same(getattr(written, name), getattr(got, other_name)) for name, other_name in pairs
        )

    def _fields(self, written: Any, got: Any) -> tuple[list[tuple[str, str]], list[Field]]:
        """The Python names of the fields that both have, and the fields that only the reader has.

        Flag words don't count: their values are the bits of no field.
        """
        names = written.TL_NAME, got.TL_NAME
        if names not in self.fields:
            before, after = self.written.by_name[names[0]], self.read.by_name[names[1]]
            pairs = pair_fields(before.parameters, after.parameters)
            both = [
                (field_names(before)[pair.old], field_names(after)[pair.new])
                for pair in pairs
                if pair.old is not None and pair.new is not None
                if not _is_flags(written.FIELDS[pair.old]) and not _is_flags(got.FIELDS[pair.new])
            ]
            new = [got.FIELDS[pair.new] for pair in pairs if pair.old is None and pair.new is not None]
            self.fields[names] = both, new
        return self.fields[names]


def directions(old: Schema, new: Schema, changes: SchemaDiff) -> list[Direction]:
    """The new side reading the old one, and the other way round."""
    before = {c.old.name: c for c in changes.changes if c.old}
    after = {c.new.name: c for c in changes.changes if c.new}
    names = {c.name: c.name for c in old.combinators if c.name not in before}
    names |= {c.old.name: c.new.name for c in changes.changes if c.old and c.new}
    sides = tl.load(old), tl.load(new)
    back = {name: old_name for old_name, name in names.items()}
    return [
        Direction(sides[0], sides[1], old, new, names, before, True),
        Direction(sides[1], sides[0], new, old, back, after, False),
    ]


# Values

_LARGEST_COUNT = 9


def samples(direction: Direction, name: str) -> Iterator[Any]:
    """Objects of the writer's combinator `name`; the same whenever it is called."""
    rng = random.Random(name)
    schema = direction.writer.SCHEMA
    for _ in range(TRIES):
        drawn = plan(rng, schema.by_name[name])
        _adapt(drawn, schema)
        yield drawn.build(schema)


def _is_flags(field: Field) -> bool:
    """Whether the value of a field has flag bits that the schema does not know; one without any use counts, too."""
    is_number = field.type.name == "#" and field.flag is None
    return isinstance(field.type, Flags) or (is_number and field.tl_name.startswith("flags"))


def _takes_bytes(field: Field, value: object) -> bool:
    is_empty = field.type.size == 0 and (not isinstance(field.type, Repetition) or value == [])
    return value is not None and not is_empty


def _has_unknown_flags(value: Any) -> bool:
    return any(getattr(value, field.name) for field in type(value).FIELDS if _is_flags(field))


def _adapt(value: object, schema: Any) -> None:
    """Let a drawn value have no flag bits that its schema does not know; and no number be one that an int is."""
    if isinstance(value, list | tuple):
        for item in value:
            _adapt(item, schema)
    elif isinstance(value, Plan):
        for field in schema.by_name[value.name].FIELDS:
            inner = value.fields[field.name]
            if _is_flags(field):
                value.fields[field.name] = 0
            elif field.type.name == "#" and isinstance(inner, int) and inner > _LARGEST_COUNT:
                value.fields[field.name] = inner | 1 << 31
            else:
                _adapt(inner, schema)


def names_in(value: Any) -> set[str]:
    """The combinators of all objects in `value`."""
    if isinstance(value, list | tuple):
        return {name for item in value for name in names_in(item)}
    if not hasattr(value, "TL_NAME"):
        return set()
    fields = [getattr(value, field.name) for field in type(value).FIELDS]
    return {value.TL_NAME} | names_in(fields)


def answers(direction: Direction, name: str) -> Iterator[tuple[Any, Any, set[str]]]:
    """A request of the function `name`, answers to it, and the combinators in each."""
    rng = random.Random(name)
    schema = direction.writer.SCHEMA
    request = next(samples(direction, name))
    kind = schema.wire_type(request.RESULT)
    for _ in range(TRIES):
        count = rng.randrange(3)
        if not isinstance(kind, Vector):
            answer = _value_of(rng, kind, schema)
        elif kind.item.name == "int":
            answer = [rng.getrandbits(31) for _ in range(count)]
        else:
            answer = [_value_of(rng, kind.item, schema) for _ in range(count)]
        yield request, answer, names_in(answer)


def _value_of(rng: random.Random, kind: WireType, schema: Any) -> Any:
    if kind.name == "Bool":
        return rng.random() < 0.5
    drawn = plan(rng, rng.choice(classes_of(kind, schema)))
    _adapt(drawn, schema)
    return drawn.build(schema)


# Verdicts


def verdicts(direction: Direction, name: str) -> Iterator[tuple[bool, bool, bool]]:
    """For each value tried: whether it was read, whether its fields were, and whether this can be told of the
    combinator `name` alone, because what stands inside can be read."""
    for value in samples(direction, name):
        fields = [getattr(value, field.name) for field in type(value).FIELDS]
        yield direction.reads(value), direction.reads_fields(value), direction.allows_all(names_in(fields))
    combinator = direction.written.by_name[name]
    is_open = combinator.result.name in {p.name for p in combinator.implicit}
    if combinator.is_function and not is_open and name in direction.names:
        for request, answer, names in answers(direction, name):
            yield direction.reads_answer(request, answer), True, direction.allows_all(names)


def observed(old: Schema, new: Schema, changes: SchemaDiff, change: CombinatorChange) -> tuple[Grade, Grade]:
    """The grade of a change, and of the fields alone, by trying."""
    read: list[bool] = []
    fields_read: list[bool] = []
    same = True
    for direction, combinator in zip(directions(old, new, changes), (change.old, change.new), strict=True):
        found = list(verdicts(direction, combinator.name)) if combinator else []
        assert not found or any(telling for *_, telling in found)
        read.append(all(was_read for was_read, _, telling in found if telling))
        fields_read.append(all(was_read for _, was_read, telling in found if telling))
        if combinator and change.old and change.new:
            same = same and all(
                direction.reads_fields(value, as_own=True)
                for value in samples(direction, combinator.name)
                if direction.are_same(names_in(value) - {combinator.name})
            )
    grades = [
        Grade.of(new_reads_old=forwards, old_reads_new=backwards, same=same)
        for forwards, backwards in (read, fields_read)
    ]
    return grades[0], grades[1]
