"""Recorded messages with the numbers of a live conversation: msg_ids and salts are others now."""

from __future__ import annotations

from struct import Struct
from typing import Any, Final

import tl
from mtproto import api, service
from mtproto.message import constructor_id
from mtproto.testing.transcript.bodies import ABOUT
from mtproto.testing.transcript.script import Step

__all__ = ["Rewriter", "about"]

_HEAD: Final = Struct("<Iq")
_RESULT: Final = service.RpcResult.CONSTRUCTOR_ID
_AFTER: Final = api.InvokeAfterMsg.CONSTRUCTOR_ID


class Rewriter:
    """What became of recorded msg_ids: `own` are those of our messages, `peer` those of the live side's.

    `first` is the lowest of what the live side has sent: a new session begins with that, in whatever order it asks.
    """

    def __init__(self) -> None:
        self.own: dict[int, int] = {}
        self.peer: dict[int, int] = {}
        self.first = 0
        self._outer: dict[int, dict[int, None]] = {}

    def met(self, step: Step, msg_id: int, outer: int) -> None:
        """The live side has said what is this step of the transcript, in a container `outer` or by itself."""
        self.peer[step.msg_id] = msg_id
        self._outer.setdefault(step.outer, {})[outer] = None

    def recorded(self, msg_id: int | None) -> int | None:
        """Which of our recorded messages is this live one."""
        return next((then for then, now in self.own.items() if now == msg_id), None)

    def rewritten(self, step: Step, salt: int) -> list[bytes]:
        """The body of our own step, as it has to be now.

        Several where what was refused in one container has come in several now, none where nothing is left of it.
        """
        body = step.body
        number = constructor_id(body)
        if number == _RESULT:
            return [_HEAD.pack(_RESULT, self._of_peer(step.answers)) + body[_HEAD.size :]]
        if number == _AFTER and len(body) >= _HEAD.size:
            before = _HEAD.unpack_from(body)[1]
            return [_HEAD.pack(_AFTER, self.own.get(before, before)) + body[_HEAD.size :]]
        found = _decoded(body)
        if isinstance(found, service.BadServerSalt | service.BadMsgNotification):
            return [self._refusal(found, outer, salt) for outer in self._outer.get(step.answers or 0, ())]
        rewritten = body if found is None else self._object(step, found, salt)
        return [] if rewritten is None else [rewritten]

    @staticmethod
    def _refusal(found: Any, outer: int, salt: int) -> bytes:
        found.bad_msg_id = outer
        if isinstance(found, service.BadServerSalt):
            found.new_server_salt = salt
        return bytes(found)

    def _object(self, step: Step, found: Any, salt: int) -> bytes | None:
        field = ABOUT.get(constructor_id(step.body))
        if field is not None:
            setattr(found, field, self._of_peer(step.answers))
        match found:
            case service.NewSessionCreated():
                found.first_msg_id, found.server_salt = self.first, salt
            case service.MsgDetailedInfo() | service.MsgNewDetailedInfo():
                found.answer_msg_id = self.own.get(found.answer_msg_id, found.answer_msg_id)
            case service.RpcDropAnswer():
                found.req_msg_id = self.own.get(found.req_msg_id, found.req_msg_id)
            case service.MsgsStateReq():
                found.msg_ids = [self.own[i] for i in found.msg_ids if i in self.own]
                return bytes(found) if found.msg_ids else None
            case service.MsgResendReq() | service.MsgResendAnsReq():
                known = self.peer if isinstance(found, service.MsgResendReq) else self.own
                found.msg_ids = [known[i] for i in found.msg_ids if i in known]
                return bytes(found) if found.msg_ids else None
            case _:
                pass
        return bytes(found)

    def _of_peer(self, msg_id: int | None) -> int:
        return self.peer.get(msg_id or 0, msg_id or 0)


def about(body: bytes) -> int | None:
    """The msg_id of the message that this one is about."""
    if constructor_id(body) == _RESULT and len(body) >= _HEAD.size:
        return int(_HEAD.unpack_from(body)[1])
    field = ABOUT.get(constructor_id(body))
    found = None if field is None else _decoded(body)
    return None if found is None or field is None else int(getattr(found, field))


def _decoded(body: bytes) -> Any:
    """A message of the service schema, None where it is none."""
    if service.SCHEMA.find(constructor_id(body)) is None:
        return None
    try:
        return service.decode(body)
    except tl.DecodeError:
        return None
