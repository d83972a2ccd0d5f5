"""What conversations with servers have in common: a session that has answered a request, and how it goes on."""

from __future__ import annotations

from typing import Any

from mtproto import service
from mtproto.errors import RemoteProtocolError
from mtproto.message import constructor_id, unpack_rpc_result
from mtproto.side import Side
from mtproto.testing.hostile.bodies import Body, Request
from mtproto.testing.hostile.choosing import Rejects
from mtproto.testing.hostile.conversation import Conversation
from mtproto.testing.hostile.expecting import Expect, ExpectClose, ExpectCode
from mtproto.testing.hostile.happenings import Heard
from mtproto.testing.hostile.key_exchange import KeyExchange
from mtproto.testing.hostile.nodes import Node, Send
from mtproto.testing.hostile.stage import Stage

__all__ = [
    "ALIVE",
    "ANSWERED",
    "FIRST",
    "GONE",
    "LAST",
    "SESSION",
    "answers_last",
    "bad",
    "error",
    "in_session",
    "rejected",
]


def answers_last(heard: Heard, stage: Stage) -> bool:
    """Whether it is the rpc_result of the last message that was sent."""
    return len(heard.body) >= 16 and unpack_rpc_result(heard.body)[0] == stage.last_sent


ANSWERED = Expect("rpc_result", where=answers_last, what="of the request")
FIRST, LAST = (
    Conversation(
        [KeyExchange(), Send(Request()), ANSWERED, Send("msgs_ack"), Send("ping"), Expect("pong")],
        name=f"sanity, {when}",
        right="agrees on a key, answers a request and a ping",
    )
    for when in ("first", "last")
)
SESSION: tuple[Node, ...] = (KeyExchange(), Send(Request()), ANSWERED)
"""A session that has answered a request."""
ALIVE: tuple[Node, ...] = (Send("ping"), Expect("pong"))
"""It still answers."""
GONE: tuple[Any, ...] = ([ExpectCode(), ExpectClose()], ExpectClose())
"""Alternatives: it has closed."""


def in_session(name: str, check: str, right: str, *nodes: Node, alive: bool = True) -> Conversation:
    """The nodes in a session that has answered a request; it lives on unless it is not `alive` any more."""
    after = ALIVE if alive else ()
    return Conversation([*SESSION, *nodes, *after], name=name, check=check, right=right, examines=Side.SERVER)


def rejected(name: str, check: str, body: Body = "ping", **fields: Any) -> Conversation:
    """A message for which the server has to close."""
    right = "transport error -404 and the end of the connection"
    return in_session(name, check, right, Send(body, **fields), Rejects(), alive=False)


def bad(code: int) -> Expect:
    """bad_msg_notification about the last message."""
    return Expect(
        "bad_msg_notification",
        error_code=code,
        where=lambda heard, stage: heard.value.bad_msg_id == stage.last_sent,
        what="about that message",
    )


def error() -> Expect:
    """rpc_error as the answer to the last message."""
    return Expect("rpc_result", where=_is_error, what="of that message, with an rpc_error")


def _is_error(heard: Heard, stage: Stage) -> bool:
    try:
        msg_id, result = unpack_rpc_result(heard.body)
    except RemoteProtocolError:
        return False
    return msg_id == stage.last_sent and constructor_id(result) == service.RpcError.CONSTRUCTOR_ID
