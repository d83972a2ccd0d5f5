"""One direction of a connection, by an independent hand: struct, zlib and `cryptography` make the bytes.

A `Line` is a receiver of ours, ready for frames, and what the other end would send to it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from mtproto.side import Side
from mtproto.transport import (
    MAX_PAYLOAD,
    Event,
    Frame,
    Framing,
    Obfuscated,
    ProxySecret,
    ServerFraming,
    TransportCode,
    client_framing,
    framing,
)
from mtproto.transport import QuickAck as QuickAckEvent
from tests.mtproto.helpers import seeded
from tests.vectors import load

__all__ = ["CODES", "OBFUSCATED", "SETUPS", "TAGS", "Line", "Oracle", "Setup", "ctr_stream", "init_keys"]

OBFUSCATED: dict[str, Any] = load("obfuscated2")
TAGS = {"abridged": b"\xef" * 4, "intermediate": b"\xee" * 4, "padded": b"\xdd" * 4}
CODES = (-404, -429, -444, -403, -1, -(2**31))
SECRET = bytes.fromhex("00112233445566778899aabbccddeeff")
RANDOM = bytes(range(100, 164))
PADDING = bytes.fromhex("a1a2a3a4a5a6a7a8a9aaabacadaeaf")


def ctr_stream(key: bytes, iv: bytes) -> Any:
    """AES-256-CTR by `cryptography` itself."""
    return Cipher(AES(key), CTR(iv)).encryptor()


def init_keys(init: bytes, secret: bytes | None) -> dict[Side, Any]:
    """The key streams of what each side sends, from the bytes 8 to 56 of an init."""
    found = {}
    for side, part in ((Side.CLIENT, init[8:56]), (Side.SERVER, init[8:56][::-1])):
        key = part[:32] if secret is None else sha256(part[:32] + secret).digest()
        found[side] = ctr_stream(key, part[32:])
    return found


@dataclass(frozen=True)
class Setup:
    """A framing, and what is around it: nothing, obfuscation, or that with a proxy's secret."""

    name: str
    layer: str = "plain"

    @property
    def secret(self) -> str | None:
        return {"secret": SECRET.hex(), "dd-secret": "dd" + SECRET.hex()}.get(self.layer)

    @property
    def key(self) -> bytes | None:
        return None if self.secret is None else SECRET

    def __str__(self) -> str:
        return f"{self.layer}-{self.name}"

    def client(self) -> Framing | Obfuscated:
        return client_framing(
            self.name, obfuscated=self.layer != "plain", mtproxy_secret=self.secret, dc=2, rng=seeded(3)
        )


SETUPS = (
    *(Setup(name) for name in (*TAGS, "full")),
    *(Setup(name, layer) for layer in ("obfuscated", "secret") for name in TAGS),
    Setup("padded", "dd-secret"),
)


class Oracle:
    """The frames of one direction, made by hand; `sender` is whose they are."""

    def __init__(self, name: str, sender: Side) -> None:
        self.name = name
        self.sender = sender
        self.number = 0
        self.frames = 0

    def frame(self, payload: bytes, quick_ack: bool = False, padding: bytes | None = None) -> bytes:
        """A frame; where there is padding its length goes round, 0 to 15 from a client, 0 to 3 from a server."""
        self.frames += 1
        flag = quick_ack << 31
        if self.name == "abridged":
            words = len(payload) // 4
            if words < 127:
                return bytes([words | flag >> 24]) + payload
            return struct.pack("<I", 0x7F | flag >> 24 | words << 8) + payload
        if self.name == "full":
            head = struct.pack("<II", len(payload) + 12, self.number) + payload
            self.number += 1
            return head + struct.pack("<I", zlib.crc32(head))
        if self.name == "padded":
            payload += self.padding() if padding is None else padding
        return struct.pack("<I", len(payload) | flag) + payload

    def padding(self) -> bytes:
        """The padding of the frame that was just counted."""
        return (
            PADDING[: self.frames * 7 % (16 if self.sender is Side.CLIENT else 4)]
            if self.name == "padded"
            else b""
        )

    def read_as(self, payload: bytes, quick_ack: bool = False) -> Frame:
        """What the frame that was just made is read as."""
        return Frame(payload + self.padding(), quick_ack)

    def quick_ack(self, token: bytes) -> bytes:
        if self.name == "padded":
            return struct.pack("<I", 8) + b"\xff" * 4 + token
        return token[::-1] if self.name == "abridged" else token

    def code(self, code: int) -> bytes:
        return self.frame(struct.pack("<i", code), padding=b"")


class Line:
    """A `receiver` at `side`, ready for frames, and the `oracle` of what the other end sends; `wrap` encrypts."""

    def __init__(self, setup: Setup, side: Side, limit: int = MAX_PAYLOAD) -> None:
        self.oracle = Oracle(setup.name, side.peer)
        self.wrap: Callable[[bytes], bytes] = bytes
        self.receiver: Framing | Obfuscated | ServerFraming
        if setup.layer == "plain":
            self.receiver = framing(setup.name, side, limit)
        elif side is Side.SERVER:
            secret = None if setup.secret is None else ProxySecret.read(setup.secret)
            self.receiver = ServerFraming(limit, secret=secret)
            stream = init_keys(RANDOM, setup.key)[Side.CLIENT]
            init = RANDOM[:56] + stream.update(RANDOM[:56] + TAGS[setup.name] + RANDOM[60:])[56:]
            self.receiver.receive_data(init)
            self.wrap = stream.update
        else:
            self.receiver = setup.client()
            self.receiver.inner.max_payload = limit  # type: ignore[union-attr]
            self.wrap = init_keys(self.receiver.prefix, setup.key)[Side.SERVER].update

    def conversation(self, payloads: list[bytes]) -> tuple[bytes, list[Event]]:
        """A stream with a frame for each payload and what else there may be between, and its events."""
        stream = b""
        events: list[Event] = []
        acks = self.oracle.name != "full"
        for i, payload in enumerate(payloads):
            flag = acks and self.oracle.sender is Side.CLIENT and i % 2 == 1
            stream += self.oracle.frame(payload, flag)
            events.append(self.oracle.read_as(payload, flag))
            if self.oracle.sender is Side.SERVER:
                token = bytes([i, i + 1, i + 2, 0x80 | i])
                if acks:
                    stream += self.oracle.quick_ack(token) * 2
                    events += [QuickAckEvent(token)] * 2
                stream += self.oracle.code(CODES[i % len(CODES)])
                events.append(TransportCode(CODES[i % len(CODES)]))
        return self.wrap(stream), events
