"""Operators on strings: their length, their padding, what is in them.

Source of the form: core.telegram.org/mtproto/serialize, base types.
"""

from __future__ import annotations

from collections.abc import Iterator

from tl.mutations.operators import Draft, illegal, is_string, legal, legal_if, operator, unsure
from tl.mutations.sites import Site
from tl.primitives import PRIMITIVES
from tl.spans import DATA, LENGTH, PADDING
from tl.wire import Writer

__all__ = ["OPERATORS"]

_OTHERS = (b"", b"\0", b"abc", b"x" * 253, b"x" * 254, "é€𝄞".encode() * 29)
"""Where the padding or the form of the length changes; all of them UTF-8."""
_NOT_UTF8 = (
    b"\x80",  # goes on without a beginning
    b"\xe2\x82",  # begins, and does not go on
    b"\xc0\x80",  # longer than it has to be
    b"\xed\xa0\x80",  # a surrogate
    b"\xf4\x90\x80\x80",  # beyond Unicode
)
_LONGEST = 0xFFFFFF


def _encoded(data: bytes) -> bytes:
    return PRIMITIVES["bytes"].write(data, Writer(0))


def _long_form(data: bytes, head: bytes) -> bytes:
    return head + data + bytes(-(len(head) + len(data)) % 4)


def _content(site: Site) -> bytes:
    part = site.part(DATA)
    return site.encoding.data[part.start : part.end] if part else b""


@operator(is_string)
def other_string(site: Site) -> Iterator[Draft]:
    """Another string, at the lengths where the form of the encoding changes."""
    for other in _OTHERS:
        yield legal(site.path, (site.start, site.end, _encoded(other)))


@operator(lambda site: is_string(site) and site.kind is PRIMITIVES["string"])
def invalid_utf8(site: Site) -> Iterator[Draft]:
    """A string that is not UTF-8, by itself or behind what was there."""
    content = _content(site)
    for wrong in _NOT_UTF8:
        yield illegal(site.path, (site.start, site.end, _encoded(wrong)))
    if content and len(content) < _LONGEST:
        yield illegal(site.path, (site.start, site.end, _encoded(content + b"\x80")))


@operator(is_string)
def dirty_padding(site: Site) -> Iterator[Draft]:
    """A byte of the padding is not zero: the first, or the last."""
    part = site.part(PADDING)
    if part is not None:
        for at in dict.fromkeys((part.start, part.end - 1)):
            for value in (b"\1", b"\xff"):
                yield illegal(site.path, (at, at + 1, value))


@operator(is_string)
def missing_padding(site: Site) -> Iterator[Draft]:
    """The padding is left out."""
    part = site.part(PADDING)
    if part is not None:
        yield unsure(site.path, (part.start, part.end, b""))


@operator(is_string)
def nonminimal_length(site: Site) -> Iterator[Draft]:
    """A short string with its length in four bytes."""
    content = _content(site)
    if len(content) < 254:
        long = _long_form(content, b"\xfe" + len(content).to_bytes(3, "little"))
        yield illegal(site.path, (site.start, site.end, long))


@operator(is_string)
def reserved_length(site: Site) -> Iterator[Draft]:
    """The length byte 255: by itself, and with a length of seven bytes behind it."""
    content = _content(site)
    yield illegal(site.path, (site.start, site.start + 1, b"\xff"))
    long = _long_form(content, b"\xff" + len(content).to_bytes(7, "little"))
    yield illegal(site.path, (site.start, site.end, long))


@operator(is_string)
def huge_length(site: Site) -> Iterator[Draft]:
    """A length that is greater than what is left of the data: by one, and as great as can be."""
    left = len(site.encoding.data) - site.start - 1
    for length in (left + 1, 253):
        if left < length < 254:
            yield illegal(site.path, (site.start, site.start + 1, bytes([length])))
    left -= 3  # these take four bytes in place of what is there
    for length in (max(254, left + 1), _LONGEST):
        if left < length <= _LONGEST:
            head = b"\xfe" + length.to_bytes(3, "little")
            yield illegal(site.path, (site.start, site.start + 4, head))


@operator(is_string)
def length_plus_one(site: Site) -> Iterator[Draft]:
    """A length that is one too great: the first byte of the padding becomes part of the string."""
    part = site.part(LENGTH)
    length = len(_content(site)) + 1
    if part is not None and length not in (254, _LONGEST + 1):
        grows_into_padding = site.part(PADDING) is not None
        yield legal_if(grows_into_padding, site.path, _new_length(part.start, part.end, length))


@operator(is_string)
def length_minus_one(site: Site) -> Iterator[Draft]:
    """A length that is one too small: the last byte becomes part of the padding."""
    part, padding, content = site.part(LENGTH), site.part(PADDING), _content(site)
    if part is not None and content:
        edit = _new_length(part.start, part.end, len(content) - 1)
        dirties = content[-1] != 0 and (padding is None or padding.end - padding.start < 3)
        yield illegal(site.path, edit) if dirties else unsure(site.path, edit)


def _new_length(start: int, end: int, length: int) -> tuple[int, int, bytes]:
    """Another length, in the form in which the length is now."""
    size = end - start
    return (
        (end - 1, end, bytes([length]))
        if size == 1
        else (start + 1, end, length.to_bytes(size - 1, "little"))
    )


OPERATORS = (
    other_string,
    invalid_utf8,
    dirty_padding,
    missing_padding,
    nonminimal_length,
    reserved_length,
    huge_length,
    length_plus_one,
    length_minus_one,
)
