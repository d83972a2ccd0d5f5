"""Everything `mtproto` raises, in one tree.

The split is h11's: did *you* ask for something illegal (`LocalProtocolError`), or did the *peer* do
it (`RemoteProtocolError`)?  A remote error names the rule that was broken by its id in the security
checklist (``"C3"``, ``"H6"``, ``"X1"`` …, see README), says what was got and what was expected, and
carries the transport error code that the peer is owed, if any.

The promise of every sans-IO object in this package: whatever bytes arrive, it gives events or raises
`RemoteProtocolError`, and is then closed; nothing else escapes.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "AuthKeyLost",
    "ConnectionClosed",
    "CredentialsError",
    "FateUnknown",
    "FramingError",
    "HandshakeFailed",
    "LocalProtocolError",
    "MTProtoError",
    "PeerSilent",
    "RemoteProtocolError",
    "RequestLost",
    "RequestTimeout",
    "RpcError",
    "TempKeyLost",
    "TransportCodeReceived",
]


class MTProtoError(Exception):
    """Base of every error of this package."""


class LocalProtocolError(MTProtoError):
    """You asked for something that is illegal now, or impossible; nothing was sent."""


class RemoteProtocolError(MTProtoError):
    """The peer broke a rule; the connection is closed.

    `check` is the rule's id in the security checklist, `got` and `expected` say what was seen and what
    would have been right, `reply` is the transport error code (negative, such as -404) that a server
    owes the peer before it closes, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        check: str,
        got: object = None,
        expected: object = None,
        reply: int | None = None,
    ) -> None:
        self.message = message
        self.check = check
        self.got = got
        self.expected = expected
        self.reply = reply
        detail = "" if got is None else f": got {got}"
        if expected is not None:
            detail += f"{',' if detail else ':'} expected {expected}"
        super().__init__(f"{message}{detail} [{check}]")


class FramingError(RemoteProtocolError):
    """Bytes that are not frames of the transport in use (checks X1-X11)."""


class HandshakeFailed(RemoteProtocolError):
    """The authorization key exchange failed: a check of it did, or the server said so (H1-H16, S9)."""


class PeerSilent(RemoteProtocolError):
    """Nothing came in time after a ping: the link is dead, although nobody has closed it (C23)."""


class TransportCodeReceived(MTProtoError):
    """The server answered with a transport error: a frame of exactly four bytes, a negative number.

    Source: core.telegram.org/mtproto/mtproto-transports#transport-errors
    """

    MEANINGS: ClassVar[dict[int, str]] = {
        -403: "forbidden",
        -404: "auth key not found, or a wrong query in the key exchange",
        -429: "transport flood: too many connections or messages",
        -444: "invalid data centre",
    }

    def __init__(self, code: int) -> None:
        self.code = code
        meaning = self.MEANINGS.get(code, "a code without a published meaning")
        super().__init__(f"transport error {code} ({meaning})")


class AuthKeyLost(TransportCodeReceived):
    """Transport error -404 on an established session: the server no longer knows this auth key.

    Never answered by silently making a new key: what the old key stood for (an account) is gone with it.
    """

    def __init__(self) -> None:
        super().__init__(-404)


class TempKeyLost(TransportCodeReceived):
    """Transport error -404 where requests go under temporary keys: the server no longer knows this one.

    The permanent key, and the account, are as they were; the next connection agrees on a new temporary key.
    """

    def __init__(self) -> None:
        super().__init__(-404)

    def __str__(self) -> str:
        return "transport error -404 (the temporary key is not known any more; the permanent one is intact)"


class CredentialsError(MTProtoError, ValueError):
    """A text or file of credentials will not do; says where, what was got, what was expected, never the key."""


class RpcError(MTProtoError):
    """The server answered a request with rpc_error: `code` such as 400, `message` PHONE_NUMBER_INVALID.

    Source: core.telegram.org/api/errors
    """

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(code, message)

    def __str__(self) -> str:
        return f"{self.code} {self.message}"

    def __repr__(self) -> str:
        return f"RpcError(code={self.code}, message={self.message!r})"


class ConnectionClosed(MTProtoError):
    """The connection ended, by either side, before what was asked for was done."""


class FateUnknown(MTProtoError):
    """A request was sent, and it is not known whether the server has executed it, or will."""


class RequestTimeout(FateUnknown):
    """No answer within the time allowed; whether the server did what was asked is unknown if it `was_sent`."""

    def __init__(self, message: str, *, was_sent: bool = True) -> None:
        self.was_sent = was_sent
        super().__init__(message)


class RequestLost(ConnectionClosed, FateUnknown):
    """The connection ended for good after a request was sent, and before its answer came."""
