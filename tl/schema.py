"""A schema as a whole: its combinators indexed by name, id and type, every reference in it resolved.

Parsing says what the text is; this module says whether it holds together: no name or id twice, every type
known, every flag field there and in front of what depends on it.  All that is wrong is reported at once.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tl.ast import Combinator, Multiplicity, Parameter, TypeExpr, TypeRef
from tl.errors import SchemaError
from tl.parser import parse

__all__ = ["BUILTIN_TYPES", "IdMismatch", "Schema"]

BUILTIN_TYPES = {
    "#": 0,
    "int": 0,
    "long": 0,
    "double": 0,
    "string": 0,
    "bytes": 0,
    "int128": 0,
    "int256": 0,
    "Bool": 0,
    "true": 0,
    "Object": 0,
    "vector": 1,
    "Vector": 1,
}
"""The types a codec knows without a declaration, and how many arguments each takes."""

# Declarations that only restate the built-in types.
_CORE = {"int", "long", "double", "string", "bytes", "vector", "int128", "int256"}


@dataclass(frozen=True, slots=True)
class IdMismatch:
    """A declared constructor id that is not the CRC-32 of its declaration; the declared one is used."""

    combinator: Combinator
    declared: int
    computed: int

    def __str__(self) -> str:
        return (
            f"{self.combinator.line}: {self.combinator.name}: declared id {self.declared:08x}, "
            f"its text gives {self.computed:08x}"
        )


class Schema:
    """A resolved schema; build it with `Schema.parse` or `Schema.read`.

    `combinators` keeps the order of the text, without the declarations of built-in types; `layer` is the
    number of a ``// LAYER`` comment, or None.
    """

    def __init__(self, combinators: Iterable[Combinator], layer: int | None = None, text: str = "") -> None:
        self.declarations = tuple(combinators)
        self.layer = layer
        self.combinators = tuple(c for c in self.declarations if not c.is_builtin and c.name not in _CORE)
        self.by_name = {c.name: c for c in self.combinators}
        self.by_id = {c.constructor_id: c for c in self.combinators}
        types: defaultdict[str, list[Combinator]] = defaultdict(list)
        for combinator in self.combinators:
            if not combinator.is_function:
                types[combinator.result.name].append(combinator)
        self.types = {name: tuple(constructors) for name, constructors in types.items()}
        self._lines = text.removeprefix("\ufeff").split("\n")
        problems = sorted(self._problems(), key=lambda problem: (problem[0].line, problem[1]))
        errors = [self.error(message, combinator) for combinator, message in problems]
        if errors:
            raise SchemaError.of(errors)

    @classmethod
    def parse(cls, text: str) -> Schema:
        """The schema that `text` is; raise SchemaError, with all errors found, where it is not one."""
        parsed = parse(text)
        return cls(parsed.combinators, parsed.layer, text)

    @classmethod
    def read(cls, path: Path | str) -> Schema:
        """The schema in the file at `path` (UTF-8)."""
        try:
            text = Path(path).read_text("utf-8")
        except UnicodeDecodeError as error:
            raise SchemaError(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from None
        return cls.parse(text)

    @property
    def constructors(self) -> tuple[Combinator, ...]:
        """The combinators that are not functions, in the order of the text."""
        return tuple(c for c in self.combinators if not c.is_function)

    @property
    def functions(self) -> tuple[Combinator, ...]:
        """The combinators that are functions, in the order of the text."""
        return tuple(c for c in self.combinators if c.is_function)

    @property
    def id_mismatches(self) -> tuple[IdMismatch, ...]:
        """Every declared id that differs from the one its text gives."""
        return tuple(
            IdMismatch(c, c.id, c.computed_id)
            for c in self.combinators
            if c.id is not None and c.id != c.computed_id
        )

    def error(self, message: str, combinator: Combinator, *, in_result: bool = False) -> SchemaError:
        """The SchemaError `message`, at the name of one of the combinators, or at that of its result type."""
        line = combinator.line
        source = self._lines[line - 1].rstrip("\r") if 0 < line <= len(self._lines) else ""
        column = _find(combinator.name, source)
        equals = source.find("=", column)
        if in_result and equals >= 0:  # it may stand on another line; then the combinator has to do
            column = max(column, _find(combinator.result.name, source, equals))
        return SchemaError(message, line=line, column=column + 1, text=source)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Schema):
            return NotImplemented
        return self.declarations == other.declarations and self.layer == other.layer

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        lines: list[str] = []
        is_function = False
        for combinator in self.declarations:
            if combinator.is_function != is_function:
                is_function = combinator.is_function
                lines.append("---functions---" if is_function else "---types---")
            lines.append(str(combinator))
        if self.layer is not None:
            lines.append(f"// LAYER {self.layer}")
        return "".join(f"{line}\n" for line in lines)

    # What can be wrong

    def _problems(self) -> Iterator[tuple[Combinator, str]]:
        yield from self._duplicates()
        for combinator in self.combinators:
            for message in self._unresolved(combinator):
                yield combinator, f"{combinator.name}: {message}"

    def _duplicates(self) -> Iterator[tuple[Combinator, str]]:
        names: dict[str, Combinator] = {}
        ids: dict[tuple[int, bool], Combinator] = {}
        for c in self.combinators:
            if c.name in names:
                yield c, f"{c.name} is declared twice, first on line {names[c.name].line}"
                continue
            names[c.name] = c
            # A function may share its id with a constructor: TDLib's schema has such pairs.
            first = ids.setdefault((c.constructor_id, c.is_function), c)
            if first is not c:
                yield c, f"{c.name} has the id {c.constructor_id:08x} of {first.name}, line {first.line}"

    def _unresolved(self, combinator: Combinator) -> Iterator[str]:
        variables = {p.name for p in combinator.implicit}
        yield from self._fields(combinator.parameters, variables)
        if combinator.is_function:
            yield from self._type(combinator.result, variables)
        elif combinator.result.is_bare:
            yield f"the result type {combinator.result} is not a boxed type: expected a capital letter"
        elif combinator.result.arguments or combinator.result.name in variables:
            yield f"the result type {combinator.result} is open: MTProto has no such constructor but vector"

    def _fields(self, parameters: tuple[Parameter, ...], variables: set[str]) -> Iterator[str]:
        numbers: set[str] = set()
        seen: set[str] = set()
        for parameter in parameters:
            if parameter.name and parameter.name in seen:
                yield f"the field {parameter.name} is there twice"
            seen.add(parameter.name)
            if parameter.flag and parameter.flag.field not in numbers:
                yield (
                    f"{parameter.name} depends on {parameter.flag.field}, "
                    "expected a '#' field before it that is always there"
                )
            yield from self._type(parameter.type, variables, numbers, parameter.name)
            if parameter.type == TypeRef("#") and parameter.flag is None:
                numbers.add(parameter.name)

    def _type(
        self, kind: TypeExpr, variables: set[str], numbers: Collection[str] = (), name: str = ""
    ) -> Iterator[str]:
        where = f"{name}: " if name else ""
        if isinstance(kind, Multiplicity):
            if isinstance(kind.count, str) and kind.count not in numbers:
                yield f"{where}a repetition by {kind.count!r}, expected a number or a '#' field before it"
            elif kind.count is None and not numbers:
                yield f"{where}a repetition without a count, expected a number or a '#' field before it"
            yield from self._fields(kind.items, variables)
            return
        takes = BUILTIN_TYPES.get(kind.name, 0)
        if kind.generic and kind.name not in variables:
            yield f"{where}'!{kind.name}' is no type variable of this combinator"
        elif len(kind.arguments) != takes:
            yield f"{where}{kind.name} takes {takes} argument(s), got {len(kind.arguments)}"
        elif kind.bare and (kind.name in variables or (kind.name in BUILTIN_TYPES and not takes)):
            yield f"{where}{kind} has no bare form"
        elif kind.name in variables or kind.name in BUILTIN_TYPES:
            pass
        elif not self._is_known(kind):
            yield f"{where}unknown type {kind.name!r}"
        elif kind.bare and len(self.types.get(kind.name, (None,))) != 1:
            yield f"{where}%{kind.name} has {len(self.types[kind.name])} constructors, a bare type has one"
        for argument in kind.arguments:
            yield from self._type(argument, variables, (), name)

    def _is_known(self, kind: TypeRef) -> bool:
        if kind.name in self.types:
            return True
        combinator = self.by_name.get(kind.name)
        return combinator is not None and not combinator.is_function and kind.is_bare


def _find(name: str, source: str, start: int = 0) -> int:
    """Where `name` stands as a whole in a line, from `start` on; 0 where it does not."""
    found = re.compile(rf"(?<![\w.]){re.escape(name)}(?!\w)").search(source, start)
    return found.start() if found else 0
