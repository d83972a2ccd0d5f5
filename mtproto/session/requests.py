"""The requests of a client that wait for their answers: the msg_ids they went out under, what is known of them.

A request is a body with a number.  It gets a msg_id when it is sent, and another each time it is sent again as
a new message; an answer to any of them is its answer.

A request that should run after others names them by the msg_ids they were last sent under (invokeAfterMsg,
core.telegram.org/api/invoking#ordering-of-queries).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from struct import Struct

from mtproto.message import Message
from mtproto.session.base import Body

__all__ = ["ASK_AFTER", "OpenRequest", "OpenRequests", "after_messages"]

ASK_AFTER = 10.0
"""Seconds without an answer or an acknowledgement until the server is asked what became of a request."""
_ASK_AT_LEAST_EVERY = 60.0
_MAX_VOID = 10_000

_AFTER_MSG = Struct("<Iq")  # invokeAfterMsg#cb9f372d msg_id:long query:!X
_AFTER_MSGS = Struct("<III")  # invokeAfterMsgs#3dc4b4f0 msg_ids:Vector<long> query:!X


def after_messages(msg_ids: Sequence[int], body: bytes) -> bytes:
    """The request `body`, to be executed after those that were sent as `msg_ids`; as it is where there are none."""
    if not msg_ids:
        return body
    if len(msg_ids) == 1:
        return _AFTER_MSG.pack(0xCB9F372D, msg_ids[0]) + body
    head = _AFTER_MSGS.pack(0x3DC4B4F0, 0x1CB5C415, len(msg_ids))
    return head + Struct(f"<{len(msg_ids)}q").pack(*msg_ids) + body


@dataclass(slots=True)
class OpenRequest:
    """A request without an answer; `message` is what it was last sent as.

    `after` are the numbers of the requests that it follows, `references` the msg_ids by which it said so when
    it was last sent.  `is_received`: the server has said that it has it; `is_repeated`: `message` was sent more
    than once, so that one copy may be taken and the other refused.  From `ask_at` on the server should be asked.
    """

    number: int
    body: Body
    after: tuple[int, ...] = ()
    at_least_once: bool = False
    msg_ids: list[int] = field(default_factory=list)
    message: Message | None = None
    session_id: int | None = None
    references: tuple[int, ...] = ()
    is_received: bool = False
    is_repeated: bool = False
    resends: int = 0
    questions: int = 0
    ask_at: float | None = None

    @property
    def msg_id(self) -> int | None:
        """The msg_id under which it was last sent; None while it waits to be."""
        return self.msg_ids[-1] if self.ask_at is not None else None


class OpenRequests:
    """All of them, by number and by msg_id; `numbers` are given to those that come."""

    def __init__(self, numbers: Iterator[int]) -> None:
        self._numbers = numbers
        self._by_number: dict[int, OpenRequest] = {}
        self._by_msg_id: dict[int, OpenRequest] = {}
        self._questions: list[
            tuple[float, int]
        ] = []  # a heap; what a request does not know of any more is skipped
        self._void: dict[int, None] = {}

    def __len__(self) -> int:
        return len(self._by_number)

    def __contains__(self, number: int) -> bool:
        return number in self._by_number

    def __iter__(self) -> Iterator[OpenRequest]:
        return iter(tuple(self._by_number.values()))

    def open(self, body: Body, after: Sequence[int] = (), at_least_once: bool = False) -> OpenRequest:
        """A new request, which waits to be sent."""
        request = OpenRequest(next(self._numbers), body, tuple(dict.fromkeys(after)), at_least_once)
        self._by_number[request.number] = request
        return request

    def adopt(self, request: OpenRequest) -> None:
        """A request that was closed elsewhere, as one that waits to be sent."""
        request.msg_ids.clear()
        request.ask_at = None
        self._by_number[request.number] = request

    def get(self, number: int | None) -> OpenRequest | None:
        """The request with this number, while it is open."""
        return None if number is None else self._by_number.get(number)

    def sent_as(self, msg_id: int) -> OpenRequest | None:
        """The open request that was sent as `msg_id`, now or earlier."""
        return self._by_msg_id.get(msg_id)

    def last_sent_as(self, msg_id: int) -> OpenRequest | None:
        """The open request that was last sent as `msg_id`, and does not wait to be sent again."""
        request = self._by_msg_id.get(msg_id)
        return request if request is not None and request.msg_id == msg_id else None

    def was_sent(self, request: OpenRequest, message: Message, session_id: int, now: float) -> None:
        """`request` went out as `message`, in this session."""
        request.msg_ids.append(message.msg_id)
        request.message = message
        request.session_id = session_id
        request.is_received = request.is_repeated = False
        request.questions = 0
        self._by_msg_id[message.msg_id] = request
        self.ask_at(request, now + ASK_AFTER)

    def was_refused(self, request: OpenRequest) -> None:
        """The message that `request` was last sent as is not executed, and never will be: it waits again."""
        msg_id = request.msg_ids.pop()
        del self._by_msg_id[msg_id]
        self._void[msg_id] = None
        while len(self._void) > _MAX_VOID:
            del self._void[next(iter(self._void))]
        request.ask_at = None

    def waits_again(self, request: OpenRequest) -> None:
        """It is to be sent once more, although it may have been executed: an answer to either counts."""
        request.ask_at = None

    def refers_to_void(self, request: OpenRequest) -> bool:
        """Whether it was to follow a message that the server never took: the order is as wanted, its number not."""
        return any(msg_id in self._void for msg_id in request.references)

    def close(self, number: int) -> OpenRequest | None:
        """Its answer has come, or nobody waits for it."""
        request = self._by_number.pop(number, None)
        if request is not None:
            for msg_id in request.msg_ids:
                self._by_msg_id.pop(msg_id, None)
        return request

    # Asking

    def ask_at(self, request: OpenRequest, when: float) -> None:
        """The server should be asked about `request` at this time."""
        request.ask_at = when
        heappush(self._questions, (when, request.number))

    def ask_later(self, request: OpenRequest, now: float) -> None:
        """The server was asked about `request`, or has told of it; the next time is later, a minute at most."""
        request.questions += 1
        self.ask_at(request, now + min(_ASK_AT_LEAST_EVERY, ASK_AFTER * 2 ** min(request.questions, 10)))

    def _first_question(self) -> OpenRequest | None:
        while self._questions:
            when, number = self._questions[0]
            request = self._by_number.get(number)
            if request is not None and request.ask_at == when:
                return request
            heappop(self._questions)
        return None

    def next_question(self) -> float | None:
        """When the server should be asked about a request, unless something comes before."""
        request = self._first_question()
        return None if request is None else request.ask_at

    def due(self, now: float) -> list[OpenRequest]:
        """The requests that the server should be asked about now; they are asked about later, again."""
        due: list[OpenRequest] = []
        while (
            (request := self._first_question()) is not None
            and request.ask_at is not None
            and request.ask_at <= now
        ):
            heappop(self._questions)
            due.append(request)
            self.ask_later(request, now)
        return due
