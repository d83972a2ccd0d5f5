"""What straight-line code is made of: the fields of a combinator, and the steps in which they are taken.

Fields of fixed size that follow each other are one `struct` call, true flags take no room at all, and fields
in a row that hang on one flag bit are there together or not at all: that is a step, for the writer as well as
for the reader (`tl.straight`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tl.ast import Combinator, Multiplicity, Parameter, TypeRef
from tl.fast import NUMBER_CODES
from tl.names import field_names

__all__ = ["FIXED", "Field", "Rare", "Step", "fields_of", "flag_words", "steps_of"]

FIXED = {
    "#": ("I", 4),
    "int": ("i", 4),
    "long": ("q", 8),
    "double": ("d", 8),
    "int128": ("16s", 16),
    "int256": ("32s", 32),
    "Bool": ("4s", 4),
}
"""Types of fixed size: their codes in `struct`, their sizes in bytes."""


class Rare(Exception):
    """There is no straight-line code for this."""


class Field:
    """A parameter, its Python name, and what straight-line code asks of it."""

    def __init__(self, index: int, name: str, parameter: Parameter, generics: set[str]) -> None:
        self.index = index
        self.name = name
        if isinstance(parameter.type, Multiplicity):
            raise Rare
        self.tl_name = parameter.name
        self.type = parameter.type
        self.flag = parameter.flag
        self.generics = generics
        self.type_name = self.type.name if not self.type.bare else f"%{self.type.name}"
        self.is_true_flag = self.flag is not None and self.type == TypeRef("true")
        self.is_fixed = self.type_name in FIXED

    @property
    def holds_objects(self) -> bool:
        """Whether there are objects in it: anything but what is built in, and vectors of that."""
        kind = self.type
        if kind.name == "Vector" and isinstance(kind.arguments[0], TypeRef):
            kind = kind.arguments[0]
            return kind.name not in NUMBER_CODES and kind.name not in ("string", "bytes")
        return not self.is_fixed and kind.name not in ("string", "bytes")


def fields_of(combinator: Combinator) -> list[Field]:
    """The fields of a combinator in wire order; raise Rare where one of them is a repetition."""
    generics = {p.name for p in combinator.implicit}
    names = field_names(combinator)
    return [
        Field(i, n, p, generics) for i, (n, p) in enumerate(zip(names, combinator.parameters, strict=True))
    ]


def flag_words(fields: list[Field]) -> dict[str, tuple[Field, int]]:
    """The ``#`` fields that others depend on: TL name → the field and the mask of the bits in use."""
    words: dict[str, tuple[Field, int]] = {}
    by_name = {f.tl_name: f for f in fields}
    for field in fields:
        if field.flag:
            word = by_name[field.flag.field]
            mask = words[field.flag.field][1] if field.flag.field in words else 0
            words[field.flag.field] = (word, mask | 1 << field.flag.bit)
    return words


class Step:
    """Fields that are read or written together, in wire order.

    `run`: of fixed size, one after the other; `flags`: the true flags that stand among these, which take no
    room; `rest`: one field that is always there, or those in a row that are there if one bit is set.
    """

    def __init__(self) -> None:
        self.run: list[Field] = []
        self.flags: list[Field] = []
        self.rest: list[Field] = []

    @property
    def is_optional(self) -> bool:
        """Whether `rest` hangs on a flag bit."""
        return bool(self.rest) and self.rest[0].flag is not None


def steps_of(fields: Iterable[Field]) -> Iterator[Step]:
    """The steps that lead through all fields; one without any where there are no fields."""
    step = Step()
    for field in fields:
        if field.is_true_flag:
            step.flags.append(field)
            continue
        if step.rest and not (field.flag and field.flag == step.rest[0].flag):
            yield step
            step = Step()
        (step.rest if field.flag or not field.is_fixed else step.run).append(field)
    yield step
