"""What no server says: containers that are none, messages from elsewhere, notices about nothing.

Each comes with a message of the server's, the one with number `nth`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from struct import pack
from typing import ClassVar

from mtproto import service
from mtproto.errors import LocalProtocolError
from mtproto.events import SessionId
from mtproto.message import pack_rpc_result
from mtproto.session.sent import MAX_KEPT
from mtproto.side import Side
from mtproto.testing.faults.base import Item, MessageFault, Passing, Scene, Tamper, one_of, turns, whole

__all__ = [
    "ForgedAnswer",
    "ForgedContainer",
    "ForgedQuickAck",
    "ForgedSalt",
    "Forgery",
    "ManyAcks",
    "StrayMessage",
    "UnknownUpdate",
    "UpdateFlood",
]

_PING = bytes(service.Pong(msg_id=0, ping_id=0))
UNKNOWN = pack("<Ii", 0x0BADF00D, 1)
"""A message of which nobody knows the constructor."""


@dataclass(frozen=True, slots=True)
class Forgery(MessageFault):
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
class ForgedContainer(Forgery):
    """A container that is empty, full (1024 messages), or no good: overfull, nested, and so on (`KINDS`).

    Right: the first two are taken.  Of the others nothing is: the client closes the connection (C17).
    """

    kind: str = "overfull"
    KINDS: ClassVar[tuple[str, ...]] = tuple(_CONTAINERS)

    def __post_init__(self) -> None:
        MessageFault.__post_init__(self)
        one_of(self, self.kind, self.KINDS)

    def forged(self, scene: Scene, session: SessionId) -> Iterable[bytes]:
        ids = scene.state.sessions[session].ids
        first = ids.next(answer=True)
        while (own := ids.next(answer=True)) < first + 4 * 1030:
            pass
        return (scene.forge(session, _CONTAINERS[self.kind](own), msg_id=own),)


@dataclass(frozen=True, slots=True)
class ManyAcks(Forgery):
    """A msgs_ack with so many msg_ids, none of which was ever sent.

    Right: up to 8192 are taken, and nothing comes of them; with more the client closes the connection (C19).
    """

    count: int = whole(8193, least=1, most=100_000)

    def forged(self, scene: Scene, session: SessionId) -> Iterable[bytes]:
        return (scene.forge(session, bytes(service.MsgsAck(msg_ids=list(range(4, 4 * self.count + 1, 4))))),)


@dataclass(frozen=True, slots=True)
class ForgedSalt(Forgery):
    """A bad_server_salt about a message that the client never sent.

    Right: it changes nothing, and is ignored (C14, C15).
    """

    def forged(self, scene: Scene, session: SessionId) -> Iterable[bytes]:
        notice = service.BadServerSalt(bad_msg_id=4, bad_msg_seqno=1, error_code=48, new_server_salt=0x0BAD)
        return (scene.forge(session, bytes(notice)),)


@dataclass(frozen=True, slots=True)
class ForgedAnswer(Forgery):
    """An rpc_result to a request that the client never made.

    Right: it is ignored (C16).
    """

    def forged(self, scene: Scene, session: SessionId) -> Iterable[bytes]:
        return (scene.forge(session, pack_rpc_result(4, UNKNOWN)),)


@dataclass(frozen=True, slots=True)
class ForgedQuickAck(Forgery):
    """A quick ack with this `token` (4 bytes, the top bit of the last one set), which nobody waits for.

    Right: it is ignored (X9).  The full transport has no quick acks.
    """

    token: bytes = b"\x0b\xad\xac\xfc"

    def __post_init__(self) -> None:
        MessageFault.__post_init__(self)
        if type(self.token) is not bytes or len(self.token) != 4 or self.token[3] < 0x80:
            raise LocalProtocolError(
                f"ForgedQuickAck: got token {self.token!r:.60}, expected 4 bytes, the top bit of the last one set"
            )

    def refusal(self, scene: Scene) -> str | None:
        return "the full transport has no quick acks" if scene.transport == "full" else None

    def instead(self, passing: Passing) -> Iterable[Item]:
        passing.channel.send_quick_ack(self.token)
        return (passing.payload,)


@dataclass(frozen=True, slots=True)
class UnknownUpdate(Forgery):
    """A message of which nobody knows the constructor.

    Right: it is handed over as it is, and acknowledged; the connection goes on.
    """

    def forged(self, scene: Scene, session: SessionId) -> Iterable[bytes]:
        scene.state.notify(session, UNKNOWN)
        scene.later(0.0, scene.flush)
        return ()


@dataclass(frozen=True, slots=True)
class UpdateFlood(Forgery):
    """So many updates: as many at once as a server keeps, the rest as these are acknowledged.

    Right: each is handed over once and acknowledged; answers get through; what is kept for them is bounded.
    """

    is_the_servers: ClassVar[bool] = True
    count: int = whole(1000, least=1, most=1_000_000)

    def begin(self, scene: Scene) -> Tamper | None:
        is_due, coming = turns(self.nth, self.times), Counter[SessionId]()

        def feed(session: SessionId) -> None:
            coming[session] -= _notify(scene, session, coming[session])
            scene.flush()

        def tamper(passing: Passing) -> Iterable[Item]:
            session = passing.session
            if session is not None and self.concerns(passing) and is_due():
                coming[session] += self.count - _notify(scene, session, self.count)
                scene.later(0.0, scene.flush)
            elif session is not None and passing.side is Side.CLIENT and coming[session]:
                scene.later(0.0, partial(feed, session))  # once the server has looked at what it acknowledges
            return (passing.payload,)

        return tamper


def _notify(scene: Scene, session: SessionId, count: int) -> int:
    """Queue so many updates, as far as there is room for them; how many those were."""
    known = scene.state.sessions.get(session)
    if known is None:
        return count  # for nobody
    room = max(0, MAX_KEPT - len(known.sent.unacknowledged()) - len(known._queue))
    for _ in range(min(count, room)):
        scene.state.notify(session, UNKNOWN)
    return min(count, room)


@dataclass(frozen=True, slots=True)
class StrayMessage(Forgery):
    """A message of another session, under another key, or with the msg_id of a client's (`KINDS`).

    Right: the client closes the connection (C8, C1, C9).
    """

    kind: str = "session"
    KINDS: ClassVar[tuple[str, ...]] = ("session", "key", "parity")

    def __post_init__(self) -> None:
        MessageFault.__post_init__(self)
        one_of(self, self.kind, self.KINDS)

    def forged(self, scene: Scene, session: SessionId) -> Iterable[bytes]:
        msg_id = scene.state.sessions[session].ids.next(answer=True)
        if self.kind == "session":
            other = SessionId(session.auth_key_id, session.session_id ^ 1)
            return (scene.forge(other, UNKNOWN, msg_id=msg_id),)
        if self.kind == "parity":
            return (scene.forge(session, UNKNOWN, msg_id=msg_id & ~3),)
        return (bytes(8 * [0x5A]) + scene.forge(session, UNKNOWN, msg_id=msg_id)[8:],)
