"""A conversation in memory, with connections of this package or any that work alike: virtual time, no sockets.

rehearse(conversation)                 our own client, or our own server, is examined
rehearse(conversation, peer=function)  yours is: function(Setting) -> Peer
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from random import Random
from typing import Any, Protocol

from mtproto import api, service
from mtproto.connection import ClientConnection, ServerConnection, ServerState
from mtproto.crypto.auth_key import AuthKey
from mtproto.crypto.randomness import Rng
from mtproto.crypto.rsa import PrivateKey, PublicKey
from mtproto.errors import LocalProtocolError, RemoteProtocolError
from mtproto.events import KeyAgreed, RequestReceived
from mtproto.message import constructor_id
from mtproto.side import Side
from mtproto.testing.handlers import UNBOUND
from mtproto.testing.hostile.conversation import Conversation
from mtproto.testing.hostile.failure import NeverEnds
from mtproto.testing.hostile.fields import checked_seed
from mtproto.testing.hostile.honest import answering
from mtproto.testing.hostile.nodes import MAX_SECONDS, seconds
from mtproto.testing.hostile.play import PATIENCE, QUIET, Play
from mtproto.testing.timeline import START, Timeline

__all__ = ["REQUEST", "Peer", "Rehearsal", "Setting", "our_client", "our_server", "rehearse"]

REQUEST = bytes(api.help.GetConfig())
"""What the scripted client asks for, and our own in a rehearsal."""
_UNBOUND = {function.CONSTRUCTOR_ID for function in UNBOUND}
_NOT_BOUND = bytes(service.RpcError(error_code=401, error_message="AUTH_KEY_PERM_EMPTY"))
_SALT = 1234567
_LONGEST = 2.0 * MAX_SECONDS
_MAX_ROUNDS = 100_000
_MAX_START = 2**31


class Sansio(Protocol):
    """What a connection has to have: that of this package, or another one's."""

    @property
    def closed(self) -> bool: ...
    def receive_data(self, data: bytes) -> list[Any]: ...
    def receive_eof(self) -> None: ...
    def data_to_send(self) -> bytes: ...
    def next_timer(self) -> float | None: ...
    def handle_timer(self) -> list[Any]: ...


@dataclass(frozen=True, slots=True)
class Setting:
    """What a peer is made of: clock, randomness, RSA keys, transport; a ready key where there is no exchange."""

    clock: Timeline
    rng: Rng
    private_key: PrivateKey
    transport: str | None
    obfuscated: bool
    auth_key: AuthKey | None
    server_salt: int

    @property
    def public_key(self) -> PublicKey:
        """What a client has to trust."""
        return self.private_key.public


@dataclass(slots=True)
class Peer:
    """A connection that is examined; `heard` is told of its events, as its program would be.

    `again` gives the connection that follows when this one is closed, or None: it does not come back.
    """

    connection: Sansio
    heard: Callable[[list[Any]], None] = lambda events: None
    state: Any = None
    again: Callable[[], Peer | None] = lambda: None


@dataclass(slots=True)
class Rehearsal:
    """How it went: the `play`, the `peer`, all `events` of its, and the `error` with which it has closed."""

    play: Play
    peer: Peer
    events: list[Any] = field(default_factory=list)
    error: RemoteProtocolError | None = None

    @property
    def transcript(self) -> str:
        """What was said."""
        return str(self.play.stage.transcript)


def our_client(setting: Setting) -> Peer:
    """A ClientConnection, which makes a request as soon as it can."""
    connection = ClientConnection(
        [setting.public_key],
        transport=setting.transport,
        obfuscated=setting.obfuscated,
        auth_key=setting.auth_key,
        server_salt=0 if setting.auth_key is None else setting.server_salt,
        time_offset=None if setting.auth_key is None else 0.0,
        clock=setting.clock,
        rng=setting.rng,
    )

    def heard(events: list[Any]) -> None:
        if any(isinstance(event, KeyAgreed) for event in events):
            connection.send_request(REQUEST)

    if connection.is_ready:
        connection.send_request(REQUEST)
    return _client_peer(connection, heard)


def _client_peer(connection: ClientConnection, heard: Callable[[list[Any]], None]) -> Peer:
    def again() -> Peer | None:
        try:
            return _client_peer(connection.successor(), heard)
        except LocalProtocolError:  # its key is lost
            return None

    return Peer(connection, heard, again=again)


def our_server(setting: Setting, *, strict: bool = False) -> Peer:
    """A ServerConnection, which answers requests as the loopback server does."""
    state = ServerState(clock=setting.clock, rng=setting.rng, strict=strict)
    if setting.auth_key is not None:
        state.add_key(setting.auth_key, setting.server_salt)
    return _server_peer(setting, state)


def _server_peer(setting: Setting, state: ServerState) -> Peer:
    connection = ServerConnection([setting.private_key], state)
    answer_to = answering(setting.clock)

    def heard(events: list[Any]) -> None:
        for event in events:
            if isinstance(event, RequestReceived):
                is_taken = constructor_id(event.body) in _UNBOUND or not state.needs_binding(
                    event.session.auth_key_id
                )
                answer = answer_to(event.body) if is_taken else _NOT_BOUND
                connection.answer(event.session, event.msg_id, answer)

    return Peer(connection, heard, state, lambda: _server_peer(setting, state))


def rehearse(
    conversation: Conversation,
    peer: Callable[[Setting], Peer] | None = None,
    *,
    key: PrivateKey | None = None,
    transport: str | None = None,
    obfuscated: bool = False,
    seed: int = 0,
    patience: float = PATIENCE,
    quiet: float = QUIET,
    start: float = START,
) -> Rehearsal:
    """Play a conversation against a connection in memory; raise ConversationFailed where it goes wrong.

    `key` is the RSA key, which a conversation that begins in a session does not need.  The same `seed` gives the
    same bytes.
    """
    if not isinstance(conversation, Conversation):
        raise LocalProtocolError(f"got {conversation!r:.60}, expected a Conversation")
    if key is None and not conversation.needs_ready_key:
        raise LocalProtocolError(f"{conversation.name!r} has a key exchange: that takes an RSA key")
    secret: Any = key
    if secret is not None and not isinstance(secret, PrivateKey):
        raise LocalProtocolError(f"got {type(key).__name__} for a key, expected a PrivateKey")
    checked_seed(seed)
    clock = Timeline(seconds(start, "start", most=_MAX_START))
    auth_key = AuthKey(Random(f"{seed}/key").randbytes(256)) if conversation.needs_ready_key else None
    private = key or _unused_key()
    examines_client = conversation.examines is Side.CLIENT
    rng = Random(f"{seed}/peer").randbytes
    setting = Setting(clock, rng, private, transport, obfuscated, auth_key, _SALT)
    examined = (peer or (our_client if examines_client else our_server))(setting)
    play = Play(
        conversation,
        private if examines_client else private.public,
        clock=clock,
        rng=Random(f"{seed}/script").randbytes,
        auth_key=auth_key,
        server_salt=_SALT,
        transport=None if examines_client else transport,
        obfuscated=False if examines_client else obfuscated,
        request=REQUEST,
        patience=patience,
        quiet=quiet,
        seed=seed,
    )
    rehearsal = Rehearsal(play, examined)
    _run(rehearsal, clock)
    play.result()
    return rehearsal


def _run(rehearsal: Rehearsal, clock: Timeline) -> None:
    """Carry bytes to and fro, and let time pass where there are none, until the conversation is over."""
    play, end = rehearsal.play, clock() + _LONGEST
    for _ in range(_MAX_ROUNDS):
        if _carry(rehearsal):
            continue
        if play.is_over:
            return
        if play.awaits_connection and rehearsal.peer.connection.closed:
            _connect_again(rehearsal)
            continue
        connection = rehearsal.peer.connection
        timers = [play.next_timer(), None if connection.closed else connection.next_timer()]
        when = min((t for t in timers if t is not None), default=end)
        clock.skip(when)
        if when >= end:
            break
        play.handle_timer()
        _hear(rehearsal, connection.handle_timer)
    raise NeverEnds(f"{_LONGEST:g} s have passed", play.node, repr(play.conversation.name))


def _connect_again(rehearsal: Rehearsal) -> None:
    follows = rehearsal.peer.again()
    if follows is None:
        rehearsal.play.abandon()
    else:
        rehearsal.peer = follows
        rehearsal.play.connect()


def _carry(rehearsal: Rehearsal) -> bool:
    """Whether anything went to and fro."""
    play, connection = rehearsal.play, rehearsal.peer.connection
    out, back = play.data_to_send(), connection.data_to_send()
    if back:
        play.receive_data(back)
    if out and not connection.closed:
        _hear(rehearsal, lambda: connection.receive_data(out))
    if play.closes and not connection.closed:
        if last := play.data_to_send():
            _hear(rehearsal, lambda: connection.receive_data(last))
        _hear(rehearsal, partial(_eof, connection))
    if connection.closed and not play.awaits_connection:
        play.receive_data(connection.data_to_send())  # its last words
        play.receive_eof()
    return bool(out or back)


def _eof(connection: Sansio) -> list[Any]:
    connection.receive_eof()
    return []


def _hear(rehearsal: Rehearsal, do: Callable[[], list[Any]]) -> None:
    if rehearsal.peer.connection.closed:
        return
    try:
        events = do()
    except RemoteProtocolError as error:
        rehearsal.error = error
        return
    failure = getattr(rehearsal.peer.connection, "failure", None)
    rehearsal.error = rehearsal.error or failure
    rehearsal.events += events
    rehearsal.peer.heard(events)


@cache
def _unused_key() -> PrivateKey:
    """What a server needs for key exchanges, where there are none."""
    return PrivateKey.generate()
