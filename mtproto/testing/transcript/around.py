"""What is around messages, in words: the opening of a stream, transport errors, frames and envelopes."""

from __future__ import annotations

from collections.abc import Iterator

from mtproto.errors import TransportCodeReceived
from mtproto.testing.transcript.records import Cut, Lost, Opening, Plain, Sealed

__all__ = ["closed_text", "code_text", "facts", "opening_text"]


def opening_text(opening: Opening) -> tuple[str, str]:
    """Title and note of the client's first bytes."""
    if not opening.transport:
        return "unknown transport", ""
    data = opening.data
    shown = f"{data[:4].hex(' ')} …, an init of {len(data)} bytes" if len(data) > 4 else data.hex(" ")
    proxy = "" if opening.dc is None else f", for dc {opening.dc}"
    return opening.transport, (shown or "no prefix") + proxy


def code_text(code: int) -> tuple[str, str]:
    """Title and note of a transport error."""
    return f"transport error {code}", TransportCodeReceived.MEANINGS.get(code, "")


def closed_text(around: Plain | Sealed) -> tuple[str, str]:
    """Title and note of a message in which nothing can be read."""
    if isinstance(around, Plain):
        return "a plain message", ""
    if around.is_known:
        return "encrypted message", "can't be opened"
    return "encrypted message", f"under key {around.auth_key_id.hex()}"


def facts(cut: Cut | Lost, around: Plain | Sealed) -> Iterator[tuple[str, str]]:
    """Names and values of a frame and of the envelope in it."""
    if isinstance(cut, Lost):
        yield "no frame", cut.how
    else:
        asks = ", asks for a quick ack" if cut.quick_ack else ""
        yield "frame", f"{len(cut.data):,} bytes at {cut.offset:,}{asks}"
    if isinstance(around, Plain):
        yield "not encrypted", f"msg_id {around.msg_id}"
        return
    yield "auth_key_id", around.auth_key_id.hex(" ")
    yield "msg_key", around.msg_key.hex(" ")
    if around.msg_id is None:
        return
    yield "salt", _long(around.salt)
    yield "session_id", _long(around.session_id)
    yield "padding", f"{len(around.padding or b'')} bytes"


def _long(value: int | None) -> str:
    return "" if value is None else value.to_bytes(8, "little", signed=True).hex(" ")
