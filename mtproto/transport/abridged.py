"""The abridged framing: a header of one byte, or of four for payloads from 508 bytes.

    short   words | 0x80 if quick ack                  words < 127, the payload's length in 4-byte words
    long    0x7f  | 0x80 if quick ack, words (3 bytes, little-endian)

A server's quick ack is the token with its bytes reversed, so that the top bit comes first.

Specification: core.telegram.org/mtproto/mtproto-transports#abridged
"""

from __future__ import annotations

from typing import ClassVar

from mtproto.transport.headed import Headed, Header

__all__ = ["Abridged"]

_LONG = 0x7F
_QUICK_ACK = 0x80
_SHORT = tuple(bytes((first,)) for first in range(256))  # a third faster than making them anew


class Abridged(Headed):
    """The framing with the least overhead; X3 of the checklist."""

    name: ClassVar[str] = "abridged"
    prefix: ClassVar[bytes] = b"\xef"
    tag: ClassVar[bytes | None] = b"\xef\xef\xef\xef"
    longest: ClassVar[int] = 0xFFFFFF * 4

    def _read_header(self, data: bytes, position: int) -> Header | None:
        first = data[position]
        words = first & _LONG
        start = position + 1
        if words == _LONG:
            start += 3
            if start > len(data):
                return None
            # A length that would have fitted the short form is accepted too: others accept it as well.
            words = int.from_bytes(data[position + 1 : start], "little")
        return start, words * 4, first >= _QUICK_ACK

    @classmethod
    def _write_header(cls, length: int, quick_ack: bool) -> bytes:
        words = length // 4
        flag = _QUICK_ACK if quick_ack else 0
        if words < _LONG:
            return _SHORT[words | flag]
        return (words << 8 | _LONG | flag).to_bytes(4, "little")

    def _read_token(self, wire: bytes) -> bytes:
        return wire[::-1]

    def _write_quick_ack(self, token: bytes) -> bytes:
        return token[::-1]
