"""The intermediate framing: a header of one little-endian 32-bit word, the payload's length in bytes.

The top bit of the word is apart: from the client it asks for a quick ack, and from the server it says that
the word is no length but a quick ack token.

Specification: core.telegram.org/mtproto/mtproto-transports#intermediate
"""

from __future__ import annotations

from struct import Struct
from typing import ClassVar

from mtproto.transport.headed import Headed, Header

__all__ = ["Intermediate"]

_read_word = Struct("<i").unpack_from  # signed, so that the top bit is the sign
_write_word = Struct("<I").pack

_LENGTH = 0x7FFFFFFF
_QUICK_ACK = 0x80000000


class Intermediate(Headed):
    """The framing that keeps payloads aligned to 4 bytes; X2 and X4 of the checklist."""

    name: ClassVar[str] = "intermediate"
    prefix: ClassVar[bytes] = b"\xee\xee\xee\xee"
    tag: ClassVar[bytes | None] = prefix
    longest: ClassVar[int] = _LENGTH & ~3

    def _read_header(self, data: bytes, position: int) -> Header | None:
        start = position + 4
        if start > len(data):
            return None
        (word,) = _read_word(data, position)
        if word < 0:
            return start, word & _LENGTH, True
        return start, word, False

    @classmethod
    def _write_header(cls, length: int, quick_ack: bool) -> bytes:
        return _write_word(length | _QUICK_ACK if quick_ack else length)
