"""Connections: the stages chained, from the bytes of a socket to events and back; no socket in sight.

    bytes → framing → payload → key exchange | session → events
    requests and answers → session → payloads → framing → bytes

Feed what arrives to `receive_data`, which returns events; send what `data_to_send` returns; call
`handle_timer` when `next_timer` has passed.  `clock` is unix time in seconds, `rng` gives random bytes.

**Damage.**  As in `mtproto.transport`: `receive_data` returns the events that came before the damage, and
raises only when there are none; `failure` is set, the connection is closed, and every later call raises it
again.  What a server owes a peer that broke the rules (a transport error) is still in `data_to_send`.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from mtproto.crypto.auth_key import AuthKey
from mtproto.crypto.rsa import PrivateKey, PublicKey
from mtproto.envelope import (
    PLAIN_AUTH_KEY_ID,
    UNKNOWN_AUTH_KEY,
    Cipher,
    PlainMessage,
    auth_key_id_of,
    decode_plain,
    encode_plain,
)
from mtproto.errors import HandshakeFailed, LocalProtocolError, RemoteProtocolError
from mtproto.events import (
    ClientEvent,
    KeyAgreed,
    QuickAckReceived,
    ServerEvent,
    SessionId,
    TransportErrorReceived,
)
from mtproto.handshake import ClientHandshake, ServerHandshake
from mtproto.message_id import MessageIdGenerator
from mtproto.salts import SaltTimetable
from mtproto.session import ClientSession, ServerSession
from mtproto.side import Side
from mtproto.transport import (
    MAX_PAYLOAD,
    Frame,
    QuickAck,
    ServerFraming,
    TransportCode,
    framing,
)
from mtproto.transport import Event as FramingEvent

__all__ = ["MAX_BODY", "ClientConnection", "ServerConnection", "ServerState"]

MAX_BODY = MAX_PAYLOAD - 2048
"""The longest body that fits into one payload with all that goes around it, in bytes."""

EventT = TypeVar("EventT")


class _Connection(ABC, Generic[EventT]):
    """What both sides share: the closed state, the contract about damage, and the bytes to send."""

    def __init__(self, clock: Callable[[], float], rng: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._rng = rng
        self._out = bytearray()
        self._failure: RemoteProtocolError | None = None
        self._closed = False

    @property
    def failure(self) -> RemoteProtocolError | None:
        """Which rule the peer broke, once it has."""
        return self._failure

    @property
    def closed(self) -> bool:
        """Whether nothing more will be received or sent, but for what `data_to_send` still holds."""
        return self._closed

    def receive_data(self, data: bytes) -> list[EventT]:
        """The events that `data`, the next bytes of the stream, brings; see *Damage* for what it raises."""
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        if self._closed:
            return []
        events: list[EventT] = []
        try:
            for frame in self._frames(data):
                for event in self._frame(frame):
                    events.append(event)  # noqa: PERF402 - one by one: what came before an error is kept
            self._check_framing()
        except RemoteProtocolError as error:
            self._fail(error)
            if not events:
                raise
        return events

    def receive_eof(self) -> None:
        """The peer has closed its end; raise RemoteProtocolError if that is in the middle of a frame."""
        self._end()
        try:
            self._end_of_frames()
        except RemoteProtocolError as error:
            self._fail(error)
            raise

    def close(self) -> None:
        """Close from this side; what has been queued is still in `data_to_send`."""
        if not self._closed:
            self._flush()
            self._end()

    def abandon(self) -> None:
        """The transport broke: nothing more can be sent here, and what is queued waits for another connection."""
        self._end()

    def data_to_send(self) -> bytes:
        """All bytes that are to be sent now, once; b"" if there are none."""
        if not self._closed:
            self._flush()
        out, self._out = bytes(self._out), bytearray()
        return out

    def _fail(self, error: RemoteProtocolError) -> None:
        self._failure = error
        self._flush()
        self._end()
        if error.reply is not None:
            self._write_code(error.reply)

    def _end(self) -> None:
        self._closed = True

    def _write_code(self, code: int) -> None:
        """Only servers answer damage."""

    @abstractmethod
    def _frames(self, data: bytes) -> list[FramingEvent]: ...

    @abstractmethod
    def _check_framing(self) -> None: ...

    @abstractmethod
    def _end_of_frames(self) -> None: ...

    @abstractmethod
    def _frame(self, event: FramingEvent) -> Iterator[EventT]: ...

    @abstractmethod
    def _flush(self) -> None: ...


class ClientConnection(_Connection[ClientEvent]):
    """A client's end.  Without an `auth_key` it begins with the key exchange, which ends with `KeyAgreed`.

    `keys` are the RSA keys to trust, in order of preference; `dc` is the data centre's number as the key
    exchange names it (plus 10000 for test ones, negative for media).  With an `auth_key`, give its
    `server_salt` and `time_offset` (seconds that the server's clock is ahead) as far as they are known.
    """

    def __init__(
        self,
        keys: Sequence[PublicKey] = (),
        *,
        transport: str = "intermediate",
        dc: int = 2,
        auth_key: AuthKey | None = None,
        server_salt: int = 0,
        time_offset: float | None = None,
        clock: Callable[[], float] = time.time,
        rng: Callable[[int], bytes] = os.urandom,
    ) -> None:
        super().__init__(clock, rng)
        self._framing = framing(transport, Side.CLIENT)
        self._out += self._framing.prefix
        self._session: ClientSession | None = None
        self._handshake: ClientHandshake | None = None
        self._plain_ids = MessageIdGenerator(Side.CLIENT, clock)
        if auth_key is None:
            self._handshake = ClientHandshake(keys, dc=dc, clock=clock, rng=rng)
            self._send_plain(self._handshake.start())
        else:
            self._begin_session(auth_key, server_salt, time_offset)

    @property
    def session(self) -> ClientSession:
        """The session; LocalProtocolError before the key is agreed."""
        if self._session is None:
            raise LocalProtocolError("there is no session before the key exchange is complete")
        return self._session

    @property
    def is_ready(self) -> bool:
        """Whether requests can be sent."""
        return self._session is not None and not self._closed

    def send_request(self, body: bytes) -> int:
        """Queue the request whose boxed bytes are `body`; return the number by which events refer to it.

        Raise LocalProtocolError before the key is agreed, on a closed connection, and for a body that is
        empty, not a multiple of 4 bytes, or longer than `MAX_BODY`.
        """
        if self._closed:
            raise LocalProtocolError("the connection is closed")
        if len(body) % 4 or not 4 <= len(body) <= MAX_BODY:
            raise LocalProtocolError(
                f"a request of {len(body)} bytes, expected a multiple of 4 from 4 to {MAX_BODY}"
            )
        return self.session.send(body)

    def next_timer(self) -> float | None:
        """The unix time at which `handle_timer` should be called, or None."""
        return self._session.next_timer() if self._session and not self._closed else None

    def handle_timer(self) -> None:
        """Queue what is due by now; it is then in `data_to_send`."""
        if not self._closed:
            self._flush()

    def _begin_session(self, auth_key: AuthKey, server_salt: int, time_offset: float | None) -> None:
        self._session = ClientSession(
            auth_key,
            int.from_bytes(self._rng(8), "little", signed=True),
            server_salt=server_salt,
            time_offset=time_offset,
            clock=self._clock,
            rng=self._rng,
        )

    def _send_plain(self, body: bytes) -> None:
        message = PlainMessage(self._plain_ids.next(), body)
        self._out += self._framing.encode(encode_plain(message))

    def _frames(self, data: bytes) -> list[FramingEvent]:
        return self._framing.receive_data(data)

    def _check_framing(self) -> None:
        if self._framing.failure is not None:
            raise self._framing.failure

    def _end_of_frames(self) -> None:
        self._framing.eof()

    def _frame(self, event: FramingEvent) -> Iterator[ClientEvent]:
        match event:
            case TransportCode(code):
                self._end()
                yield TransportErrorReceived(code)
            case QuickAck(token):
                yield QuickAckReceived(token)
            case Frame(payload):
                if self._session is not None:
                    yield from self._session.receive(payload)
                else:
                    yield from self._exchange(payload)

    def _exchange(self, payload: bytes) -> Iterator[ClientEvent]:
        message = decode_plain(payload)
        if self._handshake is None or message.msg_id & 1 == 0:
            raise HandshakeFailed(
                "a plain message with an even msg_id", check="C9", got=message.msg_id, expected="odd"
            )
        query = self._handshake.receive(message.body)
        if query is not None:
            self._send_plain(query)
        result = self._handshake.result
        if result is not None:
            self._handshake = None
            self._begin_session(result.auth_key, result.server_salt, result.time_offset)
            yield KeyAgreed(result.auth_key, result.server_salt, result.time_offset)

    def _flush(self) -> None:
        if self._session is not None and not self._closed:
            for payload in self._session.flush():
                self._out += self._framing.encode(payload)


class ServerState:
    """What a server knows beyond one connection: auth keys with their salts, and sessions.

    Keys outlive connections, and a session goes on in whichever connection its client uses next.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        rng: Callable[[int], bytes] = os.urandom,
        max_sessions: int = 100_000,
    ) -> None:
        self.clock = clock
        self.rng = rng
        self.keys: dict[bytes, AuthKey] = {}
        self.salts: dict[bytes, SaltTimetable] = {}
        self.expiry: dict[bytes, float] = {}
        self.sessions: dict[SessionId, ServerSession] = {}
        self.carriers: dict[SessionId, ServerConnection] = {}
        self._max_sessions = max_sessions

    def add_key(self, auth_key: AuthKey, server_salt: int, expires_at: float | None = None) -> None:
        """Make an agreed key known, with its first salt."""
        key_id = auth_key.key_id
        self.keys[key_id] = auth_key
        self.salts[key_id] = SaltTimetable(server_salt, self.clock(), self.rng)
        if expires_at is not None:
            self.expiry[key_id] = expires_at

    def key(self, key_id: bytes) -> AuthKey | None:
        """The key with this auth_key_id, unless it is unknown or has expired."""
        if key_id in self.expiry and self.clock() >= self.expiry[key_id]:
            self.forget_key(key_id)
        return self.keys.get(key_id)

    def forget_key(self, key_id: bytes) -> None:
        """Forget a key with all that belongs to it."""
        self.keys.pop(key_id, None)
        self.salts.pop(key_id, None)
        self.expiry.pop(key_id, None)
        for session_id in [s for s in self.sessions if s.auth_key_id == key_id]:
            self.forget_session(session_id)

    def forget_session(self, session_id: SessionId) -> None:
        """Forget a session; a client that goes on in it is told that it is a new one."""
        self.sessions.pop(session_id, None)
        carrier = self.carriers.pop(session_id, None)
        if carrier is not None:
            carrier.sessions.pop(session_id, None)

    def carry(self, session: ServerSession, connection: ServerConnection) -> None:
        """From now on `session` speaks through `connection`, and through no other."""
        before = self.carriers.get(session.id)
        if before is not connection:
            if before is not None:
                before.sessions.pop(session.id, None)
            self.carriers[session.id] = connection
            connection.sessions[session.id] = session

    def session(self, auth_key: AuthKey, session_id: int) -> ServerSession:
        """The session with this id, begun if there is none; the one longest unused makes room for it."""
        key = SessionId(auth_key.key_id, session_id)
        session = self.sessions.pop(key, None)
        if session is None:
            session = ServerSession(
                auth_key, session_id, salts=self.salts[auth_key.key_id], clock=self.clock, rng=self.rng
            )
        self.sessions[key] = session
        while len(self.sessions) > self._max_sessions:
            self.forget_session(next(iter(self.sessions)))
        return session


class ServerConnection(_Connection[ServerEvent]):
    """A server's end of one connection; which framing the client speaks is told by its first bytes.

    `keys` are the server's RSA keys.  `sessions` holds the sessions that use this connection.
    """

    def __init__(self, keys: Sequence[PrivateKey], state: ServerState) -> None:
        super().__init__(state.clock, state.rng)
        self.state = state
        self.sessions: dict[SessionId, ServerSession] = {}
        self._framing = ServerFraming()
        self._ciphers: dict[bytes, Cipher] = {}
        self._plain_ids = MessageIdGenerator(Side.SERVER, state.clock)
        self._handshake = ServerHandshake(
            keys, clock=state.clock, rng=state.rng, is_taken=lambda key_id: key_id in state.keys
        )

    def answer(self, session: SessionId, msg_id: int, result: bytes) -> None:
        """Queue the boxed answer to a request; LocalProtocolError unless it is open."""
        if session not in self.state.sessions:
            raise LocalProtocolError(f"there is no session {session}")
        self.state.sessions[session].answer(msg_id, result)

    def next_timer(self) -> float | None:
        """The unix time at which `handle_timer` should be called, or None."""
        timers = [t for s in self.sessions.values() if (t := s.next_timer()) is not None]
        return min(timers) if timers and not self._closed else None

    def handle_timer(self) -> None:
        """Queue what is due by now; it is then in `data_to_send`."""
        if not self._closed:
            self._flush()

    def _frames(self, data: bytes) -> list[FramingEvent]:
        return self._framing.receive_data(data)

    def _check_framing(self) -> None:
        if self._framing.failure is not None:
            raise self._framing.failure

    def _end_of_frames(self) -> None:
        self._framing.eof()

    def _frame(self, event: FramingEvent) -> Iterator[ServerEvent]:
        if not isinstance(event, Frame):
            return
        if auth_key_id_of(event.payload) == PLAIN_AUTH_KEY_ID:
            yield from self._exchange(event.payload)
        else:
            yield from self._message(event.payload)

    def _exchange(self, payload: bytes) -> Iterator[ServerEvent]:
        before = self._handshake.result
        answer = self._handshake.receive(decode_plain(payload).body)
        message = PlainMessage(self._plain_ids.next(answer=True), answer)
        self._out += self._framing.encode(encode_plain(message))
        result = self._handshake.result
        if result is not None and result is not before:
            self.state.add_key(result.auth_key, result.server_salt, result.expires_at)
            yield KeyAgreed(result.auth_key, result.server_salt, 0.0)

    def _message(self, payload: bytes) -> Iterator[ServerEvent]:
        auth_key = self.state.key(payload[:8])
        if auth_key is None:
            raise RemoteProtocolError(
                "an unknown auth_key_id", check="S1", got=payload[:8].hex(), reply=UNKNOWN_AUTH_KEY
            )
        cipher = self._ciphers.setdefault(auth_key.key_id, Cipher(auth_key, Side.SERVER))
        envelope = cipher.open(payload)
        session = self.state.session(auth_key, envelope.session_id)
        self.state.carry(session, self)
        yield from session.receive(envelope)
        for destroyed in session.take_destroyed():
            if destroyed != session.session_id:
                self.state.forget_session(SessionId(auth_key.key_id, destroyed))

    def _end(self) -> None:
        super()._end()
        for session_id in self.sessions:
            if self.state.carriers.get(session_id) is self:
                del self.state.carriers[session_id]
        self.sessions.clear()

    def _write_code(self, code: int) -> None:
        if self._framing.framing is not None:
            self._out += self._framing.encode_code(code)

    def _flush(self) -> None:
        for session in self.sessions.values():
            for payload in session.flush():
                self._out += self._framing.encode(payload)
