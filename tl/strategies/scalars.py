"""Strategies for the built-in types: numbers, strings, Bool.

Every value can be shrunk to every simpler one, in steps that Hypothesis knows: so an edge is favoured by where
a number leads, never by a branch of its own, in which an example would be stuck.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tl.primitives import PRIMITIVES, Integer

__all__ = ["LONG", "scalars"]

LONG = 65536
"""The longest string that is drawn; rarely."""

# How long a string is at least, in bytes, is drawn as a number, and another says how to take it: not at all, as
# it is, or taken down to the edge below it.  So whatever breaks at an edge can shrink to the least that breaks.
_NONE, _AS_IT_IS, _WIDE, _LAST = 0, 1, 2, 4
_HOW = st.integers(_NONE, 7)
_LENGTHS = st.integers(0, 511)
_EDGES = {0: 0, 1: 1, 60: 2, 90: 3, 120: 4, 253: 253, 320: 254, 390: 255, 460: 256}
"""From which length on it is taken down to where: where the padding or the length form of a string changes."""
_STARTS = tuple(_EDGES)
_FROM_LONG = 504

_SHORT_BYTES = st.binary(max_size=8)
_SHORT_TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)


def _filled(draw: DrawFn, size: int) -> tuple[int, bool, bool]:
    """What to put behind a text of `size` bytes: how many, whether in its place, whether wide characters."""
    how = draw(_HOW)
    if how == _NONE or how > _LAST:
        return 0, False, False
    length = draw(_LENGTHS)
    if how != _AS_IT_IS:
        is_long = how == _LAST and length >= _FROM_LONG
        length = LONG if is_long else _EDGES[_STARTS[bisect_right(_STARTS, length) - 1]]
        if length < size:
            return length, True, False
    return max(0, length - size), False, how == _WIDE


@st.composite
def _bytes(draw: DrawFn) -> bytes:
    """Byte strings: a few of any bytes, filled up to a length."""
    data = draw(_SHORT_BYTES)
    missing, is_all, _ = _filled(draw, len(data))
    return b"x" * missing if is_all else data + b"x" * missing


@st.composite
def _strings(draw: DrawFn) -> str:
    """Strings: a few characters, filled up to a length in UTF-8."""
    text = draw(_SHORT_TEXTS)
    missing, is_all, is_wide = _filled(draw, len(text.encode()))
    filler = "é" * (missing // 2) + "x" * (missing % 2) if is_wide else "x" * missing
    return filler if is_all else text + filler


def _integers(low: int, high: int) -> SearchStrategy[int]:
    """Numbers of a range, often its limits: they stand for all that is drawn beyond them.

    It is drawn from a far greater range, because Hypothesis draws most numbers from near 0.
    """
    drawn = st.integers(low * (high + 1), high * (high + 1))
    return drawn.map(lambda number: max(low, min(number, high)))


def _double(bits: int) -> float:
    value: float = struct.unpack("<d", bits.to_bytes(8, "little"))[0]
    return value


_NANS = st.sampled_from((0x7FF8 << 48, 0xFFF8 << 48 | 1, 0x7FF0 << 48 | 1)).map(_double)
"""A quiet one, a negative one with a payload, one that signals."""


def scalars(*, allow_nan: bool) -> Mapping[str, SearchStrategy[Any]]:
    """The strategy for each built-in type, by its name."""
    integers = {
        n: _integers(kind.low, kind.high) for n, kind in PRIMITIVES.items() if isinstance(kind, Integer)
    }
    doubles = st.floats(allow_nan=False)
    return {
        **integers,
        "double": doubles | _NANS if allow_nan else doubles,
        "int128": st.binary(min_size=16, max_size=16),
        "int256": st.binary(min_size=32, max_size=32),
        "bytes": _bytes(),
        "string": _strings(),
        "Bool": st.booleans(),
        "true": st.just(True),
    }
