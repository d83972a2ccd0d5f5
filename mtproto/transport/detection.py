"""Which framing a client speaks, told by the first bytes it sends, as a server has to.

`detect` looks at those bytes and names the framing; `ServerFraming` is a framing that finds out first which
one it is.  What the bytes cannot be is refused with a guess at what they are, for the operator's log: web
browsers and port scanners call at the same ports.

Specification: core.telegram.org/mtproto/mtproto-transports; the list of lookalikes is that of its section
on transport obfuscation, which forbids them as first bytes.
"""

from __future__ import annotations

from mtproto.errors import FramingError, LocalProtocolError
from mtproto.side import Side
from mtproto.transport.framing import MAX_PAYLOAD, Event, Framing, checked_limit
from mtproto.transport.table import FRAMINGS

__all__ = ["LOOKALIKES", "ServerFraming", "detect"]

_LONGEST_PREFIX = 4

LOOKALIKES: tuple[tuple[bytes, str], ...] = (
    (b"\xdd\xdd\xdd\xdd", "the padded intermediate framing"),
    (b"\x16\x03", "a TLS hello"),
    *(
        (verb.ljust(_LONGEST_PREFIX)[:_LONGEST_PREFIX], f"an HTTP request ({verb.decode()})")
        for verb in (b"GET", b"POST", b"HEAD", b"PUT", b"OPTIONS", b"DELETE", b"PATCH", b"CONNECT", b"TRACE")
    ),
    (b"PRI ", "an HTTP/2 connection"),
)
"""First bytes that are none of the framings' here, and what they look like."""


def detect(start: bytes | bytearray) -> type[Framing] | None:
    """The framing whose prefix a connection starts with; None if it takes more bytes to tell (1, then 4).

    Its prefix, `Framing.prefix`, is no frame and has to be taken off.  Raises FramingError (X11).
    """
    for framing in FRAMINGS.values():
        if start.startswith(framing.prefix):
            return framing
    if len(start) < _LONGEST_PREFIX:
        return None
    likely = next((what for first, what in LOOKALIKES if start.startswith(first)), None)
    raise FramingError(
        f"this looks like {likely or 'the full framing or an obfuscated one'}, which is not spoken here",
        check="X11",
        got=bytes(start[:_LONGEST_PREFIX]).hex(),
        expected=_accepted(),
    )


def _accepted() -> str:
    return " or ".join(f"{framing.prefix.hex()} ({framing.name})" for framing in FRAMINGS.values())


class ServerFraming:
    """The framing of a server's connection, whichever it turns out to be: same methods, same contract.

    Until the client has sent the prefix there is no framing (`framing` is None), and nothing can be encoded.
    """

    side = Side.SERVER

    def __init__(self, max_payload: int = MAX_PAYLOAD) -> None:
        self.max_payload = checked_limit(max_payload)
        self._start = bytearray()
        self._framing: Framing | None = None
        self._failure: FramingError | None = None

    @property
    def framing(self) -> Framing | None:
        """The framing that the client speaks, once that is known."""
        return self._framing

    @property
    def failure(self) -> FramingError | None:
        """As `Framing.failure`; also set when the first bytes are those of no framing."""
        return self._failure if self._framing is None else self._framing.failure

    @property
    def buffered(self) -> int:
        """As `Framing.buffered`; also counts the bytes of an unfinished prefix."""
        return len(self._start) if self._framing is None else self._framing.buffered

    def receive_data(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """As `Framing.receive_data`; FramingError (X11) also when the first bytes are those of no framing."""
        if self._framing is not None:
            return self._framing.receive_data(data)
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        self._start += data
        try:
            found = detect(self._start)
        except FramingError as error:
            self._failure = error.with_traceback(None)
            self._start.clear()
            raise
        if found is None:
            return []
        self._framing = found(self.side, self.max_payload)
        rest = bytes(self._start[len(found.prefix) :])
        self._start.clear()
        return self._framing.receive_data(rest)

    def eof(self) -> None:
        """As `Framing.eof`; FramingError (X11) also when the stream ends inside the prefix."""
        if self._framing is not None:
            self._framing.eof()
            return
        if self._failure is None and self._start:
            self._failure = FramingError(
                "the stream ends before it tells which framing it is",
                check="X11",
                got=self._start.hex(),
                expected=_accepted(),
            )
            self._start.clear()
        if self._failure is not None:
            raise self._failure.with_traceback(None)

    def encode(self, payload: bytes, *, quick_ack: bool = False) -> bytes:
        """As `Framing.encode`."""
        return self._known().encode(payload, quick_ack=quick_ack)

    def encode_quick_ack(self, token: bytes) -> bytes:
        """As `Framing.encode_quick_ack`."""
        return self._known().encode_quick_ack(token)

    def encode_code(self, code: int) -> bytes:
        """As `Framing.encode_code`."""
        return self._known().encode_code(code)

    def _known(self) -> Framing:
        if self._framing is None:
            raise LocalProtocolError("nothing can be sent before the client's first bytes tell its framing")
        return self._framing
