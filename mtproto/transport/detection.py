"""Which framing a client speaks, told by the first bytes it sends, as a server has to.

`detect` looks at those bytes; `ServerFraming` is a framing that finds out first which one it is.  So many
bytes it takes, and never more than the client is sure to send before it waits for an answer:

    1     ef                    abridged
    4     eeeeeeee, dddddddd    intermediate, padded
    4     GET , POST, …         refused: HTTP (`lookalikes` has them all)
    4     16030102              refused: a TLS hello of the length that most have
    8     ........ 00000000     full: it has no prefix, but its first frame is number 0
    9     1603.... ..01......   refused: any other TLS hello, told by its two lengths that agree
    64    anything else         obfuscated, if the tag in it is that of a framing; otherwise refused

A server with the secret of a proxy speaks to those only who know it, and one may be told to take but one
framing, or nothing that is not obfuscated.  What is refused is named as far as it
can be, for the operator's log: web browsers and port scanners call at the same ports.

Specification: core.telegram.org/mtproto/mtproto-transports; what an obfuscated connection can't start with is
listed in its section on transport obfuscation.
"""

from __future__ import annotations

import os
from typing import Final

from mtproto.crypto.randomness import Rng
from mtproto.errors import FramingError, LocalProtocolError
from mtproto.side import Side
from mtproto.transport.framing import MAX_PAYLOAD, Event, Framing, checked_limit
from mtproto.transport.full import Full
from mtproto.transport.lookalikes import TLS_HEAD, likeness
from mtproto.transport.obfuscation import INIT_SIZE, TAGS, Obfuscated, obfuscated_tag, read_init
from mtproto.transport.replay import SeenInits
from mtproto.transport.secret import ProxySecret
from mtproto.transport.table import FRAMINGS, framing_class

__all__ = ["ServerFraming", "detect"]

_PREFIX: Final = 4
_FULL_HEAD: Final = 8


def detect(start: bytes | bytearray) -> type[Framing] | type[Obfuscated] | None:
    """How a connection that starts like this goes on; None if it takes more bytes to tell.

    A prefix, `Framing.prefix`, is no frame and has to be taken off.  `Obfuscated` says that the first 64 bytes
    are an init, if anything.  Raises FramingError (X11) for what is neither.
    """
    for framing in FRAMINGS.values():
        if framing.prefix and start.startswith(framing.prefix):
            return framing
    if len(start) < _PREFIX:
        return None
    likely = likeness(start)
    if likely is not None:
        raise _refused(f"this looks like {likely}, which is not spoken here", "X11", start[:_PREFIX])
    if len(start) < _FULL_HEAD:
        return None
    if start[4:8] == bytes(4):  # no init has it, so that the two can be told apart
        return Full
    if len(start) < TLS_HEAD and start[0] == 0x16:
        return None
    return Obfuscated


def _refused(message: str, check: str, got: bytes | bytearray) -> FramingError:
    return FramingError(message, check=check, got=bytes(got).hex(), expected=_ACCEPTED)


_ACCEPTED: Final = (
    " or ".join(f"{framing.prefix.hex()} ({framing.name})" for framing in FRAMINGS.values() if framing.prefix)
    + ", a full frame, or an obfuscated connection"
)
_ACCEPTED_BEHIND_PROXY: Final = "an obfuscated connection that knows the secret"


class ServerFraming:
    """The framing of a server's connection, whichever it turns out to be: same methods, same contract.

    Until the client has told there is no framing (`framing` is None), and nothing can be encoded.  With a
    `secret` only obfuscated connections that know it are taken.  `seen` is what the connections of a server
    share in order to refuse replayed inits; without it they are not refused.

    `transport`, the name of a framing, and `obfuscated` restrict what is taken otherwise: that framing only,
    obfuscated connections only; FramingError (X11) for others.  Raises LocalProtocolError for a name that there
    is not, and for a framing that can't be obfuscated, or not with this secret.
    """

    side = Side.SERVER

    def __init__(
        self,
        max_payload: int = MAX_PAYLOAD,
        *,
        secret: ProxySecret | None = None,
        transport: str | None = None,
        obfuscated: bool = False,
        seen: SeenInits | None = None,
        rng: Rng = os.urandom,
    ) -> None:
        self.max_payload = checked_limit(max_payload)
        self._secret = secret
        self._only = None if transport is None else framing_class(transport)
        self._only_obfuscated = obfuscated or secret is not None
        if self._only is not None and self._only_obfuscated:
            obfuscated_tag(self._only, secret)
        self._seen = seen
        self._rng = rng
        self._start = bytearray()
        self._framing: Framing | Obfuscated | None = None
        self._failure: FramingError | None = None

    @property
    def framing(self) -> Framing | Obfuscated | None:
        """The framing that the client speaks, once that is known."""
        return self._framing

    @property
    def name(self) -> str:
        """What the framing is called, as in "obfuscated padded"; "unknown" until it is known."""
        return "unknown" if self._framing is None else self._framing.name

    @property
    def pads(self) -> bool:
        """As `Framing.pads`; False until the framing is known."""
        return self._framing is not None and self._framing.pads

    @property
    def has_quick_acks(self) -> bool:
        """As `Framing.has_quick_acks`; False until the framing is known."""
        return self._framing is not None and self._framing.has_quick_acks

    @property
    def failure(self) -> FramingError | None:
        """As `Framing.failure`; also set when the first bytes are those of no framing."""
        return self._failure if self._framing is None else self._framing.failure

    @property
    def buffered(self) -> int:
        """As `Framing.buffered`; also counts the bytes by which the framing is not yet told."""
        return len(self._start) if self._framing is None else self._framing.buffered

    def receive_data(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """As `Framing.receive_data`; FramingError (X7, X11) also when the first bytes are those of no framing.

        The same where they are those of a framing that is not taken here.
        """
        if self._framing is not None:
            return self._framing.receive_data(data)
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        self._start += data
        try:
            self._framing = self._open()
        except FramingError as error:
            self._failure = error.with_traceback(None)
            self._start.clear()
            raise
        if self._framing is None:
            return []
        rest = bytes(self._start)
        self._start.clear()
        return self._framing.receive_data(rest)

    def _open(self) -> Framing | Obfuscated | None:
        """The framing, its prefix or init taken off; None if it takes more bytes to tell."""
        found = detect(self._start)
        if found is None:
            return None
        if issubclass(found, Obfuscated):
            return self._accept() if len(self._start) >= INIT_SIZE else None
        if self._secret is not None:
            raise FramingError(
                "not obfuscated, which this server's secret demands",
                check="X7",
                got=found.name,
                expected=_ACCEPTED_BEHIND_PROXY,
            )
        self._check_taken(found, obfuscated=False)
        del self._start[: len(found.prefix)]
        return found(self.side, self.max_payload, rng=self._rng)

    def _accept(self) -> Obfuscated:
        """The other end of an obfuscated connection, whose init is there."""
        init = read_init(bytes(self._start[:INIT_SIZE]), secret=self._secret)
        inner = TAGS.get(init.tag)
        if inner is None or (self._secret is not None and self._secret.padded_only and not inner.pads):
            start = self._start[:_PREFIX]
            if self._secret is not None:
                message = "no obfuscated connection under this server's secret"
                raise FramingError(message, check="X7", got=start.hex(), expected=_ACCEPTED_BEHIND_PROXY)
            raise _refused("neither a framing nor an obfuscated connection", "X7", start)
        self._check_taken(inner, obfuscated=True)
        if self._seen is not None and not self._seen.add(init.wire):
            raise FramingError("an obfuscated connection was opened with an init seen before", check="X7")
        del self._start[:INIT_SIZE]
        return Obfuscated(inner(self.side, self.max_payload, rng=self._rng), init)

    def _check_taken(self, found: type[Framing], *, obfuscated: bool) -> None:
        """Whether the operator wants what the client speaks."""
        is_wanted = self._only in (None, found)
        if not is_wanted or (self._only_obfuscated and not obfuscated):
            layer = "obfuscated " if self._only_obfuscated else ""
            raise FramingError(
                "a transport that this server does not take",
                check="X11",
                got=f"obfuscated {found.name}" if obfuscated else found.name,
                expected=layer + ("connections" if self._only is None else self._only.name),
            )

    def eof(self) -> None:
        """As `Framing.eof`; FramingError (X11) also when the stream ends before it tells its framing."""
        if self._framing is not None:
            self._framing.eof()
            return
        if self._failure is None and self._start:
            self._failure = _refused(
                "the stream ends before it tells which framing it is", "X11", self._start[:INIT_SIZE]
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

    def _known(self) -> Framing | Obfuscated:
        if self._framing is None:
            raise LocalProtocolError("nothing can be sent before the client's first bytes tell its framing")
        return self._framing
