"""Requests answered without a loop: read, unwrapped, put in order, handled; the answer comes when it is time.

It does for a `Pair` what `dispatch` does for the loopback server, with functions that are not async: who wants
to take time returns `Later`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import tl
from mtproto import api, service
from mtproto.connection import ServerState
from mtproto.errors import LocalProtocolError, RpcError
from mtproto.events import RequestReceived, SessionId
from mtproto.message import MAX_BODY, constructor_id
from mtproto.session import ServerSession
from mtproto.testing.arguments import check_number
from mtproto.testing.context import Memory, RequestContext
from mtproto.testing.handlers import UNBOUND, Handlers, checked, tl_name, with_context
from mtproto.testing.order import MAX_OUTCOMES
from mtproto.testing.timeline import Timeline
from mtproto.testing.unwrapping import unreadable, unwrap

__all__ = ["Answering", "Later"]

_Answer = bytes | RpcError


@dataclass(frozen=True, slots=True)
class Later:
    """What a handler returns whose `answer` (a value, or an RpcError) takes so many seconds of virtual time."""

    seconds: float
    answer: object

    def __post_init__(self) -> None:
        check_number("Later", self.seconds, "seconds", least=0)


@dataclass(frozen=True, slots=True)
class _Work:
    """A request that was read, and the msg_ids of those it has to wait for."""

    event: RequestReceived
    request: tl.TLObject
    context: RequestContext
    handler: Callable[[Any, RequestContext], Any]


class Answering:
    """Handlers, and the requests that they are at work on.

    `executed` is told of each request that a handler gets, `answered` when an answer has come that was `Later`.
    What a handler raises that is no RpcError is the caller's mistake, and raised where the Pair runs.
    """

    def __init__(
        self,
        handlers: Handlers,
        state: ServerState,
        timeline: Timeline,
        *,
        executed: Callable[[RequestReceived], None],
        answered: Callable[[], None],
    ) -> None:
        self._handlers = {cls: with_context(handler) for cls, handler in checked(handlers).items()}
        for cls, handler in handlers.items():
            if inspect.iscoroutinefunction(handler):
                raise LocalProtocolError(
                    f"the handler of {cls.TL_NAME} is async, and a Pair has no loop: return Later(seconds, answer)"
                )
        self._schemas = tuple({cls.SCHEMA: None for cls in (api.help.GetConfig, *handlers)})
        self._state = state
        self._timeline = timeline
        self._executed = executed
        self._answered = answered
        self.at_work = 0
        self._is_going_on = False
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._life = object()
        self._memories: WeakKeyDictionary[ServerSession, Memory] = WeakKeyDictionary()
        self._outcomes: dict[tuple[SessionId, int], bool] = {}
        self._waiting: list[_Work] = []

    def restart(self, state: ServerState) -> None:
        """The server has crashed: nobody is at work on anything any more, and nothing is remembered."""
        self._state = state
        self.at_work = 0
        self._begin_anew()

    def receive(self, event: RequestReceived) -> None:
        """Answer a request, now or later."""
        self.at_work += 1
        try:
            request, context = self._read(event)
        except RpcError as error:
            self._answer(event, error)
            return
        handler = self._handlers.get(type(request))
        if isinstance(request, api.auth.BindTempAuthKey) and handler is None:
            self._answer(event, self._bound(event, request))
        elif self._state.needs_binding(event.session.auth_key_id) and not isinstance(request, UNBOUND):
            self._answer(event, RpcError(401, "AUTH_KEY_PERM_EMPTY"))
        elif handler is None:
            self._answer(event, RpcError(401, "AUTH_KEY_UNREGISTERED"))
        else:
            self._waiting.append(_Work(event, request, context, handler))
            self._go_on()

    def _read(self, event: RequestReceived) -> tuple[tl.TLObject, RequestContext]:
        wrappers, body, budget = unwrap(event.body, self._find)
        session = self._state.sessions.get(event.session)
        memory = Memory() if session is None else self._memories.setdefault(session, Memory())
        context = memory.context(event.session, event.msg_id, "memory", wrappers)
        cls = self._find(constructor_id(body))
        try:
            request: tl.TLObject = tl.decode(api.SCHEMA if cls is None else cls.SCHEMA, body, limits=budget)
        except tl.DecodeError as error:
            raise unreadable(error) from None
        return request, context

    def _find(self, number: int) -> type[tl.TLObject] | None:
        found = (schema.find(number) for schema in self._schemas)
        return next((cls for cls in found if cls is not None), None)

    def _bound(self, event: RequestReceived, request: api.auth.BindTempAuthKey) -> _Answer:
        try:
            self._state.bind_temp_key(event.session, event.msg_id, request)
        except RpcError as error:
            return error
        return tl.encode_result(request, True)

    # Order (invokeAfterMsg)

    def _go_on(self) -> None:
        """Call the handlers of the requests that need not wait, or not any more."""
        if self._is_going_on:  # an answer has come meanwhile: the loop below looks again
            return
        self._is_going_on = True
        try:
            while (ready := self._ready()) is not None:
                work, may_run = ready
                self._waiting.remove(work)
                if may_run:
                    self._call(work)
                else:
                    self._answer(work.event, RpcError(400, "MSG_WAIT_FAILED"))
        finally:
            self._is_going_on = False

    def _ready(self) -> tuple[_Work, bool] | None:
        for work in self._waiting:
            outcome = self._verdict(work.event, work.context.after)
            if outcome is not None:
                return work, outcome
        return None

    def _verdict(self, event: RequestReceived, after: Sequence[int]) -> bool | None:
        session = self._state.sessions.get(event.session)
        is_open = frozenset() if session is None else session.open_requests
        outcomes = set()
        for msg_id in after:
            running = msg_id in is_open and msg_id < event.msg_id
            outcomes.add(None if running else self._outcomes.get((event.session, msg_id), False))
        return False if False in outcomes else None if None in outcomes else True

    # Handlers, and their answers

    def _call(self, work: _Work) -> None:
        self._executed(work.event)
        life = self._life
        try:
            result = work.handler(work.request, work.context)
        except RpcError as error:
            result = error
        if not isinstance(result, Later):
            self._answer(work.event, self._encoded(work.request, result))
            return
        answer = self._encoded(work.request, result.answer)

        def later() -> None:
            if self._life is life:
                self._answer(work.event, answer)
                self._answered()

        self._timeline.after(result.seconds, later)

    @staticmethod
    def _encoded(request: tl.TLObject, result: object) -> _Answer:
        if isinstance(result, RpcError):
            return result
        if inspect.isawaitable(result):
            if inspect.iscoroutine(result):
                result.close()  # or Python would complain, too
            raise LocalProtocolError(
                f"the handler of {request.TL_NAME} gave {result!r:.60}, and a Pair has no loop to await it in"
            )
        try:
            return tl.encode_result(request, result)  # type: ignore[arg-type]
        except tl.EncodeError as error:
            raise LocalProtocolError(
                f"the handler of {request.TL_NAME} gave what is no answer: {error}"
            ) from error

    def _answer(self, event: RequestReceived, answer: _Answer) -> None:
        self.at_work -= 1
        is_error = isinstance(answer, RpcError)
        body = (
            bytes(service.RpcError(error_code=answer.code, error_message=answer.message))
            if isinstance(answer, RpcError)
            else answer
        )
        if len(body) > MAX_BODY:
            raise LocalProtocolError(
                f"an answer of {len(body)} bytes to {tl_name(event.body)}, expected at most {MAX_BODY}"
            )
        self._outcomes[event.session, event.msg_id] = not is_error
        while len(self._outcomes) > MAX_OUTCOMES:
            del self._outcomes[next(iter(self._outcomes))]
        session = self._state.sessions.get(event.session)
        if session is not None and event.msg_id in session.open_requests:  # else nobody wants it any more
            self._state.answer(event.session, event.msg_id, body)
        self._go_on()
