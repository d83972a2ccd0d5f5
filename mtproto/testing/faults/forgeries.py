"""What no server says: containers that are none, answers that can't be read, notices about nothing.

Each comes with a message of the server's, the one with number `nth`, or in place of an answer.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from struct import pack
from typing import ClassVar

from mtproto import service
from mtproto.errors import LocalProtocolError, MTProtoError, RemoteProtocolError
from mtproto.events import SessionId
from mtproto.message import Message, constructor_id, pack_rpc_result
from mtproto.side import Side
from mtproto.testing.faults.base import Fault, Item, MessageFault, Passing, Scene, at_least

__all__ = [
    "BadAnswer",
    "ForgedAnswer",
    "ForgedContainer",
    "ForgedSalt",
    "ManyAcks",
    "StrayMessage",
    "UnknownUpdate",
    "UpdateFlood",
]

_PING = bytes(service.Pong(msg_id=0, ping_id=0))
_UNKNOWN = pack("<Ii", 0x0BADF00D, 1)


@dataclass(frozen=True, slots=True)
class _Forgery(MessageFault):
    """Something that comes after a message of the server's, in a session that it has begun."""

    def concerns(self, passing: Passing) -> bool:
        is_begun = passing.session in passing.scene.state.sessions  # not where a first message was refused
        return passing.side is Side.SERVER and bool(passing.messages) and is_begun

    def instead(self, passing: Passing) -> Iterable[Item]:
        session = passing.session
        if session is not None:
            for payload in self.forged(passing.scene, session):
                passing.channel.send(Side.SERVER, payload)
        return (passing.payload,)

    def forged(self, scene: Scene, session: SessionId) -> Iterable[bytes]:
        """The payloads."""
        raise NotImplementedError


def _container(*parts: tuple[int, int, bytes], count: int | None = None) -> bytes:
    """A container as nobody packs it: (msg_id, length, body) for each message."""
    head = pack("<Ii", service.MsgContainer.CONSTRUCTOR_ID, len(parts) if count is None else count)
    return head + b"".join(pack("<qii", msg_id, 0, length) + body for msg_id, length, body in parts)


def _parts(count: int, before: int) -> list[tuple[int, int, bytes]]:
    return [(before - 4 * (count - i), len(_PING), _PING) for i in range(count)]


_CONTAINERS: dict[str, Callable[[int], bytes]] = {
    "empty": lambda own: _container(),
    "full": lambda own: _container(*_parts(1024, own)),
    "overfull": lambda own: _container(*_parts(1025, own)),
    "nested": lambda own: _container((own - 4, 8, _container())),
    "empty message": lambda own: _container((own - 4, 0, b"")),
    "overlong": lambda own: _container((own - 4, 2**30, _PING)),
    "odd length": lambda own: _container((own - 4, len(_PING) - 1, _PING)),
    "not older": lambda own: _container((own, len(_PING), _PING)),
    "cut off": lambda own: _container(*_parts(2, own), count=3),
    "left over": lambda own: _container(*_parts(2, own)) + _PING,
}


@dataclass(frozen=True, slots=True)
class ForgedContainer(_Forgery):
    """A container that is empty, full (1024 messages), or no good: overfull, nested, and so on (`KINDS`).

    Right: the first two are taken.  Of the others nothing is: the client closes the connection (C17).
    """

    kind: str = "overfull"
    KINDS: ClassVar[tuple[str, ...]] = tuple(_CONTAINERS)

    def __post_init__(self) -> None:
        MessageFault.__post_init__(self)
        _one_of(self, self.kind, self.KINDS)

    def forged(self, scene: Scene, session: SessionId) -> Iterable[bytes]:
        ids = scene.state.sessions[session].ids
        first = ids.next(answer=True)
        while (own := ids.next(answer=True)) < first + 4 * 1030:
            pass
        return (scene.forge(session, _CONTAINERS[self.kind](own), msg_id=own),)


@dataclass(frozen=True, slots=True)
class ManyAcks(_Forgery):
    """A msgs_ack with so many msg_ids, none of which was ever sent.

    Right: up to 8192 are taken, and nothing comes of them; with more the client closes the connection (C19).
    """

    count: int = 8193

    def forged(self, scene: Scene, session: SessionId) -> Iterable[bytes]:
        return (scene.forge(session, bytes(service.MsgsAck(msg_ids=list(range(4, 4 * self.count + 1, 4))))),)


@dataclass(frozen=True, slots=True)
class ForgedSalt(_Forgery):
    """A bad_server_salt about a message that the client never sent.

    Right: it changes nothing, and is ignored (C14, C15).
    """

    def forged(self, scene: Scene, session: SessionId) -> Iterable[bytes]:
        notice = service.BadServerSalt(bad_msg_id=4, bad_msg_seqno=1, error_code=48, new_server_salt=0x0BAD)
        return (scene.forge(session, bytes(notice)),)


@dataclass(frozen=True, slots=True)
class ForgedAnswer(_Forgery):
    """An rpc_result to a request that the client never made.

    Right: it is ignored (C16).
    """

    def forged(self, scene: Scene, session: SessionId) -> Iterable[bytes]:
        return (scene.forge(session, pack_rpc_result(4, _UNKNOWN)),)


@dataclass(frozen=True, slots=True)
class UnknownUpdate(_Forgery):
    """A message of which nobody knows the constructor.

    Right: it is handed over as it is, and acknowledged; the connection goes on.
    """

    def forged(self, scene: Scene, session: SessionId) -> Iterable[bytes]:
        scene.state.notify(session, _UNKNOWN)
        scene.later(0.0, scene.flush)
        return ()


@dataclass(frozen=True, slots=True)
class UpdateFlood(_Forgery):
    """So many updates at once.

    Right: each is handed over once and acknowledged; answers get through; what is kept for them is bounded.
    """

    count: int = 1000

    def __post_init__(self) -> None:
        MessageFault.__post_init__(self)
        at_least(self, "count", 1)

    def forged(self, scene: Scene, session: SessionId) -> Iterable[bytes]:
        for _ in range(self.count):
            scene.state.notify(session, _UNKNOWN)
        scene.later(0.0, scene.flush)
        return ()


@dataclass(frozen=True, slots=True)
class StrayMessage(_Forgery):
    """A message of another session, under another key, or with the msg_id of a client's (`KINDS`).

    Right: the client closes the connection (C8, C1, C9).
    """

    kind: str = "session"
    KINDS: ClassVar[tuple[str, ...]] = ("session", "key", "parity")

    def __post_init__(self) -> None:
        MessageFault.__post_init__(self)
        _one_of(self, self.kind, self.KINDS)

    def forged(self, scene: Scene, session: SessionId) -> Iterable[bytes]:
        msg_id = scene.state.sessions[session].ids.next(answer=True)
        if self.kind == "session":
            other = SessionId(session.auth_key_id, session.session_id ^ 1)
            return (scene.forge(other, _UNKNOWN, msg_id=msg_id),)
        if self.kind == "parity":
            return (scene.forge(session, _UNKNOWN, msg_id=msg_id & ~3),)
        return (bytes(8 * [0x5A]) + scene.forge(session, _UNKNOWN, msg_id=msg_id)[8:],)


# Answers


def _gzip_packed(data: bytes) -> bytes:
    return bytes(service.GzipPacked(packed_data=data))


@cache
def _bomb() -> bytes:
    """64 MiB of zeros."""
    packer = zlib.compressobj(6, wbits=31)
    parts = [packer.compress(bytes(1024 * 1024)) for _ in range(64)]
    return _gzip_packed(b"".join(parts) + packer.flush())


_ANSWERS: dict[str, Callable[[], bytes]] = {
    "bomb": _bomb,
    "nested": lambda: _gzip_packed(gzip.compress(_gzip_packed(gzip.compress(_UNKNOWN, mtime=0)), mtime=0)),
    "truncated": lambda: _gzip_packed(gzip.compress(_UNKNOWN, mtime=0)[:-6]),
    "bad crc": lambda: _gzip_packed(gzip.compress(_UNKNOWN, mtime=0)[:-8] + bytes(8)),
    "two members": lambda: _gzip_packed(gzip.compress(_UNKNOWN, mtime=0) * 2),
    "bad error": lambda: pack("<Ii", service.RpcError.CONSTRUCTOR_ID, 400),
    "unknown": lambda: _UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class BadAnswer(MessageFault):
    """An answer is replaced by one that can't be read (`KINDS`): a gzip_packed that is a bomb or broken, and so on.

    Right: the call fails with a typed error, in no time and with no memory; the others, and the connection, go on,
    and the message is acknowledged.  What no transport can know to be wrong is found when it is decoded.
    """

    kind: str = "bomb"
    KINDS: ClassVar[tuple[str, ...]] = tuple(_ANSWERS)
    errors: ClassVar[tuple[type[MTProtoError], ...]] = (RemoteProtocolError,)

    def __post_init__(self) -> None:
        MessageFault.__post_init__(self)
        _one_of(self, self.kind, self.KINDS)

    def concerns(self, passing: Passing) -> bool:
        return passing.side is Side.SERVER and passing.holds("rpc_result")

    def instead(self, passing: Passing) -> Iterable[Item]:
        answer = _ANSWERS[self.kind]()
        messages = [
            Message(said.msg_id, said.seq_no, _answered(said.body, answer)) for said in passing.messages
        ]
        first = passing.messages[0]
        return (
            passing.scene.seal(Side.SERVER, first.session, messages, first.salt, container=first.container),
        )


def _answered(body: bytes, answer: bytes) -> bytes:
    return body[:12] + answer if constructor_id(body) == service.RpcResult.CONSTRUCTOR_ID else body


def _one_of(fault: Fault, kind: str, kinds: Iterable[str]) -> None:
    if kind not in kinds:
        what = type(fault).__name__
        raise LocalProtocolError(f"{what}: no kind is called {kind!r}; known are: {', '.join(kinds)}")
