"""The client's side of a Pair: calls that wait for their answers, in one connection after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from mtproto.client.backoff import Backoff
from mtproto.connection import ClientConnection
from mtproto.errors import (
    AuthKeyLost,
    ConnectionClosed,
    MTProtoError,
    RequestLost,
    TempKeyLost,
    TransportCodeReceived,
)
from mtproto.events import (
    AnswerReceived,
    ClientEvent,
    KeyAgreed,
    MessageReceived,
    PongReceived,
    RequestFailed,
    SessionCreated,
    TransportErrorReceived,
)
from mtproto.session.base import FLOOD
from mtproto.testing.calls import Call
from mtproto.testing.ledger import Said
from mtproto.testing.timeline import Entry, Timeline

__all__ = ["Caller"]

_SENSIBLE = (AnswerReceived, KeyAgreed, MessageReceived, PongReceived, SessionCreated)


class Caller:
    """The `client` in use, all `calls`, and the `failures` for which connections have ended.

    `connect` makes a stream for `client`, or gives False where the server can't be reached; `pump` lets the
    connection send what it has to.
    """

    def __init__(
        self,
        client: ClientConnection,
        timeline: Timeline,
        random: Random,
        reconnect: Backoff | None,
        *,
        is_agreed: bool,
        uses_temp_keys: bool,
        connect: Callable[[], bool],
        pump: Callable[[], None],
    ) -> None:
        self.client = client
        self.calls: list[Call[Any]] = []
        self.failures: list[MTProtoError] = []
        self.is_given_up = False
        self.open: set[Call[Any]] = set()
        """The calls of which it is not known yet what becomes of them."""
        self._timeline = timeline
        self._random = random
        self._reconnect = reconnect
        self._is_agreed = is_agreed
        self._uses_temp_keys = uses_temp_keys
        self._connect = connect
        self._pump = pump
        self._attempts = 0
        self._attempt: Entry | None = None
        self._code: int | None = None
        self._unsent: list[Call[Any]] = []
        self._by_number: dict[int, Call[Any]] = {}
        self._by_msg_id: dict[int, Call[Any]] = {}

    # Calls

    def make(self, call: Call[Any]) -> None:
        """Send a request, now or when there is a connection."""
        self.calls.append(call)
        if self.is_given_up:
            self._end_for_good(call)
            return
        self.open.add(call)
        self._unsent.append(call)
        self.send_unsent()

    def cancel(self, call: Call[Any]) -> None:
        """Nobody waits for the answer any more."""
        if call.done:
            return
        call.is_cancelled = True
        self.open.discard(call)
        if call in self._unsent:
            self._unsent.remove(call)
        elif call.request_id is not None:
            self.client.drop_request(call.request_id)
            self._pump()

    def send_unsent(self) -> None:
        """Hand over to the connection, if there is one, what waits for it."""
        if not self.client.is_ready or not self._unsent:
            return
        unsent, self._unsent = self._unsent, []
        for call in unsent:
            after = [c.request_id for c in call.after if c.request_id is not None]
            call.request_id = self.client.send_request(call.body, after=after, **call.options)
            self._by_number[call.request_id] = call
        self._pump()

    def sealed(self, messages: Iterable[Said]) -> None:
        """These go out: from now on a msg_id says which call it is."""
        for said in messages:
            for session in self.client.sessions:
                request = session.requests.sent_as(said.msg_id)
                if request is not None and request.number in self._by_number:
                    self._by_msg_id[said.msg_id] = self._by_number[request.number]

    def call_of(self, msg_id: int) -> Call[Any] | None:
        """The call whose request went out under this msg_id."""
        return self._by_msg_id.get(msg_id)

    # What the client says

    def heard(self, events: Iterable[ClientEvent]) -> None:
        """The connection has given these events."""
        for event in events:
            match event:
                case AnswerReceived(number, answer):
                    self._end(number, answer)
                case RequestFailed(number, error):
                    self._end(number, error)
                case KeyAgreed():
                    self._is_agreed = True
                    self.send_unsent()
                case TransportErrorReceived(code):
                    self._code = code
                case _:
                    pass
            if isinstance(event, _SENSIBLE):
                self._attempts = 0

    def _end(self, number: int, outcome: bytes | MTProtoError) -> None:
        call = self._by_number.get(number)
        if call is not None:
            call.end(outcome)
            self.open.discard(call)

    # Connections end

    def close(self) -> None:
        """The client is closed for good: whoever waits is told, and it does not come back."""
        if self.is_given_up:
            return
        self.failures.append(ConnectionClosed("the client was closed"))
        if self._attempt is not None:
            self._attempt.cancel()
        self._give_up()
        self.client.close()

    def ended(self, reason: MTProtoError) -> None:
        """The connection is closed: another one follows, unless there is no sense in that."""
        if self.is_given_up:
            return
        self.failures.append(self._told_by_code() or reason)
        self._code = None
        self._come_back()

    def _told_by_code(self) -> MTProtoError | None:
        if self._code is None:
            return None
        if self._code != -404 or not self._is_agreed:
            return TransportCodeReceived(self._code)
        return TempKeyLost() if self._uses_temp_keys else AuthKeyLost()

    def _come_back(self) -> None:
        reason, backoff = self.failures[-1], self._reconnect
        is_last = backoff is None or (backoff.attempts is not None and self._attempts >= backoff.attempts)
        is_flood = isinstance(reason, TransportCodeReceived) and reason.code == FLOOD
        is_final = (
            isinstance(reason, TransportCodeReceived) and not isinstance(reason, TempKeyLost) and not is_flood
        )
        if backoff is None or is_last or is_final:
            self._give_up()
            return
        delay = backoff.delay(self._attempts, self._random.randbytes, flood=is_flood)
        self._attempts += 1
        self._attempt = self._timeline.after(delay, self._try)

    def _try(self) -> None:
        self._attempt = None
        before = self.client
        self.client = before.successor()
        if not self._connect():
            self.client = before
            self.failures.append(ConnectionClosed("the server can't be reached"))
            self._come_back()

    def _give_up(self) -> None:
        """Whoever waits is told why nothing is to come any more."""
        self.is_given_up = True
        for call in sorted(self.open, key=lambda call: call.number):
            self._end_for_good(call)
        self.open.clear()
        self._unsent.clear()

    def _end_for_good(self, call: Call[Any]) -> None:
        reason = self.failures[-1]
        if isinstance(reason, TransportCodeReceived):
            call.end(reason)
            return
        is_sent = call.request_id is not None and self.client.is_sent(call.request_id)
        call.end((RequestLost if is_sent else ConnectionClosed)(str(reason)))
