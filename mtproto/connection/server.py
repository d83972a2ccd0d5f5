"""The server's end of a connection: key exchanges, and the sessions of whichever keys are used in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from mtproto.connection.base import Connection, Progress
from mtproto.connection.deadlines import Deadlines, Watch
from mtproto.connection.quick_acks import read_quick_ack
from mtproto.connection.schedule import Schedule
from mtproto.connection.state import ServerState
from mtproto.crypto.auth_key import AuthKey
from mtproto.crypto.rsa import PrivateKey
from mtproto.envelope import (
    PLAIN_AUTH_KEY_ID,
    UNKNOWN_AUTH_KEY,
    Cipher,
    PlainMessage,
    auth_key_id_of,
    decode_plain,
    encode_plain,
)
from mtproto.errors import LocalProtocolError, RemoteProtocolError
from mtproto.events import KeyAgreed, ServerEvent, SessionId
from mtproto.handshake import ServerHandshake
from mtproto.message_id import MessageIdGenerator
from mtproto.session import ServerSession
from mtproto.side import Side
from mtproto.transport import Event as FramingEvent
from mtproto.transport import Frame, ProxySecret, ServerFraming

__all__ = ["ServerConnection"]

_MAX_CIPHERS = 4
"""A client uses one key, and two while a temporary one is renewed."""


def _never(key_id: bytes) -> bool:
    return False


class ServerConnection(Connection[ServerEvent]):
    """A server's end of one connection; which framing the client speaks is told by its first bytes.

    `keys` are the server's RSA keys.  With an `mtproxy_secret` only obfuscated connections that know it are
    taken, with a `dc` only key exchanges for that data centre; with the name of a framing as `transport` only
    that one, with `obfuscated` only obfuscated connections.  `is_taken` and `is_refused` are those of
    `ServerHandshake`; the keys that `state` knows are taken.  `sessions` holds the sessions that use this
    connection.
    """

    def __init__(
        self,
        keys: Sequence[PrivateKey],
        state: ServerState,
        *,
        mtproxy_secret: ProxySecret | str | bytes | None = None,
        transport: str | None = None,
        obfuscated: bool = False,
        dc: int | None = None,
        is_taken: Callable[[bytes], bool] | None = None,
        is_refused: Callable[[bytes], bool] | None = None,
        deadlines: Deadlines = Deadlines(),  # noqa: B008 - it is immutable
    ) -> None:
        secret = None if mtproxy_secret is None else ProxySecret.read(mtproxy_secret)
        self._detection = ServerFraming(
            secret=secret, transport=transport, obfuscated=obfuscated, seen=state.seen_inits, rng=state.rng
        )
        super().__init__(self._detection, state.clock, state.rng)
        self.state = state
        self._watch = Watch(deadlines, state.clock())
        self._frame_count = 0
        self._disconnect_at: float | None = None
        self.sessions: dict[SessionId, ServerSession] = {}
        self._schedule = Schedule(self.sessions)
        self._ciphers: dict[bytes, Cipher] = {}
        self._plain_ids = MessageIdGenerator(Side.SERVER, state.clock)
        self._handshake = ServerHandshake(
            keys,
            clock=state.clock,
            rng=state.rng,
            is_taken=is_taken or state.keys.__contains__,
            is_refused=is_refused or _never,
            dc=dc,
        )

    def answer(self, session: SessionId, msg_id: int, result: bytes) -> None:
        """Queue the boxed answer to a request; LocalProtocolError unless it is open."""
        self.state.answer(session, msg_id, result)

    def send_quick_ack(self, token: bytes) -> None:
        """Queue a quick ack (4 bytes, the top bit of the last one set), whatever it is about: for tests.

        LocalProtocolError where the connection is closed, or the framing has none.
        """
        if self._closed:
            raise LocalProtocolError("the connection is closed")
        self._out += self._framing.encode_quick_ack(token)

    def auth_key(self, key_id: bytes) -> AuthKey | None:
        return self.state.keys.get(key_id)  # by no way that makes it the last one used

    def new_nonce(self, server_nonce: bytes) -> bytes | None:
        return self._handshake.new_nonce(server_nonce)

    def receive_data(self, data: bytes) -> list[ServerEvent]:
        before = self._frame_count
        try:
            return super().receive_data(data)
        finally:
            self._watch.note(
                self._clock(),
                has_framing=self._detection.framing is not None,
                frames=self._frame_count - before,
                buffered=self._detection.buffered,
            )

    def touch(self, session_id: SessionId) -> None:
        """This session may have something to send: `ServerState` says so, of those that it knows."""
        self._schedule.touch(session_id)

    def pause(self) -> None:
        """Nothing is read for a while: what the client owes meanwhile is not late."""
        self._watch.pause(self._clock())

    def resume(self) -> None:
        """Reading goes on."""
        self._watch.resume(self._clock())

    def next_timer(self) -> float | None:
        if self._closed:
            return None
        timers = (self._schedule.next_timer(), self._watch.deadline(), self._disconnect_at)
        return min((timer for timer in timers if timer is not None), default=None)

    def handle_timer(self) -> list[ServerEvent]:
        """Queue what is due by now; close the connection where that is due, too.

        It is when a deadline was not kept, which sets `failure`, and so many seconds after a ping that asked for
        it (ping_delay_disconnect) without another such ping.
        """
        if not self._closed:
            now = self._clock()
            error = self._watch.overdue(now)
            if error is not None:
                self._fail(error)
            elif self._disconnect_at is not None and now >= self._disconnect_at:
                self.close()
        return super().handle_timer()

    def _frame(self, event: FramingEvent) -> Progress[ServerEvent]:
        if not isinstance(event, Frame):
            return
        self._frame_count += 1
        for payload in self._messages_in(event):
            if auth_key_id_of(payload) == PLAIN_AUTH_KEY_ID:
                yield from self._exchange(payload)
            else:
                yield from self._message(payload, event.quick_ack)

    def _exchange(self, payload: bytes) -> Progress[ServerEvent]:
        before = self._handshake.result
        answer = yield from self._handshake.receiving(decode_plain(payload).body)
        message = PlainMessage(self._plain_ids.next(answer=True), answer)
        self._write(encode_plain(message))
        result = self._handshake.result
        if result is not None and result is not before:
            self.state.add_key(result.auth_key, result.server_salt, result.expires_at)
            yield KeyAgreed(result.auth_key, result.server_salt, 0.0, expires_at=result.expires_at)

    def _message(self, payload: bytes, quick_ack: bool) -> Iterator[ServerEvent]:
        auth_key = self.state.key(payload[:8])
        if auth_key is None:
            raise RemoteProtocolError(
                "an unknown auth_key_id", check="S1", got=payload[:8].hex(), reply=UNKNOWN_AUTH_KEY
            )
        envelope = self._cipher(auth_key).open(payload)
        if quick_ack:  # now: it says that the message has arrived, before anything becomes of it
            self._out += self._framing.encode_quick_ack(read_quick_ack(auth_key, payload)[0])
        session = self.state.session(auth_key, envelope.session_id)
        self._ciphers[auth_key.key_id] = session.cipher  # one will do for both
        # What the client has sent before may have been recorded: who sends it again is not to get its answers.
        carrier = self.state.carriers.get(session.id, self if session.id in self.state.sessions else None)
        if session.takes(envelope):
            carrier = self
            self.state.keep(session)
        if carrier is not None:
            self.state.carry(session, carrier)
        yield from session.receive(envelope)
        if carrier is not self:
            for payload in session.flush_complaint():
                self._write(payload)
        delay = session.take_disconnect_delay()
        if delay is not None:
            self._disconnect_at = self._clock() + delay
        for destroyed in session.take_destroyed():
            other = SessionId(auth_key.key_id, destroyed)
            session.tell_destroyed(destroyed, other in self.state.sessions and other != session.id)
            if other != session.id:
                self.state.forget_session(other)
        if session.takes_key_along():
            self._flush()
            self.state.forget_key(auth_key.key_id)

    def _cipher(self, auth_key: AuthKey) -> Cipher:
        """The cipher of a key, kept for the next message; of the keys that a client uses, the latest few."""
        cipher = self._ciphers.get(auth_key.key_id)
        if cipher is None:
            if len(self._ciphers) >= _MAX_CIPHERS:
                del self._ciphers[next(iter(self._ciphers))]
            cipher = self._ciphers[auth_key.key_id] = Cipher(auth_key, Side.SERVER)
        return cipher

    def _end(self) -> None:
        super()._end()
        for session_id in self.sessions:
            if self.state.carriers.get(session_id) is self:
                del self.state.carriers[session_id]
        self.sessions.clear()

    def _write_code(self, code: int) -> None:
        if self._detection.framing is not None:
            self._out += self._framing.encode_code(code)

    def _flush(self) -> None:
        for session_id in self._schedule.take(self._clock()):
            self.state.forget_expired(session_id.auth_key_id)
            session = self.sessions.get(session_id)
            if session is None:  # its key is over: nothing is sent under it any more
                continue
            for payload in session.flush():
                self._write(payload)
            self._schedule.set(session_id)
