"""The framings of the TCP transports: a stream of bytes ↔ payloads, quick acks and transport errors.

Specification: core.telegram.org/mtproto/mtproto-transports
"""

from __future__ import annotations

from mtproto.transport.abridged import Abridged
from mtproto.transport.detection import ServerFraming, detect
from mtproto.transport.framing import MAX_PAYLOAD, Event, Frame, Framing, QuickAck, TransportCode
from mtproto.transport.intermediate import Intermediate
from mtproto.transport.table import FRAMINGS, framing

__all__ = [
    "FRAMINGS",
    "MAX_PAYLOAD",
    "Abridged",
    "Event",
    "Frame",
    "Framing",
    "Intermediate",
    "QuickAck",
    "ServerFraming",
    "TransportCode",
    "detect",
    "framing",
]
