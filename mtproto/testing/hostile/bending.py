"""Frames changed on their way into the stream, below the obfuscation where there is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from mtproto.errors import LocalProtocolError
from mtproto.transport import Obfuscated, ServerFraming, Wire

__all__ = ["Bending"]


Change: TypeAlias = Callable[[bytes], bytes]


class _Bent:
    """A framing whose next frame is changed."""

    def __init__(self, inner: Any, change: Change) -> None:
        self.inner = inner
        self.change = change

    def encode(self, payload: bytes, *, quick_ack: bool = False) -> bytes:
        return self.change(self.inner.encode(payload, quick_ack=quick_ack))


class Bending:
    """Encodes payloads of a wire with a frame that is changed."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def encode(self, payload: bytes, change: Change | None, *, quick_ack: bool = False) -> bytes:
        """The bytes of the stream; `change` makes a frame's bytes of a frame's, if it is there."""
        if change is None:
            return self._wire.encode(payload, quick_ack=quick_ack)
        wire: Any = self._wire.framing if isinstance(self._wire, ServerFraming) else self._wire
        if wire is None:
            raise LocalProtocolError("a server can send no frame before the client's first bytes")
        if not isinstance(wire, Obfuscated):
            changed: bytes = change(wire.encode(payload, quick_ack=quick_ack))
            return changed
        plain = wire.inner
        wire.inner = _Bent(plain, change)  # type: ignore[assignment]
        try:
            return wire.encode(payload, quick_ack=quick_ack)
        finally:
            wire.inner = plain
