"""The framings of the TCP transports: a stream of bytes ↔ payloads, quick acks and transport errors.

    framing      what they share, and the events      headed      a header with a length, then so many bytes
    abridged, intermediate, padded, full              table       all of them by name
    obfuscation  a layer of AES-CTR around a framing  secret, replay   what goes with it
    detection    a server's: told by the first bytes  lookalikes  what else calls at its ports
    opening      a client's: as it was asked for

Specification: core.telegram.org/mtproto/mtproto-transports
"""

from __future__ import annotations

from mtproto.transport.abridged import Abridged
from mtproto.transport.detection import ServerFraming, detect
from mtproto.transport.framing import MAX_PAYLOAD, Event, Frame, Framing, QuickAck, TransportCode, Wire
from mtproto.transport.full import Full
from mtproto.transport.intermediate import Intermediate
from mtproto.transport.obfuscation import Init, Obfuscated, obfuscated_client, read_init, write_init
from mtproto.transport.opening import client_framing
from mtproto.transport.padded import PaddedIntermediate, unpadded
from mtproto.transport.replay import SeenInits
from mtproto.transport.secret import ProxySecret
from mtproto.transport.table import DEFAULT, FRAMINGS, framing

__all__ = [
    "DEFAULT",
    "FRAMINGS",
    "MAX_PAYLOAD",
    "Abridged",
    "Event",
    "Frame",
    "Framing",
    "Full",
    "Init",
    "Intermediate",
    "Obfuscated",
    "PaddedIntermediate",
    "ProxySecret",
    "QuickAck",
    "SeenInits",
    "ServerFraming",
    "TransportCode",
    "Wire",
    "client_framing",
    "detect",
    "framing",
    "obfuscated_client",
    "read_init",
    "unpadded",
    "write_init",
]
