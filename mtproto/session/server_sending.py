"""The sending half of a server's session: answers, notifications, and what is sent again until the client has it.

An answer is kept until the client acknowledges it, and given again when the client asks again; so is every other
message that has to be acknowledged (S7, S8).
"""

from __future__ import annotations

from collections.abc import Callable

import tl
from mtproto import service
from mtproto.crypto.auth_key import AuthKey
from mtproto.errors import LocalProtocolError
from mtproto.events import SessionId
from mtproto.message import MAX_BODY, Message, pack_rpc_result
from mtproto.salts import SaltTimetable
from mtproto.session.answers import Answers
from mtproto.session.base import Outgoing, Session
from mtproto.session.sent import MAX_KEPT
from mtproto.side import Side

__all__ = ["MAX_QUEUED", "RESEND_AFTER", "ServerSending"]

MAX_QUEUED = 10_000
"""The most messages that may wait in one session for a connection, when another one is to be added."""
RESEND_AFTER = 75.0
"""Seconds after which a message that was not acknowledged is sent again; clients may take 60 (C19)."""

_RPC_ERROR = service.RpcError.CONSTRUCTOR_ID.to_bytes(4, "little")  # behind rpc_result and a msg_id


class ServerSending(Session):
    """What a server's session sends, and what it has been asked; see `ServerSession`, which also receives."""

    def __init__(
        self,
        auth_key: AuthKey,
        session_id: int,
        *,
        salts: SaltTimetable,
        clock: Callable[[], float],
        rng: Callable[[int], bytes],
    ) -> None:
        super().__init__(auth_key, Side.SERVER, session_id, clock=clock, rng=rng)
        self.id = SessionId(auth_key.key_id, session_id)
        self.unique_id = int.from_bytes(rng(8), "little", signed=True)
        self.salts = salts
        self.answers = Answers()
        self._open: set[int] = set()
        self._renewed: set[int] = set()
        self._to_destroy: list[int] = []
        self._destroys_key = False
        self._disconnect_delay: int | None = None

    @property
    def salt(self) -> int:
        return self.salts.current(self._clock())

    @property
    def open_requests(self) -> frozenset[int]:
        """The msg_ids of the requests that wait for `answer`."""
        return frozenset(self._open)

    # What the connection has to see to

    def take_destroyed(self) -> list[int]:
        """The ids of the sessions that the client has asked to destroy since the last call; each is to be told."""
        destroyed, self._to_destroy = self._to_destroy, []
        return destroyed

    def takes_key_along(self) -> bool:
        """Whether the client has asked to destroy the auth_key since the last call."""
        destroys, self._destroys_key = self._destroys_key, False
        return destroys

    def take_disconnect_delay(self) -> int | None:
        """In how many seconds the connection is to be closed, if a ping has said so since the last call."""
        delay, self._disconnect_delay = self._disconnect_delay, None
        return delay

    def wants_destroyed(self, session_id: int) -> None:
        """The client is done with another session."""
        self._to_destroy.append(session_id)

    def wants_key_destroyed(self) -> None:
        """The client is done with its auth_key; it is told so before the key is gone."""
        self._destroys_key = True
        self.reply(service.DestroyAuthKeyOk())

    def wants_disconnect(self, delay: int) -> None:
        """The connection is to be closed in `delay` seconds, unless the client says so again."""
        self._disconnect_delay = delay

    def tell_destroyed(self, session_id: int, existed: bool) -> None:
        """Answer destroy_session."""
        cls = service.DestroySessionOk if existed else service.DestroySessionNone
        self.reply(cls(session_id=session_id))

    # Sending

    def answer(self, msg_id: int, result: bytes) -> None:
        """Queue the boxed answer to the request `msg_id`; LocalProtocolError unless it is open and fits."""
        if msg_id not in self._open:
            raise LocalProtocolError(f"request {msg_id} is not open: unknown, or answered already")
        _check_size(result)
        self._open.remove(msg_id)
        self.acks.discard(msg_id)  # the answer acknowledges the request
        self.answers.keep(msg_id, pack_rpc_result(msg_id, result))
        self.give_answer(msg_id)

    def give_answer(self, request: int, *, resends: int = 0) -> None:
        """Queue the answer to `request`, which is kept, unless it waits to be sent anyway."""
        if not self.answers.is_waiting(request):
            self.answers.wait(request)
            body = self.answers.body(request)
            self.queue(Outgoing(body, answer=True, request=request, resends=resends))

    def is_answer_under_way(self, request: int) -> bool:
        """Whether the answer to `request` waits to be sent, or will be sent again until it is acknowledged."""
        carrier = self.answers.carrier(request)
        return self.answers.is_waiting(request) or (
            carrier is not None and self.sent.find(carrier) is not None
        )

    def notify(self, body: bytes) -> None:
        """Queue a message that answers nothing, such as an update.

        LocalProtocolError if it is too long, and where `MAX_QUEUED` messages wait for the client (C23).
        """
        _check_size(body)
        if len(self._queue) >= MAX_QUEUED:
            raise LocalProtocolError(
                f"got another message while {len(self._queue)} wait to be sent, expected at most {MAX_QUEUED}"
            )
        self.queue(Outgoing(body))

    def reply(self, message: tl.TLObject) -> None:
        """Queue a service message that answers one of the client's."""
        self.queue(Outgoing(bytes(message), answer=True))

    def is_last(self, outgoing: Outgoing) -> bool:
        # GramJS loses all that stands behind an rpc_error in a container.
        return isinstance(outgoing.body, bytes) and outgoing.body[12:16] == _RPC_ERROR

    def is_wanted(self, outgoing: Outgoing) -> bool:
        return outgoing.request is None or self.answers.is_waiting(outgoing.request)

    def was_numbered(self, outgoing: Outgoing, message: Message) -> None:
        if outgoing.request is not None:
            self.answers.was_sent(outgoing.request, message.msg_id)
        if outgoing.resends:
            self._renewed.add(message.msg_id)
            if len(self._renewed) > MAX_KEPT:
                self._renewed = {msg_id for msg_id in self._renewed if self.sent.find(msg_id) is not None}

    def flush(self) -> list[bytes]:
        for message in self.sent.take_overdue(self._clock() - RESEND_AFTER):
            if not self.send_once_more(message):
                self._renew(message)
        return super().flush()

    def next_timer(self) -> float | None:
        oldest = self.sent.oldest()
        timers = (self.acks.deadline(), None if oldest is None else oldest + RESEND_AFTER)
        return min((timer for timer in timers if timer is not None), default=None)

    def moved(self) -> None:
        """Another connection carries the session: what was not acknowledged before is sent again (S8)."""
        self._renewed.clear()
        for message in self.sent.unacknowledged():
            if not self.send_once_more(message):
                self._renew(message)

    def _renew(self, message: Message) -> None:
        """Send what is too old to be taken as it was as a new message: once, then it is given up."""
        self.sent.acknowledge(message.msg_id)
        request = self.answers.request_of(message.msg_id)
        if message.msg_id in self._renewed:
            self._renewed.remove(message.msg_id)
        elif request is None:
            self.queue(Outgoing(message.body, resends=1))
        elif request in self.answers:
            self.give_answer(request, resends=1)


def _check_size(body: bytes) -> None:
    if len(body) % 4 or len(body) > MAX_BODY:
        raise LocalProtocolError(f"a body of {len(body)} bytes, expected a multiple of 4 up to {MAX_BODY}")
