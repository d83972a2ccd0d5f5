"""The obfuscation layer ("obfuscated2"): bytes → AES-CTR → a framing, so that the stream looks random.

A client begins with 64 bytes, the init.  Its middle 48 give the keys of both directions, and its end, which
is already encrypted, says which framing is inside:

    at    bytes
    0     8     random; never what another protocol starts with (`is_forbidden`)
    8     32    key, client to server   } backwards, from 55 to 8, they are the key and iv
    40    16    iv, client to server    } from server to client
    56    4     the framing's tag       } encrypted: bytes 56..63 of the
    60    2     dc, for a proxy         } key stream from client to server,
    62    2     random                  } which goes on after the init

With the secret of a proxy each key is SHA256(key + secret).  Nothing here is confidential or authentic: who
sees the init, and knows the secret, reads along.

Specification: core.telegram.org/mtproto/mtproto-transports#transport-obfuscation
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from types import MappingProxyType
from typing import Final

from mtproto.crypto.ctr import KeyStream, key_stream
from mtproto.crypto.randomness import Rng, draw
from mtproto.errors import FramingError, LocalProtocolError
from mtproto.side import Side
from mtproto.transport.framing import Event, Framing
from mtproto.transport.lookalikes import LOOKALIKES, likeness
from mtproto.transport.secret import ProxySecret
from mtproto.transport.table import FRAMINGS

__all__ = [
    "FORBIDDEN",
    "INIT_SIZE",
    "TAGS",
    "Init",
    "Obfuscated",
    "is_forbidden",
    "obfuscated_client",
    "obfuscated_tag",
    "read_init",
    "write_init",
]

INIT_SIZE: Final = 64

TAGS: Mapping[bytes, type[Framing]] = MappingProxyType(
    {f.tag: f for f in FRAMINGS.values() if f.tag is not None}
)
"""The framings that can be obfuscated, by their tags."""

FORBIDDEN: tuple[bytes, ...] = (
    *(f.prefix for f in FRAMINGS.values() if f.prefix),
    *(first for first, _ in LOOKALIKES),
)
"""What no init starts with, as a server takes it for another framing, HTTP or TLS (X7); see `is_forbidden`."""

_ATTEMPTS: Final = 100


def is_forbidden(start: bytes) -> bool:
    """Whether no init may start like this: like a framing, a stranger, or the full framing's number 0.

    `start` is the first 9 bytes or more; what is forbidden is just what `detection.detect` takes for something
    else.
    """
    return start.startswith(FORBIDDEN) or start[4:8] == bytes(4) or likeness(start) is not None


@dataclass(frozen=True, slots=True)
class Init:
    """An init: its 64 bytes as sent, what it says, and the key streams, both where the first frame begins.

    `dc` is the data centre for which a proxy is asked, signed 16-bit; without a secret it is noise.
    """

    wire: bytes
    tag: bytes
    dc: int
    to_server: KeyStream
    to_client: KeyStream


def write_init(
    tag: bytes,
    *,
    secret: ProxySecret | None = None,
    dc: int | None = None,
    rng: Rng = os.urandom,
    random: bytes | None = None,
) -> Init:
    """A client's init.  `random` is the 64 bytes it is made of, drawn from `rng` where it is None.

    `dc` is drawn too where it is None.  Raises LocalProtocolError for a tag or a `random` of a wrong length,
    a dc that does not fit, and an rng that gives nothing but forbidden starts.
    """
    if random is None:
        random = _draw_random(rng)
    if len(random) != INIT_SIZE or len(tag) != 4:
        raise LocalProtocolError(
            f"an init of {len(random)} bytes with a tag of {len(tag)}, expected 64 and 4"
        )
    if dc is not None and not -(2**15) <= dc < 2**15:
        raise LocalProtocolError(f"dc {dc} does not fit the 16 bits that an init has for it")
    plain = random[:56] + tag + (random[60:62] if dc is None else dc.to_bytes(2, "little", signed=True))
    plain += random[62:]
    to_server, to_client = _key_streams(plain, secret)
    wire = plain[:56] + to_server(plain)[56:]
    return Init(wire, tag, int.from_bytes(plain[60:62], "little", signed=True), to_server, to_client)


def read_init(wire: bytes, *, secret: ProxySecret | None = None) -> Init:
    """What the 64 bytes of a client's init say; whether its tag is that of a framing is not looked at here.

    Raises LocalProtocolError for another number of bytes: it is for the caller to wait for them, and to cut.
    """
    if len(wire) != INIT_SIZE:
        raise LocalProtocolError(f"an init of {len(wire)} bytes, expected {INIT_SIZE}")
    to_server, to_client = _key_streams(wire, secret)
    end = to_server(wire)[56:]
    return Init(wire, end[:4], int.from_bytes(end[4:6], "little", signed=True), to_server, to_client)


def _draw_random(rng: Rng) -> bytes:
    for _ in range(_ATTEMPTS):
        random = draw(rng, INIT_SIZE)
        if not is_forbidden(random):
            return random
    raise LocalProtocolError(f"rng gave {_ATTEMPTS} times in a row what no init may start with")


def _key_streams(init: bytes, secret: ProxySecret | None) -> tuple[KeyStream, KeyStream]:
    backwards = init[55:7:-1]
    return (
        key_stream(_key(init[8:40], secret), init[40:56]),
        key_stream(_key(backwards[:32], secret), backwards[32:]),
    )


def _key(key: bytes, secret: ProxySecret | None) -> bytes:
    return key if secret is None else sha256(key + secret.data).digest()


class Obfuscated:
    """A framing inside the obfuscation layer, on either side: same methods, same contract.

    `prefix` is what a client sends once before its first frame, its init.  Each key stream moves on by just
    the bytes that are received or encoded, however they are cut (X8): what `encode` and its like return has
    to be sent, and in that order.
    """

    def __init__(self, inner: Framing, init: Init) -> None:
        self.inner = inner
        self.dc = init.dc
        self.side = inner.side
        self.name = f"obfuscated {inner.name}"
        self.pads = inner.pads
        self.has_quick_acks = inner.has_quick_acks
        self.max_payload = inner.max_payload
        is_client = inner.side is Side.CLIENT
        self.prefix = init.wire if is_client else b""
        self._decrypt = init.to_client if is_client else init.to_server
        self._encrypt = init.to_server if is_client else init.to_client

    @property
    def failure(self) -> FramingError | None:
        """As `Framing.failure`."""
        return self.inner.failure

    @property
    def buffered(self) -> int:
        """As `Framing.buffered`."""
        return self.inner.buffered

    def receive_data(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """As `Framing.receive_data`."""
        return self.inner.receive_data(self._decrypt(data))

    def eof(self) -> None:
        """As `Framing.eof`."""
        self.inner.eof()

    def encode(self, payload: bytes, *, quick_ack: bool = False) -> bytes:
        """As `Framing.encode`."""
        return self._encrypt(self.inner.encode(payload, quick_ack=quick_ack))

    def encode_quick_ack(self, token: bytes) -> bytes:
        """As `Framing.encode_quick_ack`."""
        return self._encrypt(self.inner.encode_quick_ack(token))

    def encode_code(self, code: int) -> bytes:
        """As `Framing.encode_code`."""
        return self._encrypt(self.inner.encode_code(code))


def obfuscated_tag(inner: Framing | type[Framing], secret: ProxySecret | None) -> bytes:
    """The framing's tag; LocalProtocolError where it can't be obfuscated, or not with this secret."""
    if inner.tag is None:
        raise LocalProtocolError(f"the {inner.name} framing can't be obfuscated")
    if secret is not None and secret.padded_only and not inner.pads:
        raise LocalProtocolError(
            f"an MTProxy secret that begins with dd goes with the padded framing only, not with {inner.name}"
        )
    return inner.tag


def obfuscated_client(
    inner: Framing, *, secret: ProxySecret | None = None, dc: int | None = None, rng: Rng = os.urandom
) -> Obfuscated:
    """A client's framing, obfuscated.  `dc` is for a proxy: where there is no secret it is not told.

    Raises LocalProtocolError where the framing can't be obfuscated, or not with this secret.
    """
    tag = obfuscated_tag(inner, secret)
    return Obfuscated(inner, write_init(tag, secret=secret, dc=dc if secret else None, rng=rng))
