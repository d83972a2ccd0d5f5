"""The client's session: what the server says, checked and sorted; its sending half is `client_sending`.

What becomes of each service message is in `client_handlers`; anything else is a message of the API's schema
and goes to the caller.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence

import tl
from mtproto import service
from mtproto.acks import OwedAcks
from mtproto.crypto.auth_key import AuthKey
from mtproto.errors import RemoteProtocolError
from mtproto.events import ClientEvent, MessageDropped, MessageReceived
from mtproto.message import Message, constructor_id, unpack_container
from mtproto.message_id import MAX_SERVER_TIME, ReceivedWindow, SequenceNumbers, Verdict, unix_time
from mtproto.salts import Salt
from mtproto.session.client_handlers import HANDLERS, rpc_result
from mtproto.session.client_notices import late_notice, msgs_ack
from mtproto.session.client_sending import ClientSending

__all__ = ["ANSWER_LIMITS", "MAX_DROPPED", "ClientSession"]

ANSWER_LIMITS = tl.Limits()
"""How much the gzip_packed of one payload may unpack to, together."""
MAX_DROPPED = 10
"""After so many ignored messages in a row something is wrong with the connection (C11), after twice as many with
the session."""

_UNTIMELY = (Verdict.TOO_OLD_TIME, Verdict.TOO_NEW_TIME)
_CORRECTIONS = (service.BadServerSalt.CONSTRUCTOR_ID, service.BadMsgNotification.CONSTRUCTOR_ID)


def _is_container(body: bytes) -> bool:
    return constructor_id(body) == service.MsgContainer.CONSTRUCTOR_ID


class ClientSession(ClientSending):
    """One session on the client's side; `send` gives a request its number, events bring the answer.

    `time_offset` is by how many seconds the server's clock is ahead, None where that is not known yet: the
    age of messages is checked only when it is.  `timetable` are the salts that the server has told before.
    `limits` are for what comes in one payload: all of its gzip_packed, however many there are, share one
    budget.  `numbers` gives requests their numbers, for sessions that follow each other in one connection.
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
        timetable: Sequence[Salt] = (),
        limits: tl.Limits = ANSWER_LIMITS,
        numbers: Iterator[int] | None = None,
    ) -> None:
        super().__init__(
            auth_key,
            session_id,
            server_salt=server_salt,
            time_offset=time_offset,
            clock=clock,
            rng=rng,
            timetable=timetable,
            numbers=numbers,
        )
        self.is_time_known = time_offset is not None
        self.budget = limits.budget()
        self._limits = limits
        self._dropped = 0
        self._left_sessions: deque[int] = deque(maxlen=10)

    # Receiving

    def receive(self, payload: bytes) -> Iterator[ClientEvent]:
        """The events of one encrypted payload; raise RemoteProtocolError where the connection has to end."""
        envelope = self.cipher.open(payload)
        self.budget = self._limits.budget()
        message = Message(envelope.msg_id, envelope.seq_no, envelope.body)
        if envelope.session_id in self._left_sessions:
            yield from self.late(message)
            return
        if envelope.session_id != self.session_id:
            raise RemoteProtocolError(
                "a message of another session", check="C8", got=envelope.session_id, expected=self.session_id
            )
        yield from self.receive_message(message)

    def late(self, message: Message) -> Iterator[ClientEvent]:
        """A message of a session that we have left: only what it says of open requests still counts."""
        if _is_container(message.body):
            for inner in unpack_container(message.body, message.msg_id):
                yield from self.late(inner)
        elif constructor_id(message.body) == service.RpcResult.CONSTRUCTOR_ID:
            yield from rpc_result(self, message)
        elif constructor_id(message.body) == service.MsgsAck.CONSTRUCTOR_ID:
            yield from msgs_ack(self, message)
        elif constructor_id(message.body) in _CORRECTIONS:
            yield from late_notice(self, message)
        else:
            yield MessageDropped(message.msg_id, "C8", "of a session that we have left")

    def in_order(self, messages: list[Message]) -> list[Message]:
        """The messages of a container; at its end what is ignored unless one of the others corrects us."""
        if all(constructor_id(message.body) not in _CORRECTIONS for message in messages):
            return messages
        return sorted(messages, key=lambda message: self._verdict(message) in _UNTIMELY)

    def _verdict(self, message: Message) -> Verdict:
        """What is to be thought of the msg_id; a container and what corrects us are never out of time.

        Of a container each message is judged by itself (C11).
        """
        verdict = self.window.check(message.msg_id, self.ids.now() if self.is_time_known else None)
        if verdict in _UNTIMELY and (
            constructor_id(message.body) in _CORRECTIONS or _is_container(message.body)
        ):
            return Verdict.OK
        return verdict

    def receive_message(self, message: Message) -> Iterator[ClientEvent]:
        """A message by itself, or one of a container."""
        verdict = self._verdict(message)
        if verdict is Verdict.PARITY:
            raise RemoteProtocolError(
                "an even msg_id from the server", check="C9", got=message.msg_id, expected="1 or 3 modulo 4"
            )
        if verdict is not Verdict.OK:
            yield self._drop(message, verdict)
            return
        if not _is_container(message.body):  # the messages in it are counted
            self._dropped = 0
        if not self.is_time_known and constructor_id(message.body) not in _CORRECTIONS:
            # A session_id is random and new, so that this message is no older than the session.
            self.correct_clock(message.msg_id)
        session_id = self.session_id
        yield from self.handle(message)
        if self.session_id == session_id:  # what made us leave a session says nothing of the next one
            self.window.record(message.msg_id)
            self.acknowledge(message)

    def handle(self, message: Message) -> Iterator[ClientEvent]:
        """What a message says, which has passed all checks of its numbers."""
        handler = HANDLERS.get(constructor_id(message.body))
        if handler is not None:
            yield from handler(self, message)
        else:
            yield MessageReceived(message.msg_id, message.body)

    def _drop(self, message: Message, verdict: Verdict) -> ClientEvent:
        if verdict is Verdict.DUPLICATE:
            self._acknowledge_again(message)
            return MessageDropped(message.msg_id, "C10", "received before")
        self._dropped += 1
        check = "C10" if verdict is Verdict.TOO_OLD_WINDOW else "C11"
        if self._dropped % MAX_DROPPED == 0:
            if verdict is Verdict.TOO_NEW_TIME:
                # What comes from the future nobody has recorded: the next connection goes by the server's time.
                self.correct_clock(message.msg_id)
            raise RemoteProtocolError(
                f"{MAX_DROPPED} messages in a row had to be ignored", check=check, got=verdict.value
            )
        return MessageDropped(message.msg_id, check, verdict.value)

    def _acknowledge_again(self, message: Message) -> None:
        """A copy: the acknowledgement of what came before may have been lost (C10)."""
        is_container = _is_container(message.body)
        for part in unpack_container(message.body, message.msg_id) if is_container else [message]:
            if part.msg_id in self.window:
                self.acknowledge(part)

    def reconnected(self) -> None:
        """The connection is another one; the session too, where two in a row have ended for what was ignored.

        What the server keeps for us in the old one we can't take; were our clock ahead, all of that would be too
        old, and stand before the server's word that it is.  In a new session nothing does.
        """
        if self._dropped < 2 * MAX_DROPPED:
            super().reconnected()
            return
        self._dropped = 0
        self.begin_again()
        super().reconnected()
        self.ask_for_salts()  # a server says nothing in a session that it does not know

    def acknowledge(self, message: Message) -> None:
        """Acknowledge `message` if it is content-related (C13)."""
        if message.seq_no & 1:
            self.acks.add(message.msg_id, self._clock())

    # Corrections

    def correct_clock(self, msg_id: int) -> None:
        """Take the time of the server's message `msg_id` for its time; RemoteProtocolError where that can't be."""
        if not 0 <= unix_time(msg_id) < MAX_SERVER_TIME:
            raise RemoteProtocolError(
                "a server's clock that can't be",
                check="C15",
                got=unix_time(msg_id),
                expected=f"unix time below {MAX_SERVER_TIME}",
            )
        self.ids.synchronise(unix_time(msg_id))
        self.is_time_known = True

    def begin_again(self) -> None:
        """Go on in a new session: the numbers of this one are of no more use.

        Requests that are open in it stay open: their answers, or complaints about them, may be on the way.
        But its messages are not sent once more as they were: in another session they would be others.
        """
        for message in self.sent.unacknowledged():
            self.sent.acknowledge(message.msg_id)
        self._left_sessions.append(self.session_id)
        self.forget_questions()
        self.session_id = int.from_bytes(self._rng(8), "little", signed=True)
        self.ids.reset()
        self.sequence = SequenceNumbers()
        self.window = ReceivedWindow(self.side)
        self.acks = OwedAcks()
