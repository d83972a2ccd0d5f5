"""Streams for the targets about transports: how they are cut, what they have to give, and what a framing gives.

`read_stream` says what frames are in a stream as the documentation does, slowly and all at once; `play` lets
a framing read the same stream in pieces and compares.  The input of a target begins with where to cut:

    byte 0     how many bytes of sizes follow, counted round from 0 to 15
    …          the sizes of the first pieces; all that is left is the last one
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol
from zlib import crc32

from mtproto.errors import FramingError
from mtproto.transport import Event, Frame, QuickAck, TransportCode
from tests.fuzz.verdicts import Broken

__all__ = ["Expected", "Receiver", "failure_of", "pieces", "play", "read_stream", "split_cuts"]

_MOST_OVERHEAD = 19
"""What a frame may have besides its payload: a header of 4 bytes and 15 of padding; the full framing has 12."""


class Receiver(Protocol):
    """A framing, or what behaves like one."""

    @property
    def failure(self) -> FramingError | None: ...
    @property
    def buffered(self) -> int: ...
    def receive_data(self, data: bytes | memoryview) -> list[Event]: ...
    def eof(self) -> None: ...


@dataclass(slots=True)
class Expected:
    """What a stream has to give: the events, then the error's check or None, and so many bytes unfinished."""

    events: list[Event]
    check: str | None = None
    left: int = 0
    at_end: str = "X10"
    """The check of the error if the stream ends here, inside of something."""


# Cuts


def split_cuts(raw: bytes) -> tuple[bytes, bytes]:
    """The sizes, and what is behind them."""
    count = raw[0] % 16 if raw else 0
    return raw[1 : 1 + count], raw[1 + count :]


def pieces(stream: bytes, sizes: Iterable[int]) -> Iterator[bytes]:
    """The stream in pieces of these sizes, and the rest; pieces may be empty."""
    start = 0
    for size in sizes:
        yield stream[start : start + size]
        start += size
    yield stream[start:]


# What a stream has to give


def read_stream(name: str, stream: bytes, limit: int, *, is_client: bool) -> Expected:
    """What one side has to read in the framing `name`; payloads have up to `limit` bytes, a multiple of 4."""
    found = Expected([])
    position = number = 0
    while found.check is None and position < len(stream):
        rest = stream[position:]
        if name == "full" and is_client and _is_bare_code(rest):
            size, found.check = _bare_code(rest, found.events)
        elif name == "full":
            size, found.check = _full_frame(rest, limit, number, is_client, found.events)
            number += 1
        else:
            size, found.check = _headed_frame(name, rest, limit, is_client, found.events)
        if not size:
            break
        position += size
    found.left = len(stream) - position
    return found


def _headed_frame(
    name: str, rest: bytes, limit: int, is_client: bool, events: list[Event]
) -> tuple[int, str | None]:
    """Add what the first frame is; return its size, 0 if it is not whole, and the check of what is wrong."""
    if name == "abridged":
        top, length, head = rest[0] & 0x80, (rest[0] & 0x7F) * 4, 1
        if length == 127 * 4:
            length, head = int.from_bytes(rest[1:4], "little") * 4, 4
    else:
        word = int.from_bytes(rest[:4], "little")
        top, length, head = word & 0x80000000, word & 0x7FFFFFFF, 4
    if len(rest) < head:
        return 0, None
    if top and is_client:
        if len(rest) < 4:
            return 0, None
        events.append(QuickAck(rest[3::-1] if name == "abridged" else rest[:4]))
        return 4, None
    if length > limit + (15 if name == "padded" else 0):
        return 0, "X1"
    if length < 4 or (length % 4 and name != "padded"):
        return 0, "X2"
    payload = rest[head : head + length]
    if len(payload) < length:
        return 0, None
    event, check = _message(name, payload, bool(top), is_client)
    if event:
        events.append(event)
    return head + length, check


def _message(name: str, payload: bytes, quick_ack: bool, is_client: bool) -> tuple[Event | None, str | None]:
    if not is_client or len(payload) > (16 if name == "padded" else 4):
        return Frame(payload, quick_ack), None
    if name == "padded" and len(payload) >= 8 and payload[:4] == b"\xff\xff\xff\xff":
        return QuickAck(payload[4:8]), None
    if len(payload) == 16:
        return Frame(payload), None
    code = int.from_bytes(payload[:4], "little", signed=True)
    if code < 0:
        return TransportCode(code), None
    return None, None if code == 0 and name == "padded" else "C1"


def _is_bare_code(rest: bytes) -> bool:
    """Whether this begins like a transport error that is no frame: three words of one number."""
    return len(rest) >= 4 and -1000 < int.from_bytes(rest[:4], "little", signed=True) <= -100


def _bare_code(rest: bytes, events: list[Event]) -> tuple[int, str | None]:
    if len(rest) < 12:
        return 0, None
    if rest[:12] != rest[:4] * 3:
        return 0, "X1"
    events.append(TransportCode(int.from_bytes(rest[:4], "little", signed=True)))
    return 12, None


def _full_frame(
    rest: bytes, limit: int, number: int, is_client: bool, events: list[Event]
) -> tuple[int, str | None]:
    """As `_headed_frame`, for frame number `number`."""
    if len(rest) < 4:
        return 0, None
    size = int.from_bytes(rest[:4], "little")
    if size > limit + 12:
        return 0, "X1"
    if size < 12:
        return 0, "X6"
    if size == 12 or size % 4:
        return 0, "X2"
    if len(rest) < 8:
        return 0, None
    if int.from_bytes(rest[4:8], "little") != number:
        return 0, "X6"
    if len(rest) < size:
        return 0, None
    if crc32(rest[: size - 4]).to_bytes(4, "little") != rest[size - 4 : size]:
        return 0, "X6"
    event, check = _message("full", rest[8 : size - 4], False, is_client)
    if event:
        events.append(event)
    return size, check


# What a framing gives


def play(receiver: Receiver, chunks: Iterable[bytes], expected: Expected, most: int, *, views: bool) -> None:
    """Have `receiver` read the chunks, and raise Broken where it does not give what is expected.

    `most` is the longest payload; `views` are memoryviews in place of bytes.
    """
    events: list[Event] = []
    error: FramingError | None = None
    for chunk in chunks:
        try:
            given = receiver.receive_data(memoryview(bytearray(chunk)) if views else chunk)
        except FramingError as raised:
            error = raised
            break
        events += given
        if receiver.buffered >= most + _MOST_OVERHEAD:
            raise Broken(f"{receiver.buffered} bytes are kept, expected less than {most + _MOST_OVERHEAD}")
        if receiver.failure is not None:
            error = receiver.failure
            break
    if events != expected.events:
        raise Broken(f"{expected}\n got {events}")
    if (error and error.check) != expected.check:
        raise Broken(f"{expected}\n got {error!r}")
    if error is None and receiver.buffered != expected.left:
        raise Broken(f"{expected}\n got {receiver.buffered} bytes kept")
    _check_end(receiver, error, expected)


def _check_end(receiver: Receiver, error: FramingError | None, expected: Expected) -> None:
    """The stream may end between frames, and a failure is final."""
    if error is None:
        error = failure_of(receiver.eof)
        if (error and error.check) != (expected.at_end if expected.left else None):
            raise Broken(f"{expected}\n got {error!r} at the end")
        if error is None:
            return
    for ask in (lambda: receiver.receive_data(b""), lambda: receiver.receive_data(bytes(70)), receiver.eof):
        again = failure_of(ask)
        if again is None or str(again) != str(error):
            raise Broken(f"{expected}\n first {error!r}, then {again!r}")
    if receiver.failure is None or receiver.buffered:
        raise Broken(f"{expected}\n failed, and is {receiver.failure!r} with {receiver.buffered} bytes kept")


def failure_of(ask: Callable[[], object]) -> FramingError | None:
    """The FramingError that `ask` raises, if any; anything else it raises goes through."""
    try:
        ask()
    except FramingError as error:
        return error
    return None
