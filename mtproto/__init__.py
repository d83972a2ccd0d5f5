"""MTProto 2.0, low level: client and server, without I/O at the core, with asyncio on top.

    async with mtproto.connect(host, port, keys=[key]) as client:
        sent = await client.invoke(api.account.SendVerifyPhoneCode(...))

`mtproto.api` and `mtproto.service` hold the generated classes of the two schemas, `mtproto.connection` the
sans-IO connections of both sides, `mtproto.testing` the loopback server.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mtproto import api, service, testing
    from mtproto.client import Backoff, Call, Client, connect
    from mtproto.connection import ClientConnection, KeepAlive, ServerConnection, ServerState
    from mtproto.credentials import Credentials
    from mtproto.crypto.auth_key import AuthKey
    from mtproto.crypto.rsa import PrivateKey, PublicKey
    from mtproto.errors import (
        AuthKeyLost,
        ConnectionClosed,
        CredentialsError,
        FateUnknown,
        FramingError,
        HandshakeFailed,
        LocalProtocolError,
        MTProtoError,
        PeerSilent,
        RemoteProtocolError,
        RequestLost,
        RequestTimeout,
        RpcError,
        TempKeyLost,
        TransportCodeReceived,
    )
    from mtproto.session import BadMessage
    from mtproto.side import Side
    from tl import __version__

__all__ = [
    "AuthKey",
    "AuthKeyLost",
    "Backoff",
    "BadMessage",
    "Call",
    "Client",
    "ClientConnection",
    "ConnectionClosed",
    "Credentials",
    "CredentialsError",
    "FateUnknown",
    "FramingError",
    "HandshakeFailed",
    "KeepAlive",
    "LocalProtocolError",
    "MTProtoError",
    "PeerSilent",
    "PrivateKey",
    "PublicKey",
    "RemoteProtocolError",
    "RequestLost",
    "RequestTimeout",
    "RpcError",
    "ServerConnection",
    "ServerState",
    "Side",
    "TempKeyLost",
    "TransportCodeReceived",
    "__version__",
    "api",
    "connect",
    "service",
    "testing",
]

_MODULES = {"api", "service", "testing"}
_LATER = {
    **dict.fromkeys(("Backoff", "Call", "Client", "connect"), "mtproto.client"),
    **dict.fromkeys(
        ("ClientConnection", "KeepAlive", "ServerConnection", "ServerState"), "mtproto.connection"
    ),
    "Credentials": "mtproto.credentials",
    "AuthKey": "mtproto.crypto.auth_key",
    **dict.fromkeys(("PrivateKey", "PublicKey"), "mtproto.crypto.rsa"),
    "BadMessage": "mtproto.session",
    "Side": "mtproto.side",
    "__version__": "tl",
}


def __getattr__(name: str) -> object:
    """All of it is imported when it is first used: pytest imports this package wherever mtwire is installed."""
    from importlib import import_module

    if name in _MODULES:
        return import_module(f"mtproto.{name}")
    if name not in __all__:
        raise AttributeError(f"module 'mtproto' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_LATER.get(name, "mtproto.errors")), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
