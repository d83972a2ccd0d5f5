"""The authorization key exchange: client and server, step for step, over the same crypto functions.

Specification: core.telegram.org/mtproto/auth_key
"""

from __future__ import annotations

from mtproto.handshake.client import ClientHandshake, Finished
from mtproto.handshake.server import KeyPair, ServerFinished, ServerHandshake

__all__ = ["ClientHandshake", "Finished", "KeyPair", "ServerFinished", "ServerHandshake"]
