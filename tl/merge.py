"""Several schemas → one that says all that they say: the service schema, a layer, and additions of one's own.

What several of them declare alike is there once; what they declare differently is an error that names both
places.  Nor does one schema give a word of another a new meaning: no id, no bare type, no other name of a
built-in type.  A type may get constructors from several schemas.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tl.ast import Combinator, Doc
from tl.errors import SchemaError
from tl.schema import Schema

__all__ = ["merge"]


def merge(schemas: Sequence[Schema], *, layer: int | None = None, names: Sequence[str] = ()) -> Schema:
    """The schema of all that `schemas` declare, in their order, each combinator where it comes first.

    The layer is `layer`, or by default the highest.  Docs are put together, too: what an earlier schema does
    not describe, a later one may.  `names` are what errors call the schemas (their files; "schema 1" and so on
    by default).  Raise SchemaError, with every contradiction found, where they contradict each other.
    """
    titles = [*names, *(f"schema {number}" for number in range(len(names) + 1, len(schemas) + 1))]
    merger = _Merger()
    for title, schema in zip(titles, schemas, strict=False):
        merger.add(schema, title)
    merger.check_ids()
    if merger.errors:
        raise SchemaError.of(merger.errors)
    if layer is None:
        layer = max((s.layer for s in schemas if s.layer is not None), default=None)
    merged = merger.schema(layer)
    merger.check_meanings(merged)
    if merger.errors:
        raise SchemaError.of(merger.errors)
    return merged


@dataclass(frozen=True, slots=True)
class _Origin:
    """A combinator as one of the schemas has it; `normal` is None where it only restates a built-in type."""

    title: str
    declaration: Combinator
    normal: Combinator | None

    def __str__(self) -> str:
        return f"{self.declaration.name} ({self.title}, line {self.declaration.line})"


class _Merger:
    """What has been declared so far, and what contradicts it."""

    def __init__(self) -> None:
        self.first: dict[str, _Origin] = {}
        self.declarations: dict[str, Combinator] = {}
        self.type_docs: dict[str, str] = {}
        self.sources: list[tuple[Schema, str]] = []
        self.errors: list[SchemaError] = []

    def add(self, schema: Schema, title: str) -> None:
        self.sources.append((schema, title))
        self.type_docs = {**schema.type_docs, **self.type_docs}
        for declaration in schema.declarations:
            name = declaration.name
            origin = _Origin(title, declaration, schema.by_name.get(name))
            first = self.first.setdefault(name, origin)
            if first is origin:
                self.declarations[name] = declaration
                continue
            difference = _difference(first.normal, origin.normal)
            if difference:
                self.errors.append(SchemaError(f"{origin} contradicts {first}: {difference}"))
            self.declarations[name] = _folded(self.declarations[name], declaration)

    def check_ids(self) -> None:
        """Combinators may share an id only where one schema has all of them, and so says itself that they do."""
        by_id: defaultdict[int, list[_Origin]] = defaultdict(list)
        for origin in self.first.values():
            if origin.normal is not None:
                by_id[origin.normal.constructor_id].append(origin)
        shared = [schema.shared_ids for schema, _ in self.sources]
        for number, (first, *others) in by_id.items():
            names = {origin.declaration.name for origin in (first, *others)}
            if not others or any(names <= {c.name for c in ids.get(number, ())} for ids in shared):
                continue
            for other in others:
                if other.title != first.title:
                    self.errors.append(SchemaError(f"{other} has the id {number:08x} of {first}"))

    def schema(self, layer: int | None) -> Schema:
        try:
            merged = Schema(self.declarations.values(), layer)
        except SchemaError as error:
            raise SchemaError.of([self._placed(e) for e in error.errors]) from None
        merged.type_docs = self.type_docs
        return merged

    def _placed(self, error: SchemaError) -> SchemaError:
        """An error of the whole: its line is one of the schema that the combinator is from."""
        origin = self.first.get(error.message.partition(":")[0])
        return SchemaError(f"{origin}: {error.message.partition(': ')[2]}" if origin else error.message)

    def check_meanings(self, merged: Schema) -> None:
        """What a schema refers to is what it referred to before."""
        for schema, title in self.sources:
            for combinator in schema.combinators:
                difference = _difference(combinator, merged.by_name.get(combinator.name))
                if difference:
                    place = f"{combinator.name} ({title}, line {combinator.line})"
                    self.errors.append(
                        SchemaError(f"{place} would get another meaning by the other schemas: {difference}")
                    )


def _difference(first: Combinator | None, second: Combinator | None) -> str:
    """What tells two combinators of one name apart; "" where they are the same."""
    if first is None or second is None:
        return "" if first is second else "one is a combinator, the other only names a built-in type"
    return next(_differences(first, second), "")


def _differences(first: Combinator, second: Combinator) -> Iterator[str]:
    """Differences of two combinators, the most telling first."""
    kinds = ["function" if c.is_function else "constructor" for c in (second, first)]
    if first.is_function != second.is_function:
        yield "a {}, not a {}".format(*kinds)
    if first.parameters != second.parameters or first.implicit != second.implicit:
        fields = [[f"{{{p}}}" for p in c.implicit] + [str(p) for p in c.parameters] for c in (second, first)]
        yield _of_lists(*fields)
    if first.result != second.result:
        yield f"the result type is {second.result}, not {first.result}"
    if first.constructor_id != second.constructor_id:
        yield f"the id is {second.constructor_id:08x}, not {first.constructor_id:08x}"


def _of_lists(second: list[str], first: list[str]) -> str:
    place = 0
    while place < min(len(first), len(second)) and first[place] == second[place]:
        place += 1
    got, expected = ([*fields, "nothing"][min(place, len(fields))] for fields in (second, first))
    return f"field {place + 1} is {got}, not {expected}"


def _folded(first: Combinator, second: Combinator) -> Combinator:
    """The first of two declarations that are the same, with the id and the docs that only the second has."""
    doc = _folded_docs(first.doc, second.doc)
    number = first.id if first.id is not None else second.id
    return first if doc == first.doc and number == first.id else replace(first, id=number, doc=doc)


def _folded_docs(first: Doc, second: Doc) -> Doc:
    if not second or first == second:
        return first
    fields = {name for name, _ in first.parameters}
    errors = {(code, name) for code, name, _ in first.errors}
    return Doc(
        first.description or second.description,
        (*first.parameters, *(p for p in second.parameters if p[0] not in fields)),
        (*first.errors, *(e for e in second.errors if e[:2] not in errors)),
    )
