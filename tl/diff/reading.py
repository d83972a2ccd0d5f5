"""Whether one schema's reader takes what another's writer writes: the rules behind `tl.diff.grades`.

Both layouts are gone through side by side, place by place.  No bytes are needed: layouts say which there can be.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tl.ast import Combinator, Multiplicity, TypeExpr, TypeRef
from tl.core_types import BUILTIN_TYPES
from tl.diff.field_pairs import pair_fields
from tl.diff.layout import Condition, Layout, Layouts, Place

__all__ = ["Pairs", "Reading"]

Pairs = Iterable[tuple[int, int]]
"""Fields that are the same: their numbers on the writer's side and on the reader's."""
Variables = tuple[frozenset[str], frozenset[str]]
"""The type variables of a combinator, on the writer's side and on the reader's."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One direction: what is `written` by one schema is `read` by another.

    `partners` maps the names of the writer's combinators to those that they have for the reader, where it has
    them.  `exact` readers refuse flag bits that they would never set themselves.
    """

    written: Layouts
    read: Layouts
    partners: Mapping[str, str]
    exact: bool = False

    def expects(self, written: Combinator, read: Combinator) -> bool:
        """Whether a constructor is expected where it is written: its type is the same, or any, or one no more.

        Where the reader has no such type, what was of this type is of another, and that is graded.
        """
        name = written.result.name
        return name in (read.result.name, "Object") or name not in self.read.schema.types

    def answers(self, written: Combinator, read: Combinator) -> bool:
        """Whether the answer to a function is read."""
        return self.type(written.result, read.result, _variables(written, read))

    def fields(self, written: Combinator, read: Combinator, pairs: Pairs) -> bool:
        """Whether the fields of `written` are read, each as the one that `pairs` says it is in `read`."""
        layouts = self.written.of(written.parameters), self.read.of(read.parameters)
        return _Walk(self, *layouts, _variables(written, read)).reads(pairs)

    def type(self, written: TypeExpr, read: TypeExpr, variables: Variables) -> bool:
        """Whether every value of one type is read as one of the other."""
        if isinstance(written, Multiplicity) or isinstance(read, Multiplicity):
            return _are_counted_alike(written, read) and self._rows(written, read, variables)
        kind, expected = _kind(written, variables[0]), _kind(read, variables[1])
        if expected == "any object":
            return kind in ("any object", "any function", "boxed")
        if kind != expected:
            return False
        if kind in ("vector", "bare vector"):
            return self.type(written.arguments[0], read.arguments[0], variables)
        if kind == "bare":
            return self._constructor(written, read)
        if kind == "boxed":
            return written.name == read.name or self._constructors(written.name, read.name)
        return (
            kind == "any function" or read.name == written.name or (written.name, read.name) == _TEXT_AS_BYTES
        )

    def _rows(self, written: TypeExpr, read: TypeExpr, variables: Variables) -> bool:
        """Whether the items of a repetition are read, one time."""
        if not isinstance(written, Multiplicity) or not isinstance(read, Multiplicity):
            return False
        layouts = self.written.of(written.items), self.read.of(read.items)
        pairs = ((p.old, p.new) for p in pair_fields(written.items, read.items))
        both = [(i, j) for i, j in pairs if i is not None and j is not None]
        return _Walk(self, *layouts, variables).reads(both)

    def _constructor(self, written: TypeRef, read: TypeRef) -> bool:
        """Whether what stands bare in both is the same constructor."""
        writer, reader = self.written.bare(written), self.read.bare(read)
        return bool(writer and reader and self.partners.get(writer.name) == reader.name)

    def _constructors(self, written: str, read: str) -> bool:
        """Whether a type has all constructors of another, as far as the reader has them at all."""
        names = {c.name for c in self.read.schema.types.get(read, ())}
        partners = {self.partners.get(c.name) for c in self.written.schema.types.get(written, ())} - {None}
        return bool(partners) and partners <= names


_TEXT_AS_BYTES = ("string", "bytes")


def _variables(written: Combinator, read: Combinator) -> Variables:
    return frozenset(p.name for p in written.implicit), frozenset(p.name for p in read.implicit)


def _kind(kind: TypeRef, variables: frozenset[str]) -> str:
    if kind.name in variables:
        return "any function"
    if kind.name == "Object":
        return "any object"
    if kind.arguments:
        return "bare vector" if kind.is_bare else "vector"
    if kind.name in BUILTIN_TYPES:
        return "built in"
    return "bare" if kind.is_bare else "boxed"


def _are_counted_alike(written: TypeExpr, read: TypeExpr) -> bool:
    """Whether both are repeated by the same number, or both by a field: by which, their places say."""
    if not isinstance(written, Multiplicity) or not isinstance(read, Multiplicity):
        return False
    counts = {c if isinstance(c, int) else "" for c in (written.count, read.count)}
    return len(counts) == 1


@dataclass(slots=True)
class _Walk:
    """A writer's and a reader's layout; `found` maps the reader's fields to the writer's that stand there."""

    of: Reading
    written: Layout
    read: Layout
    variables: Variables
    found: dict[int, int] = field(default_factory=dict)

    def reads(self, pairs: Pairs) -> bool:
        """Whether the reader finds the values of `pairs` where it expects them, and no others.

        At each place stands what both know of; or nothing, being under a bit that the writer never sets.
        """
        partners = {reader: writer for writer, reader in pairs}
        left = deque(self.written.places)
        for place in self.read.places:
            condition = self._for_writer(place.condition)
            if left and left[0].condition == condition and partners.get(place.number) == left[0].number:
                if not self._is_read(left[0], place):
                    return False
                self.found[place.number] = left.popleft().number
            elif condition is None or self.written.may_set(condition):
                return False
        return not left and all(
            self.found.get(reader) == writer or self._is_same_bit(writer, reader)
            for reader, writer in partners.items()
        )

    def _for_writer(self, condition: Condition) -> Condition:
        """A reader's condition, with the word called by the number that it has for the writer."""
        return None if condition is None else (self.found[condition[0]], condition[1])

    def _is_read(self, written: Place, read: Place) -> bool:
        if read.count is not None and not self._is_same_count(written, read):
            return False
        word, expected = self.written.words.get(written.number), self.read.words.get(read.number)
        if self.of.exact and word and expected and word.bits & ~expected.bits:
            return False
        return self.of.type(written.type, read.type, self.variables)

    def _is_same_count(self, written: Place, read: Place) -> bool:
        if written.count is None or read.count is None or self.found[read.count] != written.count:
            return False
        # Where the word is one of flags as well, its other bits are the count.
        return self.written.words[written.count].known == self.read.words[read.count].known

    def _is_same_bit(self, written: int, read: int) -> bool:
        """Whether fields without bytes are there under the same condition, which is all there is to them."""
        if written not in self.written.empty or read not in self.read.empty:
            return False
        expected = self._for_writer(self.read.empty[read].condition)
        return self.written.empty[written].condition == expected
