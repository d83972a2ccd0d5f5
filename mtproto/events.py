"""What a connection tells its caller: plain values, in the order in which things happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from mtproto.crypto.auth_key import AuthKey
from mtproto.errors import MTProtoError

__all__ = [
    "AnswerReceived",
    "AuthKeyDestroyed",
    "ClientEvent",
    "KeyAgreed",
    "MessageDropped",
    "MessageReceived",
    "PongReceived",
    "QuickAckReceived",
    "RequestFailed",
    "RequestReceived",
    "ServerEvent",
    "SessionCreated",
    "SessionDestroyed",
    "SessionId",
    "TransportErrorReceived",
]


@dataclass(frozen=True, slots=True)
class SessionId:
    """Which session of a server: the auth_key_id (8 bytes as on the wire) and the client's session_id."""

    auth_key_id: bytes
    session_id: int


@dataclass(frozen=True, slots=True)
class KeyAgreed:
    """The key exchange is complete; `time_offset` is by how many seconds the server's clock is ahead.

    To a client with temporary keys this comes when one is bound, again for each: `auth_key` is the permanent
    key, `temp_auth_key` the one in use until `expires_at`, unix time by our own clock.  To a server it comes
    for each key, with `expires_at` for a temporary one.
    """

    auth_key: AuthKey
    server_salt: int
    time_offset: float
    temp_auth_key: AuthKey | None = None
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class AnswerReceived:
    """The answer to a request: its boxed TL bytes, unpacked where they were gzipped."""

    request_id: int
    body: bytes


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """A request has no answer and will have none: an RpcError of the server's, or what broke on the way."""

    request_id: int
    error: MTProtoError


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A message from the server that answers nothing: an update, of whatever schema."""

    msg_id: int
    body: bytes


@dataclass(frozen=True, slots=True)
class SessionCreated:
    """The server has begun a session: it has forgotten what it knew of messages before `first_msg_id`."""

    first_msg_id: int
    unique_id: int


@dataclass(frozen=True, slots=True)
class SessionDestroyed:
    """The answer to destroy_session; `existed` is False where the server knew no such session."""

    session_id: int
    existed: bool


@dataclass(frozen=True, slots=True)
class AuthKeyDestroyed:
    """The answer to destroy_auth_key: "ok", "none" (there is no such key) or "fail" (it is still good)."""

    outcome: str


@dataclass(frozen=True, slots=True)
class PongReceived:
    """The answer to a ping."""

    ping_id: int


@dataclass(frozen=True, slots=True)
class QuickAckReceived:
    """The server's transport has taken in the message with this token; that is all it means.

    `requests` are the numbers of those in the message, as far as they are still open.
    """

    token: bytes
    requests: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TransportErrorReceived:
    """A transport error, such as -404; the connection is of no more use."""

    code: int


@dataclass(frozen=True, slots=True)
class MessageDropped:
    """A message was ignored, and the connection goes on; `check` is the checklist's id of the rule."""

    msg_id: int
    check: str
    reason: str


@dataclass(frozen=True, slots=True)
class RequestReceived:
    """A client's request: answer it with the same `session` and `msg_id`."""

    session: SessionId
    msg_id: int
    body: bytes


ClientEvent: TypeAlias = (
    KeyAgreed
    | AnswerReceived
    | RequestFailed
    | MessageReceived
    | SessionCreated
    | SessionDestroyed
    | AuthKeyDestroyed
    | PongReceived
    | QuickAckReceived
    | TransportErrorReceived
    | MessageDropped
)
ServerEvent: TypeAlias = KeyAgreed | RequestReceived | MessageDropped
