"""Tools for testing clients and servers of MTProto, used by our own tests first."""

from __future__ import annotations

from mtproto.testing.context import RequestContext
from mtproto.testing.dispatch import RequestLog
from mtproto.testing.handlers import Handler, Handlers
from mtproto.testing.key_exchange import KeyExchange
from mtproto.testing.server import LoopbackServer
from mtproto.testing.serving import serve

__all__ = [
    "Handler",
    "Handlers",
    "KeyExchange",
    "LoopbackServer",
    "RequestContext",
    "RequestLog",
    "serve",
]
