"""Whatever a server says in a session, the client does what the documentation says, or RemoteProtocolError.

A second client, `tests.fuzz.client_model`, is told the same: both have to give the same events and errors, and what
goes out has to be what the second one expects, to the number.  In the end the server answers all that it is asked,
and each request has to have ended, once.

    byte 0     bit 0     the server's time is known                 bit 1     the connection is kept alive
               bit 2     salts are known in advance                 bits 4-7  requests that are sent before all
    …          lines, up to 48; what is done, and the choice (low and high four bits):
               0 and 1 the server says something (`tests.fuzz.conversations`); choice: 0 in the session in use,
               1 to 3 in one that was left, 4 in a foreign one; and 8 more: it is not heard what the client says
               2 what the server said before, the choice-th latest         3 time passes, `_TIMES`
               4 a request: bits 0 and 1 follows the latest, and the one before, 2 at_least_once, 3 gzip
               5 the choice-th oldest request is dropped     6 a ping     7 the connection breaks, and goes on
               8 the server is asked to forget a session     9, to forget the key     10 the clock is turned back
               11 so many times four bytes as they are, in a message     12 a transport error ends it
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any

from mtproto.connection import ClientConnection, KeepAlive
from mtproto.crypto.auth_key import AuthKey
from mtproto.envelope import Cipher, Envelope
from mtproto.errors import FateUnknown, RemoteProtocolError, RpcError
from mtproto.events import (
    AnswerReceived,
    AuthKeyDestroyed,
    ClientEvent,
    MessageDropped,
    MessageReceived,
    PongReceived,
    RequestFailed,
    SessionCreated,
    SessionDestroyed,
)
from mtproto.message import pack_gzip
from mtproto.salts import Salt
from mtproto.session.bad_message import BadMessage
from mtproto.side import Side
from mtproto.transport import Frame, framing
from tests.fuzz.client_model import ClientModel
from tests.fuzz.conversations import KINDS, NUMBERS, Dead, Knowledge, Numbered, Said, all_of, speak
from tests.fuzz.scripts import Clock, Draws, Script
from tests.fuzz.verdicts import Broken

__all__ = ["WORDS", "target"]

_KEY = AuthKey(bytes(range(256)))
_SERVER = Cipher(_KEY, Side.SERVER)
_TIMES = (0.01, 0.5, 1, 5, 10, 15, 20, 31, 61, 100, 239, 301, 601, 1000, 1861, 7300)
_MOST_LINES = 48
_REQUEST = 0x5E002502
WORDS = (
    *(bytes([line | choice << 4]) for line in range(13) for choice in range(16)),
    *(bytes([0, numbers, kind]) for kind in range(len(KINDS)) for numbers in (0, 8)),
    *(bytes([0, 0, 4, which, 0, 1]) for which in (0, 1, 2)),
    *(bytes([0, 0, kind, which, 0, code]) for kind in (6, 7) for which in (0, 1) for code in range(13)),
    *(bytes([0, 0, kind, 1, which]) for kind in (5, 9, 14) for which in (0, 1, 0x10)),
    *(
        bytes([0, 0, kind, 1, which, 1, state])
        for kind in (11,)
        for which in (0, 1)
        for state in (1, 2, 4, 68)
    ),
    *(bytes([0, 0, 10, which, 1, state]) for which in (0, 1) for state in (1, 2, 4, 68)),
    *(bytes([0, 0, 1, damage, count]) for damage in range(13) for count in (0, 2)),
    *(bytes([0, 0, 2, damage]) for damage in range(8)),
)
"""Lines that say something."""


class _Draws(Draws):
    """Randomness, and what of it was eight bytes long: session_ids and ping_ids."""

    def __init__(self) -> None:
        super().__init__()
        self.eights: deque[int] = deque()

    def __call__(self, count: int) -> bytes:
        drawn = super().__call__(count)
        if count == 8:
            self.eights.append(int.from_bytes(drawn, "little", signed=True))
        return drawn


def target(raw: bytes, make: Callable[..., ClientConnection] = ClientConnection) -> None:
    """Raise where a client that `make` makes is unlike the documentation's."""
    script = Script(raw)
    talk = _Talk(script, make)
    for _ in range(_MOST_LINES):
        if not script or talk.is_over:
            break
        talk.line()
    talk.settle()


class _Talk:
    """A client, the model of it, and a server that says whatever a script has."""

    def __init__(self, script: Script, make: Callable[..., ClientConnection]) -> None:
        self.script = script
        options = script.byte()
        self.clock, self.draws = Clock(), _Draws()
        offset = 0.0 if options & 1 else None
        now = int(self.clock())
        salts = [(now - 1800, now + 1800, 1), (now, now + 3600, 2), (now + 1800, now + 5400, 3)]
        salts = salts if options & 4 else []
        self.keeps_alive = bool(options & 2)
        self.client = make(
            auth_key=_KEY,
            server_salt=1,
            salts=[Salt(*salt) for salt in salts],
            time_offset=offset,
            keep_alive=KeepAlive() if self.keeps_alive else None,
            clock=self.clock,
            rng=self.draws,
        )
        self.model = ClientModel(self.clock, self.draws.eights.popleft(), 1, offset, self.draws.eights)
        self.model.timetable = salts
        self.known = Knowledge(lambda: self.model.now(), 1)
        self.said: deque[tuple[Numbered, int]] = deque(maxlen=16)
        self.asked: list[int] = []
        self.ended: Counter[int] = Counter()
        self.next_ping, self.deadline = self.clock() + 60, 0.0
        self.is_over, self.turned_back = False, 0
        for _ in range(options >> 4):
            self.request(0)
        self.hear(skip_prefix=True)

    # Lines

    def line(self) -> None:
        byte = self.script.byte()
        what, choice = byte & 15, byte >> 4
        self.clock.now += 2**-20
        if what in (0, 1) or what > 12:
            self.say(choice & 7)
        elif what == 2 and self.said:
            self.deliver(*self.said[-1 - choice % len(self.said)])
        elif what == 3:
            self.pass_time(_TIMES[choice])
        elif what == 4:
            self.request(choice)
        elif what == 5 and self.asked:
            number = self.asked[choice % len(self.asked)]
            self.client.drop_request(number)
            self.model.drop(number)
            self.ended.setdefault(number, 1)
        elif what == 6:
            self.client.ping(choice)
            self.model.plain_ask("ping", choice)
        elif what == 7:
            self.client.abandon()
            self.reconnect()
        elif what in (8, 9):
            self.forget(what, choice)
        elif what == 10:
            self.clock.now -= choice
            self.turned_back += choice
        elif what == 11:
            self.deliver(
                Numbered(
                    self.known.next_id(), choice & 1, self.script.bytes(4 * choice).ljust(4 * choice, b"\0")
                ),
                0,
            )
        elif what == 12:
            self.fail_with_code((-429, -404, -444)[choice % 3])
        if what > 1 or choice < 8:
            self.hear()

    def say(self, choice: int) -> None:
        message = speak(self.script, self.known)
        self.said.append((message, choice))
        self.deliver(message, choice)

    def request(self, choice: int) -> None:
        body = _REQUEST.to_bytes(4, "little") + len(self.asked).to_bytes(4, "little") * 16
        after = [self.asked[-1 - i] for i in (0, 1) if choice >> i & 1 and i < len(self.asked)]
        number = self.client.send_request(
            body, after=after, at_least_once=bool(choice & 4), gzip=bool(choice & 8)
        )
        self.model.send(number, pack_gzip(body) if choice & 8 else body, tuple(after), bool(choice & 4))
        self.asked.append(number)

    def forget(self, what: int, choice: int) -> None:
        if what == 8:
            self.client.destroy_session(choice)
            self.model.plain_ask("destroy_session", choice)
        else:
            self.client.destroy_auth_key()
            self.model.plain_ask("destroy_auth_key")

    def fail_with_code(self, code: int) -> None:
        self.client.receive_data(framing("intermediate", Side.SERVER).encode_code(code))
        if not self.client.closed:
            raise Broken(f"open after {code}, expected it to be closed")
        if code == -404:
            self.is_over = True
        else:
            self.reconnect()

    # What happens

    def deliver(self, message: Numbered, choice: int) -> None:
        """The client gets a message in a session of the choice; events and errors are those of the model."""
        left = self.model.left
        session_id = (
            7 if choice == 4 else left[-choice] if 1 <= choice <= len(left) else self.model.session_id
        )
        self.known.sessions = (session_id, *left)
        envelope = Envelope(0, session_id, message.msg_id, message.seq_no, message.body)
        data = framing("intermediate", Side.SERVER).encode(_SERVER.seal(envelope, bytes))
        self.deadline = 0.0
        self.compare(lambda: self.client.receive_data(data), self.model.receive(envelope), repr(message))

    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds
        before = self.client
        self.compare(self.client.handle_timer, self.timer(), f"{seconds} s pass")
        self.hear()
        timer = self.client.next_timer()
        if self.client is before and timer is not None and timer < self.clock() - 1e-3:
            raise Broken(f"a timer for {timer}, expected one after {self.clock()}")

    def timer(self) -> Iterator[Said]:
        if self.keeps_alive:
            if self.deadline and self.clock() >= self.deadline:
                raise Dead("C23")
            if self.clock() >= self.next_ping:
                self.next_ping = self.clock() + 60
                self.deadline = self.deadline or self.clock() + 15
                self.model.plain_ask("ping_delay_disconnect", self.draws.eights.popleft(), 75)
        yield from self.model.timer()

    def compare(self, act: Callable[[], list[ClientEvent]], model: Iterator[Said], what: str) -> None:
        """Do something, which may end the connection: another one goes on."""
        events: list[Said] = []
        check: str | None = None
        try:
            events = [_said(event) for event in act()]
        except RemoteProtocolError as error:
            check = error.check
        failure = self.client.failure
        if failure is not None:
            check = failure.check
        expected, dead = all_of(model)
        expected_check = dead and dead.check
        if (events, check) != (expected, expected_check):
            raise Broken(f"{what}\n gives {events}, {failure!r}\n expected {expected}, {expected_check}")
        self.ended.update(int(str(said[1])) for said in events if said[0] in ("answer", "failed"))
        if check is not None:
            self.check_closed(str(failure))
            self.reconnect()

    def check_closed(self, failure: str) -> None:
        """A failure is final."""
        try:
            again = str(self.client.receive_data(b"\0"))
        except RemoteProtocolError as error:
            again = str(error)
        if again != failure or not self.client.closed:
            raise Broken(f"first {failure}, then {again}, expected the same")

    def reconnect(self) -> None:
        self.client = self.client.successor()
        self.model.reconnected()
        self.next_ping, self.deadline = self.clock() + 60, 0.0
        self.hear(skip_prefix=True)

    def hear(self, *, skip_prefix: bool = False) -> None:
        """What the client has said is what the model expects; tables are bounded."""
        if self.is_over:
            return
        data = self.client.data_to_send()
        reader = framing("intermediate", Side.SERVER)
        frames = reader.receive_data(data[len(reader.prefix) if skip_prefix else 0 :])
        envelopes = [_SERVER.open(frame.payload) for frame in frames if isinstance(frame, Frame)]
        self.model.heard(envelopes)
        self.known.theirs = list(self.model.parts)
        self.check_bounds()

    def check_bounds(self) -> None:
        session: Any = self.client.session
        requests = session.requests
        sizes = {
            "open": (len(requests), len(self.model.requests)),
            "by msg_id": (
                len(requests._by_msg_id),
                sum(len(r.msg_ids) for r in self.model.requests.values()),
            ),
            "kept": (len(session.sent._kept), min(1024, len(self.model.kept))),
            "queries": (len(session.queries), len(self.model.queries)),
            "owed": (len(session.acks), len(self.model.owed)),
            "queued": (len(session._queue), 0),
        }
        for name, (size, expected) in sizes.items():
            if size != expected:
                raise Broken(f"{name}: {size} are remembered, expected {expected}")
        if len(session._held) > len(requests) or len(session.window) > 1000:
            raise Broken(f"{len(session._held)} are held, {len(session.window)} in the window")
        if sum(len(message.body) for message, _ in session.sent._kept.values()) != session.sent._kept_bytes:
            raise Broken(f"{session.sent._kept_bytes} bytes are kept, expected the sum of them")

    # The end

    def settle(self) -> None:
        """The server answers whatever is open; acknowledgements go out."""
        for _ in range(0 if self.is_over else len(self.asked) + 2):
            for request in list(self.model.requests.values()):
                if not self.is_over and request.msg_ids and request.number in self.model.requests:
                    self.answer(request.msg_ids[-1])
            self.hear()
            if not self.model.requests:
                break
        if not self.is_over:
            self.pass_time(61 + self.turned_back)
            if self.model.owed:
                raise Broken(f"not acknowledged: {self.model.owed}")
            if set(self.asked) - set(self.ended):
                raise Broken(f"requests without an end: {set(self.asked) - set(self.ended)}")
        if any(times != 1 for times in self.ended.values()):
            raise Broken(f"requests ended {self.ended}, expected once")

    def answer(self, msg_id: int) -> None:
        body = (
            NUMBERS["rpc_result"].to_bytes(4, "little") + msg_id.to_bytes(8, "little") + b"\xb5\x75\x72\x99"
        )
        fresh = int(self.known.now() * 2**32) | 1
        while fresh in self.model.window:
            fresh += 4
        if self.model.window.is_below(fresh):
            self.is_over = True  # whatever the server says now is too old
        else:
            self.deliver(Numbered(fresh, 1, body), 0)


def _said(event: ClientEvent) -> Said:
    """An event as the model has it."""
    match event:
        case AnswerReceived(number, body):
            return "answer", number, body
        case RequestFailed(number, RpcError() as error):
            return "failed", number, (error.code, error.message)
        case RequestFailed(number, BadMessage() as error):
            return "failed", number, error.code
        case RequestFailed(number, RemoteProtocolError() as error):
            return "failed", number, error.check
        case RequestFailed(number, FateUnknown()):
            return "failed", number, "unknown"
        case MessageReceived(msg_id, body):
            return "message", msg_id, body
        case MessageDropped(msg_id, check, _):
            return "dropped", msg_id, check
        case SessionCreated(first, unique_id):
            return "created", first, unique_id
        case SessionDestroyed(session_id, existed):
            return "destroyed", session_id, existed
        case AuthKeyDestroyed(outcome):
            return "key destroyed", outcome
        case PongReceived(ping_id):
            return "pong", ping_id
    raise Broken(f"{event!r}, expected an event of a session")
