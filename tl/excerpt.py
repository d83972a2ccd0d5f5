"""A schema and some names → the part of the schema that these need: how `schema/api.tl` is made.

    layer = Schema.read("layer228.tl")
    print(schema_text(excerpt(layer, ["account.sendVerifyPhoneCode"])))     # it, and all it and its answer need

Docs may come from another schema: `tl.merge` puts them together first.

An excerpt is closed: every type that it names is there, with all of its constructors, so its codec says of
any bytes of these types what that of the whole schema would.  What may stand for any object or any function
(``Object``, ``!X``) names none, and brings none along: name the ones you want.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches

from tl.ast import Combinator
from tl.core_types import names_in, names_of
from tl.errors import SchemaError
from tl.lexer import shown
from tl.schema import Schema

__all__ = ["excerpt"]

_MOST_SUGGESTIONS = 3
_MOST_SEARCHES = 20
_LONGEST_SEARCHED = 100


def excerpt(schema: Schema, names: Iterable[str]) -> Schema:
    """The part of `schema` that the combinators and boxed types called `names` need, closed.

    A function brings the types of its fields and of its answer, a constructor those of its fields and its own
    type, a boxed type all of its constructors.  Order, ids, docs and layer are those of `schema`.  Raise
    SchemaError, with one error for each name that is none of `schema`'s.
    """
    index = _Index(schema)
    wanted = list(dict.fromkeys(names))
    unknown = [name for name in wanted if name not in index.named]
    if unknown:
        raise SchemaError.of(list(index.errors(unknown)))
    found: set[int] = set()
    left = [place for name in wanted for place in index.named[name]]
    while left:
        place = left.pop()
        if place not in found:
            found.add(place)
            left += index.needed_by(place)
    part = Schema((schema.declarations[place] for place in sorted(found)), schema.layer)
    types = {c.result.name for c in part.declarations}
    part.type_docs = {name: text for name, text in schema.type_docs.items() if name in types}
    return part


class _Index:
    """Where the declarations are that a name means: the caller's (`named`), or a field's (`meant`)."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.named: defaultdict[str, list[int]] = defaultdict(list)
        self.meant: defaultdict[str, list[int]] = defaultdict(list)
        for place, declaration in enumerate(schema.declarations):
            self.named[declaration.name].append(place)
            if not declaration.is_function:
                self.meant[declaration.name].append(place)
                self.named[declaration.result.name].append(place)
                self.meant[declaration.result.name].append(place)

    def needed_by(self, place: int) -> Iterator[int]:
        """What the declaration at `place` refers to, in its own words and in those that a codec uses."""
        declaration = self.schema.declarations[place]
        names = set(_references(declaration))
        normal = self.schema.by_name.get(declaration.name)
        if normal is not None and normal is not declaration:
            names.update(_references(normal))
        for name in names:
            yield from self.meant.get(name, ())

    def errors(self, unknown: Sequence[str]) -> Iterator[SchemaError]:
        """One for each name that is unknown, with what may have been meant; the search is long, so is not
        made for more than a few."""
        local: defaultdict[str, list[str]] = defaultdict(list)
        for name in self.named:
            local[_last_part(name)].append(name)
        for number, name in enumerate(unknown):
            near = local.get(_last_part(name), [])[:_MOST_SUGGESTIONS]
            if not near and number < _MOST_SEARCHES and len(name) <= _LONGEST_SEARCHED:
                near = get_close_matches(name, self.named, _MOST_SUGGESTIONS, 0.7)
            hint = f", did you mean {' or '.join(map(repr, near))}?" if near else ""
            yield SchemaError(f"the schema has no combinator or type {shown(name)}{hint}")


def _last_part(name: str) -> str:
    """What a name has in common with that of its class, and in other namespaces."""
    return name.rpartition(".")[2].replace("_", "").lower()


def _references(combinator: Combinator) -> Iterator[str]:
    variables = {p.name for p in combinator.implicit}
    for name in (*names_in(combinator.parameters), *names_of(combinator.result)):
        if name not in variables:
            yield name
