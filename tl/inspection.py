"""Encodings looked at: `inspect` takes one apart, `read` also says what is wrong with it.

    data ──▶ inspect ──▶ Span, with a Span for each of its parts ──▶ tl.hexdump, and other renderers
    data ──▶ read ──▶ Reading: the value, the findings, the Span

`inspect` accepts what the codec accepts and raises what the codec raises.  A lenient `read` raises nothing
whatever the bytes are: it notes what a strict one refuses, and goes on.  The work is done in `tl.walker`.

Source: core.telegram.org/mtproto/serialize.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tl.errors import DecodeError, LimitExceeded
from tl.findings import Finding, Observer
from tl.limits import DEFAULT_LIMITS, Budget, Limits
from tl.objects import MAX_ENCODE_DEPTH
from tl.raw import Raw
from tl.reference import reference_decode, reference_encode_as, trailing_bytes
from tl.registry import Registry, loaded_registries, registry_of
from tl.spans import TRAILING, Span
from tl.walker import Walker
from tl.wire import WireType

__all__ = ["DEEPEST", "Mode", "Reading", "inspect", "read"]

Mode = Literal["strict", "lenient"]
DEEPEST = MAX_ENCODE_DEPTH - 8
"""The greatest `Limits.depth` of a reading: what is read has to be written again."""
_STRINGS = ("string", "bytes")
_TOO_DEEP = "objects are nested deeper than the interpreter allows"


def inspect(data: bytes | bytearray | memoryview, schema: object, as_type: object = None) -> Span:
    """The tree of the value that `data` is the whole boxed encoding of; its leaves are every byte, once.

    `schema` is a generated package, what `tl.load` gives, or their registry; `as_type` is as for `tl.decode`.
    Raise DecodeError exactly where `tl.decode` raises it, and besides LimitExceeded where vectors in vectors in
    objects are nested so deep that Python's own stack is full.
    """
    data = bytes(memoryview(data))
    registry = registry_of(schema)
    reference_decode(registry, data, as_type)
    observer = Observer(data, DEFAULT_LIMITS)
    try:
        return Walker(observer, registry).value(registry.wire_type(as_type))
    except RecursionError:
        raise LimitExceeded(_TOO_DEEP, offset=0) from None


@dataclass(frozen=True, slots=True)
class Reading:
    """What `read` made of some bytes.

    `value` is what `tl.decode` would give; where the bytes deviate it has `tl.Raw` in it, which keep them.
    `findings` are in the order in which they were found; `trailing` are the bytes behind the value.  `span`
    is the tree of all bytes, as of `inspect`.
    """

    value: Any
    findings: tuple[Finding, ...]
    trailing: bytes
    span: Span
    schema: Registry = field(repr=False)
    as_type: object = field(repr=False)

    def encode(self) -> bytes:
        """The value encoded, and what was behind it: the very bytes that were read, unless it was changed."""
        return reference_encode_as(self.schema, self.value, self.as_type) + self.trailing

    __bytes__ = encode


def read(
    data: bytes | bytearray | memoryview,
    schema: object,
    as_type: object = None,
    *,
    mode: Mode = "strict",
    limits: Limits | Budget = DEFAULT_LIMITS,
    others: Iterable[object] | None = None,
) -> Reading:
    """The value that `data` encodes and all that is wrong with it.

    `schema` is a generated package, what `tl.load` gives, or their registry; `as_type` and `limits` are as for
    `tl.decode`, with a depth of at most `DEEPEST`.  A ``strict`` reading raises the first thing that is wrong, as
    DecodeError; unknown flag bits are wrong, too.  A ``lenient`` one raises nothing: each such thing is a
    `Finding`, and the value encodes to the same bytes.  What can't be read is a `tl.Raw`; where it is known
    to end, reading goes on behind it.

    An unknown constructor is looked up in `others`, by default all schemas that are loaded; the finding names
    where it is known, and its object is read if that works.

    Raise TypeError or SchemaError for a `schema` or an `as_type` that is none, ValueError for another `mode`.
    """
    if mode not in ("strict", "lenient"):
        raise ValueError(f"mode: got {mode!r}, expected 'strict' or 'lenient'")
    depth = limits.budget().limits.depth
    if depth > DEEPEST:
        raise ValueError(f"limits: got a depth of {depth}, expected at most {DEEPEST}")
    data = bytes(memoryview(data))
    registry = registry_of(schema)
    if mode == "strict":
        reference_decode(registry, data, as_type, strict_flags=True, limits=limits)
    elsewhere = loaded_registries() if others is None else [registry_of(other) for other in others]
    observer = Observer(data, limits)
    walker = Walker(observer, registry, [other for other in elsewhere if other is not registry])
    kind = registry.wire_type(as_type)
    try:
        span = walker.value(kind)
    except RecursionError:
        if mode == "strict":
            raise LimitExceeded(_TOO_DEEP, offset=0) from None
        span = _too_deep(observer, kind)
    end = span.end
    if end < len(data):
        observer.note(trailing_bytes(len(data) - end, end))
    return Reading(
        value=span.value,
        findings=tuple(observer.findings),
        trailing=data[end:],
        span=_with_trailing(span, data),
        schema=registry,
        as_type=as_type,
    )


def _too_deep(observer: Observer, kind: WireType) -> Span:
    """The caller's own stack was nearly full."""
    observer.findings.clear()
    observer.path.clear()
    error: DecodeError = LimitExceeded(_TOO_DEEP, offset=0)
    observer.note(error)
    data = observer.data
    return Span(0, len(data), "", kind.name, Raw(data), kind=kind)


def _with_trailing(span: Span, data: bytes) -> Span:
    """The tree with the bytes behind the value in it."""
    end = span.end
    if end == len(data):
        return span
    trailing = Span(end, len(data), "", TRAILING, data[end:])
    parts = span.children if span.children and span.tl_type not in _STRINGS else (span,)
    return replace(span, end=len(data), children=(*parts, trailing))
