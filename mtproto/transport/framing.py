"""What the framings of the TCP transports share: the bytes of a stream come in, frames go out, and back.

A framing puts a header before each payload so that the other end can cut the stream again.  `Framing` is
the part that is the same in all of them: buffering, the contract about damage, what may be sent and by whom.
A concrete framing cuts the stream; most of them have a header and that many bytes (`headed`).

`Wire` is what a connection sees of a framing, and of what behaves like one: a framing inside a layer that
changes the bytes (`obfuscation`), or one that has to be found out first (`detection`).  A further layer or
framing, such as FakeTLS, WebSocket or HTTP, is one more class with these methods.

Specification: core.telegram.org/mtproto/mtproto-transports
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol, TypeAlias

from mtproto.crypto.randomness import Rng
from mtproto.errors import FramingError, LocalProtocolError
from mtproto.side import Side

__all__ = [
    "MAX_PAYLOAD",
    "Event",
    "Frame",
    "Framing",
    "QuickAck",
    "TransportCode",
    "Wire",
    "checked_limit",
    "new_frame",
    "set_payload",
    "set_quick_ack",
    "unsendable",
]

MAX_PAYLOAD: Final = 4 * 1024 * 1024 + 1024
"""The longest payload accepted by default, in bytes: what TDLib accepts (X1)."""

_TOKEN_SIZE: Final = 4
_CODE_SIZE: Final = 4


@dataclass(frozen=True, slots=True)
class Frame:
    """One whole frame: its `payload`, a message that may be encrypted.

    `quick_ack` says that the sender asks for a quick ack, which only a client can.  In the padded framing the
    padding is still there: only the message says where it ends (`padded.unpadded`).
    """

    payload: bytes
    quick_ack: bool = False


# A frozen dataclass takes three times as long to make itself as its slots do to be filled, and every payload
# passes through here.
new_frame = Frame.__new__
set_payload = Frame.__dict__["payload"].__set__
set_quick_ack = Frame.__dict__["quick_ack"].__set__


@dataclass(frozen=True, slots=True)
class QuickAck:
    """The server has got a frame that asked for this: `token` is 4 bytes, the last with its top bit set.

    The order of the bytes is that of the hash they are cut from, whatever the framing makes of it.
    Source: core.telegram.org/mtproto/mtproto-transports#quick-ack
    """

    token: bytes


@dataclass(frozen=True, slots=True)
class TransportCode:
    """The server sent a transport error in place of a message: `code` is negative, such as -404.

    Source: core.telegram.org/mtproto/mtproto-transports#transport-errors
    """

    code: int


Event: TypeAlias = Frame | QuickAck | TransportCode


def checked_limit(max_payload: int) -> int:
    """`max_payload` itself; LocalProtocolError if no frame at all would fit."""
    if max_payload < 4:
        raise LocalProtocolError(f"max_payload is {max_payload}, but the shortest payload has 4 bytes")
    return max_payload


def unsendable(name: str, length: int, limit: int) -> LocalProtocolError:
    """What is wrong with a payload of this length."""
    return LocalProtocolError(
        f"{name}: a payload of {length} bytes can't be sent: it takes a multiple of 4 from 4 to {limit}"
    )


class Wire(Protocol):
    """Bytes of a stream ↔ frames, as a connection uses them; what each method does is told in `Framing`."""

    @property
    def name(self) -> str: ...
    @property
    def pads(self) -> bool: ...
    @property
    def has_quick_acks(self) -> bool: ...
    @property
    def failure(self) -> FramingError | None: ...
    @property
    def buffered(self) -> int: ...
    def receive_data(self, data: bytes) -> list[Event]: ...
    def eof(self) -> None: ...
    def encode(self, payload: bytes, *, quick_ack: bool = False) -> bytes: ...
    def encode_quick_ack(self, token: bytes) -> bytes: ...
    def encode_code(self, code: int) -> bytes: ...


class Framing(ABC):
    """The frames of one connection, both ways, as `side` sees them; holds no socket and does no I/O.

    `max_payload` is the longest payload in bytes, both accepted and sent; it is cut down to what the header
    of the framing can express.  What is buffered never exceeds one such frame and the data of one call.
    `rng` gives the bytes of padding, where there is any.

    **Damage.**  `receive_data` returns the frames that came whole before the damage; only when there are
    none does it raise at once.  From then on `failure` is set, and every call of `receive_data` and `eof`
    raises it again, whatever it is given.  A caller who won't wait for more data looks at `failure` after
    handling the events.  The sequence of events and the error do not depend on how the stream was cut.
    """

    name: ClassVar[str]
    prefix: ClassVar[bytes]
    """What the client sends once, before its first frame; not the business of `encode` and `receive_data`."""
    tag: ClassVar[bytes | None]
    """The four bytes by which an obfuscated connection says what is in it; None: it can't be obfuscated."""
    longest: ClassVar[int]
    """The longest payload in bytes that the header can express."""
    pads: ClassVar[bool] = False
    """Whether the payload of a `Frame` may have up to 15 bytes of padding at its end."""
    has_quick_acks: ClassVar[bool] = True
    """Whether a client can ask for quick acks, and a server send them."""

    def __init__(self, side: Side, max_payload: int = MAX_PAYLOAD, *, rng: Rng = os.urandom) -> None:
        self.side = side
        self.max_payload = min(checked_limit(max_payload), self.longest)
        self._is_client = side is Side.CLIENT
        self._rng = rng
        self._buffer = bytearray()
        self._needed = 0
        self._failure: FramingError | None = None

    # -- what a concrete framing adds ----------------------------------------------------------------

    @abstractmethod
    def _read_frames(self, data: bytes, events: list[Event]) -> bytes:
        """Append the events of `data` to `events`; return the unfinished frame at its end.

        `_needed` is then how many bytes that frame has when it is whole, 0 where that is not known yet.
        """

    @abstractmethod
    def encode(self, payload: bytes, *, quick_ack: bool = False) -> bytes:
        """The frame of `payload`, 4 to `max_payload` bytes and a multiple of 4; in one piece, for one write.

        `quick_ack` asks the server for a quick ack, which only a client can.  From a server, four bytes
        are read as a transport error.  Raises LocalProtocolError.
        """

    def _write_quick_ack(self, token: bytes) -> bytes:
        """The bytes on the wire for a quick ack token in the order of the hash."""
        raise self._no_quick_acks()

    @abstractmethod
    def _write_code(self, payload: bytes) -> bytes:
        """The frame of a transport error, whose 4 bytes are `payload`."""

    # -- receiving -----------------------------------------------------------------------------------

    @property
    def failure(self) -> FramingError | None:
        """What is wrong with the stream, once something is; nothing more will be read from it."""
        return self._failure

    @property
    def buffered(self) -> int:
        """How many bytes of an unfinished frame are waiting for the rest."""
        return len(self._buffer)

    def receive_data(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """The events that `data`, the next bytes of the stream, completes: any number of them.

        Raises FramingError (see *Damage* above): zero length or not a multiple of 4 (X2), longer than
        `max_payload` (X1, before any of it is buffered), a transport error that is not negative (C1).
        """
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        if type(data) is not bytes:
            data = bytes(data)
        if self._buffer:
            if len(self._buffer) + len(data) < self._needed:
                self._buffer += data
                return []
            data = b"".join((self._buffer, data))
            self._buffer.clear()
        events: list[Event] = []
        try:
            rest = self._read_frames(data, events)
        except FramingError as error:
            # Without the traceback, which would keep the data alive as long as the framing.
            self._failure = error.with_traceback(None)
            if not events:
                raise
        else:
            if rest:
                self._buffer += rest
        return events

    def _read_code(self, payload: bytes) -> TransportCode:
        # No message is this short (20 bytes are the least), so four bytes are a transport error or nothing
        # that can be understood; and errors are negative on the wire.  Letting zero or a positive number
        # through would leave it to each caller to notice that it is neither.
        code = int.from_bytes(payload, "little", signed=True)
        if code >= 0:
            raise FramingError(
                f"{self.name}: a payload of 4 bytes that is no transport error",
                check="C1",
                got=code,
                expected="a negative number",
            )
        return TransportCode(code)

    def eof(self) -> None:
        """The stream has ended here; raise FramingError if that is in the middle of a frame."""
        if self._failure is None and self._buffer:
            self._failure = FramingError(
                f"{self.name}: the stream ends inside a frame",
                check="X10",
                got=f"{len(self._buffer)} bytes",
                expected=f"{self._needed} bytes" if self._needed else "the rest of a header",
            )
            self._buffer.clear()
        if self._failure is not None:
            raise self._failure.with_traceback(None)

    # -- sending -------------------------------------------------------------------------------------

    def _check_sendable(self, length: int, quick_ack: bool) -> None:
        if not 0 < length <= self.max_payload or length & 3:
            raise unsendable(self.name, length, self.max_payload)
        if quick_ack and not self.has_quick_acks:
            raise self._no_quick_acks()
        if quick_ack and not self._is_client:
            raise LocalProtocolError(f"{self.name}: only a client asks for a quick ack")

    def _no_quick_acks(self) -> LocalProtocolError:
        return LocalProtocolError(f"{self.name}: this framing has no quick acks")

    def encode_quick_ack(self, token: bytes) -> bytes:
        """The quick ack of the server: `token` as in `QuickAck`.  Raises LocalProtocolError."""
        if self._is_client:
            raise LocalProtocolError(f"{self.name}: only a server sends quick acks")
        if len(token) != _TOKEN_SIZE or not token[-1] & 0x80:
            raise LocalProtocolError(
                f"{self.name}: a quick ack token is 4 bytes, in the last of which the top bit is set;"
                f" got {len(token)} bytes, {bytes(token[:8]).hex()}"
            )
        return self._write_quick_ack(token)

    def encode_code(self, code: int) -> bytes:
        """The transport error of the server: `code` from -2**31 to -1.  Raises LocalProtocolError."""
        if self._is_client:
            raise LocalProtocolError(f"{self.name}: only a server sends transport errors")
        if not -(2**31) <= code < 0:
            raise LocalProtocolError(f"{self.name}: transport error {code} is not a negative 32-bit number")
        return self._write_code(code.to_bytes(_CODE_SIZE, "little", signed=True))
