"""What mutations have to know of a schema: who has which id, what is small, what can be nested."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from tl.mutations.pieces import Pieces, type_key
from tl.mutations.wrappers import Wrappers
from tl.objects import AnyObject, Boxed
from tl.registry import Registry
from tl.smallest import Smallest
from tl.wire import BOOL_FALSE, BOOL_TRUE, VECTOR_ID, WireType

__all__ = ["Facts", "Foreign", "facts_of"]


class Foreign(NamedTuple):
    """An id that a place does not take, and the class that has it, if it is that of a class."""

    id: bytes
    cls: Any | None


class Facts:
    """The facts about one schema; what takes long is found out when it is needed."""

    def __init__(self, schema: Registry) -> None:
        self.schema = schema
        smallest = Smallest(schema)
        self.pieces = Pieces(smallest)
        self.wrappers = Wrappers(smallest, self.pieces)
        self.ids = {number.to_bytes(4, "little") for number, _, _ in schema.declared.values()}
        self.ids |= {VECTOR_ID, BOOL_TRUE, BOOL_FALSE}
        self._foreign: dict[object, tuple[Foreign, ...]] = {}
        self._siblings: dict[object, tuple[Any, ...]] = {}

    def __repr__(self) -> str:
        return f"<facts of {self.schema.name}>"

    def any_class(self, kind: WireType, rng: random.Random) -> Any | None:
        """One of the classes whose objects are the values of a type; None where the one drawn is not."""
        if not isinstance(kind, Boxed):
            return None
        names = (
            list(self.schema.declared) if isinstance(kind, AnyObject) else [c.TL_NAME for c in kind.classes()]
        )
        cls = self.schema.by_name[rng.choice(names)] if names else None
        return cls if cls is not None and kind.find(cls.CONSTRUCTOR_ID) is cls else None

    def foreign(self, kind: Boxed) -> tuple[Foreign, ...]:
        """Ids that a value of this type never has: of other types' constructors, of a function, of a vector."""
        key = type_key(kind)
        if key not in self._foreign:
            self._foreign[key] = tuple(dict.fromkeys(self._find_foreign(kind)))
        return self._foreign[key]

    def _find_foreign(self, kind: Boxed) -> Iterator[Foreign]:
        declared = self.schema.declared
        constructors = [name for name in declared if declared[name][1]]
        functions = [name for name in declared if not declared[name][1]]
        for names in (constructors, reversed(constructors), functions):
            for name in names:
                if kind.find(declared[name][0]) is None:
                    yield Foreign(declared[name][0].to_bytes(4, "little"), self.schema.by_name[name])
                    break
        if kind.find(int.from_bytes(VECTOR_ID, "little")) is None:
            yield Foreign(VECTOR_ID, None)

    def siblings(self, kind: Boxed, cls: Any) -> tuple[Any, ...]:
        """Other classes whose objects may stand where one of `cls` stands; of any object's, only a few."""
        key = type_key(kind), cls
        if key not in self._siblings:
            if isinstance(kind, AnyObject):
                found = list(self._some_near(cls))
            else:
                found = list(kind.classes())
            self._siblings[key] = tuple(c for c in found if c is not cls and kind.find(c.CONSTRUCTOR_ID) is c)
        return self._siblings[key]

    def _some_near(self, cls: Any) -> Iterator[Any]:
        """The class that is declared before, and the next two of the same sort."""
        is_function = hasattr(cls, "RESULT")
        names = [n for n, (_, type_name, _) in self.schema.declared.items() if bool(type_name) != is_function]
        place = names.index(cls.TL_NAME)
        near = names[max(0, place - 1) : place + 3]
        yield from (self.schema.by_name[name] for name in near)


@lru_cache(maxsize=16)
def facts_of(schema: Registry) -> Facts:
    """The facts about a schema: kept for the schemas used last."""
    return Facts(schema)
