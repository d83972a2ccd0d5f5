"""Whatever the bytes, the type and the rules, both codecs give the same value, or the same error inside the data.

A value's encoding is all of it: cut short it is none, and what follows it is left over.  It has no more
elements than the limits allow.
The input is a question (`tests.fuzz.questions`); bit 7 asks `tl.decode` instead of the package's own `decode`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.fuzz.questions import Question, Rules, read_question
from tests.fuzz.verdicts import Broken, check_error, is_same, same_error, verdict
from tl import DecodeError, TLObject, TrailingBytes, UnexpectedEnd, decode, decode_prefix
from tl.limits import DEFAULT_LIMITS
from tl.reference import reference_decode

__all__ = ["target"]

Codec = Callable[[Rules, bytes], object]


def both(rules: Rules, data: bytes) -> object:
    """What the seam says, behind which straight-line code comes first."""
    given: Any = memoryview(bytearray(data)) if rules.as_view else data
    if rules.is_marked:
        return decode(
            rules.package.SCHEMA,
            given,
            rules.as_type,
            canonical=rules.canonical,
            strict_flags=rules.strict_flags,
            limits=rules.limits,
        )
    decode_here: Any = rules.package.decode
    return decode_here(given, rules.as_type, rules.canonical, rules.strict_flags, rules.limits)


def reference(rules: Rules, data: bytes) -> object:
    """What the reference codec says."""
    return reference_decode(
        rules.package.SCHEMA,
        data,
        rules.as_type,
        canonical=rules.canonical,
        strict_flags=rules.strict_flags,
        limits=rules.limits or DEFAULT_LIMITS,
    )


def target(raw: bytes, codec: Codec = both, standard: Codec = reference) -> None:
    """Raise where `codec` and `standard` differ, or what they say can't be."""
    question = read_question(raw)
    rules, data = question
    got = verdict(lambda: codec(rules, data))
    expected = verdict(lambda: standard(rules, data))
    if isinstance(got, DecodeError):
        if not isinstance(expected, DecodeError) or not same_error(got, expected):
            raise Broken(f"{question}\n got {got!r}\n expected {expected!r}")
        check_error(got, len(data))
        if isinstance(got, TrailingBytes):
            _check_prefix(question, codec, got)
        return
    if not is_same(got, expected):
        raise Broken(f"{question}\n got {got!r}\n expected {expected!r}")
    _check_size(question, got)
    _check_ends(question, codec)


def _check_size(question: Question, value: object) -> None:
    """There is no more of anything in the value than the limits, and the bytes, allow."""
    limits = question.rules.limits or DEFAULT_LIMITS
    elements = string_bytes = 0
    values = [value]
    for one in values:
        if isinstance(one, list | tuple):
            elements += len(one) if isinstance(one, list) else 0
            values.extend(one)
        elif isinstance(one, str | bytes):
            string_bytes += len(one.encode() if isinstance(one, str) else one)
        elif isinstance(one, TLObject):
            values.extend(getattr(one, name) for name in type(one).__slots__)
    most = min(limits.elements, len(question.data) // 4 + limits.empty_elements)
    if elements > most or string_bytes > len(question.data):
        raise Broken(f"{question}\n has {elements} elements of {most}, and strings of {string_bytes} bytes")


def _check_prefix(question: Question, codec: Codec, error: TrailingBytes) -> None:
    """What is in front of the bytes left over is a value, the one that `decode_prefix` gives."""
    rules, data = question
    value, end = decode_prefix(
        rules.package.SCHEMA,
        data,
        rules.as_type,
        canonical=rules.canonical,
        strict_flags=rules.strict_flags,
        limits=rules.limits,
    )
    if end != error.offset or error.got != len(data) - end:
        raise Broken(f"{question}\n decode_prefix ends at {end}, and decode says {error}")
    if not is_same(codec(rules, data[:end]), value):
        raise Broken(f"{question}\n decode_prefix gives {value!r}")


def _check_ends(question: Question, codec: Codec) -> None:
    """A value's encoding without its last byte is none, and with four more they are too many."""
    rules, data = question
    size = len(data)
    if data:
        cut = verdict(lambda: codec(rules, data[:-1]))
        if not isinstance(cut, UnexpectedEnd):
            raise Broken(f"{question}\n without its last byte it is {cut!r}, expected UnexpectedEnd")
    more = verdict(lambda: codec(rules, data + b"more"))
    if not isinstance(more, TrailingBytes) or (more.offset, more.got) != (size, 4):
        raise Broken(f"{question}\n with four bytes more it is {more!r}, expected TrailingBytes at {size}")
