"""What the framings share that put a header with a length and a quick ack bit before each payload.

A concrete framing only reads and writes its header, and the form of a quick ack token.

Specification: core.telegram.org/mtproto/mtproto-transports#quick-ack
"""

from __future__ import annotations

import os
from abc import abstractmethod
from functools import lru_cache
from typing import ClassVar, Final, TypeAlias

from mtproto.crypto.randomness import Rng
from mtproto.errors import FramingError
from mtproto.side import Side
from mtproto.transport.framing import (
    MAX_PAYLOAD,
    Event,
    Frame,
    Framing,
    QuickAck,
    new_frame,
    set_payload,
    set_quick_ack,
    unsendable,
)

__all__ = ["Headed", "Header"]

_TOKEN_SIZE: Final = 4
_LEAST: Final = 4
_SMALL: Final = 1024

Header: TypeAlias = tuple[int, int, bool]
"""Where the payload starts in the data, its length in bytes, and whether the quick ack bit is set."""


class Headed(Framing):
    """A framing whose frames are a header and that many bytes."""

    # What the loop allows: bytes beyond max_payload; these bits in a length; and below which length a server's
    # frame is no message but a transport error (20 bytes are the least message).
    _MAX_PADDING: ClassVar[int] = 0
    _MISALIGNED: ClassVar[int] = 3
    _SHORT: ClassVar[int] = 5

    def __init__(self, side: Side, max_payload: int = MAX_PAYLOAD, *, rng: Rng = os.urandom) -> None:
        super().__init__(side, max_payload, rng=rng)
        self._headers = _headers(type(self), self.max_payload)

    @abstractmethod
    def _read_header(self, data: bytes, position: int) -> Header | None:
        """The header that starts at `position` (there is at least one byte), None if it is not whole."""

    @classmethod
    @abstractmethod
    def _write_header(cls, length: int, quick_ack: bool) -> bytes:
        """The header for a payload of `length` bytes, which is within the limits."""

    def _read_token(self, wire: bytes) -> bytes:
        """A quick ack token in the order of the hash, from the 4 bytes on the wire."""
        return wire

    def _write_quick_ack(self, token: bytes) -> bytes:
        return token

    def _read_frames(self, data: bytes, events: list[Event]) -> bytes:
        read_header, is_client = self._read_header, self._is_client
        limit, misaligned = self.max_payload + self._MAX_PADDING, self._MISALIGNED
        short = self._SHORT if is_client else 0
        position, end = 0, len(data)
        self._needed = 0
        while position < end:
            header = read_header(data, position)
            if header is None:
                break
            start, length, quick_ack = header
            if quick_ack and is_client:
                # To the client the bit means: no frame at all, these four bytes are a token (X3, X4).
                stop = position + _TOKEN_SIZE
                if stop > end:
                    break
                events.append(QuickAck(self._read_token(data[position:stop])))
            else:
                if not _LEAST <= length <= limit or length & misaligned:
                    raise self._bad_length(length)
                stop = start + length
                if stop > end:
                    self._needed = stop - position
                    break
                if length < short:
                    self._read_short(data[start:stop], events)
                else:
                    frame = new_frame(Frame)
                    set_payload(frame, data[start:stop])
                    set_quick_ack(frame, quick_ack)
                    events.append(frame)
            position = stop
        return data[position:]

    def _read_short(self, payload: bytes, events: list[Event]) -> None:
        """What the server sent in place of a message."""
        events.append(self._read_code(payload))

    def _bad_length(self, length: int) -> FramingError:
        limit = self.max_payload + self._MAX_PADDING
        check, expected = "X2", "a multiple of 4 greater than 0" if self._MISALIGNED else f"at least {_LEAST}"
        if length > limit:
            check, expected = "X1", f"at most {limit}"
        return FramingError(f"{self.name}: bad frame length", check=check, got=length, expected=expected)

    def encode(self, payload: bytes, *, quick_ack: bool = False) -> bytes:
        """As `Framing.encode`."""
        if quick_ack:
            self._check_sendable(len(payload), quick_ack)
            return self._write_header(len(payload), quick_ack) + payload
        return self._headers[len(payload)] + payload

    def _write_code(self, payload: bytes) -> bytes:
        return self._write_header(len(payload), False) + payload


class _Headers(dict[int, bytes]):
    """The header of each payload that can be sent, by its length; LocalProtocolError for any other length.

    Those of small ones are here, since most messages are small; the others are made when they are needed.
    """

    def __init__(self, kind: type[Headed], limit: int) -> None:
        small = range(_LEAST, min(limit, _SMALL) + 1, 4)
        super().__init__((length, kind._write_header(length, False)) for length in small)
        self._kind = kind
        self._limit = limit

    def __missing__(self, length: int) -> bytes:
        if not 0 < length <= self._limit or length & 3:
            raise unsendable(self._kind.name, length, self._limit)
        return self._kind._write_header(length, False)


_headers = lru_cache(maxsize=32)(_Headers)
