"""The client's session: requests that wait for their answers, and what the server says about messages.

Every service message has its handler in one table (`HANDLERS`); what is in no table is a message of the
API's schema and goes to the caller.  A request that the server did not take, because of its salt or its
msg_id, is sent again as a new message, a bounded number of times.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, replace
from itertools import count

import tl
from mtproto import service
from mtproto.acks import OwedAcks
from mtproto.crypto.auth_key import AuthKey
from mtproto.errors import LocalProtocolError, MTProtoError, RemoteProtocolError, RpcError
from mtproto.events import (
    AnswerReceived,
    ClientEvent,
    MessageDropped,
    MessageReceived,
    PongReceived,
    RequestFailed,
    SessionCreated,
)
from mtproto.message import (
    Message,
    constructor_id,
    unpack_container,
    unpack_gzip,
    unpack_rpc_result,
)
from mtproto.message_id import ReceivedWindow, SequenceNumbers, Verdict, unix_time
from mtproto.session.base import Body, Outgoing, Session, decode_service
from mtproto.side import Side

__all__ = ["ANSWER_LIMITS", "MAX_DROPPED", "MAX_RESENDS", "BadMessage", "ClientSession"]

ANSWER_LIMITS = tl.Limits()
"""How much the gzip_packed of one payload may unpack to, together."""
MAX_RESENDS = 5
"""How many times one request is sent again because the server did not take it (C15)."""
MAX_DROPPED = 10
"""After so many ignored messages in a row something is wrong with the connection (C11)."""

_BAD_MESSAGE = {
    16: "msg_id too low: our clock is behind",
    17: "msg_id too high: our clock is ahead",
    18: "msg_id is not divisible by 4",
    19: "a container's msg_id was used before",
    20: "message too old: it is not known whether it was received",
    32: "seq_no too low",
    33: "seq_no too high",
    34: "seq_no should be even",
    35: "seq_no should be odd",
    48: "wrong server_salt",
    64: "invalid container",
}
_CLOCK_CODES = (16, 17)
_SEQUENCE_CODES = (32, 33)
_WRONG_SALT = 48
_OPEN_PINGS = 100
_UNTIMELY = (Verdict.TOO_OLD_TIME, Verdict.TOO_NEW_TIME)


def _is_container(body: bytes) -> bool:
    return constructor_id(body) == service.MsgContainer.CONSTRUCTOR_ID


class BadMessage(MTProtoError):
    """The server did not take a message, and sending it again would not help, or has not.

    `code` is that of bad_msg_notification; with 20 it is unknown whether the request was executed.
    Source: core.telegram.org/mtproto/service_messages_about_messages#notice-of-ignored-error-message
    """

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(f"the server did not take the message: {code}, {_BAD_MESSAGE.get(code, 'unknown')}")


@dataclass(slots=True)
class _Request:
    body: Body
    msg_id: int | None = None
    resends: int = 0


class ClientSession(Session):
    """One session on the client's side; `send` gives a request its number, events bring the answer.

    `time_offset` is by how many seconds the server's clock is ahead, None where that is not known yet: the
    age of messages is checked only when it is.  `limits` are for what comes in one payload: all of its
    gzip_packed, however many there are, share one budget.  `numbers` gives requests their numbers, for
    sessions that follow each other in one connection.
    """

    def __init__(
        self,
        auth_key: AuthKey,
        session_id: int,
        *,
        server_salt: int,
        time_offset: float | None,
        clock: Callable[[], float],
        rng: Callable[[int], bytes],
        limits: tl.Limits = ANSWER_LIMITS,
        numbers: Iterator[int] | None = None,
    ) -> None:
        super().__init__(auth_key, Side.CLIENT, session_id, clock=clock, rng=rng)
        self.server_salt = server_salt
        self.is_time_known = time_offset is not None
        self.ids.time_offset = time_offset or 0.0
        self._limits = limits
        self._budget = limits.budget()
        self._requests: dict[int, _Request] = {}
        self._pending: dict[int, int] = {}
        self._pings: dict[int, Outgoing] = {}
        self._numbers = count(1) if numbers is None else numbers
        self._dropped = 0
        self._left_sessions: deque[int] = deque(maxlen=10)

    @property
    def salt(self) -> int:
        return self.server_salt

    @property
    def open_requests(self) -> tuple[int, ...]:
        """The numbers of the requests that have no answer yet."""
        return tuple(self._requests)

    # Sending

    def send(self, body: Body) -> int:
        """Queue the request `body`; return the number by which events refer to it."""
        number = next(self._numbers)
        self._requests[number] = _Request(body)
        self.queue(Outgoing(body, request=number))
        return number

    def requests_in(self, msg_id: int) -> tuple[int, ...]:
        """The numbers of the open requests that were sent as `msg_id`: a container's, or the one."""
        return tuple(self._pending[i] for i in self.sent_in(msg_id) if i in self._pending)

    def forget(self, number: int) -> None:
        """Nobody waits for this answer any more: it will be dropped when it comes.

        A request that has not been sent yet won't be.
        """
        request = self._requests.pop(number, None)
        if request is None:
            return
        if request.msg_id is not None:
            self._pending.pop(request.msg_id, None)
        self._queue = deque(outgoing for outgoing in self._queue if outgoing.request != number)

    def ping(self, ping_id: int) -> None:
        """Queue a ping; its pong comes as an event of its own."""
        self.queue(Outgoing(bytes(service.Ping(ping_id=ping_id)), ping=True))

    def was_numbered(self, outgoing: Outgoing, message: Message) -> None:
        if outgoing.ping:
            self._pings[message.msg_id] = outgoing
            while len(self._pings) > _OPEN_PINGS:
                del self._pings[next(iter(self._pings))]
        request = self._requests.get(outgoing.request or 0)
        if outgoing.request is not None and request is not None:
            request.msg_id = message.msg_id
            self._pending[message.msg_id] = outgoing.request

    def _send_again(self, msg_ids: tuple[int, ...], code: int) -> Iterator[ClientEvent]:
        """The requests among `msg_ids` as new messages; what was sent too often fails."""
        for msg_id in msg_ids:
            ping = self._pings.pop(msg_id, None)
            if ping is not None and ping.resends < MAX_RESENDS:
                self.queue(replace(ping, resends=ping.resends + 1))
            number = self._pending.pop(msg_id, None)
            request = self._requests.get(number or 0)
            if number is None or request is None:
                continue
            request.resends += 1
            if request.resends > MAX_RESENDS:
                del self._requests[number]
                yield RequestFailed(number, BadMessage(code))
            else:
                self.queue(Outgoing(request.body, request=number))

    def _fail(self, msg_ids: tuple[int, ...], error: MTProtoError) -> Iterator[ClientEvent]:
        for msg_id in msg_ids:
            number = self._pending.pop(msg_id, None)
            if number is not None and self._requests.pop(number, None) is not None:
                yield RequestFailed(number, error)

    # Receiving

    def receive(self, payload: bytes) -> Iterator[ClientEvent]:
        """The events of one encrypted payload; raise RemoteProtocolError where the connection has to end."""
        envelope = self.cipher.open(payload)
        self._budget = self._limits.budget()
        message = Message(envelope.msg_id, envelope.seq_no, envelope.body)
        if envelope.session_id in self._left_sessions:
            yield from self._late(message)
            return
        if envelope.session_id != self.session_id:
            raise RemoteProtocolError(
                "a message of another session", check="C8", got=envelope.session_id, expected=self.session_id
            )
        yield from self._message(message)

    def _late(self, message: Message) -> Iterator[ClientEvent]:
        """A message of a session that we have left: only what it says of open requests still counts."""
        if _is_container(message.body):
            for inner in unpack_container(message.body, message.msg_id):
                yield from self._late(inner)
        elif constructor_id(message.body) == service.RpcResult.CONSTRUCTOR_ID:
            yield from self._rpc_result(message)
        elif self._corrects_us(message.body):
            notice = decode_service(message.body)
            if isinstance(notice, service.BadMsgNotification | service.BadServerSalt):
                yield from self._send_again(self.sent_in(notice.bad_msg_id), notice.error_code)
        else:
            yield MessageDropped(message.msg_id, "C8", "of a session that we have left")

    def _message(self, message: Message) -> Iterator[ClientEvent]:
        now = self.ids.now() if self.is_time_known else None
        verdict = self.window.check(message.msg_id, now)
        if verdict is Verdict.PARITY:
            raise RemoteProtocolError(
                "an even msg_id from the server", check="C9", got=message.msg_id, expected="1 or 3 modulo 4"
            )
        if verdict in _UNTIMELY and (self._corrects_us(message.body) or _is_container(message.body)):
            verdict = Verdict.OK  # of a container each message is judged by itself
        if verdict is not Verdict.OK:
            yield self._drop(message, verdict)
            return
        self._dropped = 0
        handler = HANDLERS.get(constructor_id(message.body))
        if handler is not None:
            yield from handler(self, message)
        else:
            yield MessageReceived(message.msg_id, message.body)
        self.window.record(message.msg_id)
        self._acknowledge(message)

    @staticmethod
    def _corrects_us(body: bytes) -> bool:
        """The messages that correct our clock and our salt come when these are wrong (C11)."""
        return constructor_id(body) in (
            service.BadServerSalt.CONSTRUCTOR_ID,
            service.BadMsgNotification.CONSTRUCTOR_ID,
        )

    def _drop(self, message: Message, verdict: Verdict) -> ClientEvent:
        if verdict is Verdict.DUPLICATE:
            self._acknowledge(message)
            return MessageDropped(message.msg_id, "C10", "received before")
        self._dropped += 1
        check = "C10" if verdict is Verdict.TOO_OLD_WINDOW else "C11"
        if self._dropped >= MAX_DROPPED:
            raise RemoteProtocolError(
                f"{MAX_DROPPED} messages in a row had to be ignored", check=check, got=verdict.value
            )
        return MessageDropped(message.msg_id, check, verdict.value)

    def _acknowledge(self, message: Message) -> None:
        if message.seq_no & 1:
            self.acks.add(message.msg_id, self._clock())

    # Handlers, in the order of the table below

    def _container(self, message: Message) -> Iterator[ClientEvent]:
        for inner in unpack_container(message.body, message.msg_id):
            yield from self._message(inner)

    def _gzip(self, message: Message) -> Iterator[ClientEvent]:
        body = unpack_gzip(message.body, self._budget)
        handler = HANDLERS.get(constructor_id(body))
        unpacked = Message(message.msg_id, message.seq_no, body)
        if handler is not None:
            yield from handler(self, unpacked)
        else:
            yield MessageReceived(message.msg_id, body)

    def _rpc_result(self, message: Message) -> Iterator[ClientEvent]:
        req_msg_id, result = unpack_rpc_result(message.body)
        number = self._pending.pop(req_msg_id, None)
        if number is None:
            yield MessageDropped(message.msg_id, "C16", f"an answer to {req_msg_id}, which is not open")
            return
        self._requests.pop(number, None)
        try:
            if constructor_id(result) == service.GzipPacked.CONSTRUCTOR_ID:
                result = unpack_gzip(result, self._budget)
            if constructor_id(result) == service.RpcError.CONSTRUCTOR_ID:
                error = service.decode(result, as_type=service.RpcError)
                yield RequestFailed(number, RpcError(error.error_code, error.error_message))
                return
        except tl.DecodeError as error:
            yield RequestFailed(
                number, RemoteProtocolError(f"an rpc_error that can't be read: {error}", check="T1")
            )
        except RemoteProtocolError as error:
            yield RequestFailed(number, error)
        else:
            yield AnswerReceived(number, result)

    def _bad_message(self, message: Message) -> Iterator[ClientEvent]:
        notice = decode_service(message.body)
        if not isinstance(notice, service.BadMsgNotification | service.BadServerSalt):
            raise LocalProtocolError(f"not a notification: {notice}")
        msg_ids = self.sent_in(notice.bad_msg_id)
        if not self._was_sent(notice.bad_msg_id):
            # Only a notice about what we have sent may change anything (C14): others are forged or stale.
            yield MessageDropped(message.msg_id, "C15", f"about {notice.bad_msg_id}, which we have not sent")
            return
        code = notice.error_code
        if isinstance(notice, service.BadServerSalt):
            self.server_salt = notice.new_server_salt
        elif code in _CLOCK_CODES:
            self.ids.synchronise(unix_time(message.msg_id))
            self.is_time_known = True
            if code == 17:
                self._begin_again()
        elif code in _SEQUENCE_CODES:
            self._begin_again()
        elif code != _WRONG_SALT:
            yield from self._fail(msg_ids, BadMessage(code))
            return
        yield from self._send_again(msg_ids, code)

    def _was_sent(self, msg_id: int) -> bool:
        known: tuple[Container[int], ...] = (self._sent, self._containers, self._pending, self._pings)
        return any(msg_id in messages for messages in known)

    def _begin_again(self) -> None:
        """Go on in a new session: the numbers of this one are of no more use.

        Requests that are open in it stay open: their answers, or complaints about them, may be on the way.
        """
        self._left_sessions.append(self.session_id)
        self.session_id = int.from_bytes(self._rng(8), "little", signed=True)
        self.ids.reset()
        self.sequence = SequenceNumbers()
        self.window = ReceivedWindow(self.side)
        self.acks = OwedAcks()

    def _new_session(self, message: Message) -> Iterator[ClientEvent]:
        created = decode_service(message.body)
        if not isinstance(created, service.NewSessionCreated):
            raise LocalProtocolError(f"not new_session_created: {created}")
        self.server_salt = created.server_salt
        lost = tuple(i for i in (*self._pending, *self._pings) if i < created.first_msg_id)
        yield SessionCreated(created.first_msg_id, created.unique_id)
        yield from self._send_again(lost, 20)

    def _pong(self, message: Message) -> Iterator[ClientEvent]:
        pong = decode_service(message.body)
        if isinstance(pong, service.Pong):
            self._pings.pop(pong.msg_id, None)
            yield PongReceived(pong.ping_id)

    def _detailed_info(self, message: Message) -> Iterator[ClientEvent]:
        """The server has an answer that it thinks we miss: ask for it, or acknowledge it again."""
        info = decode_service(message.body)
        if isinstance(info, service.MsgDetailedInfo | service.MsgNewDetailedInfo):
            if info.answer_msg_id in self.window:
                self.acks.add(info.answer_msg_id, self._clock())
            else:
                self.queue(Outgoing(bytes(service.MsgResendReq(msg_ids=[info.answer_msg_id]))))
        yield from ()

    def _ignored(self, message: Message) -> Iterator[ClientEvent]:
        """Nothing depends on it: that a message arrived is only known when its answer does."""
        decode_service(message.body)
        yield from ()

    def _refused(self, message: Message) -> Iterator[ClientEvent]:
        raise RemoteProtocolError(
            "a message that no server sends", check="C18", got=f"0x{constructor_id(message.body):08x}"
        )


Handler = Callable[[ClientSession, Message], Iterator[ClientEvent]]

HANDLERS: dict[int, Handler] = {
    cls.CONSTRUCTOR_ID: handler
    for cls, handler in (
        (service.MsgContainer, ClientSession._container),
        (service.GzipPacked, ClientSession._gzip),
        (service.RpcResult, ClientSession._rpc_result),
        (service.BadMsgNotification, ClientSession._bad_message),
        (service.BadServerSalt, ClientSession._bad_message),
        (service.NewSessionCreated, ClientSession._new_session),
        (service.Pong, ClientSession._pong),
        (service.MsgDetailedInfo, ClientSession._detailed_info),
        (service.MsgNewDetailedInfo, ClientSession._detailed_info),
        (service.MsgsAck, ClientSession._ignored),
        (service.FutureSalts, ClientSession._ignored),
        (service.MsgsStateInfo, ClientSession._ignored),
        (service.MsgsAllInfo, ClientSession._ignored),
        (service.MsgsStateReq, ClientSession._ignored),
        (service.MsgResendReq, ClientSession._ignored),
        (service.DestroySessionOk, ClientSession._ignored),
        (service.DestroySessionNone, ClientSession._ignored),
        (service.MsgCopy, ClientSession._refused),
    )
}
"""What becomes of each service message; anything else is the API's and goes to the caller."""
