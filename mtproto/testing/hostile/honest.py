"""What an honest peer would say: answers to requests, and service messages with their usual fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import tl
from mtproto import api, service
from mtproto.errors import RpcError
from mtproto.message import constructor_id
from mtproto.testing.handlers import default_handlers
from mtproto.testing.unwrapping import unwrap

if TYPE_CHECKING:
    from mtproto.testing.hostile.stage import Stage

__all__ = ["USUAL", "answer_to", "answering", "usual"]


def answering(clock: Callable[[], float]) -> Callable[[bytes], bytes]:
    """What answers boxed requests like the loopback server; 401 AUTH_KEY_UNREGISTERED where it has no handler."""
    handlers = default_handlers(phone_code_hash="0" * 18, clock=clock, rng=lambda n: bytes(n))

    def answer(request: bytes) -> bytes:
        """The boxed bytes of the answer to this one."""
        try:
            _, inside, _ = unwrap(request, api.SCHEMA.find)
            handler = handlers.get(api.SCHEMA.find(constructor_id(inside)))  # type: ignore[arg-type]
            if handler is None:
                raise RpcError(401, "AUTH_KEY_UNREGISTERED")
            return bytes(handler(api.decode(inside)))
        except RpcError as error:
            return bytes(service.RpcError(error_code=error.code, error_message=error.message))
        except tl.DecodeError:
            return bytes(service.RpcError(error_code=400, error_message="INPUT_FETCH_ERROR"))

    return answer


answer_to = answering(lambda: 1_700_000_000.0)
"""The answers of scripts, which are the same at any time."""


def _request_id(stage: Stage) -> int:
    return next((h.msg_id for h in reversed(stage.heard) if h.name == "request"), 0)


def _heard(stage: Stage, *names: str) -> Any:
    return next((h for h in reversed(stage.heard) if h.name in names), None)


def _pong(stage: Stage) -> tl.TLObject:
    ping = _heard(stage, "ping", "ping_delay_disconnect")
    return service.Pong(msg_id=ping.msg_id if ping else 0, ping_id=ping.value.ping_id if ping else 0)


def _bad(stage: Stage) -> tuple[int, int]:
    request = _heard(stage, "request")
    return (request.msg_id, request.seq_no) if request else (0, 0)


def _future_salts(stage: Stage) -> tl.TLObject:
    query = _heard(stage, "get_future_salts")
    now = int(stage.clock())
    salt = service.FutureSalt(valid_since=now, valid_until=now + 3600, salt=stage.salt)
    return service.FutureSalts(req_msg_id=query.msg_id if query else 0, now=now, salts=[salt])


def _state_info(stage: Stage) -> tl.TLObject:
    query = _heard(stage, "msgs_state_req", "msg_resend_req", "msg_resend_ans_req")
    known = {heard.msg_id for heard in stage.heard}
    info = bytes(4 if i in known else 2 for i in query.value.msg_ids) if query else b""
    return service.MsgsStateInfo(req_msg_id=query.msg_id if query else 0, info=info)


def _created(stage: Stage) -> tl.TLObject:
    first = next((h.msg_id for h in stage.heard if not h.is_plain), 0)
    return service.NewSessionCreated(first_msg_id=first, unique_id=1, server_salt=stage.salt)


def _detailed(stage: Stage) -> tl.TLObject:
    answer = stage.sent_ids[-1] if stage.sent_ids else 0
    return service.MsgDetailedInfo(msg_id=_request_id(stage), answer_msg_id=answer, bytes=64, status=0)


def _last_sent(stage: Stage) -> list[int]:
    return stage.sent_ids[-1:]


USUAL: dict[str, Callable[[Stage], tl.TLObject]] = {
    "pong": _pong,
    "ping": lambda s: service.Ping(ping_id=int.from_bytes(s.rng(7))),
    "ping_delay_disconnect": lambda s: service.PingDelayDisconnect(
        ping_id=int.from_bytes(s.rng(7)), disconnect_delay=75
    ),
    "msgs_ack": lambda s: service.MsgsAck(msg_ids=list(s.unacknowledged)),
    "bad_msg_notification": lambda s: service.BadMsgNotification(
        bad_msg_id=_bad(s)[0], bad_msg_seqno=_bad(s)[1], error_code=16
    ),
    "bad_server_salt": lambda s: service.BadServerSalt(
        bad_msg_id=_bad(s)[0], bad_msg_seqno=_bad(s)[1], error_code=48, new_server_salt=s.salt
    ),
    "msgs_state_req": lambda s: service.MsgsStateReq(msg_ids=_last_sent(s)),
    "msgs_state_info": _state_info,
    "msgs_all_info": lambda s: service.MsgsAllInfo(
        msg_ids=[h.msg_id for h in s.heard], info=bytes([4]) * len(s.heard)
    ),
    "msg_detailed_info": _detailed,
    "msg_new_detailed_info": lambda s: service.MsgNewDetailedInfo(
        answer_msg_id=s.sent_ids[-1] if s.sent_ids else 0, bytes=64, status=0
    ),
    "msg_resend_req": lambda s: service.MsgResendReq(msg_ids=[_request_id(s)]),
    "msg_resend_ans_req": lambda s: service.MsgResendAnsReq(msg_ids=_last_sent(s)),
    "new_session_created": _created,
    "future_salts": _future_salts,
    "get_future_salts": lambda s: service.GetFutureSalts(num=4),
    "rpc_error": lambda s: service.RpcError(error_code=400, error_message="FORGED"),
    "rpc_drop_answer": lambda s: service.RpcDropAnswer(req_msg_id=s.sent_ids[-1] if s.sent_ids else 0),
    "rpc_answer_unknown": lambda s: service.RpcAnswerUnknown(),
    "rpc_answer_dropped_running": lambda s: service.RpcAnswerDroppedRunning(),
    "rpc_answer_dropped": lambda s: service.RpcAnswerDropped(msg_id=0, seq_no=0, bytes=0),
    "destroy_session": lambda s: service.DestroySession(session_id=s.session_id ^ 1),
    "destroy_session_ok": lambda s: service.DestroySessionOk(session_id=s.session_id ^ 1),
    "destroy_session_none": lambda s: service.DestroySessionNone(session_id=s.session_id ^ 1),
    "destroy_auth_key": lambda s: service.DestroyAuthKey(),
    "destroy_auth_key_ok": lambda s: service.DestroyAuthKeyOk(),
    "destroy_auth_key_none": lambda s: service.DestroyAuthKeyNone(),
    "destroy_auth_key_fail": lambda s: service.DestroyAuthKeyFail(),
    "http_wait": lambda s: service.HttpWait(max_delay=0, wait_after=0, max_wait=1000),
    "future_salt": lambda s: service.FutureSalt(valid_since=0, valid_until=0, salt=s.salt),
    "resPQ": lambda s: service.ResPQ(
        nonce=bytes(16), server_nonce=bytes(16), pq=b"\x0f", server_public_key_fingerprints=[]
    ),
    "dh_gen_ok": lambda s: service.DhGenOk(
        nonce=bytes(16), server_nonce=bytes(16), new_nonce_hash1=bytes(16)
    ),
    "req_pq_multi": lambda s: service.ReqPqMulti(nonce=bytes(16)),
}
"""Service messages by TL name, as they would honestly be said now."""


def usual(name: str, stage: Stage) -> tl.TLObject:
    """The service message of this name, as it would honestly be said now."""
    return USUAL[name](stage)
