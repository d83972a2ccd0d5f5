"""The full framing: length, sequence number, payload, CRC-32.  It has no prefix and no quick acks.

    length (4 bytes, all four parts together), seq (4 bytes), payload, CRC-32 of all before (4 bytes)

All numbers are little-endian.  Each direction counts its frames from 0.

Specification: core.telegram.org/mtproto/mtproto-transports#full
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from functools import lru_cache
from struct import Struct
from typing import ClassVar, Final, TypeAlias
from zlib import crc32

from mtproto.crypto.randomness import Rng
from mtproto.errors import FramingError, LocalProtocolError
from mtproto.side import Side
from mtproto.transport.framing import (
    MAX_PAYLOAD,
    Event,
    Frame,
    Framing,
    TransportCode,
    new_frame,
    set_payload,
    set_quick_ack,
    unsendable,
)

__all__ = ["Full"]

_OVERHEAD: Final = 12
_HEAD: Final = 8
_SHORT: Final = _OVERHEAD + 4
_SMALL: Final = 1024
_LAST: Final = 2**32 - 1
_RESIDUE: Final = 0x2144DF1C
"""The CRC-32 of any bytes with their own CRC-32 behind them, and of no others: one pass checks a frame."""

_read_length = Struct("<i").unpack_from
_read_head = Struct("<iI").unpack_from
_read_word = Struct("<I").unpack_from
_write_head = Struct("<II").pack
_write_word = Struct("<I").pack


class Full(Framing):
    """The framing that checks itself; X6 of the checklist.

    `sent` and `received` say how many frames went before, for a stream that is not met at its beginning.
    """

    name: ClassVar[str] = "full"
    prefix: ClassVar[bytes] = b""
    tag: ClassVar[bytes | None] = None
    longest: ClassVar[int] = (0x7FFFFFFF - _OVERHEAD) & ~3
    has_quick_acks: ClassVar[bool] = False

    def __init__(
        self,
        side: Side,
        max_payload: int = MAX_PAYLOAD,
        *,
        rng: Rng = os.urandom,
        sent: int = 0,
        received: int = 0,
    ) -> None:
        super().__init__(side, max_payload, rng=rng)
        self._sent = sent
        self._received = received
        self._writers = _writers(self.max_payload)

    # Receiving

    def _read_frames(self, data: bytes, events: list[Event]) -> bytes:
        position = 0
        self._needed = 0
        while True:
            start = self._read_whole_frames(data, position, events)
            if start == len(data):
                return b""
            position = self._read_other(data, start, events)
            if position == start:
                return data[start:]

    def _read_whole_frames(self, data: bytes, position: int, events: list[Event]) -> int:
        """Append what whole frames there are; return where the first thing begins that is none."""
        limit, end = self.max_payload + _OVERHEAD, len(data)
        last, short = end - _HEAD, _SHORT if self._is_client else 0
        expected = self._received
        while position <= last:
            size, number = _read_head(data, position)
            stop = position + size
            if not _OVERHEAD < size <= limit or size & 3 or stop > end:
                break
            if number != expected and number != expected & _LAST:  # cut to 32 bits only where that matters
                raise self._bad_sequence(number, expected)
            whole = data[position:stop]
            if crc32(whole) != _RESIDUE:
                raise self._bad_checksum(number, whole)
            expected = number + 1
            if size == short:
                events.append(self._read_code(whole[_HEAD:-4]))
            else:
                frame = new_frame(Frame)
                set_payload(frame, whole[_HEAD:-4])
                set_quick_ack(frame, False)
                events.append(frame)
            position = stop
        self._received = expected & _LAST
        return position

    def _read_other(self, data: bytes, position: int, events: list[Event]) -> int:
        """A bare transport error, which is taken, or an unfinished frame, which is judged as far as it goes."""
        available = len(data) - position
        if available < 4:
            return position
        (size,) = _read_length(data, position)
        if not _OVERHEAD < size <= self.max_payload + _OVERHEAD or size & 3:
            if not self._is_bare_code(size):
                raise self._bad_size(size)
            if available < _OVERHEAD:
                return position
            events.append(self._read_bare_code(data[position : position + _OVERHEAD]))
            return position + _OVERHEAD
        if available >= _HEAD:
            (number,) = _read_word(data, position + 4)
            if number != self._received:
                raise self._bad_sequence(number, self._received)
            self._needed = size
        return position

    def _bad_sequence(self, number: int, expected: int) -> FramingError:
        expected &= _LAST
        return FramingError(f"{self.name}: wrong sequence number", check="X6", got=number, expected=expected)

    def _bad_checksum(self, number: int, whole: bytes) -> FramingError:
        return FramingError(
            f"{self.name}: wrong CRC-32 of frame {number}",
            check="X6",
            got=f"{int.from_bytes(whole[-4:], 'little'):08x}",
            expected=f"{crc32(whole[:-4]):08x}",
        )

    def _bad_size(self, size: int) -> FramingError:
        size &= _LAST  # a length with its top bit set is one that is far too long, not one below zero
        limit = self.max_payload + _OVERHEAD
        check, expected = "X2", f"a multiple of 4 greater than {_OVERHEAD}"
        if size < _OVERHEAD:
            check = "X6"
        elif size > limit:
            check, expected = "X1", f"at most {limit}"
        return FramingError(f"{self.name}: bad frame length", check=check, got=size, expected=expected)

    # Telegram has been seen to answer floods with three words of -429, which is no frame at all.

    def _is_bare_code(self, size: int) -> bool:
        return self._is_client and -1000 < size <= -100

    def _read_bare_code(self, words: bytes) -> TransportCode:
        if words != words[:4] * 3:
            raise self._bad_size(*_read_length(words))
        return self._read_code(words[:4])

    # Sending

    # In the other framings the options are keyword-only, which here would be a twentieth of what a frame costs.
    def encode(self, payload: bytes, quick_ack: bool = False, seq: int | None = None) -> bytes:
        """As `Framing.encode`; `seq` is the next number where it is None, and otherwise is not counted.

        There are no quick acks here to ask for: LocalProtocolError.
        """
        length = len(payload)
        if quick_ack:
            self._check_sendable(length, quick_ack)
        if seq is not None:
            return self._encode_numbered(payload, seq)
        try:
            frame = self._writers[length](length + _OVERHEAD, self._sent, payload)
        except struct.error:  # after 2**32 frames the numbers begin again
            self._sent &= _LAST
            frame = _write_large(length + _OVERHEAD, self._sent, payload)
        self._sent += 1
        return frame + _write_word(crc32(frame))

    def _encode_numbered(self, payload: bytes, seq: int) -> bytes:
        self._check_sendable(len(payload), False)
        if not 0 <= seq <= _LAST:
            raise LocalProtocolError(f"{self.name}: sequence number {seq} does not fit 32 bits")
        frame = _write_large(len(payload) + _OVERHEAD, seq, payload)
        return frame + _write_word(crc32(frame))

    def _write_code(self, payload: bytes) -> bytes:
        return self.encode(payload)


_Writer: TypeAlias = Callable[[int, int, bytes], bytes]


def _write_large(size: int, number: int, payload: bytes) -> bytes:
    return _write_head(size, number) + payload


class _Writers(dict[int, _Writer]):
    """What writes a frame's three first parts, by the payload's length; LocalProtocolError for a wrong one.

    For small payloads, since most messages are small, it is a Struct, which writes all three at once: there is
    one for each length, made when it is first needed.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def __missing__(self, length: int) -> _Writer:
        if not 0 < length <= self._limit or length & 3:
            raise unsendable(Full.name, length, self._limit)
        if length > _SMALL:
            return _write_large
        writer = self[length] = Struct(f"<II{length}s").pack
        return writer


_writers = lru_cache(maxsize=32)(_Writers)
