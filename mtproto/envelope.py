"""Messages as transports carry them: encrypted envelopes, and the plain ones of the key exchange.

    encrypted  auth_key_id 8 | msg_key 16 | AES-IGE of: salt 8 | session_id 8 | msg_id 8 | seq_no 4 | length 4
                                                        | body | padding 12..1024
    plain      0 8           | msg_id 8   | length 4    | body

`Cipher.open` checks in the one safe order: the key's id, the ciphertext's size, then msg_key over the whole
plaintext in constant time, and only then the fields within (security guidelines; checks C1 to C7).  Every
refusal looks the same from outside: a RemoteProtocolError whose `reply` is what a server owes, -404.

Specification: core.telegram.org/mtproto/description, core.telegram.org/mtproto/security_guidelines.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest
from struct import Struct
from typing import NamedTuple

from mtproto.crypto.aes import ige_decrypt, ige_encrypt
from mtproto.crypto.auth_key import AuthKey
from mtproto.crypto.kdf import MessageKdf
from mtproto.errors import LocalProtocolError, RemoteProtocolError
from mtproto.side import Side

__all__ = [
    "MAX_PADDING",
    "MIN_PADDING",
    "PLAIN_AUTH_KEY_ID",
    "UNKNOWN_AUTH_KEY",
    "Cipher",
    "Envelope",
    "PlainMessage",
    "auth_key_id_of",
    "decode_plain",
    "encode_plain",
]

MIN_PADDING = 12
MAX_PADDING = 1024
PLAIN_AUTH_KEY_ID = bytes(8)
"""The auth_key_id of a message that is not encrypted."""
UNKNOWN_AUTH_KEY = -404
"""The transport error that answers every envelope that can't be opened, whatever the cause (S1)."""

_HEADER = Struct("<qqqii")
_HEADER_SIZE = _HEADER.size
_write_header = _HEADER.pack
_read_header = _HEADER.unpack_from
_HEADER_AND_LEAST = _HEADER_SIZE + MIN_PADDING
_PLAIN = Struct("<8sqi")


# There is one for each message, and a frozen dataclass takes twice as long to make.
class Envelope(NamedTuple):
    """What an encrypted message holds: signed 64-bit salt, session_id, msg_id; seq_no; the body's TL bytes."""

    salt: int
    session_id: int
    msg_id: int
    seq_no: int
    body: bytes


_new_envelope = tuple.__new__  # what `Envelope(…)` ends in, which takes twice as long


@dataclass(frozen=True, slots=True)
class PlainMessage:
    """A message that is not encrypted, as in the key exchange."""

    msg_id: int
    body: bytes


def auth_key_id_of(payload: bytes) -> bytes:
    """The first eight bytes of a frame's payload; raise RemoteProtocolError (C1) where there are fewer."""
    if len(payload) < 8:
        raise _refused("a message too short for an auth_key_id", "C1", f"{len(payload)} bytes", ">= 8 bytes")
    return payload[:8]


def _does_not_fit(error: struct.error) -> LocalProtocolError:
    return LocalProtocolError(f"a number of the message does not fit its field: {error}")


def _refused(message: str, check: str, got: object, expected: object) -> RemoteProtocolError:
    return RemoteProtocolError(message, check=check, got=got, expected=expected, reply=UNKNOWN_AUTH_KEY)


class Cipher:
    """Seals what one side sends and opens what it receives, with one auth_key."""

    __slots__ = ("_in", "_out", "key_id")

    def __init__(self, auth_key: AuthKey, side: Side) -> None:
        self.key_id = auth_key.key_id
        self._out = MessageKdf(auth_key.data, side.x)
        self._in = MessageKdf(auth_key.data, side.peer.x)

    def seal(
        self,
        envelope: Envelope,
        rng: Callable[[int], bytes],
        *,
        length: int | None = None,
        padding: bytes | None = None,
        msg_key_: bytes | None = None,
    ) -> bytes:
        """The encrypted message, 24 bytes plus a multiple of 16.

        `length`, `padding` and `msg_key_` are computed unless they are given: what is given is sent as it
        is, right or wrong, as long as the numbers fit their fields and the plaintext can be encrypted (a
        multiple of 16 bytes), else LocalProtocolError.
        """
        salt, session_id, msg_id, seq_no, body = envelope
        size = len(body)
        try:
            head = _write_header(salt, session_id, msg_id, seq_no, size if length is None else length)
        except struct.error as error:
            raise _does_not_fit(error) from None
        if padding is None:
            padding = rng(MIN_PADDING + (-(size + _HEADER_AND_LEAST) & 15))
        plaintext = b"".join((head, body, padding))
        if len(plaintext) & 15:
            raise LocalProtocolError(
                f"the plaintext has {len(plaintext)} bytes with this padding, expected a multiple of 16"
            )
        key = self._out.msg_key_large(plaintext)[8:24] if msg_key_ is None else msg_key_
        aes_key, aes_iv = self._out.derive(key)
        return b"".join((self.key_id, key, ige_encrypt(plaintext, aes_key, aes_iv)))

    def open(self, payload: bytes) -> Envelope:
        """The envelope in `payload`; raise RemoteProtocolError where any of C1 to C7 fails.

        Whose session it is, and whether its msg_id is new and timely, is for the session to check.
        """
        if payload[:8] != self.key_id:
            got = auth_key_id_of(payload)
            raise _refused("a message under another key", "C1", got.hex(), self.key_id.hex())
        size = len(payload) - 24
        if size < 48 or size & 15:
            raise _refused("encrypted data of a wrong size", "C2", f"{size} bytes", "16 * n bytes, n >= 3")
        claimed = payload[8:24]
        aes_key, aes_iv = self._in.derive(claimed)
        plaintext = ige_decrypt(payload[24:], aes_key, aes_iv)
        if not compare_digest(self._in.msg_key_large(plaintext)[8:24], claimed):
            raise _refused("msg_key is not that of the plaintext", "C3", claimed.hex(), None)
        salt, session_id, msg_id, seq_no, length = _read_header(plaintext)
        room = size - _HEADER_SIZE
        if not 0 <= length <= room:
            raise _refused("the body's length is out of range", "C5", length, f"0..{room}")
        if length & 3:
            raise _refused("the body's length is not a multiple of 4", "C6", length, "4 * n")
        padding = room - length
        if not MIN_PADDING <= padding <= MAX_PADDING:
            raise _refused("too little or too much padding", "C7", padding, f"{MIN_PADDING}..{MAX_PADDING}")
        body = plaintext[_HEADER_SIZE : _HEADER_SIZE + length]
        return _new_envelope(Envelope, (salt, session_id, msg_id, seq_no, body))


def encode_plain(message: PlainMessage) -> bytes:
    """A message without encryption; raise LocalProtocolError where msg_id is no signed 64-bit number."""
    try:
        return _PLAIN.pack(PLAIN_AUTH_KEY_ID, message.msg_id, len(message.body)) + message.body
    except struct.error as error:
        raise _does_not_fit(error) from None


def decode_plain(payload: bytes) -> PlainMessage:
    """The plain message that `payload` is; raise RemoteProtocolError (H13) where it is not exactly one."""
    if len(payload) < _PLAIN.size:
        raise _refused("a plain message too short", "H13", f"{len(payload)} bytes", f">= {_PLAIN.size} bytes")
    key_id, msg_id, length = _PLAIN.unpack_from(payload)
    if key_id != PLAIN_AUTH_KEY_ID:
        raise _refused("not a plain message", "H13", key_id.hex(), PLAIN_AUTH_KEY_ID.hex())
    if length != len(payload) - _PLAIN.size:
        raise _refused("a plain message of a wrong length", "H13", length, len(payload) - _PLAIN.size)
    return PlainMessage(msg_id, payload[_PLAIN.size :])
