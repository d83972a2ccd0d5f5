"""Quick acks: which of a client's messages wait for one, and the token by which both sides know them.

    token   SHA256(auth_key[88:120] + plaintext with padding)[0:4], the top bit of the last byte set

A quick ack says that the server's transport has taken a message in, and nothing of what becomes of it.

Specification: core.telegram.org/mtproto/mtproto-transports#quick-ack
"""

from __future__ import annotations

from mtproto.crypto.aes import ige_decrypt
from mtproto.crypto.auth_key import AuthKey
from mtproto.crypto.kdf import MessageKdf, quick_ack_token
from mtproto.side import Side

__all__ = ["AwaitedQuickAcks", "read_quick_ack"]

_MAX_AWAITED = 1000


def read_quick_ack(auth_key: AuthKey, payload: bytes) -> tuple[bytes, int]:
    """Token (4 bytes) and msg_id of the client's encrypted message `payload`, which has to be a good one."""
    # The token is cut from the same hash as msg_key, but from its other end, so it takes the plaintext.
    kdf = MessageKdf(auth_key.data, Side.CLIENT.x)
    plaintext = ige_decrypt(payload[24:], *kdf.derive(payload[8:24]))
    return quick_ack_token(kdf.msg_key_large(plaintext)), int.from_bytes(
        plaintext[16:24], "little", signed=True
    )


class AwaitedQuickAcks:
    """The tokens that a client waits for; each counts once, and the oldest are given up first (X9)."""

    def __init__(self) -> None:
        self._awaited: dict[bytes, tuple[int, ...]] = {}

    def __len__(self) -> int:
        return len(self._awaited)

    def add(self, token: bytes, requests: tuple[int, ...]) -> None:
        """A message with these requests in it was sent, and asked for a quick ack."""
        self._awaited[token] = requests
        while len(self._awaited) > _MAX_AWAITED:
            del self._awaited[next(iter(self._awaited))]

    def take(self, token: bytes) -> tuple[int, ...] | None:
        """The requests that `token` is about; None for one that nobody waits for."""
        return self._awaited.pop(token, None)
