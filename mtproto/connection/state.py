"""What a server knows beyond one connection: auth keys, their salts, sessions, and inits it has seen."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Protocol

from mtproto import api
from mtproto.crypto.auth_key import AuthKey
from mtproto.errors import LocalProtocolError
from mtproto.events import SessionId
from mtproto.salts import SaltTimetable
from mtproto.session import ServerSession
from mtproto.temp_keys import Binding, Bindings
from mtproto.transport import SeenInits

__all__ = ["MAX_SESSIONS_PER_KEY", "Carrier", "ServerState"]

MAX_SESSIONS_PER_KEY = 100
"""How many sessions of one auth_key are kept; a client makes a new one each time that it starts."""
_MAX_STRANGERS = 1000


class Carrier(Protocol):
    """A connection, as far as the sessions that speak through it are concerned."""

    sessions: dict[SessionId, ServerSession]

    def touch(self, session_id: SessionId) -> None:
        """The session may have something to send."""


class ServerState:
    """What a server knows beyond one connection: auth keys with their salts, sessions, and seen inits.

    Keys outlive connections, and a session goes on in whichever connection its client uses next.  With `strict`
    sessions take nothing that the documents don't allow.  Of the keys, of all sessions and of those of one key so
    many are kept, of seen inits too; the one longest unused goes first.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        rng: Callable[[int], bytes] = os.urandom,
        strict: bool = False,
        max_sessions: int = 100_000,
        max_sessions_per_key: int = MAX_SESSIONS_PER_KEY,
        max_keys: int = 100_000,
        max_inits: int = 100_000,
    ) -> None:
        self.clock = clock
        self.rng = rng
        self.keys: dict[bytes, AuthKey] = {}
        self.salts: dict[bytes, SaltTimetable] = {}
        self.expiry: dict[bytes, float] = {}
        self.bindings = Bindings(clock)
        self.sessions: dict[SessionId, ServerSession] = {}
        self._sessions_of: dict[bytes, dict[SessionId, None]] = {}
        self._strangers: dict[SessionId, ServerSession] = {}
        self.carriers: dict[SessionId, Carrier] = {}
        self.seen_inits = SeenInits(clock, max_inits=max_inits)
        self.strict = strict
        self._max_sessions = max_sessions
        self._max_sessions_per_key = max_sessions_per_key
        self._max_keys = max_keys
        self._max_inits = max_inits

    def restarted(self) -> ServerState:
        """What a server that is started again knows: all keys, with salts and bindings, and no session.

        It takes them over: `self` is not to be used any more.
        """
        state = ServerState(
            clock=self.clock,
            rng=self.rng,
            strict=self.strict,
            max_sessions=self._max_sessions,
            max_sessions_per_key=self._max_sessions_per_key,
            max_keys=self._max_keys,
            max_inits=self._max_inits,
        )
        state.keys, state.salts, state.expiry = self.keys, self.salts, self.expiry
        state.bindings = self.bindings
        return state

    def add_key(self, auth_key: AuthKey, server_salt: int, expires_at: float | None = None) -> None:
        """Make an agreed key known, with its first salt."""
        key_id = auth_key.key_id
        self.keys[key_id] = auth_key
        self.salts[key_id] = SaltTimetable(server_salt, self.clock(), self.rng)
        if expires_at is not None:
            self.expiry[key_id] = expires_at
        while len(self.keys) > self._max_keys:
            self.forget_key(next(iter(self.keys)))

    def key(self, key_id: bytes) -> AuthKey | None:
        """The key with this auth_key_id, unless it is unknown or has expired."""
        self.forget_expired(key_id)
        binding = self.bindings[key_id]
        if binding is not None:  # the permanent key is in use too: with it, this one would be forgotten
            self._touched(binding.permanent)
        return self._touched(key_id)

    def _touched(self, key_id: bytes) -> AuthKey | None:
        """The key, which is now the last to be forgotten."""
        auth_key = self.keys.pop(key_id, None)
        if auth_key is not None:
            self.keys[key_id] = auth_key
        return auth_key

    def forget_key(self, key_id: bytes) -> None:
        """Forget a key with all that belongs to it."""
        self.keys.pop(key_id, None)
        self.salts.pop(key_id, None)
        self.expiry.pop(key_id, None)
        temporary = self.bindings.temporary_of(key_id)
        self.bindings.forget(key_id)
        if temporary is not None:  # it acted for this one
            self.forget_key(temporary)
        for session_id in tuple(self._sessions_of.get(key_id, ())):
            self.forget_session(session_id)
        self._strangers = {i: session for i, session in self._strangers.items() if i.auth_key_id != key_id}

    def forget_expired(self, key_id: bytes) -> None:
        """Forget a temporary key, with its sessions, from its end on."""
        if key_id in self.expiry and self.clock() >= self.expiry[key_id]:
            self.forget_key(key_id)

    def needs_binding(self, key_id: bytes) -> bool:
        """Whether this is a temporary key that acts for no permanent one: API requests need it to."""
        return key_id in self.expiry and self.bindings[key_id] is None

    def bind_temp_key(self, session: SessionId, msg_id: int, request: api.auth.BindTempAuthKey) -> Binding:
        """Do what auth.bindTempAuthKey asks, which came as `msg_id` in `session`; its answer is boolTrue then.

        Raise RpcError, which is the answer, for what is not right (see `Bindings.bind`), and LocalProtocolError
        where there is no such session.
        """
        temporary = self.key(session.auth_key_id)
        if temporary is None:
            raise LocalProtocolError(f"there is no session {session}")
        named = request.perm_auth_key_id.to_bytes(8, "little", signed=True)
        permanent = None if named in self.expiry else self.key(named)
        binding = self.bindings.bind(
            request,
            temporary=temporary,
            expires_at=self.expiry.get(temporary.key_id),
            session_id=session.session_id,
            msg_id=msg_id,
            permanent=permanent,
        )
        self.expiry[temporary.key_id] = binding.expires_at
        return binding

    def forget_session(self, session_id: SessionId) -> None:
        """Forget a session; a client that goes on in it is told that it is a new one."""
        self.sessions.pop(session_id, None)
        siblings = self._sessions_of.get(session_id.auth_key_id, {})
        siblings.pop(session_id, None)
        if not siblings:
            self._sessions_of.pop(session_id.auth_key_id, None)
        carrier = self.carriers.pop(session_id, None)
        if carrier is not None:
            carrier.sessions.pop(session_id, None)

    def answer(self, session_id: SessionId, msg_id: int, result: bytes) -> None:
        """Queue the boxed answer to a request; LocalProtocolError unless it is open."""
        self._known(session_id).answer(msg_id, result)
        self._touch(session_id)

    def notify(self, session_id: SessionId, body: bytes) -> None:
        """Queue a boxed message that answers nothing; LocalProtocolError where there is no such session."""
        self._known(session_id).notify(body)
        self._touch(session_id)

    def _known(self, session_id: SessionId) -> ServerSession:
        if session_id not in self.sessions:
            raise LocalProtocolError(f"there is no session {session_id}")
        return self.sessions[session_id]

    def _touch(self, session_id: SessionId) -> None:
        carrier = self.carriers.get(session_id)
        if carrier is not None:
            carrier.touch(session_id)

    def rotate_salt(self, key_id: bytes, salt: int | None = None, *, keep_previous: bool = True) -> int:
        """Begin a new server_salt of this key, a random one unless `salt` is given, and return it.

        The one before stays good for half an hour, or not at all without `keep_previous`.  LocalProtocolError where
        there is no such key.
        """
        if key_id not in self.salts:
            raise LocalProtocolError(f"there is no auth_key {key_id.hex()}")
        return self.salts[key_id].rotate(self.clock(), salt, keep_previous=keep_previous)

    def carry(self, session: ServerSession, connection: Carrier) -> None:
        """From now on `session` speaks through `connection`, and through no other."""
        before = self.carriers.get(session.id)
        if before is not connection:
            if before is not None:
                before.sessions.pop(session.id, None)
            self.carriers[session.id] = connection
            connection.sessions[session.id] = session
            session.moved()
        connection.touch(session.id)

    def session(self, auth_key: AuthKey, session_id: int) -> ServerSession:
        """The session with this id; where there is none, one that begins when it is to be kept: see `keep`."""
        key = SessionId(auth_key.key_id, session_id)
        session = self.sessions.get(key) or self._strangers.get(key)
        if session is None:
            session = self._strangers[key] = ServerSession(
                auth_key,
                session_id,
                salts=self.salts[auth_key.key_id],
                clock=self.clock,
                rng=self.rng,
                strict=self.strict,
            )
            while len(self._strangers) > _MAX_STRANGERS:
                del self._strangers[next(iter(self._strangers))]
        return session

    def keep(self, session: ServerSession) -> None:
        """`session` is in use: a message of it was right.  The one longest unused makes room for a new one.

        Not before: recorded messages of sessions that are over, sent again, are not to push out those that are not.
        """
        key = session.id
        self._strangers.pop(key, None)
        siblings = self._sessions_of.setdefault(key.auth_key_id, {})
        self.sessions.pop(key, None)
        siblings.pop(key, None)
        self.sessions[key] = session
        siblings[key] = None
        if len(siblings) > self._max_sessions_per_key:
            self.forget_session(next(iter(siblings)))
        if len(self.sessions) > self._max_sessions:
            self.forget_session(next(iter(self.sessions)))
