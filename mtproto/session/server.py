"""The server's session: requests come out as events, answers go in; nothing is executed twice.

An answer is kept until the client acknowledges it, and given again when the client asks again.  What a client
sends is taken liberally where real clients need that (no complaint about the parity of seq_no), and by the
book where it decides what happens: msg_id, time, salt, duplicates (S3, S4, S6 to S8).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import tl
from mtproto import service
from mtproto.acks import MAX_ACKS
from mtproto.crypto.auth_key import AuthKey
from mtproto.envelope import Envelope
from mtproto.errors import LocalProtocolError, RemoteProtocolError
from mtproto.events import MessageDropped, RequestReceived, ServerEvent, SessionId
from mtproto.message import (
    MAX_BODY,
    Message,
    constructor_id,
    pack_rpc_result,
    unpack_container,
    unpack_gzip,
)
from mtproto.message_id import Verdict
from mtproto.salts import SaltTimetable
from mtproto.session.base import Outgoing, Session, decode_service
from mtproto.side import Side

__all__ = ["MAX_KEPT_ANSWERS", "REQUEST_LIMITS", "ServerSession"]

REQUEST_LIMITS = tl.Limits(gunzipped_bytes=1024 * 1024)
"""How much the gzip_packed of one payload may unpack to, together: requests are small."""
MAX_OPEN_REQUESTS = 100_000
"""The most requests of one session that may wait for their answers."""
MAX_KEPT_ANSWERS = 1024
"""The most answers kept for a client that doesn't acknowledge them; the oldest are given up first."""

_VERDICT_CODES = {
    Verdict.PARITY: 18,
    Verdict.TOO_OLD_TIME: 16,
    Verdict.TOO_NEW_TIME: 17,
    Verdict.TOO_OLD_WINDOW: 20,
}
_WRONG_SALT = 48
_BAD_CONTAINER = 64
FLOOD = -429
"""The transport error for what is too much of a thing."""


class ServerSession(Session):
    """One session on the server's side, begun by the first message of a client that carries its id.

    `limits` are for what comes in one payload: all of its gzip_packed, however many there are, share one
    budget.
    """

    def __init__(
        self,
        auth_key: AuthKey,
        session_id: int,
        *,
        salts: SaltTimetable,
        clock: Callable[[], float],
        rng: Callable[[int], bytes],
        limits: tl.Limits = REQUEST_LIMITS,
        max_open_requests: int = MAX_OPEN_REQUESTS,
    ) -> None:
        super().__init__(auth_key, Side.SERVER, session_id, clock=clock, rng=rng)
        self.id = SessionId(auth_key.key_id, session_id)
        self.unique_id = int.from_bytes(rng(8), "little", signed=True)
        self._salts = salts
        self._limits = limits
        self._budget = limits.budget()
        self._max_open_requests = max_open_requests
        self._is_new = True
        self._open: set[int] = set()
        self._answers: dict[int, bytes] = {}
        self._queued: set[int] = set()
        self._answered_by: dict[int, int] = {}
        self._destroyed: list[int] = []

    @property
    def salt(self) -> int:
        return self._salts.current(self._clock())

    @property
    def open_requests(self) -> frozenset[int]:
        """The msg_ids of the requests that wait for `answer`."""
        return frozenset(self._open)

    def take_destroyed(self) -> list[int]:
        """The ids of the other sessions that the client has asked to destroy since the last call."""
        destroyed, self._destroyed = self._destroyed, []
        return destroyed

    # Sending

    def answer(self, msg_id: int, result: bytes) -> None:
        """Queue the boxed answer to the request `msg_id`; LocalProtocolError unless it is open and fits."""
        if msg_id not in self._open:
            raise LocalProtocolError(f"request {msg_id} is not open: unknown, or answered already")
        _check_size(result)
        self._open.remove(msg_id)
        self.acks.discard(msg_id)  # the answer acknowledges the request
        body = pack_rpc_result(msg_id, result)
        self._answers[msg_id] = body
        while len(self._answers) > MAX_KEPT_ANSWERS:
            del self._answers[next(iter(self._answers))]
        self._queue_answer(msg_id)

    def notify(self, body: bytes) -> None:
        """Queue a message that answers nothing, such as an update; LocalProtocolError if it is too long."""
        _check_size(body)
        self.queue(Outgoing(body))

    def was_numbered(self, outgoing: Outgoing, message: Message) -> None:
        if outgoing.request is not None:
            self._queued.discard(outgoing.request)
            self._answered_by[message.msg_id] = outgoing.request
            while len(self._answered_by) > 2 * MAX_KEPT_ANSWERS:
                del self._answered_by[next(iter(self._answered_by))]

    def _reply(self, message: tl.TLObject) -> None:
        self.queue(Outgoing(bytes(message), answer=True))

    def _complain(self, message: Message, code: int) -> None:
        self._reply(
            service.BadMsgNotification(
                bad_msg_id=message.msg_id, bad_msg_seqno=message.seq_no, error_code=code
            )
        )

    # Receiving

    def receive(self, envelope: Envelope) -> Iterator[ServerEvent]:
        """The events of one message; what the client has to be told about it is queued."""
        message = Message(envelope.msg_id, envelope.seq_no, envelope.body)
        self._budget = self._limits.budget()
        if not self._is_acceptable(message):
            yield MessageDropped(message.msg_id, "S3", "not a msg_id that is acceptable now")
            return
        if not self._salts.accepts(envelope.salt, self._clock()) and not _needs_no_salt(message.body):
            self._reply(
                service.BadServerSalt(
                    bad_msg_id=message.msg_id,
                    bad_msg_seqno=message.seq_no,
                    error_code=_WRONG_SALT,
                    new_server_salt=self.salt,
                )
            )
            yield MessageDropped(message.msg_id, "S4", f"wrong server_salt {envelope.salt}")
            return
        if constructor_id(message.body) == service.MsgContainer.CONSTRUCTOR_ID:
            yield from self._container(message)
        else:
            self._begin(message.msg_id)
            yield from self._message(message)
        self.window.record(message.msg_id)

    def _is_acceptable(self, message: Message) -> bool:
        verdict = self.window.check(message.msg_id, self._clock())
        if verdict in _VERDICT_CODES:
            self._complain(message, _VERDICT_CODES[verdict])
            return False
        if verdict is Verdict.DUPLICATE:
            self._answer_again(message)
            return False
        return True

    def _answer_again(self, message: Message) -> None:
        """A request that came before: its answer once more if it has one, an acknowledgement if not (S7)."""
        if message.msg_id in self._answers:
            self._queue_again(message.msg_id)
        elif constructor_id(message.body) == service.MsgContainer.CONSTRUCTOR_ID:
            for part in unpack_container(message.body, message.msg_id):
                self._answer_again(part)
        elif message.seq_no & 1:
            self.acks.add(message.msg_id, self._clock())

    def _begin(self, first_msg_id: int) -> None:
        """Tell the client, once, that this session is new here (S8)."""
        if self._is_new:
            self._is_new = False
            self.queue(
                Outgoing(
                    bytes(
                        service.NewSessionCreated(
                            first_msg_id=first_msg_id, unique_id=self.unique_id, server_salt=self.salt
                        )
                    )
                )
            )

    def _container(self, message: Message) -> Iterator[ServerEvent]:
        try:
            inner = unpack_container(message.body, message.msg_id)
        except RemoteProtocolError as error:
            self._complain(message, _BAD_CONTAINER)
            yield MessageDropped(message.msg_id, "S6", str(error))
            return
        if inner:
            self._begin(min(m.msg_id for m in inner))
        for part in inner:
            if self._is_acceptable(part):
                yield from self._message(part)
                self.window.record(part.msg_id)
            else:
                yield MessageDropped(part.msg_id, "S3", "not a msg_id that is acceptable now")

    def _message(self, message: Message) -> Iterator[ServerEvent]:
        if message.seq_no & 1:
            self.acks.add(message.msg_id, self._clock())
        body = message.body
        if constructor_id(body) == service.GzipPacked.CONSTRUCTOR_ID:
            try:
                body = unpack_gzip(body, self._budget)
            except RemoteProtocolError as error:
                self._accept(message.msg_id)
                self.answer(message.msg_id, _INPUT_ERROR)
                yield MessageDropped(message.msg_id, error.check, str(error))
                return
        handler = HANDLERS.get(constructor_id(body))
        if handler is None:
            self._accept(message.msg_id)
            yield RequestReceived(self.id, message.msg_id, body)
            return
        try:
            handler(self, message, decode_service(body))
        except RemoteProtocolError as error:
            if error.reply is not None:
                raise
            self._accept(message.msg_id)
            self.answer(message.msg_id, _INPUT_ERROR)
            yield MessageDropped(message.msg_id, error.check, str(error))

    def _accept(self, msg_id: int) -> None:
        """The request `msg_id` waits for its answer from now on; too many that do are a flood (C23)."""
        if len(self._open) >= self._max_open_requests:
            raise RemoteProtocolError(
                "too many requests without an answer",
                check="C23",
                got=len(self._open),
                expected=f"< {self._max_open_requests}",
                reply=FLOOD,
            )
        self._open.add(msg_id)

    def _queue_again(self, request: int) -> None:
        """Queue an answer once more, unless it is waiting to be sent anyway."""
        if request in self._answers and request not in self._queued:
            self._queue_answer(request)

    def _queue_answer(self, request: int) -> None:
        self._queued.add(request)
        self.queue(Outgoing(self._answers[request], answer=True, request=request))

    # Handlers, in the order of the table below

    def _acknowledged(self, message: Message, notice: tl.TLObject) -> None:
        if isinstance(notice, service.MsgsAck):
            for msg_id in _check_count(notice.msg_ids):
                request = self._answered_by.pop(msg_id, None)
                if request is not None:
                    self._answers.pop(request, None)

    def _ping(self, message: Message, query: tl.TLObject) -> None:
        if isinstance(query, service.Ping | service.PingDelayDisconnect):
            # Not an rpc_result: a pong names the ping's own msg_id, inside a container too.
            self._reply(service.Pong(msg_id=message.msg_id, ping_id=query.ping_id))

    def _future_salts(self, message: Message, query: tl.TLObject) -> None:
        if isinstance(query, service.GetFutureSalts):
            now = self._clock()
            salts = [
                service.FutureSalt(
                    valid_since=int(s.valid_since), valid_until=int(s.valid_until), salt=s.value
                )
                for s in self._salts.future(now, query.num)
            ]
            self._reply(service.FutureSalts(req_msg_id=message.msg_id, now=int(now), salts=salts))

    def _destroy_session(self, message: Message, query: tl.TLObject) -> None:
        if isinstance(query, service.DestroySession):
            self._destroyed.append(query.session_id)
            self._reply(service.DestroySessionOk(session_id=query.session_id))

    def _drop_answer(self, message: Message, query: tl.TLObject) -> None:
        if not isinstance(query, service.RpcDropAnswer):
            return
        answer: tl.TLObject = service.RpcAnswerUnknown()
        if query.req_msg_id in self._open:
            answer = service.RpcAnswerDroppedRunning()
            self._open.remove(query.req_msg_id)
        elif query.req_msg_id in self._answers:
            dropped = self._answers.pop(query.req_msg_id)
            answer = service.RpcAnswerDropped(msg_id=0, seq_no=0, bytes=len(dropped))
        self._accept(message.msg_id)
        self.answer(message.msg_id, bytes(answer))

    def _states(self, message: Message, query: tl.TLObject) -> None:
        """One byte for each message: 1 too old to know, 2 not received, 4 received."""
        if isinstance(query, service.MsgsStateReq):
            _check_count(query.msg_ids)
            states = bytes(
                {Verdict.DUPLICATE: 4, Verdict.TOO_OLD_WINDOW: 1}.get(self.window.check(i, None), 2)
                for i in query.msg_ids
            )
            self._reply(service.MsgsStateInfo(req_msg_id=message.msg_id, info=states))

    def _resend(self, message: Message, query: tl.TLObject) -> None:
        if isinstance(query, service.MsgResendReq | service.MsgResendAnsReq):
            wanted = [self._answered_by.get(msg_id, msg_id) for msg_id in _check_count(query.msg_ids)]
            for request in wanted:
                self._queue_again(request)

    def _ignored(self, message: Message, notice: tl.TLObject) -> None:
        """Nothing here depends on it."""


Handler = Callable[[ServerSession, Message, tl.TLObject], None]

HANDLERS: dict[int, Handler] = {
    cls.CONSTRUCTOR_ID: handler
    for cls, handler in (
        (service.MsgsAck, ServerSession._acknowledged),
        (service.Ping, ServerSession._ping),
        (service.PingDelayDisconnect, ServerSession._ping),
        (service.GetFutureSalts, ServerSession._future_salts),
        (service.DestroySession, ServerSession._destroy_session),
        (service.RpcDropAnswer, ServerSession._drop_answer),
        (service.MsgsStateReq, ServerSession._states),
        (service.MsgResendReq, ServerSession._resend),
        (service.MsgResendAnsReq, ServerSession._resend),
        (service.MsgsStateInfo, ServerSession._ignored),
        (service.MsgsAllInfo, ServerSession._ignored),
        (service.MsgDetailedInfo, ServerSession._ignored),
        (service.MsgNewDetailedInfo, ServerSession._ignored),
        (service.HttpWait, ServerSession._ignored),
    )
}
"""What becomes of each service message; anything else is a request for the API's handlers."""


def _check_size(body: bytes) -> None:
    if len(body) % 4 or len(body) > MAX_BODY:
        raise LocalProtocolError(f"a body of {len(body)} bytes, expected a multiple of 4 up to {MAX_BODY}")


def _check_count(msg_ids: list[int]) -> list[int]:
    """The ids, each once; more than `MAX_ACKS` are a flood (S6)."""
    if len(msg_ids) > MAX_ACKS:
        raise RemoteProtocolError(
            "too many msg_ids in one message",
            check="S6",
            got=len(msg_ids),
            expected=f"<= {MAX_ACKS}",
            reply=FLOOD,
        )
    return list(dict.fromkeys(msg_ids))


_INPUT_ERROR = bytes(service.RpcError(error_code=400, error_message="INPUT_FETCH_ERROR"))


def _needs_no_salt(body: bytes) -> bool:
    """A bare msgs_ack is never refused for its salt: clients acknowledge bad_server_salt itself."""
    return constructor_id(body) == service.MsgsAck.CONSTRUCTOR_ID
