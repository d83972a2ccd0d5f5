"""What can be wrong with a schema that parses: each problem with its place, in no particular order.

Sources: core.telegram.org/mtproto/TL-combinators, core.telegram.org/mtproto/TL-types
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple

from tl.ast import Combinator, Multiplicity, Parameter, TypeExpr, TypeRef
from tl.bare_nesting import endless_fields
from tl.core_types import BUILTIN_TYPES, core_problem

if TYPE_CHECKING:
    from tl.schema import Schema

__all__ = ["Problem", "problems_of"]


class Problem(NamedTuple):
    """Where in the text (-1: the place is not known), what, and the line of the combinator that it is in."""

    position: int
    message: str
    line: int


def problems_of(schema: Schema) -> Iterator[Problem]:
    """Every problem of `schema`, whose indexes are complete."""
    yield from _duplicates(schema)
    for declaration in schema.declarations:
        message = core_problem(declaration)
        if message:
            yield Problem(declaration.start, message, declaration.line)
    resolver = _Resolver(schema)
    for combinator in schema.combinators:
        for position, message in resolver.combinator(combinator):
            yield Problem(position, f"{combinator.name}: {message}", combinator.line)
    for combinator, position, message in endless_fields(schema):
        yield Problem(position, f"{combinator.name}: {message}", combinator.line)


def _duplicates(schema: Schema) -> Iterator[Problem]:
    names: dict[str, Combinator] = {}
    ids: dict[int, Combinator] = {}
    for c in schema.combinators:
        if c.name in names:
            message = f"{c.name} is declared twice, first on line {names[c.name].line}"
            yield Problem(c.start, message, c.line)
            continue
        names[c.name] = c
        if c.is_function:  # may share its id: TDLib's schema has such pairs
            continue
        first = ids.setdefault(c.constructor_id, c)
        if first is not c:
            message = f"{c.name} has the id {c.constructor_id:08x} of {first.name}, line {first.line}"
            yield Problem(c.start, message, c.line)


_Found = Iterator[tuple[int, str]]


class _Resolver:
    """Looks up what the fields of combinators refer to; yields the position and what is wrong there."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.types = schema.types
        self.undecodable = {c.name for c in schema.declarations if c.is_builtin}
        self._spellings: dict[str, str] = {}

    def combinator(self, combinator: Combinator) -> _Found:
        variables: set[str] = set()
        for parameter in combinator.implicit:
            variables.add(parameter.name)
            if parameter.type != TypeRef("Type"):
                yield (
                    parameter.start,
                    f"the type variable {parameter.name} is of kind {parameter.type}, expected Type: "
                    "MTProto has no types that depend on values",
                )
        yield from self.fields(combinator.parameters, variables)
        yield from self.result(combinator, variables)

    def result(self, combinator: Combinator, variables: set[str]) -> _Found:
        result = combinator.result
        if combinator.is_function:
            yield from self.type(result, variables)
        elif result.is_bare:
            yield result.start, f"the result type {result} is not a boxed type: expected a capital letter"
        elif result.arguments or result.generic or result.name in variables:
            yield (
                result.start,
                f"the result type {result} is open: MTProto has no such constructor but vector",
            )

    def fields(
        self, parameters: tuple[Parameter, ...], variables: set[str], outside: Collection[str] = ()
    ) -> _Found:
        """Problems of the fields of a combinator, or of a repetition `outside` of which some fields stand."""
        numbers: set[str] = set()
        seen: set[str] = set()
        for parameter in parameters:
            if parameter.name and parameter.name in seen:
                yield parameter.start, f"the field {parameter.name} is there twice"
            seen.add(parameter.name)
            if parameter.flag and parameter.flag.field not in numbers:
                word = parameter.flag.field
                where = " in the repetition" if word in outside else ""
                yield (
                    parameter.start,
                    f"{parameter.name or '_'} depends on {word}, "
                    f"expected a '#' field before it{where} that is always there",
                )
            for position, message in self.type(parameter.type, variables, numbers, seen, outside):
                yield position, f"{parameter.name}: {message}" if parameter.name else message
            if parameter.type == TypeRef("#") and parameter.flag is None:
                numbers.add(parameter.name)

    def type(
        self,
        kind: TypeExpr,
        variables: set[str],
        numbers: Collection[str] = (),
        seen: Collection[str] = (),
        outside: Collection[str] = (),
    ) -> _Found:
        if isinstance(kind, Multiplicity):
            yield from self.count(kind, numbers, outside)
            yield from self.fields(kind.items, variables, {*seen, *outside})
            return
        message = self.reference(kind, variables)
        if message:
            yield kind.start, message
        for argument in kind.arguments:
            yield from self.type(argument, variables, (), seen, outside)

    def count(self, kind: Multiplicity, numbers: Collection[str], outside: Collection[str]) -> _Found:
        where = " in the same repetition" if kind.count in outside else ""
        expected = f"expected a number or a '#' field before it{where}"
        if isinstance(kind.count, str) and kind.count not in numbers:
            yield kind.start, f"a repetition by {kind.count!r}, {expected}"
        elif kind.count is None and not numbers:
            yield kind.start, f"a repetition without a count, {expected}"

    def reference(self, kind: TypeRef, variables: set[str]) -> str:
        """What is wrong with one reference, its arguments aside; "" where nothing is."""
        name = kind.name
        takes = BUILTIN_TYPES.get(name, 0)
        if kind.generic:
            return "" if name in variables else f"'!{name}' is no type variable of this combinator"
        is_known = name in variables or name in BUILTIN_TYPES or self.is_known(kind)
        if not is_known:
            return self.unknown(name)
        if len(kind.arguments) != takes:
            return f"{name} takes {takes} argument(s), got {len(kind.arguments)}"
        if kind.bare and (name in variables or (name in BUILTIN_TYPES and not takes)):
            return f"{kind} has no bare form"
        if kind.bare and name not in BUILTIN_TYPES and len(self.types.get(name, (None,))) != 1:
            return f"%{name} has {len(self.types[name])} constructors, a bare type has one"
        return ""

    def is_known(self, kind: TypeRef) -> bool:
        if kind.name in self.types:
            return True
        combinator = self.schema.by_name.get(kind.name)
        return combinator is not None and not combinator.is_function and kind.is_bare

    def unknown(self, name: str) -> str:
        if name in self.undecodable:
            return f"unknown type {name!r}: it is declared as built in, but no codec knows it"
        if not self._spellings:
            known = (*(c.name for c in self.schema.constructors), *self.types, *BUILTIN_TYPES)
            similar_names = {_spelling(other).lower(): other for other in known}
            self._spellings = similar_names | {_spelling(other): other for other in known}
        spelling = _spelling(name)
        similar = self._spellings.get(spelling) or self._spellings.get(spelling.lower(), "")
        return f"unknown type {name!r}{f', did you mean {similar!r}?' if similar not in ('', name) else ''}"


def _spelling(name: str) -> str:
    """What similar names have in common; only whether it is a bare type's makes a difference."""
    namespace, _, local = name.replace("_", "").rpartition(".")
    return f"{namespace.lower()}.{local[:1]}{local[1:].lower()}"
