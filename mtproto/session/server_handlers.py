"""What a server makes of each service message: one function each.

Each gets the message as it came and what it says, which may have been gzip_packed.

Specification: core.telegram.org/mtproto/service_messages,
core.telegram.org/mtproto/service_messages_about_messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import tl
from mtproto import service
from mtproto.errors import RemoteProtocolError
from mtproto.events import ServerEvent
from mtproto.message import Message
from mtproto.salts import pack_future_salts
from mtproto.session.base import Outgoing, distinct
from mtproto.session.table import handlers

if TYPE_CHECKING:
    from mtproto.session.server import ServerSession

__all__ = ["HANDLERS"]

Events = Iterator["ServerEvent"]

_NOTHING_KNOWN, _RECEIVED, _PROCESSING, _ANSWERED = 1, 4, 32, 64


def msgs_ack(session: ServerSession, message: Message, notice: tl.TLObject) -> Events:
    if isinstance(notice, service.MsgsAck):
        for msg_id in distinct(notice.msg_ids, check="S6"):
            session.sent.acknowledge(msg_id)
            session.answers.acknowledge(msg_id)
    yield from ()


def ping(session: ServerSession, message: Message, query: tl.TLObject) -> Events:
    if isinstance(query, service.Ping | service.PingDelayDisconnect):
        # Not an rpc_result: a pong names the ping's own msg_id, inside a container too.
        session.reply(service.Pong(msg_id=message.msg_id, ping_id=query.ping_id))
    if isinstance(query, service.PingDelayDisconnect):
        session.wants_disconnect(max(0, query.disconnect_delay))
    yield from ()


def get_future_salts(session: ServerSession, message: Message, query: tl.TLObject) -> Events:
    if isinstance(query, service.GetFutureSalts):
        now = session.now()
        body = pack_future_salts(message.msg_id, int(now), session.salts.future(now, query.num))
        session.queue(Outgoing(body, answer=True))
    yield from ()


def destroy_session(session: ServerSession, message: Message, query: tl.TLObject) -> Events:
    if isinstance(query, service.DestroySession):
        session.wants_destroyed(query.session_id)
    yield from ()


def destroy_auth_key(session: ServerSession, message: Message, query: tl.TLObject) -> Events:
    session.wants_key_destroyed()
    yield from ()


def rpc_drop_answer(session: ServerSession, message: Message, query: tl.TLObject) -> Events:
    """The client does not want an answer any more: it is not sent, or not again; its request runs on."""
    if isinstance(query, service.RpcDropAnswer):
        request = query.req_msg_id
        answer: tl.TLObject = service.RpcAnswerUnknown()
        if request in session.open_requests:
            answer = service.RpcAnswerDroppedRunning()
            session.answer(request, bytes(answer))
        else:
            carrier = session.answers.carrier(request)
            sent = None if carrier is None else session.sent.find(carrier)
            size = session.answers.drop(request)
            session.answers.withdraw(request)
            if size is not None:
                answer = service.RpcAnswerDropped(
                    msg_id=carrier or 0, seq_no=0 if sent is None else sent.seq_no, bytes=size
                )
        session.accept(message.msg_id)
        session.answer(message.msg_id, bytes(answer))
    yield from ()


def msgs_state_req(session: ServerSession, message: Message, query: tl.TLObject) -> Events:
    if isinstance(query, service.MsgsStateReq):
        _tell_states(session, message, query.msg_ids)
    yield from ()


def _tell_states(session: ServerSession, message: Message, msg_ids: list[int]) -> None:
    distinct(msg_ids, check="S6")
    info = bytes(_states(session, msg_ids))
    session.reply(service.MsgsStateInfo(req_msg_id=message.msg_id, info=info))


def _states(session: ServerSession, msg_ids: list[int]) -> Iterator[int]:
    """A request that is open, or answered, was received, however many messages have come since.

    Of one whose answer was given up nothing is known any more: its client would wait for ever.
    """
    open_requests, answers = session.open_requests, session.answers
    for msg_id, state in zip(msg_ids, session.states_of(msg_ids, session.first_msg_id), strict=True):
        if msg_id in open_requests:
            yield _RECEIVED | _PROCESSING
        elif msg_id in answers:
            yield _RECEIVED | _PROCESSING | _ANSWERED
        elif answers.is_given_up(msg_id) and not session.is_answer_under_way(msg_id):
            yield _NOTHING_KNOWN
        else:
            yield state


def msg_resend_req(session: ServerSession, message: Message, query: tl.TLObject) -> Events:
    """Send our messages again, at once and as they were; an answer that is too old for that as a new message."""
    if isinstance(query, service.MsgResendReq):
        missed = []
        for msg_id in distinct(query.msg_ids, check="S6"):
            request = session.answers.request_of(msg_id)
            if session.resend([msg_id]):
                continue
            if request is not None and request in session.answers:
                session.give_answer(request)
            else:
                missed.append(msg_id)
        if missed:
            _tell_states(session, message, query.msg_ids)
    yield from ()


def msg_resend_ans_req(session: ServerSession, message: Message, query: tl.TLObject) -> Events:
    """Send the answers to these requests again; the states of all of them are told, too."""
    if isinstance(query, service.MsgResendAnsReq):
        for msg_id in distinct(query.msg_ids, check="S6"):
            if msg_id in session.answers:
                session.give_answer(msg_id)
        _tell_states(session, message, query.msg_ids)
    yield from ()


def http_wait(session: ServerSession, message: Message, query: tl.TLObject) -> Events:
    yield session.refuse(message, "HTTP_WAIT_INVALID", "T8", "http_wait, which is for HTTP, over TCP")


def ignored(session: ServerSession, message: Message, notice: tl.TLObject) -> Events:
    """Deliberately nothing: the table says why."""
    yield from ()


def refused(session: ServerSession, message: Message, notice: tl.TLObject) -> Events:
    yield session.refuse(
        message, "INPUT_METHOD_INVALID", "T8", f"{notice.TL_NAME}, which no client sends in a session"
    )


def _carried(session: ServerSession, message: Message, notice: tl.TLObject) -> Events:
    raise RemoteProtocolError("a message within another where it can't be", check="C18", got=notice.TL_NAME)
    yield  # type: ignore[unreachable]  # as the others: nothing happens before it is asked for


def msg_container(session: ServerSession, message: Message, notice: tl.TLObject) -> Events:
    """Never by way of the table: a session takes containers apart before it looks into it."""
    yield from _carried(session, message, notice)


def gzip_packed(session: ServerSession, message: Message, notice: tl.TLObject) -> Events:
    """Never by way of the table, as containers; one within another is refused when it is unpacked."""
    yield from _carried(session, message, notice)


Handler = Callable[["ServerSession", Message, tl.TLObject], Events]

HANDLERS: dict[int, Handler] = handlers(
    "server",
    (
        *(gzip_packed, msg_container, msgs_ack, msgs_state_req, msg_resend_req, msg_resend_ans_req),
        *(ping, get_future_salts, rpc_drop_answer, destroy_session, destroy_auth_key, http_wait),
    ),
    ignored=ignored,
    refused=refused,
)
"""By constructor id; what is not here is a request for the API's handlers."""
