"""What the tests of this folder share: payloads of the vectors, ways of cutting a stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from hypothesis import strategies as st

from mtproto.errors import FramingError
from mtproto.transport import Event
from tests.vectors import load

VECTORS: dict[str, Any] = load("transports")


class Receiver(Protocol):
    """A framing, or what behaves like one."""

    @property
    def failure(self) -> FramingError | None: ...

    @property
    def buffered(self) -> int: ...

    def receive_data(self, data: bytes) -> list[Event]: ...


def payload(length: int) -> bytes:
    """The payload of the vectors' cases."""
    return bytes(i & 0xFF for i in range(length))


def outcome(receiver: Receiver, chunks: Iterable[bytes], limit: int) -> tuple[list[Event], str | None]:
    """All events that `chunks` give, and the error that ends them; buffers are looked at on the way."""
    events: list[Event] = []
    raised = None
    try:
        for chunk in chunks:
            events += receiver.receive_data(chunk)
            assert receiver.buffered < limit + 20  # header, padding, checksum
        receiver.receive_data(b"")
    except FramingError as error:
        raised = str(error)
    if raised is None:
        assert receiver.failure is None
    else:
        assert str(receiver.failure) == raised
        assert receiver.buffered == 0
    return events, raised


def single_bytes(stream: bytes) -> Iterator[bytes]:
    """The stream in pieces of one byte."""
    return (stream[i : i + 1] for i in range(len(stream)))


def cut(stream: bytes, places: Iterable[int]) -> list[bytes]:
    """The stream cut at `places`, each taken modulo its length; pieces may be empty."""
    ends = sorted(place % (len(stream) + 1) for place in places)
    return [stream[start:end] for start, end in zip([0, *ends], [*ends, len(stream)], strict=True)]


CUTS = st.lists(st.integers(0, 2**20), max_size=12)
