"""What a client makes of each service message: one function each, those about messages in `client_notices`.

    rpc_result, gzip_packed, msg_container      what carries others
    pong … destroy_auth_key_fail                answers to service queries

An answer counts only where it names a query that is open (C16).

Specification: core.telegram.org/mtproto/service_messages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import tl
from mtproto import service
from mtproto.errors import RemoteProtocolError, RpcError
from mtproto.events import (
    AnswerReceived,
    AuthKeyDestroyed,
    MessageDropped,
    PongReceived,
    RequestFailed,
    SessionDestroyed,
)
from mtproto.message import Message, constructor_id, unpack_container, unpack_gzip, unpack_rpc_result
from mtproto.salts import Salt
from mtproto.session.base import decode_service
from mtproto.session.client_notices import (
    Events,
    bad_msg_notification,
    is_query,
    msg_detailed_info,
    msg_new_detailed_info,
    msg_resend_req,
    msgs_ack,
    msgs_all_info,
    msgs_state_info,
    msgs_state_req,
    new_session_created,
    read,
)
from mtproto.session.table import handlers

if TYPE_CHECKING:
    from mtproto.session.client import ClientSession
    from mtproto.session.requests import OpenRequest

__all__ = ["HANDLERS", "rpc_result"]

_WAIT_FAILED = "MSG_WAIT_FAILED"


# What carries others


def msg_container(session: ClientSession, message: Message) -> Events:
    """What is out of time is looked at last: what corrects our clock may come behind it, or end the session."""
    session_id = session.session_id
    for inner in session.in_order(unpack_container(message.body, message.msg_id)):
        if session.session_id == session_id:
            yield from session.receive_message(inner)
        else:
            yield from session.late(inner)


def gzip_packed(session: ClientSession, message: Message) -> Events:
    body = unpack_gzip(message.body, session.budget)
    yield from session.handle(Message(message.msg_id, message.seq_no, body))


def rpc_result(session: ClientSession, message: Message) -> Events:
    """The answer to a request, or to one of the few service queries that get theirs like this."""
    req_msg_id, result = unpack_rpc_result(message.body)
    request = session.requests.sent_as(req_msg_id)
    if request is None:
        yield from _other_result(session, message, req_msg_id, result)
        return
    try:
        if constructor_id(result) == service.GzipPacked.CONSTRUCTOR_ID:
            result = unpack_gzip(result, session.budget)
        if constructor_id(result) == service.RpcError.CONSTRUCTOR_ID:
            error = service.decode(result, as_type=service.RpcError)
            told = RpcError(error.error_code, error.error_message)
            yield from _rpc_error(session, request, req_msg_id, told)
            return
    except tl.DecodeError as error:
        unread = RemoteProtocolError(f"an rpc_error that can't be read: {error}", check="T1")
        yield from session.fail(request, unread)
    except RemoteProtocolError as error:
        yield from session.fail(request, error)
    else:
        session.forget(request.number)
        yield AnswerReceived(request.number, result)


def _rpc_error(session: ClientSession, request: OpenRequest, msg_id: int, error: RpcError) -> Events:
    if error.message == _WAIT_FAILED and msg_id != request.msg_id:
        return  # it was sent again since, or is about to be: that will be answered, too
    if error.message == _WAIT_FAILED and session.requests.refers_to_void(request):
        # What it was to follow has been sent again meanwhile; it was not executed, and may be.
        session.requests.was_refused(request)
        yield from session.requeue(request, error)
    else:
        # Told while it is still open: `ClientKeys` may have it done in another session.
        yield RequestFailed(request.number, error)
        session.forget(request.number)


def _other_result(session: ClientSession, message: Message, req_msg_id: int, result: bytes) -> Events:
    """The rpc_result of a service query: of rpc_drop_answer, on which nothing depends, and of destroy_auth_key."""
    query, number = session.queries.get(req_msg_id), constructor_id(result)
    if query is not None and is_query(query, service.DestroyAuthKey) and number in _OUTCOMES:
        yield from destroy_auth_key(session, Message(message.msg_id, message.seq_no, result))
        return
    if query is None or not (is_query(query, service.RpcDropAnswer) and number in _DROPPED):
        yield MessageDropped(message.msg_id, "C16", f"an answer to {req_msg_id}, which does not ask for it")
    session.queries.pop(req_msg_id, None)


def msg_copy(session: ClientSession, message: Message) -> Events:
    raise RemoteProtocolError("a message that no server sends", check="C18", got="msg_copy")
    yield  # type: ignore[unreachable]  # as the others: nothing happens before it is asked for


# Answers to service queries


def pong(session: ClientSession, message: Message) -> Events:
    told = read(message, service.Pong)
    query = session.queries.get(told.msg_id)
    asked = None if query is None or not isinstance(query.body, bytes) else service.decode(query.body)
    if not isinstance(asked, service.Ping | service.PingDelayDisconnect) or asked.ping_id != told.ping_id:
        yield MessageDropped(
            message.msg_id, "C16", f"a pong to {told.msg_id}, which is no open ping of this id"
        )
        return
    del session.queries[told.msg_id]
    yield PongReceived(told.ping_id)


def future_salts(session: ClientSession, message: Message) -> Events:
    told = read(message, service.FutureSalts)
    query = session.queries.get(told.req_msg_id)
    if query is None or not is_query(query, service.GetFutureSalts):
        yield MessageDropped(message.msg_id, "C16", f"salts that nobody has asked for in {told.req_msg_id}")
        return
    del session.queries[told.req_msg_id]
    session.salts.learn(Salt(s.valid_since, s.valid_until, s.salt) for s in told.salts)


def destroy_session(session: ClientSession, message: Message) -> Events:
    told = decode_service(message.body)
    if isinstance(told, service.DestroySessionOk | service.DestroySessionNone):
        if _close_queries(session, service.DestroySession, (told.session_id,)):
            yield SessionDestroyed(told.session_id, isinstance(told, service.DestroySessionOk))
        else:
            yield MessageDropped(message.msg_id, "C16", f"of session {told.session_id}, as nobody has asked")


def destroy_auth_key(session: ClientSession, message: Message) -> Events:
    if _close_queries(session, service.DestroyAuthKey, ()):
        yield AuthKeyDestroyed(_OUTCOMES[constructor_id(message.body)])
    else:
        yield MessageDropped(message.msg_id, "C16", "of the auth_key, as nobody has asked")


def _close_queries(session: ClientSession, cls: type[tl.TLObject], about: tuple[int, ...]) -> bool:
    """Whether there were such queries; they are answered now."""
    asked = [i for i, query in session.queries.items() if is_query(query, cls) and query.about == about]
    for msg_id in asked:
        del session.queries[msg_id]
    return bool(asked)


_OUTCOMES = {
    service.DestroyAuthKeyOk.CONSTRUCTOR_ID: "ok",
    service.DestroyAuthKeyNone.CONSTRUCTOR_ID: "none",
    service.DestroyAuthKeyFail.CONSTRUCTOR_ID: "fail",
}
_DROPPED = {
    cls.CONSTRUCTOR_ID
    for cls in (service.RpcAnswerUnknown, service.RpcAnswerDroppedRunning, service.RpcAnswerDropped)
}


def ignored(session: ClientSession, message: Message) -> Events:
    """Deliberately nothing: the table says why."""
    yield from ()


def refused(session: ClientSession, message: Message) -> Events:
    """Nothing that a server says in a session."""
    yield MessageDropped(
        message.msg_id, "T8", f"0x{constructor_id(message.body):08x}, which no server says in a session"
    )


Handler = Callable[["ClientSession", Message], Events]

HANDLERS: dict[int, Handler] = handlers(
    "client",
    (
        *(rpc_result, gzip_packed, msg_container, msg_copy),
        *(msgs_ack, bad_msg_notification, msgs_state_req, msgs_state_info, msgs_all_info),
        *(msg_detailed_info, msg_new_detailed_info, msg_resend_req, new_session_created),
        *(pong, future_salts, destroy_session, destroy_auth_key),
    ),
    ignored=ignored,
    refused=refused,
)
"""By constructor id; what is not here is the API's."""
