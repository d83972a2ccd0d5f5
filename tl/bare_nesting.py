"""Bare types in bare types: which nest without end, or too deep for anyone to decode.

A bare type that is always there is part of what it stands in, so ``a x:a = A`` has no value at all, and a
codec that asked for its size would ask for ever.  Vectors and conditional fields may be empty: they end it.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from tl.ast import Combinator, Multiplicity, Parameter
from tl.parser import MAX_NESTING

if TYPE_CHECKING:
    from tl.schema import Schema

__all__ = ["endless_fields"]

_Edges = Mapping[str, Mapping[str, int]]


def endless_fields(schema: Schema) -> Iterator[tuple[Combinator, int, str]]:
    """The combinators that nest so, each with the position of the field at fault, and what is wrong."""
    edges = {c.name: dict(_parts(schema, c.parameters)) for c in schema.combinators}
    parents: defaultdict[str, list[str]] = defaultdict(list)
    for name, parts in edges.items():
        for part in parts:
            parents[part].append(name)
    heights, endless = _heights(edges, parents)
    for name in endless:
        part = next(part for part in edges[name] if part in endless)
        message = f"{part} is bare and always there, and contains {name}: such a value has no end"
        yield schema.by_name[name], edges[name][part], message
    for name, height in heights.items():
        if height == MAX_NESTING + 1:
            part = max(edges[name], key=lambda part: heights[part])
            message = f"bare types nest in each other deeper than {MAX_NESTING}"
            yield schema.by_name[name], edges[name][part], message


def _parts(schema: Schema, parameters: Iterable[Parameter]) -> Iterator[tuple[str, int]]:
    """The constructors whose values are always part of these fields, and where that is said."""
    for parameter in parameters:
        kind = parameter.type
        if parameter.flag is not None:
            continue
        if isinstance(kind, Multiplicity):
            if isinstance(kind.count, int) and kind.count:
                yield from _parts(schema, kind.items)
        elif kind.is_bare and not kind.arguments:
            constructors = schema.types.get(kind.name, ())
            name = constructors[0].name if len(constructors) == 1 else kind.name
            if name in schema.by_name and not schema.by_name[name].is_function:
                yield name, kind.start


def _heights(edges: _Edges, parents: Mapping[str, list[str]]) -> tuple[dict[str, int], dict[str, None]]:
    """How deep each combinator nests; and those that do so without end, in the order of the schema."""
    left = {name: len(parts) for name, parts in edges.items()}
    heights = dict.fromkeys(edges, 0)
    ready = deque(name for name, count in left.items() if not count)
    while ready:
        name = ready.popleft()
        for parent in parents.get(name, ()):
            heights[parent] = max(heights[parent], heights[name] + 1)
            left[parent] -= 1
            if not left[parent]:
                ready.append(parent)
    return heights, _on_cycles({name for name, count in left.items() if count}, edges, parents)


def _on_cycles(rest: set[str], edges: _Edges, parents: Mapping[str, list[str]]) -> dict[str, None]:
    """Those of `rest` that something of it contains: what only leads there is not at fault."""
    users = {name: sum(parent in rest for parent in parents.get(name, ())) for name in rest}
    ready = deque(name for name, count in users.items() if not count)
    while ready:
        name = ready.popleft()
        rest.discard(name)
        for part in edges[name]:
            if part in rest:
                users[part] -= 1
                if not users[part]:
                    ready.append(part)
    return dict.fromkeys(name for name in edges if name in rest)
