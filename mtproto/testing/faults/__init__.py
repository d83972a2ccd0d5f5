"""Faults by name: what goes wrong between client and server, and what is right then.

    Pair(faults=[faults.DropAnswer(nth=2), faults.SaltRotation(pending=100)])
    testing.serve(faults=[faults.Duplicate(side=Side.SERVER)])

Each is a frozen value with a docstring that says both.  `FAULTS` has them all.  One that makes no sense on a
transport, or takes a Pair, raises LocalProtocolError elsewhere.
"""

from __future__ import annotations

from mtproto.testing.faults.base import Fault, Scene, install
from mtproto.testing.faults.bodies import BadAnswer, BadRequest, BadUpdate
from mtproto.testing.faults.crowds import HalfHandshakes, Slowloris
from mtproto.testing.faults.forgeries import (
    ForgedAnswer,
    ForgedContainer,
    ForgedQuickAck,
    ForgedSalt,
    ManyAcks,
    StrayMessage,
    UnknownUpdate,
    UpdateFlood,
)
from mtproto.testing.faults.key_exchanges import BadKeyExchange, DhGenFail, DhGenRetry
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
    Truncate,
)
from mtproto.testing.faults.servers import KeyLoss, SaltRotation, SaltStorm, ServerRestart, TransportError
from mtproto.testing.faults.streams import Cut, Fragments, HalfOpen, Lumps, SkewClock, SlowReader

__all__ = [
    "FAULTS",
    "BadAnswer",
    "BadKeyExchange",
    "BadRequest",
    "BadUpdate",
    "Cut",
    "Delay",
    "DhGenFail",
    "DhGenRetry",
    "Drop",
    "DropAck",
    "DropAnswer",
    "DropRequest",
    "Duplicate",
    "Fault",
    "FlipBit",
    "ForgedAnswer",
    "ForgedContainer",
    "ForgedQuickAck",
    "ForgedSalt",
    "Fragments",
    "HalfHandshakes",
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
    "SlowReader",
    "Slowloris",
    "StrayMessage",
    "TransportError",
    "Truncate",
    "UnknownUpdate",
    "UpdateFlood",
    "install",
]

FAULTS: tuple[type[Fault], ...] = (
    *(Fragments, Lumps, SlowReader, Cut, HalfOpen, SkewClock, Slowloris, HalfHandshakes),
    *(Drop, DropRequest, DropAnswer, DropAck, Duplicate, Reorder, Delay, Replay, Reflect, FlipBit, Truncate),
    *(DhGenRetry, DhGenFail, BadKeyExchange),
    *(SaltRotation, SaltStorm, KeyLoss, TransportError, ServerRestart),
    *(
        ForgedContainer,
        ManyAcks,
        ForgedSalt,
        ForgedAnswer,
        ForgedQuickAck,
        StrayMessage,
        UnknownUpdate,
        UpdateFlood,
    ),
    *(BadAnswer, BadUpdate, BadRequest),
)
"""Every fault: of streams, clocks and crowds, of messages, of key exchanges, of servers; what no server says."""
