"""The sending half of a client's session: requests that wait for their answers, and what becomes of them.

A request that the server did not take, because of its salt or its msg_id, or has not received, is sent again, a
bounded number of times.  One that the server may have executed is not: who waits for it is told that its fate is
unknown, unless it was sent as `at_least_once`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count

import tl
from mtproto import service
from mtproto.acks import MAX_ACKS
from mtproto.crypto.auth_key import AuthKey
from mtproto.errors import FateUnknown, LocalProtocolError, MTProtoError
from mtproto.events import ClientEvent, RequestFailed
from mtproto.message import Message, constructor_id
from mtproto.message_id import MAX_AGE, MAX_AHEAD, unix_time
from mtproto.salts import KnownSalts, Salt
from mtproto.session.base import Body, Outgoing, Session
from mtproto.session.requests import OpenRequest, OpenRequests, after_messages
from mtproto.side import Side

__all__ = ["MAX_OPEN_REQUESTS", "MAX_RESENDS", "ClientSending"]

MAX_RESENDS = 5
"""How many times one request is sent again because the server did not take it (C15)."""
MAX_OPEN_REQUESTS = 100_000
"""The most requests that may wait for their answers (C23)."""

_OPEN_QUERIES = 100
_QUESTIONS = {
    cls.CONSTRUCTOR_ID for cls in (service.MsgsStateReq, service.MsgResendReq, service.MsgResendAnsReq)
}
_NEVER_TAKEN = MAX_AGE + MAX_AHEAD  # seconds; clocks differ


def _is_about_messages(outgoing: Outgoing) -> bool:
    return outgoing.query and isinstance(outgoing.body, bytes) and constructor_id(outgoing.body) in _QUESTIONS


class ClientSending(Session):
    """What a client's session sends, and what is open in it; see `ClientSession`, which also receives."""

    def __init__(
        self,
        auth_key: AuthKey,
        session_id: int,
        *,
        server_salt: int,
        time_offset: float | None,
        clock: Callable[[], float],
        rng: Callable[[int], bytes],
        timetable: Sequence[Salt] = (),
        numbers: Iterator[int] | None = None,
    ) -> None:
        super().__init__(auth_key, Side.CLIENT, session_id, clock=clock, rng=rng)
        self.ids.time_offset = time_offset or 0.0
        self.salts = KnownSalts(server_salt, timetable, now=self.ids.now())
        self.requests = OpenRequests(count(1) if numbers is None else numbers)
        self.queries: dict[int, Outgoing] = {}
        self._held: list[Outgoing] = []

    @property
    def salt(self) -> int:
        return self.salts.current(self.ids.now())

    @property
    def server_salt(self) -> int:
        """The salt in use, signed 64-bit; may be set."""
        return self.salt

    @server_salt.setter
    def server_salt(self, salt: int) -> None:
        self.salts.correct(salt, self.ids.now())

    @property
    def open_requests(self) -> tuple[int, ...]:
        """The numbers of the requests that have no answer yet."""
        return tuple(request.number for request in self.requests)

    # Requests

    def send(self, body: Body, *, after: Sequence[int] = (), at_least_once: bool = False) -> int:
        """Queue the request `body`; return the number by which events refer to it.

        It is executed after those with the numbers `after`, as far as they are open, whatever becomes of them.
        With `at_least_once` it is sent again where the server may have executed it, too.
        Raise LocalProtocolError where too many are open (C23).
        """
        if len(self.requests) >= MAX_OPEN_REQUESTS:
            raise LocalProtocolError(
                f"got another request while {len(self.requests)} are open, expected at most {MAX_OPEN_REQUESTS}"
            )
        request = self.requests.open(body, after, at_least_once)
        self.queue(Outgoing(body, request=request.number))
        return request.number

    def requests_in(self, msg_id: int) -> tuple[int, ...]:
        """The numbers of the open requests that were sent as `msg_id`: a container's, or the one."""
        sent = (self.requests.sent_as(part) for part in self.sent.parts(msg_id))
        return tuple(request.number for request in sent if request is not None)

    def is_sent(self, number: int) -> bool:
        """Whether the open request has gone out, so that the server may have executed it."""
        request = self.requests.get(number)
        return request is not None and bool(request.msg_ids)

    def forget(self, number: int) -> OpenRequest | None:
        """Nobody waits for this answer any more: it will be dropped when it comes.

        A request that has not been sent yet won't be.
        """
        request = self.requests.close(number)
        for msg_id in request.msg_ids if request is not None else ():
            self.sent.acknowledge(msg_id)
        return request

    def adopt(self, request: OpenRequest) -> None:
        """Send, in this session, a request that another one has forgotten; it keeps its number."""
        self.requests.adopt(request)
        self.queue(Outgoing(request.body, request=request.number))

    def drop(self, number: int) -> None:
        """As `forget`, and the server is told that it need not send the answer (rpc_drop_answer)."""
        request = self.forget(number)
        if request is not None and request.msg_id is not None and request.session_id == self.session_id:
            self.ask(service.RpcDropAnswer(req_msg_id=request.msg_id))

    def ask(self, query: tl.TLObject, about: Sequence[int] = (), *, first: bool = False) -> None:
        """Queue a service query, which is answered by a service message; `first`: before all that waits."""
        outgoing = Outgoing(bytes(query), query=True, about=tuple(about))
        if first:
            self._queue.appendleft(outgoing)
        else:
            self.queue(outgoing)

    def ping(self, ping_id: int, disconnect_delay: int | None = None) -> None:
        """Queue a ping; its pong comes as an event of its own.

        With a `disconnect_delay`, in seconds, the server is to close the connection that much later unless
        another such ping comes.
        """
        if disconnect_delay is None:
            self.ask(service.Ping(ping_id=ping_id))
        else:
            self.ask(service.PingDelayDisconnect(ping_id=ping_id, disconnect_delay=disconnect_delay))

    # Sending

    def flush(self) -> list[bytes]:
        self._release()
        payloads = super().flush()
        while self._release():
            payloads += super().flush()
        return payloads

    def is_wanted(self, outgoing: Outgoing) -> bool:
        if outgoing.original is not None:
            msg_id = outgoing.original.msg_id
            return msg_id in self.queries or self.requests.last_sent_as(msg_id) is not None
        if outgoing.request is None:
            return True
        request = self.requests.get(outgoing.request)
        if request is None:
            return False
        if self._references(request) is None:
            self._held.append(outgoing)
            return False
        return True

    def _references(self, request: OpenRequest) -> tuple[int, ...] | None:
        """The messages that `request` has to follow; None while one of them waits to be sent in this session."""
        references = []
        for number in request.after:
            before = self.requests.get(number)
            if before is None or before is request:
                continue
            if before.msg_id is None or before.session_id != self.session_id:
                return None
            references.append(before.msg_id)
        return tuple(references)

    def _release(self) -> bool:
        """Queue what was held for another request that has been sent, or is answered, by now."""
        held, self._held = self._held, []
        for outgoing in held:
            request = self.requests.get(outgoing.request)
            if request is not None and self._references(request) is None:
                self._held.append(outgoing)
            else:
                self.queue(outgoing)
        return len(self._held) < len(held)

    def body_of(self, outgoing: Outgoing, msg_id: int) -> bytes:
        body = super().body_of(outgoing, msg_id)
        request = self.requests.get(outgoing.request)
        if request is None or not request.after:
            return body
        request.references = self._references(request) or ()
        return after_messages(request.references, body)

    def was_numbered(self, outgoing: Outgoing, message: Message) -> None:
        if outgoing.query:
            self.queries[message.msg_id] = outgoing
            while len(self.queries) > _OPEN_QUERIES:
                del self.queries[next(iter(self.queries))]
        request = self.requests.get(outgoing.request)
        if request is not None:
            self.requests.was_sent(request, message, self.session_id, self._clock())

    # What becomes of requests

    def send_again(self, msg_ids: Iterable[int], error: MTProtoError) -> Iterator[ClientEvent]:
        """The server has not taken the messages `msg_ids`: requests and queries among them go out as new ones.

        What was sent too often fails with `error`.
        """
        for msg_id in msg_ids:
            self.sent.acknowledge(msg_id)
            query = self.queries.pop(msg_id, None)
            if query is not None and query.resends < MAX_RESENDS:
                self.queue(replace(query, resends=query.resends + 1))
            request = self.requests.last_sent_as(msg_id)
            if request is None:
                continue
            if request.is_repeated:  # this was a copy: the server is asked whether it has taken the other
                self.requests.ask_at(request, self._clock())
            else:
                self.requests.was_refused(request)
                yield from self.requeue(request, error)

    def repeat(self, request: OpenRequest, error: MTProtoError) -> Iterator[ClientEvent]:
        """The server has not received `request`, but may yet: a copy can be on its way in a lost connection.

        So it goes out as it was, and the server will take one of the two; when a copy is too old to be taken, as a
        new message; in between the server is asked again.  What was sent too often fails with `error`.
        """
        message = request.message
        if message is None or request.msg_id is None:
            return
        if self.ids.now() - unix_time(message.msg_id) > _NEVER_TAKEN:
            request.is_repeated = False
            yield from self.send_again((message.msg_id,), error)
        elif request.session_id == self.session_id and self.send_once_more(message):
            request.is_repeated = True
            request.resends += 1
            if request.resends > MAX_RESENDS:
                yield from self.fail(request, error)

    def requeue(self, request: OpenRequest, error: MTProtoError) -> Iterator[ClientEvent]:
        """Let an open request wait for being sent again; it fails with `error` where that was too often."""
        request.resends += 1
        if request.resends > MAX_RESENDS:
            yield from self.fail(request, error)
        else:
            self.queue(Outgoing(request.body, request=request.number))

    def fail(self, request: OpenRequest, error: MTProtoError) -> Iterator[ClientEvent]:
        """`request` has no answer, and will have none."""
        if self.forget(request.number) is not None:
            yield RequestFailed(request.number, error)

    def doubt(self, request: OpenRequest, why: str) -> Iterator[ClientEvent]:
        """The server may have executed `request`, and won't tell: it fails, unless it may be executed twice."""
        if request.at_least_once:
            self.requests.waits_again(request)
            yield from self.requeue(request, FateUnknown(why))
        else:
            yield from self.fail(request, FateUnknown(why))

    def reconnected(self) -> None:
        """The connection is another one: ask what became of all that was under way in the one before."""
        for msg_id in list(self.queries):
            del self.queries[msg_id]
        # What was to be sent once more may have arrived meanwhile, at a server that has forgotten it since.
        self._queue = deque(o for o in self._queue if not o.query and o.original is None)
        self._repeated.clear()
        self._ask_about([r for r in self.requests if r.msg_id is not None], first=True)

    def forget_questions(self) -> None:
        """In a session that begins now nobody knows of the messages of the one before, or takes them again."""
        self.queries = {i: query for i, query in self.queries.items() if not _is_about_messages(query)}
        self._queue = deque(o for o in self._queue if o.original is None and not _is_about_messages(o))
        self._repeated.clear()

    def _ask_about(self, requests: Sequence[OpenRequest], *, first: bool = False) -> None:
        ids = [r.msg_id for r in requests if r.msg_id is not None and r.session_id == self.session_id]
        for begin in range(0, len(ids), MAX_ACKS):
            part = ids[begin : begin + MAX_ACKS]
            self.ask(service.MsgsStateReq(msg_ids=part), part, first=first)

    # Timers

    def next_timer(self) -> float | None:
        salts = self.salts.next_question(self.ids.now()) - self.ids.time_offset
        timers = (self.acks.deadline(), self.requests.next_question(), salts)
        return min(timer for timer in timers if timer is not None)

    def handle_timer(self) -> Iterator[ClientEvent]:
        """Queue the questions that are due: what became of requests, and which salts come next."""
        now = self._clock()
        due = self.requests.due(now)
        self._ask_about(due)
        for request in due:
            if request.session_id != self.session_id and request.questions > 1:
                yield from self.doubt(
                    request, "no answer came in the session that it was sent in, which is over"
                )
        if self.salts.next_question(self.ids.now()) <= self.ids.now():
            self.ask_for_salts()

    def ask_for_salts(self) -> None:
        """Queue the question which salts come next."""
        self.salts.was_asked(self.ids.now())
        self.ask(service.GetFutureSalts(num=KnownSalts.QUESTION_SIZE))
