"""The authorization key exchange: client and server, step for step, over the same crypto functions.

Each side is a table of steps (`client_steps.STEPS`, `server_steps.STEPS`) and an object that goes through it.
What is heavy to compute comes out of a step as `Work`.

Specification: core.telegram.org/mtproto/auth_key
"""

from __future__ import annotations

from mtproto.handshake.client import ClientHandshake, Finished
from mtproto.handshake.server import KeyPair, ServerFinished, ServerHandshake
from mtproto.handshake.work import Outcome, Steps, Work

__all__ = [
    "ClientHandshake",
    "Finished",
    "KeyPair",
    "Outcome",
    "ServerFinished",
    "ServerHandshake",
    "Steps",
    "Work",
]
