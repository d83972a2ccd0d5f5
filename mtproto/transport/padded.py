"""The padded intermediate framing: as intermediate, with 0 to 15 random bytes after the payload.

    length (4 bytes, little-endian, payload and padding together), payload, padding

The length does not say where the payload ends: the message does (`unpadded`).  A server has no bit to spare
for quick acks of its own: its frames are told by their size, and below 16 bytes they are no message, but a
transport error (a negative number), ff ff ff ff and a quick ack token, or nothing at all (zero), and padding.
A bare token with its top bit set, as in the intermediate framing, is understood too.

Specification: core.telegram.org/mtproto/mtproto-transports#padded-intermediate
"""

from __future__ import annotations

from typing import ClassVar, Final

from mtproto.crypto.randomness import draw
from mtproto.transport.framing import Event, Frame, QuickAck
from mtproto.transport.intermediate import Intermediate

__all__ = ["MAX_PADDING", "PaddedIntermediate", "unpadded"]

MAX_PADDING: Final = 15

_ACK: Final = b"\xff\xff\xff\xff"
_NOTHING: Final = bytes(4)
_PLAIN: Final = bytes(8)
_PLAIN_HEAD: Final = 20
_ENCRYPTED_HEAD: Final = 24


class PaddedIntermediate(Intermediate):
    """The framing whose lengths say less to who looks on; X5 of the checklist.

    What is sent has 0 to 3 bytes of padding in either direction: clients are about that cut no more than that.
    What is received may have 15.
    """

    name: ClassVar[str] = "padded"
    prefix: ClassVar[bytes] = b"\xdd\xdd\xdd\xdd"
    tag: ClassVar[bytes | None] = prefix
    longest: ClassVar[int] = (0x7FFFFFFF - MAX_PADDING) & ~3
    pads: ClassVar[bool] = True

    _MAX_PADDING: ClassVar[int] = MAX_PADDING
    _MISALIGNED: ClassVar[int] = 0
    _SHORT: ClassVar[int] = 17

    def encode(self, payload: bytes, *, quick_ack: bool = False, padding: bytes | None = None) -> bytes:
        """As `Framing.encode`; `padding`, at most 15 bytes, is drawn where it is None: 0 to 3 bytes."""
        length = len(payload)
        self._check_sendable(length, quick_ack)
        if padding is None:
            (drawn, *rest) = draw(self._rng, 4)
            padding = bytes(rest[: drawn & 3])
        return self._write_header(length + len(padding), quick_ack) + payload + padding

    def _read_short(self, payload: bytes, events: list[Event]) -> None:
        head, size = payload[:4], len(payload)
        if head == _ACK and size >= 8:
            events.append(QuickAck(payload[4:8]))
        elif size == 16:  # with these sixteen is a quick ack, without them not yet a transport error
            events.append(Frame(payload))
        elif head != _NOTHING:
            events.append(self._read_code(head))

    def _write_quick_ack(self, token: bytes) -> bytes:
        return self._write_header(8, False) + _ACK + token


def unpadded(payload: bytes) -> bytes:
    """The message in the payload of a padded frame, as far as it tells where it ends; otherwise all of it.

    An encrypted one has 24 bytes and a multiple of 16, so that no more than one end is possible; a plain one
    says how long it is.  What is no message is left for the next stage to refuse.
    Source: core.telegram.org/mtproto/description
    """
    size = len(payload)
    if payload[:8] != _PLAIN:
        return payload if size < _ENCRYPTED_HEAD else payload[: size - (size - _ENCRYPTED_HEAD) % 16]
    end = _PLAIN_HEAD + int.from_bytes(payload[16:20], "little", signed=True)
    return payload[:end] if size >= _PLAIN_HEAD and 0 <= size - end <= MAX_PADDING else payload
