"""A schema as a whole: its combinators indexed by name, id and type, every reference in it resolved.

Parsing says what the text is; this module says whether it holds together: no name or id twice, every type
known, every flag field there and in front of what depends on it.  All that is wrong is reported at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from warnings import warn

from tl.ast import Combinator
from tl.core_types import BUILTIN_TYPES, normal_combinators
from tl.errors import IdMismatchWarning, SchemaError
from tl.lexer import Source
from tl.parser import parse_source
from tl.resolution import Problem, problems_of

__all__ = ["BUILTIN_TYPES", "IdMismatch", "Schema"]

_MOST_PROBLEMS = 10_000


@dataclass(frozen=True, slots=True)
class IdMismatch:
    """A declared constructor id that is not the CRC-32 of its declaration; the declared one is used."""

    combinator: Combinator
    declared: int
    computed: int

    def __str__(self) -> str:
        return f"{self.combinator.line}: {self.message}"

    @property
    def message(self) -> str:
        """Name and both ids, without the line."""
        return f"{self.combinator.name}: declared id {self.declared:08x}, its text gives {self.computed:08x}"


class Schema:
    """A resolved schema; build it with `Schema.parse` or `Schema.read`.

    `declarations` is what the text says, in order.  `combinators` are those that get classes: without the
    declarations of built-in types, and with other names of built-in types (``int53``) replaced by the ones
    that a codec knows (``long``).  `layer` is the number of a ``// LAYER`` comment, or the layer that was
    chosen of those the text marks (``===144===``, see `layers`), or None.  `by_id` has the combinator that
    a body with this id is, if it can be any: a function before a constructor, the last of several functions.
    """

    def __init__(
        self,
        declarations: Iterable[Combinator],
        layer: int | None = None,
        *,
        source: Source | None = None,
        strict_ids: bool = False,
    ) -> None:
        self.declarations = tuple(declarations)
        self.layer = layer
        self.layers: tuple[int, ...] = ()
        self.type_docs: dict[str, str] = {}
        self.combinators = tuple(normal_combinators(self.declarations))
        self.by_name = {c.name: c for c in self.combinators}
        self.by_id = {c.constructor_id: c for c in (*self.constructors, *self.functions)}
        types: defaultdict[str, list[Combinator]] = defaultdict(list)
        for constructor in self.constructors:
            types[constructor.result.name].append(constructor)
        self.types = {name: tuple(constructors) for name, constructors in types.items()}
        self._source = source
        problems = list(islice(self._problems(strict_ids), _MOST_PROBLEMS + 1))
        if problems:
            raise SchemaError.of(self._errors(problems))

    @classmethod
    def parse(cls, text: str, *, layer: int | None = None, strict_ids: bool = False) -> Schema:
        """The schema that `text` is; raise SchemaError, with all errors found, where it is not one.

        `layer` picks one of the layers that the text marks; by default it is the last.  With `strict_ids` a
        constructor id that is not the CRC-32 of its declaration is an error, too; without, it is one of
        `id_mismatches`.
        """
        source = Source(text)
        parsed = parse_source(source, layer=layer)
        schema = cls(parsed.combinators, parsed.layer, source=source, strict_ids=strict_ids)
        schema.layers, schema.type_docs = parsed.layers, parsed.type_docs
        return schema

    @classmethod
    def read(cls, path: Path | str, *, layer: int | None = None, strict_ids: bool = False) -> Schema:
        """The schema in the file at `path` (UTF-8); all is as for `parse`."""
        try:
            text = Path(path).read_text("utf-8")
        except UnicodeDecodeError as error:
            raise SchemaError(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from None
        return cls.parse(text, layer=layer, strict_ids=strict_ids)

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
            IdMismatch(c, c.id, computed)
            for c in self.declarations
            if c.id is not None and c.id != (computed := c.computed_id)
        )

    @property
    def shared_ids(self) -> dict[int, tuple[Combinator, ...]]:
        """Every id that several combinators have, and these: the last is what `by_id` has.

        Functions may share an id, and a function one with a constructor: what a body is follows from where it
        stands, and where it can be any of them it is the last.  Constructors may not.
        """
        found: defaultdict[int, list[Combinator]] = defaultdict(list)
        for combinator in (*self.constructors, *self.functions):
            found[combinator.constructor_id].append(combinator)
        return {number: tuple(sharing) for number, sharing in found.items() if len(sharing) > 1}

    def warn_of_mismatches(self, name: str = "the schema", *, stacklevel: int = 1) -> None:
        """Issue one `IdMismatchWarning` that lists all `id_mismatches`, if there are any.

        It is that of the line that calls this, or of one further out, by `stacklevel`.
        """
        mismatches = self.id_mismatches
        if mismatches:
            lines = "".join(f"\n    {mismatch}" for mismatch in mismatches)
            message = f"{name}: constructor ids that do not follow from the text:{lines}"
            warn(message, IdMismatchWarning, stacklevel=stacklevel + 1)

    def error(self, message: str, combinator: Combinator, *, in_result: bool = False) -> SchemaError:
        """The SchemaError `message`, at the name of one of the combinators, or at that of its result type."""
        position, result = combinator.start, combinator.result.start
        source = self._source
        # Where the result stands on another line the combinator has to do.
        if in_result and source and result >= 0 and source.line(result) == combinator.line:
            position = result
        return self._error(position, message, combinator.line)

    def _problems(self, strict_ids: bool) -> Iterator[Problem]:
        yield from problems_of(self)
        if strict_ids:
            yield from map(_mismatch_problem, self.id_mismatches)

    def _errors(self, problems: list[Problem]) -> list[SchemaError]:
        """The errors for `problems` in the order of the text, but not without end."""
        listed = sorted(problems[:_MOST_PROBLEMS], key=lambda problem: problem.position)
        errors = [self._error(*problem) for problem in listed]
        if len(problems) > _MOST_PROBLEMS:
            errors.append(SchemaError(f"there is more: {_MOST_PROBLEMS} errors are listed"))
        return errors

    def _error(self, position: int, message: str, line: int) -> SchemaError:
        if self._source is None or position < 0:
            return SchemaError(message, line=line, column=1)
        return self._source.error(message, position)

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


def _mismatch_problem(mismatch: IdMismatch) -> Problem:
    combinator = mismatch.combinator
    behind_the_name = combinator.start + len(combinator.name) if combinator.start >= 0 else -1
    return Problem(behind_the_name, mismatch.message, combinator.line)
