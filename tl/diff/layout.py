"""The fields of a combinator as they lie in an encoding: what takes bytes, in order, and under which flag bit.

Source: core.telegram.org/mtproto/serialize
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tl.ast import Combinator, Multiplicity, Parameter, TypeExpr, TypeRef
from tl.schema import Schema

__all__ = ["Layout", "Layouts", "Place", "Word"]

_ALL_BITS = 2**32 - 1
_NUMBER = TypeRef("#")

Condition = tuple[int, int] | None
"""The bit that something is there under: the number of the ``#`` field, and that of the bit."""


@dataclass(frozen=True, slots=True)
class Place:
    """A field: its number, counted from 0, its type, and under which bit it is there.

    `count` is the number of the ``#`` field that counts it, where it is repeated as often as that says.
    """

    number: int
    type: TypeExpr
    condition: Condition
    count: int | None


@dataclass(slots=True)
class Word:
    """A ``#`` field; `known` has the bits that fields depend on."""

    name: str
    known: int = 0

    @property
    def bits(self) -> int:
        """The bits that a writer may set: any, in a number; what is called ``flags`` is none, used or not."""
        is_flags = self.known or self.name.startswith("flags")
        return self.known if is_flags else _ALL_BITS


@dataclass(frozen=True, slots=True)
class Layout:
    """`places` take bytes, in this order; `empty` ones, by number, never do; `words` are the ``#`` fields."""

    places: tuple[Place, ...]
    empty: dict[int, Place]
    words: dict[int, Word]

    def may_set(self, condition: tuple[int, int]) -> bool:
        """Whether a writer sets the bit for some value."""
        word, bit = condition
        return bool(self.words[word].bits >> bit & 1)


class Layouts:
    """The layouts of one schema's combinators."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._empty: dict[str, bool] = {}

    def of(self, fields: Sequence[Parameter]) -> Layout:
        """The layout of a combinator's fields, or of those in a repetition."""
        places: list[Place] = []
        empty: dict[int, Place] = {}
        words: dict[int, Word] = {}
        numbers: dict[str | None, int] = {}
        for number, parameter in enumerate(fields):
            place = _place(number, parameter, numbers, words)
            if self.is_empty(parameter.type):
                empty[number] = place
            else:
                places.append(place)
            if parameter.type == _NUMBER and parameter.flag is None:
                # Under None is the last one: the count of a repetition that names none.
                numbers[parameter.name] = numbers[None] = number
                words[number] = Word(parameter.name)
        return Layout(tuple(places), empty, words)

    def bare(self, kind: TypeRef) -> Combinator | None:
        """The constructor that stands bare where the type is `kind`; None where none does."""
        of_type = self.schema.types.get(kind.name, ())
        return of_type[0] if len(of_type) == 1 else self.schema.by_name.get(kind.name)

    def is_empty(self, kind: TypeExpr) -> bool:
        """Whether no value of this type takes any bytes."""
        if isinstance(kind, Multiplicity):
            return kind.count == 0 or all(self.is_empty(p.type) for p in kind.items)
        if not kind.is_bare or kind.arguments:
            return False
        if kind == TypeRef("true"):
            return True
        constructor = self.bare(kind)
        if constructor is None:
            return False
        name = constructor.name
        if name not in self._empty:
            self._empty[name] = all(self.is_empty(p.type) for p in constructor.parameters)
        return self._empty[name]


def _place(
    number: int, parameter: Parameter, numbers: dict[str | None, int], words: dict[int, Word]
) -> Place:
    condition = count = None
    if parameter.flag is not None:
        condition = numbers[parameter.flag.field], parameter.flag.bit
        words[condition[0]].known |= 1 << parameter.flag.bit
    kind = parameter.type
    if isinstance(kind, Multiplicity) and not isinstance(kind.count, int):
        count = numbers[kind.count]
    return Place(number, kind, condition, count)
