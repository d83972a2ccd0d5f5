"""Where the findings of a lenient reading are: each with the bytes that it is of.

A finding says where what deviates begins.  What renderers mark is the part of the encoding that begins there or
goes through there: a string's length, its padding, the bytes of it that are no UTF-8, a constructor id, a count,
a value that can't be read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from tl.findings import Finding
from tl.raw import Raw
from tl.spans import LENGTH, Span

__all__ = ["Mark", "candidates_text", "is_inside", "marks_of"]


@dataclass(frozen=True, slots=True)
class Mark:
    """The bytes `start` to `end` are what `finding` is of; there are none where the data ends too soon."""

    start: int
    end: int
    finding: Finding


def marks_of(span: Span, findings: Sequence[Finding]) -> list[Mark]:
    """The places of the findings in `span`, in the order of `findings`.

    Those of bytes in front of it or behind it, where `span` is a part of what was read, are left out.
    """
    if not findings:
        return []
    leaves = [leaf for leaf in span.leaves() if leaf.start < leaf.end]
    starts = [leaf.start for leaf in leaves]
    marks = []
    for finding in findings:
        if span.start <= finding.offset < span.end:
            index = bisect_right(starts, finding.offset) - 1
            marks.append(Mark(*_place(leaves, index, finding.name), finding))
        elif finding.offset == span.end and is_inside(finding.path, span.path):
            marks.append(Mark(*_last_place(span.end, leaves[-1:], finding.path), finding))
    return marks


def is_inside(path: str, around: str) -> bool:
    """Whether a path is that of the value `around`, or of a part of it."""
    return not around or path == around or path.startswith((f"{around}.", f"{around}["))


def _place(leaves: Sequence[Span], index: int, name: str) -> tuple[int, int]:
    """The bytes of the leaf; of a string that is no UTF-8, those that are at fault."""
    leaf = leaves[index]
    if name == "InvalidUtf8" and leaf.tl_type == LENGTH and index + 1 < len(leaves):
        leaf = leaves[index + 1]
        if isinstance(leaf.value, bytes):
            try:
                leaf.value.decode()
            except UnicodeDecodeError as error:
                return leaf.start + error.start, leaf.start + error.end
    return leaf.start, leaf.end


def _last_place(end: int, last: Sequence[Span], path: str) -> tuple[int, int]:
    """The bytes of a value that goes on where the data ends; none where one should begin there."""
    for leaf in last:
        if leaf.path == path and isinstance(leaf.value, Raw) and leaf.value.value is None:
            return leaf.start, leaf.end
    return end, end


def candidates_text(finding: Finding) -> str:
    """What an unknown constructor is elsewhere: ``0x5e002502 is auth.sentCode of layer 133``; "" for others."""
    return f"0x{finding.got:08x} is {', '.join(finding.candidates)}" if finding.candidates else ""
