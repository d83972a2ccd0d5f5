"""What was said between a client and a server, message by message, and whether that was right.

Each payload is opened as it is sealed, with the key that the server knows, so that whoever wants to check a
conversation has nothing to ask of those who hold it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from mtproto import service
from mtproto.connection import ServerState
from mtproto.envelope import Cipher
from mtproto.errors import RemoteProtocolError
from mtproto.events import MessageDropped, SessionId
from mtproto.message import Message, constructor_id, unpack_container
from mtproto.side import Side

__all__ = ["Arrived", "Doubted", "Event", "Ignored", "Ledger", "Said"]

_CONTAINER = service.MsgContainer.CONSTRUCTOR_ID
_ACKS = service.MsgsAck.CONSTRUCTOR_ID
_SAYS_ANSWERED = (service.RpcResult.CONSTRUCTOR_ID, service.MsgDetailedInfo.CONSTRUCTOR_ID)
_RECEIVED_BEFORE = ("C10", "S7")


@dataclass(frozen=True, slots=True)
class Said:
    """A message as it was sealed: by whom and when, in which session, its numbers and body, the salt with it.

    `container` is the msg_id of the container that it was in, if it was in one; containers themselves are not
    listed.  A server's session that was forgotten begins a new `life` under its number.
    """

    time: float
    side: Side
    session: SessionId
    salt: int
    msg_id: int
    seq_no: int
    body: bytes
    container: int | None = None
    life: int | None = None

    @property
    def name(self) -> str:
        """The TL name of a service message, "request" or "update" of anything else."""
        cls = service.SCHEMA.find(constructor_id(self.body))
        if cls is not None:
            return str(cls.TL_NAME)
        return "request" if self.side is Side.CLIENT else "update"


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message has come to the other side, which is yet to look at it."""

    time: float
    said: Said


@dataclass(frozen=True, slots=True)
class Ignored:
    """What has come to `side` as `msg_id`, a message or a container, was not taken."""

    side: Side
    msg_id: int


@dataclass(frozen=True, slots=True)
class Doubted:
    """Whether the other side has got a message, and looked at it, nobody knows."""

    said: Said


Event: TypeAlias = Said | Arrived | Ignored | Doubted


class Ledger:
    """All that was said, and in `history` what came of it; `state` is the server's: its keys, its sessions."""

    def __init__(self, state: ServerState) -> None:
        self.state = state
        self.said: list[Said] = []
        self.history: list[Event] = []
        self.faults: list[str] = []
        """What was wrong with numbers, as it was seen."""
        self._ciphers: dict[tuple[bytes, Side], Cipher] = {}
        self._outer: set[tuple[object, ...]] = set()
        self._inner: dict[tuple[object, ...], tuple[int, bytes]] = {}
        self._counts: dict[tuple[object, ...], int] = defaultdict(int)
        self._arrived: dict[Side, dict[tuple[SessionId, int], Said]] = {side: {} for side in Side}
        self._acks: dict[Side, dict[tuple[SessionId, int], Said]] = {side: {} for side in Side}
        self._opened: dict[Side, set[tuple[SessionId, int]]] = {side: set() for side in Side}
        self._settled: dict[Side, set[tuple[SessionId, int]]] = {side: set() for side in Side}

    # Opening

    def open(self, side: Side, payload: bytes, time: float) -> tuple[Said, ...]:
        """The messages in a payload of this side; none where it is not encrypted, or can't be opened."""
        auth_key = self.state.keys.get(payload[:8])
        if auth_key is None:
            return ()
        cipher = self._ciphers.get((auth_key.key_id, side))
        if cipher is None:
            cipher = self._ciphers[auth_key.key_id, side] = Cipher(auth_key, side.peer)
        container: int | None
        try:
            salt, session_id, msg_id, seq_no, body = cipher.open(payload)
            session = SessionId(auth_key.key_id, session_id)
            if constructor_id(body) == _CONTAINER:
                container, messages = msg_id, unpack_container(body, msg_id)
            else:
                container, messages = None, [Message(msg_id, seq_no, body)]
        except RemoteProtocolError:
            return ()
        known = self.state.sessions.get(session) if side is Side.SERVER else None
        life = None if known is None else known.unique_id
        return tuple(
            Said(time, side, session, salt, m.msg_id, m.seq_no, m.body, container, life) for m in messages
        )

    # What is sealed

    def sealed(self, messages: tuple[Said, ...]) -> None:
        """A session of ours has sealed these, together: note them, and look at their numbers."""
        self.said += messages
        self.history += messages
        for first in messages[:1]:
            place = (*self._place(first), first.container or first.msg_id)
            if place in self._outer:
                self.faults.append(f"{first.side.name}: encrypted twice under msg_id {place[-1]} (C20)")
            self._outer.add(place)
        for message in messages:
            self._number(message)
            self._settle(message)

    @staticmethod
    def _place(said: Said) -> tuple[object, ...]:
        """Where numbers go on: in a session, as long as its server remembers it."""
        return said.side, said.session, said.life

    def _number(self, said: Said) -> None:
        place = self._place(said)
        key = (*place, said.msg_id)
        content = said.seq_no, said.body
        if key in self._inner:
            if self._inner[key] != content:
                self.faults.append(f"{said.side.name}: msg_id {said.msg_id} has two contents (C20)")
            return
        self._inner[key] = content
        if said.seq_no >> 1 != self._counts[place]:
            self.faults.append(
                f"{said.side.name}: {said.name} has seq_no {said.seq_no} after {self._counts[place]} others (C21)"
            )
        self._counts[place] += said.seq_no & 1

    def _settle(self, said: Said) -> None:
        """What a message acknowledges, or answers, is settled."""
        number = constructor_id(said.body)
        settled: tuple[int, ...] = ()
        if number == _ACKS:
            settled = tuple(service.decode(said.body, service.MsgsAck).msg_ids)
        elif number in _SAYS_ANSWERED:
            settled = (int.from_bytes(said.body[4:12], "little", signed=True),)
        self._settled[said.side].update((said.session, msg_id) for msg_id in settled)

    # What arrives

    def arrived(self, messages: Iterable[Said]) -> None:
        """These have come to the other side; what comes again has to be acknowledged again (C10, S7).

        Of a container that comes again only what was taken before.
        """
        messages, now = tuple(messages), self.state.clock()
        self.history += [Arrived(now, said) for said in messages]
        containers = {(m.side.peer, (m.session, m.container)) for m in messages if m.container is not None}
        repeated = {container for side, container in containers if container in self._opened[side]}
        for side, container in containers:
            self._opened[side].add(container)
        # Whoever has opened it before does not look at what is in it, whatever became of that then.
        self.history += [Doubted(said) for said in messages if (said.session, said.container) in repeated]
        for said in messages:
            is_odd, key = bool(said.seq_no & 1), (said.session, said.msg_id)
            seen = (self._arrived if is_odd else self._acks)[said.side.peer]
            is_unread = (said.session, said.container) in repeated and key not in seen
            if is_unread or not (is_odd or constructor_id(said.body) == _ACKS):
                continue
            seen[key] = said
            if is_odd:
                self._settled[said.side.peer].discard(key)

    def doubted(self, messages: Iterable[Said]) -> None:
        """It is not known whether the other side has looked at these."""
        for said in messages:
            self.history.append(Doubted(said))
            for seen in (self._arrived, self._acks):
                seen[said.side.peer].pop((said.session, said.msg_id), None)

    def dropped(self, side: Side, event: MessageDropped) -> None:
        """A side says that it has not taken a message, which may be a container: it owes nothing for it."""
        if event.check in _RECEIVED_BEFORE and event.reason == "received before":
            return
        self.history.append(Ignored(side, event.msg_id))
        for seen in (self._arrived[side], self._acks[side]):
            for key in [k for k, said in seen.items() if event.msg_id in (said.msg_id, said.container)]:
                del seen[key]

    def forget(self, side: Side) -> None:
        """This side has lost its memory, and owes nothing."""
        self._arrived[side].clear()
        self._acks[side].clear()
        self._opened[side].clear()

    def acknowledged(self, side: Side, session: SessionId) -> set[int]:
        """What `side` was told in this session that the other one has received."""
        told = (said for key, said in self._acks[side].items() if key[0] == session)
        return {msg_id for said in told for msg_id in service.decode(said.body, service.MsgsAck).msg_ids}

    def owed(self, side: Side, sessions: Iterable[SessionId]) -> Iterator[Said]:
        """What came to `side` in these sessions, has to be acknowledged, and was not."""
        wanted = set(sessions)
        for key, said in self._arrived[side].items():
            if key not in self._settled[side] and said.session in wanted:
                yield said
