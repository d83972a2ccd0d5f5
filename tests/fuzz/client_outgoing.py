"""What a client's session has to send, after the documentation: one half of `tests.fuzz.client_model`.

`heard` takes what did go out, and raises Broken where that is not what had to: each msg_id and seq_no, the salt,
the order of requests, acknowledgements, questions.  How messages are packed is not decided.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from mtproto import service
from mtproto.envelope import Envelope
from tests.fuzz.conversations import Numbered, Window, is_content_related, name_of, split
from tests.fuzz.verdicts import Broken

__all__ = ["SECOND", "Outgoing", "Query", "Request"]

SECOND = 1 << 32
_ASKS = ("msgs_state_req", "msg_resend_req", "msg_resend_ans_req")


@dataclass
class Request:
    """A request without an answer; it `waits` to be sent, or was sent last as the last of its `msg_ids`."""

    number: int
    body: bytes
    after: tuple[int, ...]
    at_least_once: bool
    msg_ids: list[int] = field(default_factory=list)
    session: int = 0
    references: list[int] = field(default_factory=list)
    waits: bool = True
    is_received: bool = False
    is_repeated: bool = False
    resends: int = 0
    questions: int = 0
    ask_at: float = 0.0


@dataclass
class Query:
    """A service message that is answered by another; `resends`: how often it was sent again."""

    body: bytes
    resends: int = 0

    @property
    def about(self) -> list[int]:
        """The messages whose states it asks for."""
        return list(service.decode(self.body).msg_ids) if self.is_question else []  # type: ignore[attr-defined]

    @property
    def is_question(self) -> bool:
        """Whether it is about messages."""
        return name_of(self.body) in _ASKS


class Outgoing:
    """What waits, what is open, and what has gone out.

    `drawn` are the session_ids that the client will draw; `offset` is None where the time is not
    known.
    """

    def __init__(
        self, clock: Callable[[], float], session_id: int, salt: int, offset: float | None, drawn: deque[int]
    ) -> None:
        self.clock, self.session_id, self.salt, self.drawn = clock, session_id, salt, drawn
        self.is_time_known, self.offset = offset is not None, offset or 0.0
        self.timetable: list[tuple[int, int, int]] = []
        self.ask_salts_at = self.now() + 60
        self.left: deque[int] = deque(maxlen=10)
        self.window, self.strays = Window(), 0
        self.requests: dict[int, Request] = {}
        self.void: set[int] = set()
        self.queries: dict[int, Query] = {}
        self.parts: dict[int, list[int]] = {}
        self.kept: dict[int, Numbered] = {}
        self.kept_once: dict[int, Numbered] = {}
        self.owed: dict[int, float] = {}
        self.plain: list[bytes] = []
        self.to_ask: list[Query] = []
        self.originals: list[int] = []
        self.last_id, self.content = 0, 0
        self.budget = [0]

    def now(self) -> float:
        """The server's time."""
        return self.clock() + self.offset

    def heard(self, envelopes: list[Envelope]) -> None:
        """Raise Broken where this is not what had to go out by now."""
        self.originals = [i for i in self.originals if i in self.queries or self._is_open(i)]
        for envelope in envelopes:
            begun = [value for since, until, value in self.timetable if since + 60 <= self.now() < until]
            self.salt = begun[-1] if begun else self.salt
            expected = (self.salt, self.session_id)
            if (envelope.salt, envelope.session_id) != expected:
                raise Broken(f"salt and session_id of {envelope}, expected {expected}")
            message = Numbered(envelope.msg_id, envelope.seq_no, envelope.body)
            is_packed = name_of(envelope.body) == "msg_container"
            parts = split(envelope.body, envelope.msg_id) if is_packed else [message]
            for part in parts:
                self._one(part, is_packed)
            if is_packed:
                self._number(message)
                self.parts[message.msg_id] = [part.msg_id for part in parts]
        waiting = [r for r in self.requests.values() if r.waits and self._references(r) is not None]
        if waiting or self.plain or self.to_ask or self.originals:
            raise Broken(f"not sent: {waiting} {self.plain} {self.to_ask} {self.originals}")
        if self.owed and (len(self.owed) >= 16 or min(self.owed.values()) + 60 <= self.clock()):
            raise Broken(f"not acknowledged: {self.owed}")

    def _number(self, message: Numbered, odd: bool = False) -> None:
        """A msg_id says what time it is by the server's clock, and is above all before it in the session (C20)."""
        expected = max(int(self.now() * SECOND) & ~3, self.last_id + 4)
        while not expected % SECOND or expected in self.parts:
            expected += 4
        if (message.msg_id, message.seq_no) != (expected, 2 * self.content + odd):
            raise Broken(f"the numbers of {message}, expected {expected} and {2 * self.content + odd}")
        self.last_id = expected
        self.content += odd
        self.parts[message.msg_id] = [message.msg_id]

    def _one(self, message: Numbered, is_packed: bool) -> None:
        if message.msg_id in self.originals:
            if not is_packed or self.kept_once.get(message.msg_id) != message:
                raise Broken(f"{message} once more, expected {self.kept_once.get(message.msg_id)}")
            self.originals.remove(message.msg_id)
            self.kept[message.msg_id] = message
            return
        request = self._request_of(message)
        odd = request is not None or is_content_related(message.body)
        self._number(message, odd)
        if odd:
            self.kept[message.msg_id] = self.kept_once[message.msg_id] = message
        if request is not None:
            request.msg_ids.append(message.msg_id)
            request.waits = request.is_received = request.is_repeated = False
            request.session, request.questions = self.session_id, 0
            request.ask_at = self.clock() + 10
        elif name_of(message.body) == "msgs_ack":
            self._acks(service.decode(message.body).msg_ids)  # type: ignore[attr-defined]
        elif message.body in self.plain:
            self.plain.remove(message.body)
        else:
            self._query(message)

    def _acks(self, msg_ids: list[int]) -> None:
        for msg_id in msg_ids:
            if self.owed.pop(msg_id, None) is None:
                raise Broken(f"an acknowledgement of {msg_id}, expected one of {list(self.owed)}")

    def _query(self, message: Numbered) -> None:
        query = next((query for query in self.to_ask if query.body == message.body), None)
        if query is None:
            raise Broken(f"{message} goes out, expected one of {self.to_ask} or {self.plain}")
        self.to_ask.remove(query)
        self.queries[message.msg_id] = query
        if len(self.queries) > 100:
            del self.queries[next(iter(self.queries))]

    def _is_open(self, msg_id: int) -> bool:
        """Whether a request waits for the answer to this message."""
        return any(not r.waits and r.msg_ids[-1] == msg_id for r in self.requests.values())

    def _request_of(self, message: Numbered) -> Request | None:
        """The request in a message: one that waits, behind the messages that it has to follow."""
        for request in self.requests.values():
            references = self._references(request) if request.waits else None
            if references is not None and message.body == _following(references, request.body):
                request.references = references
                return request
        return None

    def _references(self, request: Request) -> list[int] | None:
        """What it has to follow, by the msg_ids of now; None where that is not known yet."""
        before = [self.requests[n] for n in request.after if n in self.requests and n != request.number]
        if any(r.waits or r.session != self.session_id for r in before):
            return None
        return [r.msg_ids[-1] for r in before]


def _following(ids: list[int], body: bytes) -> bytes:
    """invokeAfterMsg and invokeAfterMsgs, core.telegram.org/api/invoking."""
    written = b"".join(i.to_bytes(8, "little", signed=True) for i in ids)
    if not ids:
        return body
    if len(ids) == 1:
        return bytes.fromhex("2d379fcb") + written + body
    return bytes.fromhex("f0b4c43d15c4b51c") + len(ids).to_bytes(4, "little") + written + body
