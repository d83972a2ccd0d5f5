"""Operators on an encoding as a whole: too few bytes, too many."""

from __future__ import annotations

from collections.abc import Iterator

from tl.mutations.operators import Draft, illegal, is_root, is_value, operator
from tl.mutations.sites import Site

__all__ = ["OPERATORS"]


@operator(is_value)
def truncate_at_field(site: Site) -> Iterator[Draft]:
    """The data ends in front of a field, or of a part of one."""
    for leaf in site.leaves():
        if leaf.end > leaf.start:
            yield illegal(leaf.path, (leaf.start, len(site.encoding.data), b""))


@operator(is_value)
def truncate_in_field(site: Site) -> Iterator[Draft]:
    """The data ends behind the first byte of a field, or in front of its last one."""
    for leaf in site.leaves():
        for end in sorted({leaf.start + 1, leaf.end - 1} - {leaf.start}):
            if end < leaf.end:
                yield illegal(leaf.path, (end, len(site.encoding.data), b""))


@operator(is_root)
def trailing_bytes(site: Site) -> Iterator[Draft]:
    """Bytes are left over: one, a word, the whole encoding once more."""
    data = site.encoding.data
    for more in (b"\0", bytes(4), b"\xff\xff\xff\xff", data):
        if more:
            yield illegal("", (len(data), len(data), more))


OPERATORS = (truncate_at_field, truncate_in_field, trailing_bytes)
