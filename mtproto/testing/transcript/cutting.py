"""One side's stream, without obfuscation, cut into frames with their places.

What a frame is, and whether it is one, is for `mtproto.transport` to say; here is found where each ends, so that
it gets them one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from mtproto.errors import FramingError
from mtproto.side import Side
from mtproto.transport import MAX_PAYLOAD, Frame, Full, QuickAck, TransportCode, framing, unpadded

__all__ = ["MAX_FRAME", "Cutter", "Piece"]

MAX_FRAME: Final = MAX_PAYLOAD + 16 + 4
"""The most that a frame can have in bytes: what a header says beyond it is refused at once."""
_SIGN: Final = 0x80000000
_CHECKSUM: Final = 4


@dataclass(frozen=True, slots=True)
class Piece:
    """A frame's bytes at `offset`, what the framing makes of them, and where the message in them is."""

    offset: int
    data: bytes
    event: Frame | QuickAck | TransportCode | None
    start: int
    end: int


class Cutter:
    """What `side` sends in the framing `name`; `failure` says what is wrong, once something is.

    What is then left is not looked at any more: `take_rest` gives it.
    """

    def __init__(self, name: str, side: Side) -> None:
        self.failure: FramingError | None = None
        self.offset = 0
        self._reader = framing(name, side.peer)
        self._measure = _MEASURES[name]
        self._from_server = side is Side.SERVER
        self._buffer = bytearray()

    def is_broken(self) -> bool:
        """Whether there is a `failure`."""
        return self.failure is not None

    def feed(self, data: bytes) -> Iterator[Piece]:
        """The whole frames there are with these next bytes."""
        self._buffer += data
        position = 0
        try:
            while not self.is_broken():
                size = self._measure(self._buffer, position, self._from_server)
                if size is None or (size <= MAX_FRAME and position + size > len(self._buffer)):
                    break
                piece = self._cut(bytes(self._buffer[position : position + size]))
                if piece is not None:
                    yield piece
                    position += len(piece.data)
                    self.offset += len(piece.data)
        finally:
            del self._buffer[:position]

    def _cut(self, data: bytes) -> Piece | None:
        """What the framing says of one frame; None, and `failure` is set, where that is nothing good."""
        try:
            events = self._reader.receive_data(data)
        except FramingError as error:
            self.failure = error
            return None
        if self._reader.buffered or len(events) > 1:
            self.failure = FramingError("a frame that does not end where it says", check="X2")
            return None
        event = events[0] if events else None
        if not isinstance(event, Frame):
            return Piece(self.offset, data, event, 0, len(data))
        start = len(data) - len(event.payload) - (_CHECKSUM if self._reader.name == Full.name else 0)
        message = unpadded(event.payload) if self._reader.pads else event.payload
        return Piece(self.offset, data, event, start, start + len(message))

    def eof(self) -> None:
        """The stream ends here: that is a `failure` in the middle of a frame."""
        if not self.is_broken() and self._buffer:
            self.failure = FramingError(
                f"{self._reader.name}: the stream ends inside a frame",
                check="X10",
                got=f"{len(self._buffer)} bytes",
                expected="the rest of it",
            )

    def take_rest(self) -> bytes:
        """The bytes behind the last frame; they are not kept any longer."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest


# How many bytes the frame at a position has, as its header says; None where that is not there yet.


def _abridged(data: bytearray, at: int, from_server: bool) -> int | None:
    if at >= len(data):
        return None
    first = data[at]
    if from_server and first & 0x80:
        return 4
    if first & 0x7F < 0x7F:
        return 1 + 4 * (first & 0x7F)
    if at + 4 > len(data):
        return None
    return 4 + 4 * int.from_bytes(data[at + 1 : at + 4], "little")


def _intermediate(data: bytearray, at: int, from_server: bool) -> int | None:
    if at + 4 > len(data):
        return None
    word = int.from_bytes(data[at : at + 4], "little")
    if from_server and word & _SIGN:
        return 4
    return 4 + (word & ~_SIGN)


def _full(data: bytearray, at: int, from_server: bool) -> int | None:
    if at + 12 > len(data):
        return None
    size = int.from_bytes(data[at : at + 4], "little", signed=True)
    # A bare transport error has three words, anything else that is no length is refused by its first ones.
    return size if size > 12 else 12


_Measure = Callable[[bytearray, int, bool], int | None]
_MEASURES: Final[dict[str, _Measure]] = {
    "abridged": _abridged,
    "intermediate": _intermediate,
    "padded": _intermediate,
    "full": _full,
}
