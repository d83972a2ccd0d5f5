"""What a server's session has to send, after the documentation: one half of `tests.fuzz.server_model`.

What has to go out waits in `queue`, in order.  `heard` takes what did go out, and raises Broken where that is not
it, to the number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from mtproto import service
from mtproto.envelope import Envelope
from tests.fuzz.conversations import NUMBERS, Numbered, Window, is_content_related, name_of, split
from tests.fuzz.verdicts import Broken

__all__ = ["SECOND", "Kept", "Outgoing", "Queued", "Server"]

SECOND = 1 << 32


class Server(Protocol):
    """What a session knows of its server: the time, and the salt in use."""

    def clock(self) -> float: ...

    def salt(self, ago: int = 0) -> int: ...


@dataclass
class Queued:
    """What waits to go out: the answer to a request, or a body that is a `reply` or not, or a message once more."""

    body: bytes = b""
    request: int | None = None
    is_renewed: bool = False
    reply: bool = False
    original: Numbered | None = None


@dataclass
class Kept:
    """A message of ours that was not acknowledged, when it was sent, and whether it was sent once more since."""

    message: Numbered
    sent_at: float
    is_repeated: bool = False


class Outgoing:
    """What a session remembers, what waits, and what has gone out; `salt` is that in use, `clock` the time."""

    def __init__(self, server: Server, session_id: int) -> None:
        self.server, self.session_id = server, session_id
        self.carrier: object = None
        self.is_known = False
        self.first: int | None = None
        self.window = Window()
        self.taken: dict[int, int] = {}
        self.containers: dict[int, list[int]] = {}
        self.open: set[int] = set()
        self.answers: dict[int, bytes] = {}
        self.carried: dict[int, int] = {}
        self.kept: dict[int, Kept] = {}
        self.owed: dict[int, float] = {}
        self.queue: list[Queued] = []
        self.complaint: Queued | None = None
        self.alone: list[tuple[object, Numbered]] = []
        self.destroyed: list[int] = []
        self.renewed: set[int] = set()
        self.delays: list[int] = []
        self.ends_key = False
        self.last_id, self.content = 0, 0
        self.outer: set[int] = set()
        self.sent: list[int] = []
        self.executed: set[int] = set()
        self.budget = [0]

    # What the server says

    def reply(self, message: Any) -> None:
        self.queue.append(Queued(bytes(message), reply=True))

    def answer(self, request: int, result: bytes) -> None:
        self.open.remove(request)
        self.owed.pop(request, None)
        head = NUMBERS["rpc_result"].to_bytes(4, "little") + request.to_bytes(8, "little", signed=True)
        self.answers[request] = head + result
        self.give(request)

    def notify(self, body: bytes) -> None:
        self.queue.append(Queued(body))

    def give(self, request: int, *, is_renewed: bool = False) -> None:
        if all(queued.request != request for queued in self.queue):
            self.queue.append(Queued(self.answers[request], request, is_renewed, reply=True))

    def once_more(self, message: Numbered) -> bool:
        if self.server.clock() - message.msg_id / SECOND > 240:
            return False
        if all(queued.original != message for queued in self.queue):
            self.queue.append(Queued(original=message))
        return True

    def moved(self) -> None:
        self.renewed.clear()
        for kept in list(self.kept.values()):
            if not self.once_more(kept.message):
                self._renew(kept.message)

    def _renew(self, message: Numbered) -> None:
        """What is too old to be taken as it was is sent as a new message, once."""
        del self.kept[message.msg_id]
        request = self.carried.get(message.msg_id)
        if message.msg_id in self.renewed:
            return
        if request is None:
            self.queue.append(Queued(message.body, is_renewed=True))
        elif request in self.answers:
            self.give(request, is_renewed=True)

    # What has gone out

    def overdue(self) -> None:
        """Before anything goes out: what was not acknowledged for 75 seconds goes once more."""
        for kept in sorted(self.kept.values(), key=lambda kept: kept.sent_at):
            if not kept.is_repeated and kept.sent_at <= self.server.clock() - 75:
                kept.is_repeated = True
                if not self.once_more(kept.message):
                    self._renew(kept.message)

    def heard(self, envelopes: list[Envelope]) -> None:
        """Raise Broken where this is not what had to go out by now."""
        for envelope in envelopes:
            if envelope.salt != self.server.salt() or envelope.msg_id in self.outer:
                raise Broken(f"salt or msg_id of {envelope}, expected {self.server.salt()} and a new one")
            self.outer.add(envelope.msg_id)
            message = Numbered(envelope.msg_id, envelope.seq_no, envelope.body)
            is_packed = name_of(envelope.body) == "msg_container"
            for part in split(envelope.body, envelope.msg_id) if is_packed else [message]:
                if name_of(part.body) == "msgs_ack":
                    self._number(part, 3)
                    self._acks(service.decode(part.body).msg_ids)  # type: ignore[attr-defined]
                else:
                    self._one(part, is_packed)
            if is_packed:
                self._number(message, 3)
        if self.queue:
            raise Broken(f"not sent: {self.queue}")
        if self.owed and (len(self.owed) >= 16 or min(self.owed.values()) + 60 <= self.server.clock()):
            raise Broken(f"not acknowledged: {self.owed}")

    def speak_alone(self, connection: object) -> None:
        """A complaint about what came in a connection that is not the session's goes out there, at once."""
        if self.queue and self.queue[-1] is self.complaint:
            body = self.queue.pop().body
            msg_id = max(int(self.server.clock() * SECOND) & ~3, (self.last_id & ~3) + 4) | 1
            message = Numbered(msg_id, 2 * self.content, body)
            self._number(message, 1)
            self.alone.append((connection, message))

    def heard_alone(self, connection: object, envelopes: list[Envelope]) -> None:
        """Take what was said like that from the messages in this connection; Broken where it is not there."""
        for place in [place for place in self.alone if place[0] is connection]:
            self.alone.remove(place)
            said = [Numbered(e.msg_id, e.seq_no, e.body) for e in envelopes[:1]]
            if said != [place[1]]:
                raise Broken(f"{said} goes out, expected {place[1]}")
            self.outer.add(envelopes.pop(0).msg_id)

    def _acks(self, msg_ids: list[int]) -> None:
        for msg_id in msg_ids:
            if self.owed.pop(msg_id, None) is None:
                raise Broken(f"an acknowledgement of {msg_id}, expected one of {list(self.owed)}")

    def _number(self, message: Numbered, residue: int) -> None:
        """A msg_id says what time it is, and is higher than all before it."""
        odd = is_content_related(message.body)
        expected = int(self.server.clock() * SECOND) & ~3 | residue
        if expected <= self.last_id:
            expected = (self.last_id & ~3) + 4 | residue
        if message.msg_id != expected:
            raise Broken(f"the msg_id of {message}, expected {expected}")
        if message.seq_no != 2 * self.content + odd:
            raise Broken(f"the seq_no of {message}, expected {2 * self.content + odd}")
        self.last_id = message.msg_id
        self.sent.append(message.msg_id)
        self.content += odd

    def _one(self, message: Numbered, is_packed: bool) -> None:
        if not self.queue:
            raise Broken(f"{message} goes out, expected nothing")
        queued = self.queue.pop(0)
        if queued.original is not None:
            if message != queued.original or not is_packed:
                raise Broken(f"{message} once more, expected {queued.original}")
        else:
            self._number(message, 1 if queued.reply else 3)
            if message.body != queued.body:
                raise Broken(f"{message} goes out, expected {queued}")
            if queued.is_renewed:
                self.renewed.add(message.msg_id)
            if queued.request is not None:
                self.carried[message.msg_id] = queued.request
        if message.seq_no & 1:
            self.kept.pop(message.msg_id, None)
            self.kept[message.msg_id] = Kept(message, self.server.clock())
