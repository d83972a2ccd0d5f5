"""Whatever a client says in its sessions, the server does what the documentation says, or RemoteProtocolError.

A second server, `tests.fuzz.server_model`, is told the same: both have to give the same events and errors, and what
goes out has to be what the second one expects, to the number.  A msg_id is a request once; in the end all that is
open is answered, and all is acknowledged.

    byte 0     bit 0     the server is strict (seq_nos, repeated containers)
    …          lines, up to 48; what is done, and the choice (low and high four bits):
               0 and 1 the client says something (`tests.fuzz.conversations`); choice: bits 0 and 1 in which
               session, 2 and 3 with the salt in use, the one before, the next or a foreign one
               2 what the client said before, the choice-th latest         3 time passes, `_TIMES`
               4 the choice-th oldest request is answered    5 the latest, with choice times 16 KiB
               6 a notice is sent    7 the client comes by another connection; bit 0: the one before is still there
               8 so many times four bytes as they are, in a message
    After each but 0 and 2 the client hears what the server says.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from mtproto.connection import Deadlines, ServerConnection, ServerState
from mtproto.crypto.auth_key import AuthKey
from mtproto.envelope import Cipher, Envelope
from mtproto.errors import LocalProtocolError, RemoteProtocolError
from mtproto.events import MessageDropped, RequestReceived, ServerEvent, SessionId
from mtproto.salts import SaltTimetable
from mtproto.session import ServerSession
from mtproto.side import Side
from mtproto.transport import Event, Frame, TransportCode, framing
from tests.fuzz.conversations import KINDS, Dead, Knowledge, Numbered, Said, all_of, speak
from tests.fuzz.scripts import NOW, Clock, Draws, Script
from tests.fuzz.server_model import MAX_OPEN, Flood, ServerModel
from tests.fuzz.verdicts import Broken
from tests.mtproto.helpers import TEST_KEY

__all__ = ["WORDS", "Made", "target"]

_KEY = AuthKey(bytes(range(256)))
_CLIENT = Cipher(_KEY, Side.CLIENT)
_TIMES = (0.01, 0.5, 1, 5, 29, 31, 61, 74, 75, 239, 299, 301, 1000, 1800, 3601, 7300)
_MOST_LINES = 48
_LONGEST = 48 * 3600
"""Seconds; a server that has seen nobody for longer makes another timetable of salts."""
_SALTS = [1000 + i for i in range(400)]
_SESSIONS = (11, 22, 33, 44)
_FOR_EVER = Deadlines(opening=None, first_frame=None, partial_frame=None)
WORDS = (
    *(bytes([line | choice << 4]) for line in range(9) for choice in range(16)),
    *(bytes([1, numbers, kind]) for kind in range(len(KINDS)) for numbers in (0, 8)),
    *(bytes([1, numbers, 0, 0]) for numbers in range(32)),
    *(bytes([1, 1, 0x10, 0, 0]),),
    *(bytes([1, 0, kind, 1, which]) for kind in (5, 9, 14, 15) for which in (0, 1, 0x10, 0x11)),
    *(bytes([1, 0, 21, which]) for which in (0, 0x10, 0x11)),
    *(bytes([1, 0, 1, damage, count]) for damage in range(13) for count in (0, 2)),
    *(bytes([1, 0, 2, damage]) for damage in range(8)),
)
"""Lines that say something."""

Made = Callable[..., ServerSession]


class _State(ServerState):
    """What a server knows, whose sessions `make` makes."""

    def __init__(self, make: Made, is_strict: bool, clock: Clock) -> None:
        super().__init__(clock=clock, rng=Draws())
        self.make, self.is_strict = make, is_strict
        self.unique_ids: dict[int, int] = {}
        self.add_key(_KEY, 0)
        values = iter(_SALTS[1:])
        self.salts[_KEY.key_id] = SaltTimetable(
            _SALTS[0], clock(), lambda count: next(values).to_bytes(count, "little")
        )

    def session(self, auth_key: AuthKey, session_id: int) -> ServerSession:
        key = SessionId(auth_key.key_id, session_id)
        if key not in self.sessions and key not in self._strangers:
            self._strangers[key] = self.make(
                auth_key,
                session_id,
                salts=self.salts[auth_key.key_id],
                clock=self.clock,
                rng=self.rng,
                strict=self.is_strict,
                max_open_requests=MAX_OPEN,
            )
            self.unique_ids[session_id] = self._strangers[key].unique_id
        return super().session(auth_key, session_id)


def target(raw: bytes, make: Made = ServerSession) -> None:
    """Raise where a server whose sessions `make` makes is unlike the documentation's."""
    script = Script(raw)
    talk = _Talk(script, make)
    for _ in range(_MOST_LINES):
        if not script or not talk.model.has_key:
            break
        talk.line()
    talk.settle()


class _Talk:
    """A server, the model of it, and a client that says whatever a script has."""

    def __init__(self, script: Script, make: Made) -> None:
        self.script = script
        is_strict = bool(script.byte() & 1)
        self.clock = Clock()
        self.state = _State(make, is_strict, self.clock)
        self.model = ServerModel(
            self.clock, _SALTS, is_strict, int(self.clock()), self.state.unique_ids.__getitem__
        )
        self.known = {id_: Knowledge(self.clock, 0, sessions=_SESSIONS) for id_ in _SESSIONS}
        self.said: deque[Envelope] = deque(maxlen=16)
        self.requests: list[tuple[int, int]] = []
        self.connections: list[ServerConnection] = []
        self.connect()

    def connect(self) -> None:
        self.server = ServerConnection([TEST_KEY], self.state, deadlines=_FOR_EVER)
        self.server.receive_data(framing("intermediate", Side.CLIENT).prefix)
        self.connections.append(self.server)

    # Lines

    def line(self) -> None:
        byte = self.script.byte()
        what, choice = byte & 15, byte >> 4
        self.clock.now += 2**-20
        if what in (0, 1) or what > 8:
            session_id, salt = _SESSIONS[choice & 3], self.salt(choice >> 2)
            self.deliver(session_id, salt, speak(self.script, self.known[session_id]))
        elif what == 2 and self.said:
            self.compare(self.said[-1 - choice % len(self.said)])
        elif what == 3:
            self.clock.now = min(self.clock.now + _TIMES[choice], NOW + _LONGEST)
            self.timer()
        elif what in (4, 5) and self.requests:
            session_id, msg_id = self.requests[choice % len(self.requests) if what == 4 else -1]
            size = 1 if what == 4 else 4096 * choice + 1
            self.answer(session_id, msg_id, b"\xb5\x75\x72\x99" * size)
        elif what == 6:
            self.notify(_SESSIONS[choice & 3])
        elif what == 7:
            if not choice & 1:
                self.server.abandon()
                self.disconnected(self.server)
            self.connect()
        elif what == 8:
            body = self.script.bytes(4 * choice).ljust(4 * choice, b"\0")
            self.deliver(11, self.salt(0), Numbered(self.known[11].next_id(), choice & 1, body))
        if what not in (0, 2) and self.model.has_key:
            self.hear()

    def salt(self, choice: int) -> int:
        salts = (self.model.salt(), self.model.salt(1), _SALTS[_SALTS.index(self.model.salt()) + 1], 7)
        return salts[choice]

    def deliver(self, session_id: int, salt: int, message: Numbered) -> None:
        envelope = Envelope(salt, session_id, message.msg_id, message.seq_no, message.body)
        self.said.append(envelope)
        self.compare(envelope)

    def answer(self, session_id: int, msg_id: int, result: bytes) -> None:
        """Answer a request; LocalProtocolError exactly where that can't be."""
        session = self.model.sessions.get(session_id)
        is_open = session is not None and msg_id in session.open
        try:
            self.server.answer(SessionId(_KEY.key_id, session_id), msg_id, result)
        except LocalProtocolError as error:
            if is_open:
                raise Broken(f"{error}, expected {msg_id} to be open") from error
            return
        if session is None or not is_open:
            raise Broken(f"{msg_id} is open, expected that it is not")
        session.answer(msg_id, result)

    def notify(self, session_id: int) -> None:
        key = SessionId(_KEY.key_id, session_id)
        if key in self.state.sessions:
            self.state.notify(key, b"some")
            self.model.sessions[session_id].notify(b"some")

    # What happens

    def timer(self) -> None:
        """What is due is sent; a connection that a ping has limited is closed, and the client comes again."""
        for connection in list(self.connections):
            connection.handle_timer()
            is_over = self.clock() >= self.model.closes_at.get(connection, self.clock() + 1)
            if connection.closed != is_over:
                raise Broken(f"closed is {connection.closed}, expected {is_over}")
            if is_over:
                self.hear_in(connection)
                self.disconnected(connection)
        if self.server not in self.connections:
            self.connect()

    def compare(self, envelope: Envelope) -> None:
        """The server gets a message: events and errors are those of the model."""
        data = framing("intermediate", Side.CLIENT).encode(_CLIENT.seal(envelope, bytes))
        events: list[Said] = []
        error: RemoteProtocolError | None = None
        try:
            events = [_said(event) for event in self.server.receive_data(data)]
        except RemoteProtocolError as raised:
            error = raised
        error = error or self.server.failure
        expected, expected_error = all_of(self.model.receive(envelope, self.server))
        got = (events, error and (error.check, error.reply))
        wanted = (expected, expected_error and (expected_error.check, _reply(expected_error)))
        if got != wanted:
            raise Broken(f"{envelope}\n gives {got}, {error}\n expected {wanted}")
        for said in expected:
            if said[0] == "request":
                self.execute(envelope.session_id, int(str(said[1])))
        if expected_error is not None:
            self.check_closed(_reply(expected_error))
        elif self.model.sessions[envelope.session_id].ends_key:
            self.key_ended(envelope)

    def execute(self, session_id: int, msg_id: int) -> None:
        """A request is one once, as long as its session lasts (S7)."""
        executed = self.model.sessions[session_id].executed
        if msg_id in executed:
            raise Broken(f"request {msg_id} of session {session_id} for the second time")
        executed.add(msg_id)
        self.requests.append((session_id, msg_id))

    def check_closed(self, reply: int) -> None:
        """A failure is final: the transport error, and nothing else; then the client comes again."""
        if not self.server.closed:
            raise Broken("open after a failure, expected it to be closed")
        codes = [code for code in _frames(self.server) if isinstance(code, TransportCode)]
        if codes != [TransportCode(reply)]:
            raise Broken(f"ends with {codes}, expected {reply}")
        self.disconnected(self.server)
        self.connect()

    def disconnected(self, connection: ServerConnection) -> None:
        """A connection is over."""
        self.connections.remove(connection)
        for session in self.model.sessions.values():
            if session.carrier is connection:
                session.carrier = None

    def key_ended(self, envelope: Envelope) -> None:
        """What was said goes out; then nobody knows the key."""
        self.hear()
        self.model.has_key = False
        self.model.sessions.clear()
        if self.state.sessions or self.state.keys:
            raise Broken(f"{self.state.sessions} are left, expected nothing")
        self.compare(envelope)

    def hear(self) -> None:
        """What the server has said in each connection is what the model expects; tables are bounded."""
        for connection in self.connections:
            self.hear_in(connection)
        self.check_bounds()

    def hear_in(self, connection: ServerConnection) -> None:
        carried = [s for s in self.model.sessions.values() if s.carrier is connection]
        for session in carried:
            session.overdue()
        heard: dict[int, list[Envelope]] = {}
        for frame in _frames(connection):
            if not isinstance(frame, Frame):
                raise Broken(f"{frame}, expected messages only")
            envelope = _CLIENT.open(frame.payload)
            heard.setdefault(envelope.session_id, []).append(envelope)
        for session in (*self.model.over, *self.model.sessions.values()):
            session.heard_alone(connection, heard.get(session.session_id, []))
        for session in carried:
            session.heard(heard.pop(session.session_id, []))
            if session.session_id in self.known:
                self.known[session.session_id].theirs = session.sent
        if any(heard.values()):
            raise Broken(f"{heard} goes out, expected nothing in these sessions")

    def check_bounds(self) -> None:
        for key, real in self.state.sessions.items():
            session: Any = real
            model = self.model.sessions[key.session_id]
            sizes = {
                "open": (set(session.open_requests), model.open),
                "answers": (set(session.answers._bodies), set(model.answers)),
                "carriers": (set(session.answers._carried), set(model.carried)),
                "kept": (set(session.sent._kept), set(model.kept)),
                "owed": (set(session.acks._owed), set(model.owed)),
                "waiting": (
                    session.answers._waiting,
                    {q.request for q in model.queue if q.request is not None},
                ),
                "bytes": (session.answers._size, sum(map(len, model.answers.values()))),
            }
            for name, (got, expected) in sizes.items():
                if got != expected:
                    raise Broken(f"{name}: {got}, expected {expected}")
            if len(session.window) > 1000 or len(session._containers) > 1000:
                raise Broken(f"{len(session.window)} in the window, {len(session._containers)} containers")

    # The end

    def settle(self) -> None:
        """All that is open is answered; acknowledgements go out."""
        if not self.model.has_key:
            return
        self.hear()
        for session in list(self.model.sessions.values()):
            for msg_id in list(session.open):
                self.answer(session.session_id, msg_id, b"\xb5\x75\x72\x99")
        self.clock.now += 61
        self.timer()
        self.hear()
        timer = self.server.next_timer()
        if timer is not None and timer < self.clock() - 1e-3:
            raise Broken(f"a timer for {timer}, expected one after {self.clock()}")


def _frames(connection: ServerConnection) -> list[Event]:
    return list(framing("intermediate", Side.CLIENT).receive_data(connection.data_to_send()))


def _reply(dead: Dead) -> int:
    return -429 if isinstance(dead, Flood) else -404


def _said(event: ServerEvent) -> Said:
    """An event as the model has it."""
    match event:
        case RequestReceived(_, msg_id, body):
            return "request", msg_id, body
        case MessageDropped(msg_id, check, _):
            return "dropped", msg_id, check
    raise Broken(f"{event!r}, expected an event of a session")
