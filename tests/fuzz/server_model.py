"""A server's sessions under one key after the documentation: a second implementation, to compare the first with.

It is told what a client says and what its caller answers, and tells what has to be told (`Said`); what has to go
out is the matter of `tests.fuzz.server_outgoing`.

Specification: core.telegram.org/mtproto/service_messages, service_messages_about_messages, description.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from mtproto import service
from mtproto.envelope import Envelope
from tests.fuzz.conversations import (
    Dead,
    Numbered,
    Said,
    a_few,
    gunzip,
    is_content_related,
    name_of,
    read,
    split,
)
from tests.fuzz.server_outgoing import SECOND, Outgoing, Queued

__all__ = ["MAX_OPEN", "Flood", "ServerModel", "SessionModel"]

MAX_OPEN = 12
_LONG = 64 * 1024
_IGNORED = ("msgs_state_info", "msgs_all_info", "msg_detailed_info", "msg_new_detailed_info")


class Flood(Dead):
    """Too much of something: transport error -429."""


@dataclass
class ServerModel:
    """`salts` are those of the key in order, each the one in use for half an hour from `began` on.

    `unique_id` gives the number that a session was given when it was made; `closes_at`: when connections are to be
    closed, because a ping has said so; `over`: sessions that were destroyed, of which something may still be heard.
    """

    clock: Callable[[], float]
    salts: list[int]
    is_strict: bool
    began: int
    unique_id: Callable[[int], int]
    sessions: dict[int, SessionModel] = field(default_factory=dict)
    over: list[SessionModel] = field(default_factory=list)
    has_key: bool = True
    closes_at: dict[object, float] = field(default_factory=dict)

    def salt(self, ago: int = 0) -> int:
        """The salt in use now, or before it."""
        return self.salts[max(0, int(self.clock() - self.began) // 1800 - ago)]

    def receive(self, envelope: Envelope, connection: object) -> Iterator[Said]:
        if not self.has_key:
            raise Dead("S1")
        session = self.sessions.setdefault(envelope.session_id, SessionModel(self, envelope.session_id))
        # What was recorded and is said again elsewhere is refused there, and moves nothing.
        takes = session.takes(envelope)
        session.is_known = session.is_known or takes
        is_lost = session.is_known and session.carrier is None
        if is_lost or (takes and session.carrier is not connection):
            session.carrier = connection
            session.moved()
        session.complaint = None
        yield from session.receive(envelope)
        if session.carrier is not connection:
            session.speak_alone(connection)
        for delay in session.take_delays():
            self.closes_at[connection] = self.clock() + delay
        for other in session.take_destroyed():
            # One of which nothing was taken has not begun.
            existed = other != session.session_id and other in self.sessions and self.sessions[other].is_known
            cls = service.DestroySessionOk if existed else service.DestroySessionNone
            session.reply(cls(session_id=other))
            if existed:
                self.over.append(self.sessions.pop(other))


class SessionModel(Outgoing):
    """One session."""

    server: ServerModel

    def take_delays(self) -> list[int]:
        delays, self.delays = self.delays, []
        return delays

    def take_destroyed(self) -> list[int]:
        destroyed, self.destroyed = self.destroyed, []
        return destroyed

    # What the client says

    def takes(self, envelope: Envelope) -> bool:
        """Whether a message is new, in time, and has a salt that is good."""
        msg_id, now = envelope.msg_id, self.server.clock()
        is_new = not (msg_id % 4 or msg_id in self.window or self.window.is_below(msg_id))
        is_timely = (now - 300) * SECOND <= msg_id <= (now + 30) * SECOND
        return is_new and is_timely and self._is_salt_good(envelope)

    def _is_salt_good(self, envelope: Envelope) -> bool:
        is_good = envelope.salt in (self.server.salt(), self.server.salt(1))
        return is_good or name_of(envelope.body) == "msgs_ack"

    def receive(self, envelope: Envelope) -> Iterator[Said]:
        self.budget = [1 << 20]
        message = Numbered(envelope.msg_id, envelope.seq_no, envelope.body)
        fault = self._fault(message)
        if fault is not None:
            yield fault
        elif not self._is_salt_good(envelope):
            self._complain(message, 48)
            yield "dropped", message.msg_id, "S4"
        elif name_of(message.body) == "msg_container":
            yield from self._container(message)
        else:
            self._begin(message.msg_id)
            yield from self._message(message)

    def _complain(self, message: Numbered, code: int) -> None:
        numbers = {"bad_msg_id": message.msg_id, "bad_msg_seqno": message.seq_no, "error_code": code}
        if code == 48:
            self.reply(service.BadServerSalt(**numbers, new_server_salt=self.server.salt()))
        else:
            self.reply(service.BadMsgNotification(**numbers))
        self.complaint = self.queue[-1]

    def _fault(self, message: Numbered) -> Said | None:
        msg_id, now = message.msg_id, self.server.clock()
        code = None
        if msg_id % 4:
            code = 18
        elif msg_id in self.window:
            return self._repeated(message)
        elif self.window.is_below(msg_id):
            code = 20
        elif msg_id < (now - 300) * SECOND:
            code = 16
        elif msg_id > (now + 30) * SECOND:
            code = 17
        check = "S3" if code else "S5"
        if code is None and self.server.is_strict:
            code = self._seq_no_fault(message)
        if code is None:
            return None
        self._complain(message, code)
        return "dropped", msg_id, check

    def _seq_no_fault(self, message: Numbered) -> int | None:
        """Higher msg_ids have higher seq_nos; those of messages that are not content-related may be equal."""
        odd = message.seq_no & 1
        if name_of(message.body) != "gzip_packed" and odd != is_content_related(message.body):
            return 34 if odd else 35
        for msg_id, seq_no in self.taken.items():
            if msg_id < message.msg_id and seq_no > message.seq_no - odd:
                return 32
        for msg_id, seq_no in self.taken.items():
            if msg_id > message.msg_id and seq_no < message.seq_no + odd:
                return 33
        return None

    def _repeated(self, message: Numbered) -> Said:
        msg_id = message.msg_id
        if name_of(message.body) != "msg_container":
            self._once_more(message)
            return "dropped", msg_id, "S7"
        try:
            parts = split(message.body, msg_id)
        except Dead:
            self._complain(message, 64)
            return "dropped", msg_id, "S6"
        if self.server.is_strict or self.containers.get(msg_id) != [part.msg_id for part in parts]:
            self._complain(message, 19)
            return "dropped", msg_id, "S3"
        for part in parts:
            if part.msg_id in self.window:
                self._once_more(part)
        return "dropped", msg_id, "S7"

    def _once_more(self, message: Numbered) -> None:
        request = message.msg_id
        if request not in self.answers:
            self._owe(message)
            return
        body, carrier = self.answers[request], self._carrier(request)
        if len(body) < _LONG or carrier not in self.kept:
            self.give(request)
        else:
            self.reply(
                service.MsgDetailedInfo(msg_id=request, answer_msg_id=carrier, bytes=len(body), status=0)
            )

    def _carrier(self, request: int) -> int:
        return max((msg_id for msg_id, r in self.carried.items() if r == request), default=0)

    def _owe(self, message: Numbered) -> None:
        if message.seq_no & 1:
            self.owed.setdefault(message.msg_id, self.server.clock())

    def _begin(self, msg_id: int) -> None:
        if self.first is None:
            self.first = msg_id
            new = service.NewSessionCreated(
                first_msg_id=msg_id,
                unique_id=self.server.unique_id(self.session_id),
                server_salt=self.server.salt(),
            )
            self.queue.append(Queued(bytes(new)))

    def _container(self, message: Numbered) -> Iterator[Said]:
        try:
            parts = split(message.body, message.msg_id)
        except Dead:
            self._complain(message, 64)
            yield "dropped", message.msg_id, "S6"
            return
        if parts:
            self._begin(min(part.msg_id for part in parts))
        for part in parts:
            fault = self._fault(part)
            if fault is not None:
                yield fault
            else:
                yield from self._message(part)
        self._take(message)
        self.containers[message.msg_id] = [part.msg_id for part in parts]

    def _take(self, message: Numbered) -> None:
        self.window.add(message.msg_id)
        self.taken.setdefault(message.msg_id, message.seq_no)
        if len(self.taken) > 1000:
            del self.taken[min(self.taken)]

    def _message(self, message: Numbered) -> Iterator[Said]:
        try:
            body = message.body
            if name_of(body) == "gzip_packed":
                body = gunzip(body, self.budget)
            name = name_of(body)
            if not name:
                self._accept(message.msg_id)
            self._take(message)
            self._owe(message)
            if name:
                yield from self._service(name, message, body)
            else:
                yield "request", message.msg_id, body
        except Flood:
            raise
        except Dead as dead:
            self._take(message)
            self._owe(message)
            yield self._refuse(message, "INPUT_FETCH_ERROR", dead.check)

    def _accept(self, msg_id: int) -> None:
        if len(self.open) >= MAX_OPEN:
            raise Flood("C23")
        self.open.add(msg_id)

    def _refuse(self, message: Numbered, error: str, check: str) -> Said:
        self._accept(message.msg_id)
        self.answer(message.msg_id, bytes(service.RpcError(error_code=400, error_message=error)))
        return "dropped", message.msg_id, check

    def _service(self, name: str, message: Numbered, body: bytes) -> Iterator[Said]:
        said = read(body)
        handler = getattr(self, f"on_{name}", None)
        if handler is not None:
            handler(message.msg_id, said)
        elif name == "http_wait":
            yield self._refuse(message, "HTTP_WAIT_INVALID", "T8")
        elif name in ("gzip_packed", "msg_container"):
            raise Dead("C18")
        elif name not in _IGNORED:
            yield self._refuse(message, "INPUT_METHOD_INVALID", "T8")

    def on_msgs_ack(self, msg_id: int, said: Any) -> None:
        for acknowledged in _few(said.msg_ids):
            self.kept.pop(acknowledged, None)
            request = self.carried.pop(acknowledged, None)
            if request is not None:
                self.answers.pop(request, None)

    def on_ping(self, msg_id: int, said: Any) -> None:
        self.reply(service.Pong(msg_id=msg_id, ping_id=said.ping_id))

    def on_ping_delay_disconnect(self, msg_id: int, said: Any) -> None:
        self.on_ping(msg_id, said)
        self.delays.append(max(0, said.disconnect_delay))

    def on_get_future_salts(self, msg_id: int, said: Any) -> None:
        now = self.server.clock()
        first = int(now - self.server.began) // 1800
        salts = [
            service.FutureSalt(valid_since=since, valid_until=since + 3600, salt=self.server.salts[first + i])
            for i in range(max(1, min(said.num, 64)))
            for since in [self.server.began + 1800 * (first + i)]
        ]
        self.reply(service.FutureSalts(req_msg_id=msg_id, now=int(now), salts=salts))

    def on_destroy_session(self, msg_id: int, said: Any) -> None:
        self.destroyed.append(said.session_id)

    def on_destroy_auth_key(self, msg_id: int, said: Any) -> None:
        self.ends_key = True
        self.reply(service.DestroyAuthKeyOk())

    def on_rpc_drop_answer(self, msg_id: int, said: Any) -> None:
        request, outcome = said.req_msg_id, service.RpcAnswerUnknown()  # type: Any, Any
        if request in self.open:
            outcome = service.RpcAnswerDroppedRunning()
            self.answer(request, bytes(outcome))
        elif request in self.answers:
            carrier = self._carrier(request)
            seq_no = self.kept[carrier].message.seq_no if carrier in self.kept else 0
            size = len(self.answers.pop(request))
            outcome = service.RpcAnswerDropped(msg_id=carrier, seq_no=seq_no, bytes=size)
            self.queue = [queued for queued in self.queue if queued.request != request]
        self._accept(msg_id)
        self.answer(msg_id, bytes(outcome))

    def on_msgs_state_req(self, msg_id: int, said: Any) -> None:
        list(_few(said.msg_ids))
        info = bytes(map(self._state, said.msg_ids))
        self.reply(service.MsgsStateInfo(req_msg_id=msg_id, info=info))

    def _state(self, msg_id: int) -> int:
        state = 2
        if msg_id in self.window or msg_id in self.open or msg_id in self.answers:
            state = 4
        elif msg_id % 4 == 0 and msg_id > (self.server.clock() + 30) * SECOND:
            state = 3
        elif msg_id < (self.first or 0) or (msg_id % 4 == 0 and self.window.is_below(msg_id)):
            state = 1
        return state | (32 if msg_id in self.open else 96 if msg_id in self.answers else 0)

    def on_msg_resend_req(self, msg_id: int, said: Any) -> None:
        is_all = True
        for wanted in _few(said.msg_ids):
            request = self.carried.get(wanted)
            if wanted in self.kept and self.once_more(self.kept[wanted].message):
                continue
            if request in self.answers:
                self.give(request)
            else:
                is_all = False
        if not is_all:
            self.on_msgs_state_req(msg_id, said)

    def on_msg_resend_ans_req(self, msg_id: int, said: Any) -> None:
        for request in _few(said.msg_ids):
            if request in self.answers:
                self.give(request)
        self.on_msgs_state_req(msg_id, said)


def _few(ids: list[int]) -> Iterator[int]:
    try:
        return a_few(ids, "S6")
    except Dead as dead:
        raise Flood(dead.check) from None
