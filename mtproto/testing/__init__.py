"""Tools for testing clients and servers of MTProto, used by our own tests first."""

from __future__ import annotations

from mtproto.testing import faults
from mtproto.testing.answering import Later
from mtproto.testing.calls import Call
from mtproto.testing.checks import StillRunning
from mtproto.testing.context import RequestContext
from mtproto.testing.dispatch import RequestLog
from mtproto.testing.handlers import Handler, Handlers
from mtproto.testing.key_exchange import KeyExchange
from mtproto.testing.ledger import Said
from mtproto.testing.network import Ending, Network
from mtproto.testing.pair import Pair
from mtproto.testing.server import LoopbackServer
from mtproto.testing.serving import serve

__all__ = [
    "Call",
    "Ending",
    "Handler",
    "Handlers",
    "KeyExchange",
    "Later",
    "LoopbackServer",
    "Network",
    "Pair",
    "RequestContext",
    "RequestLog",
    "Said",
    "StillRunning",
    "faults",
    "serve",
]
