"""What a script puts on the wire, read by hand: hashlib, struct and `oracle_ige`, no envelopes of the package."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from hashlib import sha1, sha256
from typing import Any, NamedTuple

import tl
from mtproto import service
from mtproto.crypto.auth_key import AuthKey
from mtproto.testing.hostile import Conversation, Node, Play
from tests.mtproto.helpers import TEST_KEY, ManualClock, oracle_ige, seeded

__all__ = ["KEY", "Sealed", "Wire", "opened", "sealed"]

KEY = AuthKey(seeded(7)(256))


def _keys(msg_key: bytes, x: int, key: bytes = KEY.data) -> tuple[bytes, bytes]:
    a = sha256(msg_key + key[x : x + 36]).digest()
    b = sha256(key[40 + x : 76 + x] + msg_key).digest()
    return a[:8] + b[8:24] + a[24:], b[:8] + a[8:24] + b[24:]


class Sealed(NamedTuple):
    """An encrypted message, taken apart; `right_key` is the msg_key that its plaintext should have."""

    auth_key_id: bytes
    msg_key: bytes
    right_key: bytes
    salt: int
    session_id: int
    msg_id: int
    seq_no: int
    length: int
    rest: bytes
    """Body and padding: where the one ends is what `length` says, right or wrong."""


def opened(payload: bytes, x: int, key: bytes = KEY.data) -> Sealed:
    msg_key = payload[8:24]
    plaintext = oracle_ige(payload[24:], *_keys(msg_key, x, key), encrypt=False)
    right = sha256(key[88 + x : 120 + x] + plaintext).digest()[8:24]
    salt, session_id, msg_id, seq_no, length = struct.unpack_from("<qqqii", plaintext)
    numbers = salt, session_id, msg_id, seq_no, length
    return Sealed(payload[:8], msg_key, right, *numbers, plaintext[32:])


def sealed(body: bytes, msg_id: int, *, x: int, session_id: int = 5, seq_no: int = 1) -> bytes:
    plaintext = struct.pack("<qqqii", 0, session_id, msg_id, seq_no, len(body)) + body
    plaintext += bytes(12 + -(len(plaintext) + 12) % 16)
    msg_key = sha256(KEY.data[88 + x : 120 + x] + plaintext).digest()[8:24]
    encrypted = oracle_ige(plaintext, *_keys(msg_key, x), encrypt=True)
    return sha1(KEY.data).digest()[-8:] + msg_key + encrypted


class Wire:
    """A script at the one end of an intermediate stream, and a hand at the other: payloads in, payloads out."""

    def __init__(self, nodes: Iterable[Node], *, ready: bool = False, **options: Any) -> None:
        self.conversation = Conversation(nodes, **options)
        is_server = self.conversation.side.name == "SERVER"
        self._first = is_server
        self.play = Play(
            self.conversation,
            TEST_KEY if is_server else TEST_KEY.public,
            clock=ManualClock(),
            rng=seeded(3),
            auth_key=KEY if ready else None,
            server_salt=77,
            request=bytes(service.Ping(ping_id=9)),
        )

    def send(self, payload: bytes) -> None:
        start = b"\xee\xee\xee\xee" if self._first else b""
        self._first = False
        self.play.receive_data(start + struct.pack("<i", len(payload)) + payload)

    def say(self, *messages: tl.TLObject) -> None:
        """Plain messages of the hand."""
        for message in messages:
            body = bytes(message)
            self.send(bytes(8) + struct.pack("<qi", (1_700_000_000 << 32) + 1, len(body)) + body)

    def raw(self) -> bytes:
        return self.play.data_to_send().removeprefix(b"\xee\xee\xee\xee")

    def payloads(self) -> Sequence[bytes]:
        data, found = self.raw(), []
        while data:
            (size,) = struct.unpack_from("<i", data)
            found.append(data[4 : 4 + size])
            data = data[4 + size :]
        return found

    def last(self) -> tuple[bytes, int, int, bytes]:
        """auth_key_id, msg_id, length and body of the last plain message."""
        payload = self.payloads()[-1]
        return payload[:8], *struct.unpack_from("<qi", payload, 8), payload[20:]

    def last_object(self) -> Any:
        return service.decode(self.last()[3])
