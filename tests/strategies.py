"""Hypothesis strategies of the tests: values of a class as `tl.strategies` draws them, with all that TL allows."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from hypothesis.strategies import SearchStrategy

from tests.schemas import schemas
from tl.objects import Bare, Boxed
from tl.registry import Registry
from tl.smallest import Smallest
from tl.strategies import values
from tl.wire import WireType

__all__ = ["classes_of", "heights_of", "schemas", "values_of"]


def values_of(cls: Any, size: int = 24) -> SearchStrategy[Any]:
    """Objects of a class, of about `size` objects in all; unknown flag bits are set now and then."""
    return values(cls.SCHEMA, cls, unknown_flags=True, size=size)


@lru_cache(maxsize=16)
def _smallest(schema: Registry) -> Smallest:
    return Smallest(schema)


def classes_of(kind: WireType, schema: Registry) -> tuple[Any, ...]:
    """The classes whose objects a field of type `kind` takes."""
    assert isinstance(kind, Boxed | Bare)
    return _smallest(schema).classes(kind)


@lru_cache(maxsize=16)
def heights_of(schema: Registry) -> dict[Any, float]:
    """How many objects the smallest value of each class consists of; infinite where it has none."""
    return _smallest(schema).weights(schema.by_name.values())
