"""Operators on the bytes of fields, in objects and rows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from tl.mutations.operators import Draft, is_record, operator, unsure
from tl.mutations.sites import Site, edges

__all__ = ["OPERATORS"]


@operator(is_record)
def drop_field(site: Site) -> Iterator[Draft]:
    """A field without its bytes; flags and counts stay as they are."""
    for field in edges(_filled(site)):
        yield unsure(field.path, (field.start, field.end, b""))


@operator(is_record)
def duplicate_field(site: Site) -> Iterator[Draft]:
    """A field's bytes twice; flags and counts stay as they are."""
    for field in edges(_filled(site)):
        yield unsure(field.path, (field.end, field.end, field.data))


@operator(is_record)
def swap_fields(site: Site) -> Iterator[Draft]:
    """The bytes of two neighbouring fields in the wrong order."""
    filled = _filled(site)
    for first, second in edges(list(pairwise(filled))):
        yield unsure(first.path, (first.start, second.end, second.data + first.data))


def _filled(site: Site) -> list[Site]:
    """The fields that have bytes."""
    return [field for field in site.fields if field is not None and field.end > field.start]


OPERATORS = (drop_field, duplicate_field, swap_fields)
