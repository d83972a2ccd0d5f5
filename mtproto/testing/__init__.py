"""Tools for testing clients and servers of MTProto, used by our own tests first."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
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
    from mtproto.testing.threaded import BlockingClient, ThreadedServer

__all__ = [
    "BlockingClient",
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
    "ThreadedServer",
    "faults",
    "serve",
]

_LATER = {
    "BlockingClient": "threaded",
    "Call": "calls",
    "Ending": "network",
    "Handler": "handlers",
    "Handlers": "handlers",
    "KeyExchange": "key_exchange",
    "Later": "answering",
    "LoopbackServer": "server",
    "Network": "network",
    "Pair": "pair",
    "RequestContext": "context",
    "RequestLog": "dispatch",
    "Said": "ledger",
    "serve": "serving",
    "StillRunning": "checks",
    "ThreadedServer": "threaded",
}
"""Each name, and the module that has it; the names of modules are left out."""


def __getattr__(name: str) -> object:
    """All of it is imported when it is first used: pytest imports this package wherever mtwire is installed."""
    if name not in __all__:
        raise AttributeError(f"module 'mtproto.testing' has no attribute {name!r}")
    from importlib import import_module

    module = import_module(f"mtproto.testing.{_LATER.get(name, name)}")
    value = globals()[name] = getattr(module, name) if name in _LATER else module
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
