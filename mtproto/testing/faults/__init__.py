"""Faults by name: what goes wrong between client and server, and what is right then.

    Pair(faults=[faults.DropAnswer(nth=2), faults.SaltRotation(pending=100)])
    testing.serve(faults=[faults.Duplicate(side=Side.SERVER)])

Each is a frozen value with a docstring that says both.  `FAULTS` has them all.  One that makes no sense on a
transport, or takes a Pair, raises LocalProtocolError elsewhere.
"""

from __future__ import annotations

from mtproto.testing.faults.base import Fault, Scene, install
from mtproto.testing.faults.forgeries import (
    BadAnswer,
    ForgedAnswer,
    ForgedContainer,
    ForgedSalt,
    ManyAcks,
    StrayMessage,
    UnknownUpdate,
    UpdateFlood,
)
from mtproto.testing.faults.messages import (
    Delay,
    Drop,
    DropAck,
    DropAnswer,
    DropRequest,
    Duplicate,
    FlipBit,
    Reflect,
    Reorder,
    Replay,
)
from mtproto.testing.faults.servers import KeyLoss, SaltRotation, SaltStorm, ServerRestart, TransportError
from mtproto.testing.faults.streams import Cut, Fragments, HalfOpen, Lumps, SkewClock

__all__ = [
    "FAULTS",
    "BadAnswer",
    "Cut",
    "Delay",
    "Drop",
    "DropAck",
    "DropAnswer",
    "DropRequest",
    "Duplicate",
    "Fault",
    "FlipBit",
    "ForgedAnswer",
    "ForgedContainer",
    "ForgedSalt",
    "Fragments",
    "HalfOpen",
    "KeyLoss",
    "Lumps",
    "ManyAcks",
    "Reflect",
    "Reorder",
    "Replay",
    "SaltRotation",
    "SaltStorm",
    "Scene",
    "ServerRestart",
    "SkewClock",
    "StrayMessage",
    "TransportError",
    "UnknownUpdate",
    "UpdateFlood",
    "install",
]

FAULTS: tuple[type[Fault], ...] = (
    *(Fragments, Lumps, Cut, HalfOpen, SkewClock),
    *(Drop, DropRequest, DropAnswer, DropAck, Duplicate, Reorder, Delay, Replay, Reflect, FlipBit),
    *(SaltRotation, SaltStorm, KeyLoss, TransportError, ServerRestart),
    *(
        ForgedContainer,
        ManyAcks,
        ForgedSalt,
        ForgedAnswer,
        StrayMessage,
        UnknownUpdate,
        UpdateFlood,
        BadAnswer,
    ),
)
"""Every fault: of streams and clocks, of messages, of servers, and what no server says."""
