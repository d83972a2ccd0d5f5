"""Operators on numbers, on int128 and int256, on Bool."""

from __future__ import annotations

from collections.abc import Iterator

from tl.mutations.operators import Draft, illegal, is_scalar, legal, operator
from tl.mutations.sites import Site
from tl.primitives import Bool, Double, Fixed, Integer
from tl.wire import BOOL_FALSE, BOOL_TRUE

__all__ = ["OPERATORS", "is_count"]

_INFINITY = bytes.fromhex("000000000000f07f")
_SIGNALLING_NAN = bytes.fromhex("010000000000f07f")


def is_count(site: Site) -> bool:
    """Whether it is the ``#`` that says how often something else is repeated."""
    if site.parent is None or not site.parent.table or not isinstance(site.kind, Integer):
        return False
    return bool(site.parent.counted_by(site.place))


def _is_number(site: Site) -> bool:
    return is_scalar(site, Integer, Double, Fixed) and not is_count(site)


def _is_bool(site: Site) -> bool:
    return is_scalar(site, Bool)


@operator(_is_number)
def other_number(site: Site) -> Iterator[Draft]:
    """A number at the limits of its type, or with its bytes in the other order."""
    size = site.end - site.start
    others = [
        bytes(size),
        b"\1" + bytes(size - 1),
        b"\xff" * size,
        bytes(size - 1) + b"\x80",
        b"\xff" * (size - 1) + b"\x7f",
        site.data[::-1],
    ]
    if isinstance(site.kind, Double):
        others += [_INFINITY, _SIGNALLING_NAN]
    for other in dict.fromkeys(others):
        yield legal(site.path, (site.start, site.end, other))


@operator(_is_bool)
def other_bool(site: Site) -> Iterator[Draft]:
    """True for false, false for true."""
    for other in (BOOL_TRUE, BOOL_FALSE):
        yield legal(site.path, (site.start, site.end, other))


@operator(_is_bool)
def bad_bool(site: Site) -> Iterator[Draft]:
    """A Bool that is neither: 0, 1, an id with one bit changed."""
    first, *rest = site.data
    for other in (bytes(4), b"\1\0\0\0", bytes([first ^ 1, *rest])):
        yield illegal(site.path, (site.start, site.end, other))


OPERATORS = (other_number, other_bool, bad_bool)
