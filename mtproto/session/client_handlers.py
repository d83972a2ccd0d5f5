"""What a client makes of each service message: one function each, in the order of the table.

    rpc_result, gzip_packed, msg_container      what carries others
    bad_msg_notification … msg_new_detailed_info   messages about messages
    pong … destroy_auth_key_fail                answers to service queries

Nothing that a server says may change anything but by a rule: a notice has to be about a message that we have sent
lately (C14, C15), an answer to a query that is open (C16).

Specification: core.telegram.org/mtproto/service_messages,
core.telegram.org/mtproto/service_messages_about_messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import tl
from mtproto import service
from mtproto.errors import FateUnknown, RemoteProtocolError, RpcError
from mtproto.events import (
    AnswerReceived,
    AuthKeyDestroyed,
    ClientEvent,
    MessageDropped,
    PongReceived,
    RequestFailed,
    SessionCreated,
    SessionDestroyed,
)
from mtproto.message import Message, constructor_id, unpack_container, unpack_gzip, unpack_rpc_result
from mtproto.salts import Salt
from mtproto.session.bad_message import BadCode, BadMessage
from mtproto.session.base import Outgoing, decode_service, distinct
from mtproto.session.table import handlers

if TYPE_CHECKING:
    from mtproto.session.client import ClientSession
    from mtproto.session.requests import OpenRequest

__all__ = ["HANDLERS", "rpc_result"]

Events = Iterator["ClientEvent"]
T = TypeVar("T", bound=tl.TLObject)

_CLOCK = (BadCode.MSG_ID_TOO_LOW, BadCode.MSG_ID_TOO_HIGH)
_SEQUENCE = (BadCode.SEQ_NO_TOO_LOW, BadCode.SEQ_NO_TOO_HIGH)
_WAIT_FAILED = "MSG_WAIT_FAILED"
_RECEIVED, _ANSWERED = 4, 64
_NOT_RECEIVED = (2, 3)


def _read(message: Message, as_type: type[T]) -> T:
    read = decode_service(message.body)
    if not isinstance(read, as_type):  # the table has called the wrong handler
        raise RemoteProtocolError(
            "another service message", check="T8", got=read.TL_NAME, expected=as_type.TL_NAME
        )
    return read


# What carries others


def msg_container(session: ClientSession, message: Message) -> Events:
    for inner in unpack_container(message.body, message.msg_id):
        yield from session.receive_message(inner)


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
            yield from _rpc_error(session, request, RpcError(error.error_code, error.error_message))
            return
    except tl.DecodeError as error:
        unread = RemoteProtocolError(f"an rpc_error that can't be read: {error}", check="T1")
        yield from session.fail(request, unread)
    except RemoteProtocolError as error:
        yield from session.fail(request, error)
    else:
        session.forget(request.number)
        yield AnswerReceived(request.number, result)


def _rpc_error(session: ClientSession, request: OpenRequest, error: RpcError) -> Events:
    if error.message == _WAIT_FAILED and session.requests.refers_to_void(request):
        # What it was to follow has been sent again meanwhile; it was not executed, and may be.
        session.requests.was_refused(request)
        yield from session.requeue(request, error)
    else:
        session.forget(request.number)
        yield RequestFailed(request.number, error)


def _other_result(session: ClientSession, message: Message, req_msg_id: int, result: bytes) -> Events:
    query = session.queries.pop(req_msg_id, None)
    handler = _BY_RESULT.get(constructor_id(result))
    if query is not None and handler is not None:
        yield from handler(session, Message(message.msg_id, message.seq_no, result))
    elif query is None:
        yield MessageDropped(message.msg_id, "C16", f"an answer to {req_msg_id}, which is not open")


# Messages about messages


def bad_msg_notification(session: ClientSession, message: Message) -> Events:
    notice = decode_service(message.body)
    if not isinstance(notice, service.BadMsgNotification | service.BadServerSalt):
        return
    msg_ids, code = session.sent.parts(notice.bad_msg_id), notice.error_code
    if notice.bad_msg_id not in session.sent and session.requests.sent_as(notice.bad_msg_id) is None:
        # Only a notice about what we have sent may change anything (C14): others are forged or stale.
        yield MessageDropped(message.msg_id, "C15", f"about {notice.bad_msg_id}, which we have not sent")
        return
    if any(_is_received(session, msg_id) for msg_id in msg_ids):
        # A copy of it was refused, which somebody has replayed: the message itself was taken.
        yield MessageDropped(message.msg_id, "C15", f"about {notice.bad_msg_id}, which was received")
        return
    if isinstance(notice, service.BadServerSalt):
        session.server_salt = notice.new_server_salt
    elif code in _CLOCK:
        session.correct_clock(message.msg_id)
        if code == BadCode.MSG_ID_TOO_HIGH:
            session.begin_again()
    elif code in _SEQUENCE:
        session.begin_again()
    elif code != BadCode.WRONG_SALT:
        yield from _refused(session, msg_ids, code)
        return
    yield from session.send_again(msg_ids, BadMessage(code))


def _is_received(session: ClientSession, msg_id: int) -> bool:
    request = session.requests.last_sent_as(msg_id)
    return request is not None and request.is_received


def _refused(session: ClientSession, msg_ids: tuple[int, ...], code: int) -> Events:
    """The server's last word on these messages: they are wrong, or nobody knows whether they were received."""
    for msg_id in msg_ids:
        session.queries.pop(msg_id, None)
        request = session.requests.last_sent_as(msg_id)
        if request is None:
            continue
        if code == BadCode.TOO_OLD:
            yield from session.doubt(
                request, "the server can't tell whether it has received the request (20)"
            )
        else:
            yield from session.fail(request, BadMessage(code))


def new_session_created(session: ClientSession, message: Message) -> Events:
    """The server knows nothing of what came before `first_msg_id`, not even whether it was executed."""
    created = _read(message, service.NewSessionCreated)
    session.server_salt = created.server_salt
    yield SessionCreated(created.first_msg_id, created.unique_id)
    for msg_id in [i for i in session.queries if i < created.first_msg_id]:
        yield from session.send_again((msg_id,), BadMessage(BadCode.TOO_OLD))
    for request in session.requests:
        msg_id = request.msg_id or created.first_msg_id
        if msg_id < created.first_msg_id and request.session_id == session.session_id:
            yield from session.doubt(request, "the server has begun a new session, and forgotten the old one")


def msgs_ack(session: ClientSession, message: Message) -> Events:
    """That a message has arrived; for its answer we go on waiting."""
    for msg_id in distinct(_read(message, service.MsgsAck).msg_ids, check="C19"):
        _was_received(session, msg_id)
    yield from ()


def _was_received(session: ClientSession, msg_id: int) -> None:
    session.sent.acknowledge(msg_id)
    request = session.requests.last_sent_as(msg_id)
    if request is not None and not request.is_received:
        request.is_received = True
        session.requests.ask_later(request, session.now())


def msgs_state_req(session: ClientSession, message: Message) -> Events:
    _tell_states(session, message, _read(message, service.MsgsStateReq).msg_ids)
    yield from ()


def msg_resend_req(session: ClientSession, message: Message) -> Events:
    """Send again what is kept, as it was; where something is not, tell the states of all."""
    asked = _read(message, service.MsgResendReq).msg_ids
    if not session.resend(distinct(asked, check="C19")):
        _tell_states(session, message, asked)
    yield from ()


def _tell_states(session: ClientSession, message: Message, asked: list[int]) -> None:
    distinct(asked, check="C19")
    info = bytes(
        session.state_of(msg_id, 0) for msg_id in asked
    )  # our sessions are new, and nothing was before
    session.queue(Outgoing(bytes(service.MsgsStateInfo(req_msg_id=message.msg_id, info=info))))


def msgs_state_info(session: ClientSession, message: Message) -> Events:
    """The answer to our question; a state for each message, in the order in which we asked."""
    told = _read(message, service.MsgsStateInfo)
    query = session.queries.get(told.req_msg_id)
    if query is None or not query.about or len(query.about) != len(told.info):
        reason = f"the states of messages, as nobody has asked in {told.req_msg_id}"
        yield MessageDropped(message.msg_id, "C16", reason)
        return
    del session.queries[told.req_msg_id]
    if not _asks(query, service.MsgResendReq):  # which is about the server's messages
        yield from _states(session, query.about, told.info, _asks(query, service.MsgsStateReq))


def msgs_all_info(session: ClientSession, message: Message) -> Events:
    """The states of our messages, unasked."""
    told = _read(message, service.MsgsAllInfo)
    distinct(told.msg_ids, check="C19")
    if len(told.msg_ids) != len(told.info):
        yield MessageDropped(
            message.msg_id, "C16", f"{len(told.info)} states of {len(told.msg_ids)} messages"
        )
        return
    yield from _states(session, told.msg_ids, told.info, True)


def _states(session: ClientSession, msg_ids: Sequence[int], info: bytes, asks_for_answers: bool) -> Events:
    answered = []
    for msg_id, state in zip(msg_ids, info, strict=True):
        request = session.requests.last_sent_as(msg_id)
        if request is None:
            continue
        if state & 7 in _NOT_RECEIVED:
            error = FateUnknown("the server has not received the request, however often it was sent")
            yield from session.repeat(request, error)
        elif state & 7 == _RECEIVED:
            _was_received(session, msg_id)
            if state & _ANSWERED:
                answered.append(msg_id)
        else:
            yield from session.doubt(request, "the server knows nothing of the request any more")
    if answered and asks_for_answers:
        session.ask(service.MsgResendAnsReq(msg_ids=answered), answered)


def msg_detailed_info(session: ClientSession, message: Message) -> Events:
    """The server has an answer that it thinks we miss: ask for it if we do, or acknowledge it."""
    info = _read(message, service.MsgDetailedInfo)
    if session.requests.sent_as(info.msg_id) is None:
        session.acks.add(info.answer_msg_id, session.now())
        yield MessageDropped(message.msg_id, "C16", f"of an answer to {info.msg_id}, which is not open")
        return
    _ask_for(session, info.answer_msg_id)


def msg_new_detailed_info(session: ClientSession, message: Message) -> Events:
    _ask_for(session, _read(message, service.MsgNewDetailedInfo).answer_msg_id)
    yield from ()


def _ask_for(session: ClientSession, msg_id: int) -> None:
    if msg_id in session.window:
        session.acks.add(msg_id, session.now())
    else:
        session.ask(service.MsgResendReq(msg_ids=[msg_id]), [msg_id])


def msg_copy(session: ClientSession, message: Message) -> Events:
    raise RemoteProtocolError("a message that no server sends", check="C18", got="msg_copy")
    yield  # type: ignore[unreachable]  # as the others: nothing happens before it is asked for


# Answers to service queries


def pong(session: ClientSession, message: Message) -> Events:
    told = _read(message, service.Pong)
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
    told = _read(message, service.FutureSalts)
    query = session.queries.get(told.req_msg_id)
    if query is None or not _asks(query, service.GetFutureSalts):
        yield MessageDropped(message.msg_id, "C16", f"salts that nobody has asked for in {told.req_msg_id}")
        return
    del session.queries[told.req_msg_id]
    session.salts.learn(Salt(s.valid_since, s.valid_until, s.salt) for s in told.salts)


def _asks(query: Outgoing, cls: type[tl.TLObject]) -> bool:
    return isinstance(query.body, bytes) and constructor_id(query.body) == cls.CONSTRUCTOR_ID


def destroy_session(session: ClientSession, message: Message) -> Events:
    told = decode_service(message.body)
    if isinstance(told, service.DestroySessionOk | service.DestroySessionNone):
        for msg_id, query in list(session.queries.items()):
            if _asks(query, service.DestroySession) and query.about == (told.session_id,):
                del session.queries[msg_id]
        yield SessionDestroyed(told.session_id, isinstance(told, service.DestroySessionOk))


def destroy_auth_key(session: ClientSession, message: Message) -> Events:
    for msg_id, query in list(session.queries.items()):
        if _asks(query, service.DestroyAuthKey):
            del session.queries[msg_id]
    yield AuthKeyDestroyed(_OUTCOMES[constructor_id(message.body)])


_OUTCOMES = {
    service.DestroyAuthKeyOk.CONSTRUCTOR_ID: "ok",
    service.DestroyAuthKeyNone.CONSTRUCTOR_ID: "none",
    service.DestroyAuthKeyFail.CONSTRUCTOR_ID: "fail",
}


def rpc_drop_answer(session: ClientSession, message: Message) -> Events:
    """Whether the answer that nobody waits for was dropped in time: nothing depends on it."""
    yield from ()


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

_BY_RESULT: dict[int, Handler] = {
    **{
        cls.CONSTRUCTOR_ID: rpc_drop_answer
        for cls in (service.RpcAnswerUnknown, service.RpcAnswerDroppedRunning, service.RpcAnswerDropped)
    },
    **dict.fromkeys(_OUTCOMES, destroy_auth_key),
}
"""What comes as the rpc_result of a service query."""
