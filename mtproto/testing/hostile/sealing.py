"""Messages with any field changed, sealed by the book: what is given is inside, and the cryptography is right.

What is changed is changed before what is computed from it: a padding that was given is in msg_key.  Then come
auth_key_id, `payload`, which may be any function of the whole, and `frame`, one of the bytes of its frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import pack
from typing import TYPE_CHECKING, Any

from mtproto.crypto.randomness import draw
from mtproto.envelope import MIN_PADDING, PLAIN_AUTH_KEY_ID, Cipher, Envelope
from mtproto.errors import LocalProtocolError
from mtproto.message import is_content_related
from mtproto.testing.hostile.fields import checked_value, settled

if TYPE_CHECKING:
    from mtproto.testing.hostile.stage import Stage

__all__ = ["ENVELOPE", "PLAIN", "plain", "sealed"]

PLAIN = ("auth_key_id", "msg_id", "length", "trailing", "payload", "frame")
"""Fields of a message that is not encrypted; `trailing` are bytes behind its body, within its length."""
ENVELOPE = (
    *("salt", "session_id", "msg_id", "seq_no", "length", "padding", "msg_key"),
    *("auth_key_id", "auth_key", "direction", "payload", "frame", "quick_ack"),
)
"""Fields of an encrypted message.  `padding` is bytes or their number; `auth_key` is another key to encrypt with;
`direction` the side whose message it claims to be."""


def plain(stage: Stage, body: bytes, fields: Mapping[str, Any]) -> bytes:
    """A message that is not encrypted."""

    def value(name: str, computed: Any) -> Any:
        return checked_value("a plain message", name, settled(fields.get(name), computed, stage))

    body += value("trailing", b"")
    length = value("length", len(body))
    msg_id = value("msg_id", stage.plain_id())
    key_id = value("auth_key_id", PLAIN_AUTH_KEY_ID)
    payload: bytes = value("payload", key_id + pack("<qi", msg_id, length) + body)
    return payload


def sealed(
    stage: Stage, body: bytes, fields: Mapping[str, Any], *, answer: bool, needs_ack: bool | None = None
) -> bytes:
    """An encrypted message; a server's `answer` has another msg_id than what it says by itself.

    Whether it `needs_ack`, and has an odd seq_no, is told by its constructor where that is None.
    """

    def value(name: str, computed: Any) -> Any:
        return checked_value("an encrypted message", name, settled(fields.get(name), computed, stage))

    direction = value("direction", stage.side)
    cipher = Cipher(value("auth_key", stage.known_key()), direction)
    envelope = Envelope(
        value("salt", stage.salt),
        value("session_id", stage.session_id),
        value("msg_id", stage.ids.next(answer=answer)),
        value("seq_no", stage.sequence.next(is_content_related(body) if needs_ack is None else needs_ack)),
        body,
    )
    stage.sent_ids.append(envelope.msg_id)
    length = value("length", len(body))
    padding = value("padding", draw(stage.rng, MIN_PADDING + -(32 + len(body) + MIN_PADDING) % 16))
    if isinstance(padding, int):
        padding = draw(stage.rng, padding)
    if (32 + len(body) + len(padding)) % 16:
        raise LocalProtocolError(
            f"a body of {len(body)} bytes with {len(padding)} of padding can't be encrypted: with the 32 before"
            " them that has to be a multiple of 16"
        )
    payload = cipher.seal(envelope, stage.rng, length=length, padding=padding)
    msg_key = value("msg_key", payload[8:24])
    if msg_key != payload[8:24]:
        payload = cipher.seal(envelope, stage.rng, length=length, padding=padding, msg_key_=msg_key)
    payload = value("auth_key_id", payload[:8]) + payload[8:]
    whole: bytes = value("payload", payload)
    return whole
