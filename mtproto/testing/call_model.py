"""Which requests are pending, told by what was asked for, what went out and what has come: nothing else.

A request goes out under a new msg_id only where the one before was refused, or can't be taken any more; it is
over when its answer has come, when nobody waits for it, or when its caller is told that it failed, for which
there has to be a reason.
"""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import tl
from mtproto import service
from mtproto.errors import FateUnknown, RpcError
from mtproto.events import SessionId
from mtproto.message import constructor_id
from mtproto.session import BadMessage
from mtproto.testing.calls import Call
from mtproto.testing.ledger import Said

__all__ = ["CallModel"]

_AFTER_ONE, _AFTER_MANY = 0xCB9F372D, 0x3DC4B4F0
_NEVER_TAKEN = 329.0  # seconds: the age of messages that are refused, and how far clocks may differ
_TICK = 2.0**-32
_NOT_RECEIVED, _FEW = (2, 3), 3
_ENDS_SESSION = (17, 32, 33)
_Name = tuple[SessionId | None, int]
_WAIT_FAILED = b"MSG_WAIT_FAILED"


def _request(body: bytes) -> bytes:
    """What is asked for, without what says after which other requests, and unpacked."""
    while True:
        number = constructor_id(body)
        if number == _AFTER_ONE:
            body = body[12:]
        elif number == _AFTER_MANY:
            body = body[12 + 8 * int.from_bytes(body[8:12], "little") :]
        elif number == service.GzipPacked.CONSTRUCTOR_ID:
            body = zlib.decompress(service.decode(body, service.GzipPacked).packed_data, wbits=47)
        else:
            return body


class CallModel:
    """The calls of one client, whose requests differ from each other."""

    def __init__(self) -> None:
        self._calls: list[Call[Any]] = []
        self._by_body: dict[bytes, int] = {}
        self._sent: dict[int, list[Said]] = defaultdict(list)
        self._number: dict[int, int] = {}
        self._parts: dict[int, set[int]] = defaultdict(set)
        self._asked: dict[int, list[int]] = {}
        self._refused: set[int] = set()
        self._reasons: dict[int, set[type]] = defaultdict(set)
        self._answers: dict[int, dict[_Name, bytes]] = defaultdict(dict)
        self._latest: dict[int, SessionId] = {}  # two sessions may have messages of one msg_id
        self._missed: Counter[int] = Counter()
        self._session: object = None
        self._ended: set[int] = set()
        self._doubtful: set[int] = set()
        self._came: Counter[_Name] = Counter()
        self._ignored: Counter[_Name] = Counter()

    def asked(self, call: Call[Any]) -> None:
        """Somebody makes a call."""
        self._by_body[call.body] = len(self._calls)
        self._calls.append(call)

    def cancelled(self, call: Call[Any]) -> None:
        """Nobody waits for this one any more."""
        self._ended.add(call.number)

    # What goes out

    def said(self, said: Said) -> Iterator[str]:
        """The client says something."""
        self._session = said.session
        self._parts[said.container or said.msg_id].add(said.msg_id)
        if said.name == "msgs_state_req":
            self._asked[said.msg_id] = service.decode(said.body, service.MsgsStateReq).msg_ids
        elif said.name in {"request", "gzip_packed"}:
            number = self._by_body.get(_request(said.body))
            if number is None:
                yield "is a request that nobody has made"
                return
            if number in self._ended or (self._answers[number] and number not in self._doubtful):
                yield f"call {number} is over"
            sent = self._sent[number]
            if said.msg_id not in {before.msg_id for before in sent}:
                if sent and not self._may_go_again(number, sent[-1], said):
                    yield f"call {number} goes out anew, and may be executed as {sent[-1].msg_id}"
                sent.append(said)
                self._number[said.msg_id] = number

    def _may_go_again(self, number: int, before: Said, said: Said) -> bool:
        is_old = (said.msg_id - before.msg_id) * _TICK > _NEVER_TAKEN
        is_in_doubt = bool(self._reasons[number]) or before.session != said.session
        may_be_executed_twice = is_in_doubt and self._calls[number].options["at_least_once"]
        return is_old or before.msg_id in self._refused or may_be_executed_twice

    # What comes

    def hears(self, said: Said, content: tl.TLObject | None) -> None:
        """The client gets a message, which it may yet ignore."""
        self._latest[said.msg_id] = said.session
        match content:
            case service.BadServerSalt() | service.BadMsgNotification():
                parts = self._parts.get(content.bad_msg_id, {content.bad_msg_id})
                self._refused |= parts
                self._reason(parts, BadMessage, FateUnknown)
                if content.error_code in _ENDS_SESSION:
                    self._reason(self._number, FateUnknown)
            case service.NewSessionCreated():
                self._reason([i for i in self._number if i < content.first_msg_id], FateUnknown)
            case service.MsgsStateInfo():
                states = zip(self._asked.get(content.req_msg_id, []), content.info, strict=False)
                self._heard_states([(i, state & 7) for i, state in states])
            case _ if said.name == "rpc_result":
                self._answered(said)

    def _heard_states(self, states: Iterable[tuple[int, int]]) -> None:
        """Of what was forgotten nothing can be known; what was not received may go on being sent, a few times."""
        for msg_id, state in states:
            if state in _NOT_RECEIVED:
                self._missed[msg_id] += 1
            if state not in {4, *_NOT_RECEIVED} or self._missed[msg_id] >= _FEW:
                self._reason([msg_id], FateUnknown)

    def _reason(self, msg_ids: Iterable[int], *errors: type) -> None:
        for msg_id in msg_ids:
            if msg_id in self._number:
                self._reasons[self._number[msg_id]].update(errors)

    def _answered(self, said: Said) -> None:
        msg_id, result = int.from_bytes(said.body[4:12], "little", signed=True), said.body[12:]
        number = self._number.get(msg_id)
        if number is None:
            return
        if _WAIT_FAILED in result:  # of its order: it may go out once more
            self._refused.add(msg_id)
            self._doubtful.add(number)
        else:
            self._came[said.session, said.msg_id] += 1
            self._answers[number][said.session, said.msg_id] = result

    def ignored(self, msg_id: int) -> None:
        """The client has not taken this message."""
        name = (self._latest.get(msg_id), msg_id)
        self._ignored[name] += 1
        for number, answers in self._answers.items():
            if name in answers and self._ignored[name] < self._came[name]:  # some copy may have been taken
                self._doubtful.add(number)
            elif name in answers:
                del answers[name]

    def doubted(self, said: Said) -> None:
        """Nobody knows whether the client has taken this message."""
        self._doubtful |= {
            n for n, answers in self._answers.items() if (said.session, said.msg_id) in answers
        }

    # What is so now

    def pending(self) -> set[int]:
        """The numbers of the calls that have not ended, as far as that is known."""
        answered = {number for number, answers in self._answers.items() if answers}
        return {call.number for call in self._calls} - self._ended - answered - self._doubtful

    @property
    def doubtful(self) -> set[int]:
        """Those of which it is not known."""
        return self._doubtful

    def ends(self) -> Iterator[str]:
        """What is wrong with how calls have ended, as their callers were told."""
        for call in self._calls:
            if call.number in self._ended or call.endings == 0:
                continue
            answers = list(self._answers.get(call.number, {}).values())
            if call.answer is not None and call.answer not in answers:
                yield f"{call!r}: its answer never came"
            error = call.error
            if isinstance(error, RpcError):
                body = bytes(service.RpcError(error_code=error.code, error_message=error.message))
                if body not in answers and _WAIT_FAILED.decode() != error.message:
                    yield f"{call!r}: its error never came"
            elif error is not None and not self._is_explained(call, type(error)):
                yield f"{call!r}: fails without a reason"
            self._ended.add(call.number)

    def _is_explained(self, call: Call[Any], error: type) -> bool:
        sent = self._sent.get(call.number, [])
        is_left = bool(sent) and sent[-1].session != self._session
        return error in self._reasons[call.number] or (is_left and error is FateUnknown)
