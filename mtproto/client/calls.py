"""The open requests of a client: each gets its outcome exactly once, whatever becomes of connections.

    entered (there is room) → handed over to the connection, which gives it a number → settled

While there is no connection that takes requests they wait here, in their order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Sequence
from typing import Any, Generic, TypeVar

from mtproto.client.introduction import Introduction
from mtproto.client.room import Room
from mtproto.connection import ClientConnection
from mtproto.errors import (
    AuthKeyLost,
    ConnectionClosed,
    LocalProtocolError,
    MTProtoError,
    RequestLost,
    RequestTimeout,
)

__all__ = ["Call", "Calls"]

R = TypeVar("R")


class Call(Generic[R]):
    """A request that is under way: await it for its answer, give it as `after` to others.

    It raises what `Client.invoke` raises.  If whoever awaits it is cancelled, so is the request: nobody waits
    for it any more.  Awaited again, it gives the same again.
    """

    def __init__(
        self,
        calls: Calls,
        body: bytes,
        decode: Callable[[bytes], R],
        after: Sequence[Call[Any]] = (),
        *,
        at_least_once: bool = False,
        gzip: bool = False,
        introduces: bool = False,
    ) -> None:
        self.number: int | None = None
        """The number by which the connection's events refer to it; None until it has one."""
        self.body = body
        self.after = tuple(after)
        self.at_least_once = at_least_once
        self.gzip = gzip
        self.introduces = introduces
        self.epoch: int | None = None
        self.outcome: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._calls = calls
        self._decode = decode
        self._was_sent = False

    @property
    def is_sent(self) -> bool:
        """Whether it has gone out to the server, which may have executed it then."""
        if not self._was_sent:
            self._was_sent = self._calls.is_sent(self)
        return self._was_sent

    def done(self) -> bool:
        """Whether it has its outcome: an answer, an error, or that it was cancelled."""
        return self.outcome.done()

    def cancelled(self) -> bool:
        """Whether it was cancelled before it had another outcome."""
        return self.outcome.cancelled()

    def too_late(self, timeout: float | None) -> RequestTimeout:
        """The error of one that had no outcome within so many seconds."""
        if self.is_sent:
            said = "no answer within {} s; it is not known whether the server executed the request"
        else:
            said = "no answer within {} s; the request was not sent"
        return RequestTimeout(said.format(timeout), was_sent=self.is_sent)

    def cancel(self) -> None:
        """Wait no longer: what has not been sent won't be, what has been is dropped by rpc_drop_answer."""
        self._was_sent = self.is_sent
        self._calls.drop(self)
        self.outcome.cancel()

    def belongs_to(self, calls: Calls) -> bool:
        """Whether it is a request of the client with these `calls`."""
        return self._calls is calls

    def __await__(self) -> Generator[Any, None, R]:
        try:
            body = yield from self.outcome.__await__()
        except asyncio.CancelledError:
            self.cancel()
            raise
        return self._decode(body)

    def __repr__(self) -> str:
        state = "done" if self.done() else "open"
        return f"Call(number={self.number}, {state}, {len(self.body)} bytes)"


class Calls:
    """The calls that have no outcome yet; `wake` is called when there may be something to send."""

    def __init__(self, room: Room, introduction: Introduction, wake: Callable[[], None]) -> None:
        self._room = room
        self._introduction = introduction
        self._wake = wake
        self._connection: ClientConnection | None = None
        self._failure: Exception | None = None
        self._queued: dict[Call[Any], None] = {}
        self._numbered: dict[int, Call[Any]] = {}

    def __len__(self) -> int:
        return len(self._queued) + len(self._numbered)

    async def enter(self, call: Call[Any]) -> None:
        """Wait until there is room, then hand `call` over as soon as a connection takes it.

        Raise LocalProtocolError for what is no request, and what the room was closed with.
        """
        await self._room.enter(len(call.body))
        if self._failure is not None:  # which came after our turn had come, and before we heard of it
            self._room.leave(len(call.body))
            raise self._failure.with_traceback(None)
        self._queued[call] = None
        self.hand_over()
        refusal = call.outcome.exception() if call.outcome.done() else None
        if refusal is not None:
            raise refusal

    def use(self, connection: ClientConnection) -> None:
        """From now on calls go to `connection`; those that have a number already keep it there."""
        self._connection = connection
        self.hand_over()

    def hand_over(self) -> None:
        """Give what waits to the connection, if it takes requests now."""
        connection = self._connection
        while self._queued and connection is not None and connection.is_ready:
            call = next(iter(self._queued))
            try:
                self._send(call, connection)
            except LocalProtocolError as error:
                self._finish(call, error)
                continue
            del self._queued[call]
            self._wake()

    def _send(self, call: Call[Any], connection: ClientConnection) -> None:
        body = call.body
        if call.introduces and self._introduction.is_due:
            call.epoch = self._introduction.epoch
            body = self._introduction.wrapped(body)
        after = [other.number for other in call.after if other.number is not None]
        call.number = connection.send_request(
            body, after=after, at_least_once=call.at_least_once, gzip=call.gzip
        )
        self._numbered[call.number] = call

    def is_sent(self, call: Call[Any]) -> bool:
        """Whether `call`, which is open, has gone out."""
        number = call.number
        if number is None or self._connection is None or number not in self._numbered:
            return False
        return self._connection.is_sent(number)

    # Outcomes

    def settle(self, number: int, outcome: bytes | Exception) -> None:
        """The outcome of the request with this number; nothing happens where nobody waits for it."""
        call = self._numbered.get(number)
        if call is not None:
            if call.epoch is not None:
                self._introduction.note(call.epoch, outcome)
            self._finish(call, outcome)

    def drop(self, call: Call[Any]) -> None:
        """Nobody waits for `call` any more."""
        if self._remove(call) and call.number is not None and self._connection is not None:
            self._connection.drop_request(call.number)
            self._wake()

    def fail(self, error: Exception) -> None:
        """There will be no connection any more: every call that is open has `error`, or what it means for it."""
        self._failure = _verdict(error, is_sent=False)
        self._room.close(self._failure)
        for call in (*self._numbered.values(), *self._queued):
            self._finish(call, _verdict(error, is_sent=call.is_sent))
            if not call.outcome.cancelled():
                call.outcome.exception()  # retrieved: not everyone who could wait does

    def _finish(self, call: Call[Any], outcome: bytes | Exception) -> None:
        if not self._remove(call) or call.outcome.done():
            return
        if isinstance(outcome, Exception):
            call.outcome.set_exception(outcome)
        else:
            call.outcome.set_result(outcome)

    def _remove(self, call: Call[Any]) -> bool:
        """Forget `call` and make room; False where it had been forgotten before."""
        if call in self._queued:
            del self._queued[call]
        elif call.number is None or self._numbered.pop(call.number, None) is None:
            return False
        self._room.leave(len(call.body))
        return True


def _verdict(error: Exception, *, is_sent: bool) -> Exception:
    """What the end of all connections means for a request; whether a lost key matters, nobody can say."""
    if not isinstance(error, MTProtoError) or isinstance(error, AuthKeyLost):
        return error
    verdict: MTProtoError
    if is_sent:
        verdict = RequestLost(f"{error}; it is not known whether the request was executed")
    elif isinstance(error, ConnectionClosed):
        verdict = ConnectionClosed(f"{error}; the request was not sent")
    else:
        return error
    verdict.__cause__ = error
    return verdict
