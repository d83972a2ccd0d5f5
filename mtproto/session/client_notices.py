"""What a client makes of messages about messages: not taken, not received, forgotten, waiting to be fetched.

A notice may change something only where it is about a message that we have sent lately (C14, C15).

Specification: core.telegram.org/mtproto/service_messages_about_messages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import tl
from mtproto import service
from mtproto.errors import FateUnknown, RemoteProtocolError
from mtproto.events import ClientEvent, MessageDropped, SessionCreated
from mtproto.message import Message, constructor_id
from mtproto.session.bad_message import BadCode, BadMessage
from mtproto.session.base import Outgoing, decode_service, distinct

if TYPE_CHECKING:
    from mtproto.session.client import ClientSession

__all__ = [
    "Events",
    "bad_msg_notification",
    "is_query",
    "late_notice",
    "msg_detailed_info",
    "msg_new_detailed_info",
    "msg_resend_req",
    "msgs_ack",
    "msgs_all_info",
    "msgs_state_info",
    "msgs_state_req",
    "new_session_created",
    "read",
]

Events = Iterator["ClientEvent"]
T = TypeVar("T", bound=tl.TLObject)
Notice: TypeAlias = service.BadMsgNotification | service.BadServerSalt

_CLOCK = (BadCode.MSG_ID_TOO_LOW, BadCode.MSG_ID_TOO_HIGH)
_SEQUENCE = (BadCode.SEQ_NO_TOO_LOW, BadCode.SEQ_NO_TOO_HIGH)
_MENDED = (*_CLOCK, *_SEQUENCE, BadCode.WRONG_SALT)
_RECEIVED, _ANSWERED = 4, 64
_NOT_RECEIVED = (2, 3)
_STATES_ARE_TOLD = (service.MsgsStateReq, service.MsgResendReq, service.MsgResendAnsReq)


def read(message: Message, as_type: type[T]) -> T:
    """The service message, which is of this class, or RemoteProtocolError."""
    found = decode_service(message.body)
    if not isinstance(found, as_type):  # the table has called the wrong handler
        raise RemoteProtocolError(
            "another service message", check="T8", got=found.TL_NAME, expected=as_type.TL_NAME
        )
    return found


def is_query(query: Outgoing, *classes: type[tl.TLObject]) -> bool:
    """Whether this is what we have asked, or one of these."""
    return isinstance(query.body, bytes) and constructor_id(query.body) in {
        cls.CONSTRUCTOR_ID for cls in classes
    }


def bad_msg_notification(session: ClientSession, message: Message) -> Events:
    """What we have sent was not taken: mend what was wrong with it, and send it again; or it fails."""
    notice = decode_service(message.body)
    if isinstance(notice, Notice):
        msg_ids = session.sent.parts(notice.bad_msg_id)
        if notice.bad_msg_id not in session.sent and session.requests.sent_as(notice.bad_msg_id) is None:
            # Only a notice about what we have sent may change anything (C14): others are forged or stale.
            yield MessageDropped(message.msg_id, "C15", f"about {notice.bad_msg_id}, which we have not sent")
        elif any(_is_received(session, msg_id) for msg_id in msg_ids):
            # A copy of it was refused, which somebody has replayed: the message itself was taken.
            yield MessageDropped(message.msg_id, "C15", f"about {notice.bad_msg_id}, which was received")
        else:
            _correct(session, message, notice)
            yield from _not_taken(session, msg_ids, notice)


def late_notice(session: ClientSession, message: Message) -> Events:
    """The same of a session that we have left: its requests may be open, its numbers are of no more use."""
    notice = decode_service(message.body)
    if isinstance(notice, Notice):
        msg_ids = session.sent.parts(notice.bad_msg_id)
        if any(_is_received(session, msg_id) for msg_id in msg_ids):
            yield MessageDropped(message.msg_id, "C15", f"about {notice.bad_msg_id}, which was received")
        else:
            yield from _not_taken(session, msg_ids, notice)


def _not_taken(session: ClientSession, msg_ids: tuple[int, ...], notice: Notice) -> Events:
    code = notice.error_code
    if isinstance(notice, service.BadServerSalt) or code in _MENDED:
        yield from session.send_again(msg_ids, BadMessage(code))
    elif code == BadCode.CONTAINER_REPEATED and msg_ids != (notice.bad_msg_id,):
        _ask_about(session, msg_ids)
    else:
        yield from _refused(session, msg_ids, code)


def _ask_about(session: ClientSession, msg_ids: tuple[int, ...]) -> None:
    """A container of ours has come twice: what became of the requests in it the server knows."""
    for msg_id in msg_ids:
        request = session.requests.last_sent_as(msg_id)
        if request is not None:
            session.requests.ask_at(request, session.now())


def _correct(session: ClientSession, message: Message, notice: Notice) -> None:
    """Mend what the notice names, if it can be."""
    code = notice.error_code
    if isinstance(notice, service.BadServerSalt):
        session.server_salt = notice.new_server_salt
    elif code in _CLOCK:
        session.correct_clock(message.msg_id)
        if code == BadCode.MSG_ID_TOO_HIGH:
            session.begin_again()
    elif code in _SEQUENCE:
        session.begin_again()


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
    created = read(message, service.NewSessionCreated)
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
    for msg_id in distinct(read(message, service.MsgsAck).msg_ids, check="C19"):
        _was_received(session, msg_id)
    yield from ()


def _was_received(session: ClientSession, msg_id: int) -> None:
    session.sent.acknowledge(msg_id)
    request = session.requests.last_sent_as(msg_id)
    if request is not None and not request.is_received:
        request.is_received = True
        session.requests.ask_later(request, session.now())


def msgs_state_req(session: ClientSession, message: Message) -> Events:
    """Which of its messages we have received."""
    _tell_states(session, message, read(message, service.MsgsStateReq).msg_ids)
    yield from ()


def msg_resend_req(session: ClientSession, message: Message) -> Events:
    """Send again what is kept, as it was; where something is not, tell the states of all."""
    asked = read(message, service.MsgResendReq).msg_ids
    if not session.resend(distinct(asked, check="C19")):
        _tell_states(session, message, asked)
    yield from ()


def _tell_states(session: ClientSession, message: Message, asked: list[int]) -> None:
    distinct(asked, check="C19")
    info = bytes(session.states_of(asked, 0))  # our sessions are new, and nothing was before
    session.queue(Outgoing(bytes(service.MsgsStateInfo(req_msg_id=message.msg_id, info=info))))


def msgs_state_info(session: ClientSession, message: Message) -> Events:
    """The answer to our question; a state for each message, in the order in which we asked."""
    told = read(message, service.MsgsStateInfo)
    query = session.queries.get(told.req_msg_id)
    if query is None or not is_query(query, *_STATES_ARE_TOLD) or len(query.about) != len(told.info):
        reason = f"the states of messages, as nobody has asked in {told.req_msg_id}"
        yield MessageDropped(message.msg_id, "C16", reason)
        return
    del session.queries[told.req_msg_id]
    if not is_query(query, service.MsgResendReq):  # which is about the server's messages
        yield from _states(session, query.about, told.info, is_query(query, service.MsgsStateReq))


def msgs_all_info(session: ClientSession, message: Message) -> Events:
    """The states of our messages, unasked."""
    told = read(message, service.MsgsAllInfo)
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
    info = read(message, service.MsgDetailedInfo)
    if session.requests.sent_as(info.msg_id) is None:
        session.acks.add(info.answer_msg_id, session.now())
        yield MessageDropped(message.msg_id, "C16", f"of an answer to {info.msg_id}, which is not open")
        return
    _ask_for(session, info.answer_msg_id)


def msg_new_detailed_info(session: ClientSession, message: Message) -> Events:
    """The server has a message that we have not acknowledged: ask for it if we miss it, or acknowledge it."""
    _ask_for(session, read(message, service.MsgNewDetailedInfo).answer_msg_id)
    yield from ()


def _ask_for(session: ClientSession, msg_id: int) -> None:
    if msg_id in session.window:
        session.acks.add(msg_id, session.now())
    else:
        session.ask(service.MsgResendReq(msg_ids=[msg_id]), [msg_id])
