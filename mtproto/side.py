"""Which end of the connection one is: the only thing in which client and server data paths differ."""

from __future__ import annotations

from enum import Enum

__all__ = ["Side"]


class Side(Enum):
    """One end of a connection, and what MTProto makes depend on it.

    `x` is the offset of the key derivation for messages that this side *sends*
    (core.telegram.org/mtproto/description#defining-aes-key-and-initialization-vector).
    """

    CLIENT = 0
    SERVER = 8

    @property
    def x(self) -> int:
        """Offset into auth_key for messages this side sends: 0 from client to server, 8 back."""
        return self.value

    @property
    def peer(self) -> Side:
        """The other end."""
        return Side.SERVER if self is Side.CLIENT else Side.CLIENT
