"""The server's end of a connection: key exchanges, and the sessions of whichever keys are used in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mtproto.connection.base import Connection
from mtproto.connection.state import ServerState
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
from mtproto.transport import Frame, ServerFraming

__all__ = ["ServerConnection"]


class ServerConnection(Connection[ServerEvent]):
    """A server's end of one connection; which framing the client speaks is told by its first bytes.

    `keys` are the server's RSA keys.  `sessions` holds the sessions that use this connection.
    """

    def __init__(self, keys: Sequence[PrivateKey], state: ServerState) -> None:
        self._detection = ServerFraming()
        super().__init__(self._detection, state.clock, state.rng)
        self.state = state
        self.sessions: dict[SessionId, ServerSession] = {}
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
        timers = [t for s in self.sessions.values() if (t := s.next_timer()) is not None]
        return min(timers) if timers and not self._closed else None

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
        if self._detection.framing is not None:
            self._out += self._framing.encode_code(code)

    def _flush(self) -> None:
        for session in self.sessions.values():
            for payload in session.flush():
                self._out += self._framing.encode(payload)
