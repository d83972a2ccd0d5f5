"""Two schemas → what became of each combinator, and what that does to bytes on the wire.

    changes = diff(Schema.read("layer222.tl"), Schema.read("layer228.tl"))
    print(diff_text(changes))                                  # `tl.diff.text`, for people
    [c.name for c in changes.changes if c.grade is Grade.BREAKING]

`tl.diff.grades` says what the grades mean.  What is built in (``int ? = Int;``) and where a declaration stands in
the text make no difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tl.ast import Combinator, Parameter
from tl.diff.combinator_pairs import pair_combinators
from tl.diff.field_pairs import FieldPair, pair_fields
from tl.diff.grades import Grade
from tl.diff.layout import Layouts
from tl.diff.reading import Reading
from tl.schema import Schema

__all__ = ["CombinatorChange", "FieldChange", "SchemaDiff", "diff"]


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field before and after (None: it was not or is not there).

    `what` has any of "added", "removed", "renamed", "type", "flag" (its condition), "order".
    """

    what: tuple[str, ...]
    old: Parameter | None
    new: Parameter | None


@dataclass(frozen=True, slots=True)
class CombinatorChange:
    """A combinator before and after (None: it was not or is not there).

    `what` has any of "added", "removed", "renamed", "id", "moved" (a constructor's type is another),
    "answer" (a function's is), "fields", "docs".  `grade` is what all of it does to bytes; `fields_grade` what
    the fields alone do, which is what counts where a constructor stands bare, without its id.
    """

    what: tuple[str, ...]
    old: Combinator | None
    new: Combinator | None
    grade: Grade
    fields_grade: Grade
    fields: tuple[FieldChange, ...] = ()

    @property
    def combinator(self) -> Combinator:
        """The combinator as it is, or as it was if it is no more."""
        found = self.new or self.old
        if found is None:
            raise ValueError("a change of no combinator")
        return found

    @property
    def name(self) -> str:
        """Its name, the old one if it is no more."""
        return self.combinator.name

    @property
    def is_function(self) -> bool:
        """Whether it is a function; a constructor that became one was removed, and the function added."""
        return self.combinator.is_function


@dataclass(frozen=True, slots=True)
class SchemaDiff:
    """All changes from one schema to another: in the order of the new one, then what was removed."""

    old_layer: int | None
    new_layer: int | None
    changes: tuple[CombinatorChange, ...]
    types_added: tuple[str, ...]
    types_removed: tuple[str, ...]

    @property
    def grade(self) -> Grade:
        """The grade of all changes together."""
        grade = Grade.SAME
        for change in self.changes:
            grade &= change.grade
        return grade

    def having(self, what: str) -> tuple[CombinatorChange, ...]:
        """The changes that have `what`: "added", "renamed", "id" and so on."""
        return tuple(change for change in self.changes if what in change.what)

    def count(self) -> Counter[str]:
        """How many changes there are of each grade, by the grade's word."""
        return Counter(change.grade.value for change in self.changes)

    def __bool__(self) -> bool:
        return bool(self.changes) or self.old_layer != self.new_layer


def diff(old: Schema, new: Schema) -> SchemaDiff:
    """What changed from `old` to `new`.

    A combinator is known by its id, else by its name; else it is one whose fields and type are those of no
    other that is gone, or new ("renamed").
    """
    pairs = pair_combinators(old, new)
    comparison = _Comparison(old, new, pairs)
    before = {new_name: old.by_name[old_name] for old_name, new_name in pairs.items()}
    changes = [comparison.change(before.get(c.name), c) for c in new.combinators]
    changes += [comparison.change(c, None) for c in old.combinators if c.name not in pairs]
    return SchemaDiff(
        old.layer,
        new.layer,
        tuple(change for change in changes if change is not None),
        tuple(name for name in new.types if name not in old.types),
        tuple(name for name in old.types if name not in new.types),
    )


_ONLY_NEW = Grade.NEW_READS_OLD
_ONLY_OLD = Grade.OLD_READS_NEW


class _Comparison:
    """Grades changes; `forwards` is the new side reading the old one."""

    def __init__(self, old: Schema, new: Schema, pairs: dict[str, str]) -> None:
        olds, news = Layouts(old), Layouts(new)
        names = {new_name: old_name for old_name, new_name in pairs.items()}
        self.forwards = Reading(olds, news, pairs), Reading(olds, news, pairs, exact=True)
        self.backwards = Reading(news, olds, names), Reading(news, olds, names, exact=True)

    def change(self, old: Combinator | None, new: Combinator | None) -> CombinatorChange | None:
        """What became of a combinator; None where nothing did."""
        if old is None:
            return CombinatorChange(("added",), old, new, _ONLY_NEW, _ONLY_NEW)
        if new is None:
            return CombinatorChange(("removed",), old, new, _ONLY_OLD, _ONLY_OLD)
        if old == new and old.doc == new.doc:
            return None
        pairs = pair_fields(old.parameters, new.parameters)
        fields = tuple(_field_changes(old, new, pairs))
        what = tuple(_what(old, new, bool(fields)))
        if not what:
            return None
        numbers = [(p.old, p.new) for p in pairs if p.old is not None and p.new is not None]
        fields_grade = self.fields_grade(old, new, numbers)
        grade = Grade.BREAKING if "id" in what else fields_grade & self.type_grade(old, new)
        return CombinatorChange(what, old, new, grade, fields_grade, fields)

    def fields_grade(self, old: Combinator, new: Combinator, numbers: list[tuple[int, int]]) -> Grade:
        back = [(j, i) for i, j in numbers]
        return Grade.of(
            new_reads_old=self.forwards[0].fields(old, new, numbers),
            old_reads_new=self.backwards[0].fields(new, old, back),
            same=self.forwards[1].fields(old, new, numbers) and self.backwards[1].fields(new, old, back),
        )

    def type_grade(self, old: Combinator, new: Combinator) -> Grade:
        """The grade of another result type: what a constructor is expected as, what a function answers."""
        (forwards, _), (backwards, _) = self.forwards, self.backwards
        if old.is_function:
            reads = forwards.answers(old, new), backwards.answers(new, old)
        else:
            reads = forwards.expects(old, new), backwards.expects(new, old)
        return Grade.of(new_reads_old=reads[0], old_reads_new=reads[1], same=all(reads))


def _what(old: Combinator, new: Combinator, fields_changed: bool) -> Iterator[str]:
    if old.name != new.name:
        yield "renamed"
    if old.constructor_id != new.constructor_id:
        yield "id"
    if old.result != new.result:
        yield "answer" if old.is_function else "moved"
    if fields_changed:
        yield "fields"
    if old.doc != new.doc:
        yield "docs"


def _field_changes(old: Combinator, new: Combinator, pairs: list[FieldPair]) -> Iterator[FieldChange]:
    for pair in pairs:
        if pair.what:
            yield FieldChange(
                pair.what,
                None if pair.old is None else old.parameters[pair.old],
                None if pair.new is None else new.parameters[pair.new],
            )
