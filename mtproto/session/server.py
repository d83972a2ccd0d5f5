"""The server's session: requests come out as events, answers go in; nothing is executed twice.

What a client sends is taken liberally where real clients need that (no complaint about seq_no), and by the book
where it decides what happens: msg_id, time, salt, duplicates (S3, S4, S6 to S8).  A strict session refuses
whatever the book refuses (S5).  The sending half is `server_sending`.

What becomes of each service message is in `server_handlers`; anything else is a request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import tl
from mtproto import service
from mtproto.crypto.auth_key import AuthKey
from mtproto.envelope import Envelope
from mtproto.errors import RemoteProtocolError
from mtproto.events import MessageDropped, RequestReceived, ServerEvent
from mtproto.message import Message, constructor_id, unpack_container, unpack_gzip
from mtproto.message_id import Verdict
from mtproto.salts import SaltTimetable
from mtproto.session.bad_message import BadCode
from mtproto.session.base import FLOOD, Outgoing, decode_service
from mtproto.session.server_handlers import HANDLERS
from mtproto.session.server_sending import ServerSending
from mtproto.session.strictness import SequenceWatch

__all__ = ["INPUT_FETCH_ERROR", "MAX_OPEN_REQUESTS", "REQUEST_LIMITS", "ServerSession"]

REQUEST_LIMITS = tl.Limits(gunzipped_bytes=1024 * 1024)
"""How much the gzip_packed of one payload may unpack to, together: requests are small."""
MAX_OPEN_REQUESTS = 100_000
"""The most requests of one session that may wait for their answers."""

INPUT_FETCH_ERROR = "INPUT_FETCH_ERROR"
"""What a client is told of a message that can't be read."""

_REMEMBERED_CONTAINERS = 1000
_LONG_ANSWER = 64 * 1024
_VERDICT_CODES = {
    Verdict.PARITY: BadCode.MSG_ID_PARITY,
    Verdict.TOO_OLD_TIME: BadCode.MSG_ID_TOO_LOW,
    Verdict.TOO_NEW_TIME: BadCode.MSG_ID_TOO_HIGH,
    Verdict.TOO_OLD_WINDOW: BadCode.TOO_OLD,
}
_CONTAINER = service.MsgContainer.CONSTRUCTOR_ID


class ServerSession(ServerSending):
    """One session on the server's side, begun by the first message of a client that carries its id.

    `limits` are for what comes in one payload: all of its gzip_packed, however many there are, share one
    budget.  With `strict`, seq_nos and repeated containers are judged by the book.
    """

    def __init__(
        self,
        auth_key: AuthKey,
        session_id: int,
        *,
        salts: SaltTimetable,
        clock: Callable[[], float],
        rng: Callable[[int], bytes],
        strict: bool = False,
        limits: tl.Limits = REQUEST_LIMITS,
        max_open_requests: int = MAX_OPEN_REQUESTS,
    ) -> None:
        super().__init__(auth_key, session_id, salts=salts, clock=clock, rng=rng)
        self.first_msg_id: int | None = None
        self.budget = limits.budget()
        self._limits = limits
        self._max_open_requests = max_open_requests
        self._sequence_watch = SequenceWatch() if strict else None
        self._containers: dict[int, int] = {}  # hashes of what was in them
        self._complaint: Outgoing | None = None

    # Receiving

    def takes(self, envelope: Envelope) -> bool:
        """Whether msg_id and salt are right, and new: only its client can have made the message just now."""
        is_new = self.window.check(envelope.msg_id, self._clock()) is Verdict.OK
        return is_new and self._is_salt_right(envelope)

    def _is_salt_right(self, envelope: Envelope) -> bool:
        return self.salts.accepts(envelope.salt, self._clock()) or _needs_no_salt(envelope.body)

    def receive(self, envelope: Envelope) -> Iterator[ServerEvent]:
        """The events of one message; what the client has to be told about it is queued."""
        message = Message(envelope.msg_id, envelope.seq_no, envelope.body)
        self.budget = self._limits.budget()
        self._complaint = None
        fault = self._fault(message)
        if fault is not None:
            yield fault
            return
        if not self._is_salt_right(envelope):
            self._refuse_salt(message)
            yield MessageDropped(message.msg_id, "S4", f"wrong server_salt {envelope.salt}")
            return
        if constructor_id(message.body) == _CONTAINER:
            yield from self._container(message)
        else:
            self._begin(message.msg_id)
            yield from self._message(message)

    def _complain(self, message: Message, code: BadCode) -> None:
        complaint = service.BadMsgNotification(
            bad_msg_id=message.msg_id, bad_msg_seqno=message.seq_no, error_code=code
        )
        self._say(complaint)

    def _refuse_salt(self, message: Message) -> None:
        complaint = service.BadServerSalt(
            bad_msg_id=message.msg_id,
            bad_msg_seqno=message.seq_no,
            error_code=BadCode.WRONG_SALT,
            new_server_salt=self.salt,
        )
        self._say(complaint)

    def _say(self, complaint: tl.TLObject) -> None:
        self._complaint = Outgoing(bytes(complaint), answer=True)
        self.queue(self._complaint)

    def flush_complaint(self) -> list[bytes]:
        """What is to be said of the message that came last, if it was not taken; all else goes on waiting.

        It is for who has sent it, and that need not be the client.
        """
        complaint = self._complaint
        if complaint is None or not self._queue or self._queue[-1] is not complaint:
            return []
        self._queue.pop()
        return [self._seal(self._numbered(complaint, self._clock()))]

    def _fault(self, message: Message) -> MessageDropped | None:
        """What is wrong with a message's numbers; the client is told, or answered once more."""
        verdict = self.window.check(message.msg_id, self._clock())
        if verdict is Verdict.DUPLICATE:
            return self._again(message)
        code = _VERDICT_CODES.get(verdict)
        check = "S3"
        if code is None and self._sequence_watch is not None:
            code, check = self._sequence_watch.fault(message), "S5"
        if code is None:
            return None
        self._complain(message, code)
        return MessageDropped(message.msg_id, check, f"bad_msg_notification {code:d}: {code.name}")

    def _again(self, message: Message) -> MessageDropped:
        """A message that came before: nothing is done twice (S7), but the client may not know what was done."""
        if constructor_id(message.body) == _CONTAINER:
            return self._container_again(message)
        if message.msg_id in self.answers:
            self._answer_again(message.msg_id)
        elif message.seq_no & 1:
            self.acks.add(message.msg_id, self._clock())
        return MessageDropped(message.msg_id, "S7", "received before")

    def _container_again(self, message: Message) -> MessageDropped:
        """The same container once more is a duplicate; another one under its msg_id is a mistake."""
        try:
            inner = unpack_container(message.body, message.msg_id)
        except RemoteProtocolError as error:
            self._complain(message, BadCode.BAD_CONTAINER)
            return MessageDropped(message.msg_id, "S6", str(error))
        is_same = self._containers.get(message.msg_id) == hash(tuple(part.msg_id for part in inner))
        if self._sequence_watch is not None or not is_same:
            self._complain(message, BadCode.CONTAINER_REPEATED)
            return MessageDropped(message.msg_id, "S3", "a container under a msg_id that was used before")
        for part in inner:
            if part.msg_id in self.window:
                self._again(part)
        return MessageDropped(message.msg_id, "S7", "received before")

    def _answer_again(self, request: int) -> None:
        """An answer for who may have it already: the answer, or word that there is one, if that is much shorter."""
        body, carrier = self.answers.body(request), self.answers.carrier(request)
        if len(body) < _LONG_ANSWER or carrier is None or self.sent.find(carrier) is None:
            self.give_answer(request)
            return
        self.reply(service.MsgDetailedInfo(msg_id=request, answer_msg_id=carrier, bytes=len(body), status=0))

    def _begin(self, first_msg_id: int) -> None:
        """Tell the client, once, that this session is new here (S8)."""
        if self.first_msg_id is None:
            self.first_msg_id = first_msg_id
            created = service.NewSessionCreated(
                first_msg_id=first_msg_id, unique_id=self.unique_id, server_salt=self.salt
            )
            self.queue(Outgoing(bytes(created)))

    def _container(self, message: Message) -> Iterator[ServerEvent]:
        try:
            inner = unpack_container(message.body, message.msg_id)
        except RemoteProtocolError as error:
            self._complain(message, BadCode.BAD_CONTAINER)
            yield MessageDropped(message.msg_id, "S6", str(error))
            return
        if inner:
            self._begin(min(part.msg_id for part in inner))
        for part in inner:
            fault = self._fault(part)
            if fault is not None:
                yield fault
            else:
                yield from self._message(part)
        self._record(message)
        self._containers[message.msg_id] = hash(tuple(part.msg_id for part in inner))
        while len(self._containers) > _REMEMBERED_CONTAINERS:
            del self._containers[next(iter(self._containers))]

    def _record(self, message: Message) -> None:
        self.window.record(message.msg_id)
        if self._sequence_watch is not None:
            self._sequence_watch.take(message)

    def _message(self, message: Message) -> Iterator[ServerEvent]:
        """A message whose numbers are right: it counts as received once there is room for it (C12)."""
        try:
            body = message.body
            if constructor_id(body) == service.GzipPacked.CONSTRUCTOR_ID:
                body = unpack_gzip(body, self.budget)
            handler = HANDLERS.get(constructor_id(body))
            if handler is None:
                self.accept(message.msg_id)
            self._was_received(message)
            if handler is None:
                yield RequestReceived(self.id, message.msg_id, body)
            else:
                yield from handler(self, message, decode_service(body))
        except RemoteProtocolError as error:
            if error.reply is not None:
                raise
            self._was_received(message)
            yield self.refuse(message, INPUT_FETCH_ERROR, error.check, str(error))

    def _was_received(self, message: Message) -> None:
        self._record(message)
        if message.seq_no & 1:
            self.acks.add(message.msg_id, self._clock())

    def accept(self, msg_id: int) -> None:
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

    def refuse(self, message: Message, error: str, check: str, reason: str) -> MessageDropped:
        """Answer `message` with the rpc_error 400 `error`: it is no request, or can't be read."""
        self.accept(message.msg_id)
        self.answer(message.msg_id, bytes(service.RpcError(error_code=400, error_message=error)))
        return MessageDropped(message.msg_id, check, reason)


def _needs_no_salt(body: bytes) -> bool:
    """A bare msgs_ack is never refused for its salt: clients acknowledge bad_server_salt itself."""
    return constructor_id(body) == service.MsgsAck.CONSTRUCTOR_ID
