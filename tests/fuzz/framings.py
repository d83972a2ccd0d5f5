"""Whatever the stream and the cuts, a framing gives the frames that the documentation says, or a FramingError.

It keeps no more than one frame, stays failed once it has failed, and what it has read it writes so that it
reads it again.

    byte 0     bits 0-1  the framing: 0 abridged, 1 intermediate, 2 padded, 3 full
               bit 2     it is the client's side              bits 3-4  the longest payload, by `_LIMITS`
               bit 5     pieces are memoryviews
               bit 6     full: numbers and checksums that are zero are put right
    …          cuts (`tests.fuzz.streams`), then the stream
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from zlib import crc32

from mtproto.side import Side
from mtproto.transport import Event, Frame, Framing, QuickAck
from mtproto.transport.framing import MAX_PAYLOAD
from mtproto.transport.padded import PaddedIntermediate
from mtproto.transport.table import framing
from tests.fuzz.streams import pieces, play, read_stream, split_cuts
from tests.fuzz.verdicts import Broken

__all__ = ["NAMES", "WORDS", "repaired", "target"]

NAMES = ("abridged", "intermediate", "padded", "full")
_LIMITS = (MAX_PAYLOAD, 4, 64, 1024)
WORDS = (
    *(b"\x7f\x01\0\0", b"\xff\x01\0\0", b"\x01\0\0\0", b"\x04\0\0\0", b"\x08\0\0\x80", b"\x0f\0\0\0"),
    *(
        b"\x10\0\0\0",
        b"\x11\0\0\0",
        b"\x14\0\0\0",
        b"\x40\0\0\0",
        b"\x4f\0\0\0",
        b"\0\x04\x40\0",
        b"\x04\x04\x40\0",
    ),
    *(b"\xff\xff\xff\xff", b"\x6c\xfe\xff\xff", b"\x53\xfe\xff\xff" * 3, b"\x9c\xff\xff\xff" * 3, bytes(4)),
    *(b"\x08\0\0\0\xff\xff\xff\xff\xa1\xb2\xc3\xd4", b"\x04\0\0\0" + bytes(4), b"\x01" + b"\x6c\xfe\xff\xff"),
    *(
        b"\x10\0\0\0" + bytes(12),
        b"\x14\0\0\0" + bytes(16),
        b"\x10\0\0\0" + bytes(4) + b"\x6c\xfe\xff\xff" + bytes(4),
    ),
)
"""What streams are made of: lengths, codes, tokens, whole frames."""

Maker = Callable[[str, Side, int], Framing]


def target(raw: bytes, make: Maker = framing) -> None:
    """Raise where what `make` makes does not read a stream as it has to."""
    options = raw[0] if raw else 0
    name, limit = NAMES[options & 3], _LIMITS[options >> 3 & 3]
    side = Side.CLIENT if options & 4 else Side.SERVER
    sizes, stream = split_cuts(raw[1:])
    if name == "full" and options & 64:
        stream = repaired(stream)
    expected = read_stream(name, stream, limit, is_client=side is Side.CLIENT)
    views = bool(options & 32)
    play(make(name, side, limit), pieces(stream, sizes), expected, limit, views=views)
    if sizes:
        play(make(name, side, limit), [stream], expected, limit, views=views)
    _check_resent(make, name, side, limit, expected.events)


def repaired(stream: bytes) -> bytes:
    """A stream of the full framing where each number and checksum that is zero is the right one."""
    mended = bytearray(stream)
    position = number = 0
    while position + 12 <= len(mended):
        size = int.from_bytes(mended[position : position + 4], "little")
        end = position + size
        if size < 16 or end > len(mended):
            break
        if not any(mended[position + 4 : position + 8]):
            mended[position + 4 : position + 8] = number.to_bytes(4, "little")
        if not any(mended[end - 4 : end]):
            mended[end - 4 : end] = crc32(mended[position : end - 4]).to_bytes(4, "little")
        position, number = end, number + 1
    return bytes(mended)


def _check_resent(make: Maker, name: str, side: Side, limit: int, events: Iterable[Event]) -> None:
    """The other side can send what was read, but for tokens that nobody sends, and it is read again."""
    sendable = [event for event in events if not (isinstance(event, QuickAck) and event.token[3] < 0x80)]
    sender = make(name, side.peer, limit)
    stream = b"".join(_resent(sender, event) for event in sendable)
    expected = read_stream(name, stream, limit, is_client=side is Side.CLIENT)
    if expected.events != sendable or expected.check or expected.left:
        raise Broken(f"{sendable}\n is sent as {stream.hex(' ', -4)}")
    play(make(name, side, limit), [stream], expected, limit, views=False)


def _resent(sender: Framing, event: Event) -> bytes:
    if isinstance(event, QuickAck):
        return sender.encode_quick_ack(event.token)
    if not isinstance(event, Frame):
        return sender.encode_code(event.code)
    if not isinstance(sender, PaddedIntermediate):
        return sender.encode(event.payload, quick_ack=event.quick_ack)
    size = len(event.payload) // 4 * 4
    size = min(size, sender.max_payload)
    payload, padding = event.payload[:size], event.payload[size:]
    return sender.encode(payload, quick_ack=event.quick_ack, padding=padding)
