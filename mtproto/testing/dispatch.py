"""What becomes of a request: read, unwrapped, put in order, handled, answered.

    RequestReceived → wrappers and request → (others that it waits for) → handler → answer → session

Each request is answered exactly once, with its result or an rpc_error, never with silence; no mistake of a
handler ends a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Protocol
from weakref import WeakKeyDictionary, WeakSet

import tl
from mtproto import api, service
from mtproto.connection import ServerState
from mtproto.errors import LocalProtocolError, RpcError
from mtproto.events import RequestReceived, SessionId
from mtproto.message import MAX_BODY, constructor_id, pack_gzip
from mtproto.session import ServerSession
from mtproto.testing.context import Memory, RequestContext
from mtproto.testing.handlers import (
    HANDLER_FAILED,
    UNBOUND,
    ContextHandler,
    Handlers,
    said,
    tl_name,
    with_context,
)
from mtproto.testing.unwrapping import unreadable, unwrap

__all__ = ["Asker", "Dispatcher", "RequestLog"]

logger = logging.getLogger("mtproto.testing")

_FAILED_BODY = bytes(service.RpcError(error_code=400, error_message=HANDLER_FAILED))


@dataclass(frozen=True, slots=True)
class RequestLog:
    """One request that was answered: who asked, the TL name (or the id of an unknown one), what was said."""

    peer: str
    method: str
    answer: str


class Asker(Protocol):
    """Whoever requests come from; `pending` counts those without an answer."""

    name: str
    pending: int

    def answered(self) -> None:
        """One of them has its answer now."""


@dataclass(slots=True)
class _Call:
    """A request on its way: who asked, and what it is called as far as that is known."""

    asker: Asker
    event: RequestReceived
    memory: Memory
    method: str


class Dispatcher:
    """Handlers, and what is remembered of the sessions whose requests they answer.

    `flush` is called with a session that has something to send, and the bytes of it; `on_request` for each
    request that was answered.  Answers of `gzip_from` bytes and more are packed where that makes them shorter.
    """

    def __init__(
        self,
        state: ServerState,
        *,
        flush: Callable[[SessionId, int], None],
        on_request: Callable[[RequestLog], None] | None = None,
        gzip_from: int | None = None,
    ) -> None:
        self.errors: list[BaseException] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._cancelled: WeakSet[asyncio.Task[None]] = WeakSet()
        self._state = state
        self._flush = flush
        self._on_request = on_request
        self._gzip_from = gzip_from
        self._handlers: dict[type, ContextHandler] = {}
        self._schemas: tuple[tl.runtime.Registry, ...] = (api.SCHEMA,)
        self._memories: WeakKeyDictionary[ServerSession, Memory] = WeakKeyDictionary()

    def use(self, handlers: Handlers) -> None:
        """These handlers answer from now on."""
        self._handlers = {cls: with_context(handler) for cls, handler in handlers.items()}
        self._schemas = tuple({cls.SCHEMA: None for cls in (api.help.GetConfig, *handlers)})

    async def finish(self, seconds: float) -> None:
        """Let the handlers at work end, for so many seconds at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._tasks:
                    await asyncio.wait(self._tasks)

    def cancel(self) -> tuple[asyncio.Task[None], ...]:
        """Cancel the handlers at work, whose requests get no answers; they still have to be waited for."""
        cancelled = tuple(self._tasks)
        self._cancelled.update(cancelled)
        for task in cancelled:
            task.cancel()
        return cancelled

    # Requests come

    def announce(self, asker: Asker, events: Iterable[object]) -> list[RequestReceived]:
        """Requests that have come together: any of them may wait for any other.  Then `handle` or `drop` each."""
        requests = [event for event in events if isinstance(event, RequestReceived)]
        for event in requests:
            asker.pending += 1
            self._memory(event.session).order.begin(event.msg_id)
        return requests

    def drop(self, asker: Asker, event: RequestReceived) -> None:
        """A request that came will not be handled: the server is closing."""
        self._end(_Call(asker, event, self._memory(event.session), ""), is_success=False)

    def handle(self, asker: Asker, event: RequestReceived) -> None:
        """Answer a request that was announced, now or when its handler is done."""
        call = _Call(asker, event, self._memory(event.session), tl_name(event.body))
        try:
            request, context = self._read(call)
        except RpcError as error:
            self._answer(call, error)
            return
        if isinstance(request, api.auth.BindTempAuthKey) and type(request) not in self._handlers:
            self._answer(call, self._bound(event, request))
            return
        if self._state.needs_binding(event.session.auth_key_id) and not isinstance(request, UNBOUND):
            self._answer(call, RpcError(401, "AUTH_KEY_PERM_EMPTY"))
            return
        handler = self._handlers.get(type(request))
        if handler is None:
            self._answer(call, RpcError(401, "AUTH_KEY_UNREGISTERED"))
            return
        match call.memory.order.verdict(event.msg_id, context.after):
            case True:
                self._call(call, request, context, handler)
            case False:
                self._answer(call, _WAIT_FAILED)
            case None:
                self._begin(self._wait(call, request, context, handler))

    def _memory(self, session_id: SessionId) -> Memory:
        session = self._state.sessions.get(session_id)
        if session is None:  # forgotten in the meantime
            return Memory()
        memory = self._memories.get(session)
        if memory is None:
            memory = self._memories[session] = Memory()
        return memory

    def _read(self, call: _Call) -> tuple[tl.TLObject, RequestContext]:
        """The request inside, and its context; raise RpcError, which is the answer, where it can't be read."""
        event = call.event
        wrappers, body, budget = unwrap(event.body, self._find)
        call.method = tl_name(body)
        context = call.memory.context(event.session, event.msg_id, call.asker.name, wrappers)
        cls = self._find(constructor_id(body))
        schema = api.SCHEMA if cls is None else cls.SCHEMA
        try:
            request: tl.TLObject = tl.decode(schema, body, limits=budget)
        except tl.DecodeError as error:
            raise unreadable(error) from None
        return request, context

    def _find(self, number: int) -> type[tl.TLObject] | None:
        """The class with this id, in the schema of the API or in that of whichever handler's class has it."""
        for schema in self._schemas:
            found: type[tl.TLObject] | None = schema.find(number)
            if found is not None:
                return found
        return None

    def _bound(self, event: RequestReceived, request: api.auth.BindTempAuthKey) -> bytes | RpcError:
        try:
            self._state.bind_temp_key(event.session, event.msg_id, request)
        except RpcError as error:
            return error
        return tl.encode_result(request, True)

    # Handlers are called

    def _begin(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wait(
        self, call: _Call, request: tl.TLObject, context: RequestContext, handler: ContextHandler
    ) -> None:
        if await call.memory.order.wait(call.event.msg_id, context.after):
            self._call(call, request, context, handler)
        else:
            self._answer(call, _WAIT_FAILED)

    def _call(
        self, call: _Call, request: tl.TLObject, context: RequestContext, handler: ContextHandler
    ) -> None:
        try:
            result = handler(request, context)
        except (Exception, asyncio.CancelledError) as error:
            # A handler's mistake must not end the connection.
            self._answer(call, self._failed(call, error))
            return
        if inspect.isawaitable(result):
            self._begin(self._await(call, request, result))
        else:
            self._answer(call, self._encoded(call, request, result))

    async def _await(self, call: _Call, request: tl.TLObject, result: Awaitable[object]) -> None:
        try:
            answer = self._encoded(call, request, await result)
        except (Exception, asyncio.CancelledError) as error:
            if asyncio.current_task() in self._cancelled:
                raise
            answer = self._failed(call, error)
        self._answer(call, answer)

    def _encoded(self, call: _Call, request: tl.TLObject, result: object) -> bytes | RpcError:
        try:
            return tl.encode_result(request, result)  # type: ignore[arg-type]
        except tl.EncodeError as error:
            error.add_note(f"This is the answer that the handler of {call.method} gave.")
            return self._failed(call, error)

    def _failed(self, call: _Call, error: BaseException) -> RpcError:
        """A handler's RpcError is the answer; anything else is its mistake, and said to be one."""
        if isinstance(error, RpcError):
            return error
        self._mistake(f"the handler of {call.method}", error)
        return RpcError(400, HANDLER_FAILED)  # not a 5xx: clients repeat these for ever

    # Answers

    def _answer(self, call: _Call, answer: bytes | RpcError) -> None:
        body = answer if isinstance(answer, bytes) else self._error_body(answer)
        if len(body) > MAX_BODY:
            mistake = ValueError(f"an answer of {len(body)} bytes, expected at most {MAX_BODY}")
            self._mistake(call.method, mistake)
            body = _FAILED_BODY
        event = call.event
        self._end(call, is_success=body is answer)
        try:
            self._state.answer(event.session, event.msg_id, self._packed(body))
        except LocalProtocolError:
            logger.info(
                "%s: %s: the session is gone, or does not want the answer any more",
                call.asker.name,
                call.method,
            )
            return
        if self._on_request is not None:
            try:
                self._on_request(RequestLog(call.asker.name, call.method, said(body)))
            except Exception as error:
                self._mistake("on_request", error)
        self._flush(event.session, len(body))

    def _packed(self, body: bytes) -> bytes:
        if self._gzip_from is None or len(body) < self._gzip_from:
            return body
        packed = pack_gzip(body)
        return packed if len(packed) < len(body) else body

    def _end(self, call: _Call, *, is_success: bool) -> None:
        call.memory.order.end(call.event.msg_id, is_success=is_success)
        call.asker.answered()

    def _error_body(self, error: RpcError) -> bytes:
        try:
            return bytes(service.RpcError(error_code=error.code, error_message=error.message))
        except tl.EncodeError as mistake:
            self._mistake("an RpcError", mistake)
            return _FAILED_BODY

    def _mistake(self, where: str, error: BaseException) -> None:
        self.errors.append(error)
        logger.error("%s failed", where, exc_info=error)


_WAIT_FAILED = RpcError(400, "MSG_WAIT_FAILED")
