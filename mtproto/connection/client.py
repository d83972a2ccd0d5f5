"""The client's end of a connection: the key exchange, then one session; see `client_keys` for the keys."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from copy import copy
from functools import partial

from mtproto import service
from mtproto.clock import steady_time
from mtproto.connection.base import Connection, Progress
from mtproto.connection.client_keys import ClientKeys
from mtproto.connection.keep_alive import Heartbeat, KeepAlive
from mtproto.connection.quick_acks import AwaitedQuickAcks, read_quick_ack
from mtproto.crypto.auth_key import AuthKey
from mtproto.crypto.rsa import PublicKey
from mtproto.envelope import UNKNOWN_AUTH_KEY, PlainMessage, decode_plain, encode_plain
from mtproto.errors import HandshakeFailed, LocalProtocolError, PeerSilent
from mtproto.events import ClientEvent, MessageDropped, QuickAckReceived, TransportErrorReceived
from mtproto.message import MAX_BODY, constructor_id, pack_gzip
from mtproto.message_id import MessageIdGenerator
from mtproto.salts import Salt
from mtproto.session import ClientSession
from mtproto.side import Side
from mtproto.transport import Event as FramingEvent
from mtproto.transport import Frame, ProxySecret, QuickAck, TransportCode, client_framing

__all__ = ["ClientConnection"]

_NO_REQUESTS = {service.MsgContainer.CONSTRUCTOR_ID, service.MsgCopy.CONSTRUCTOR_ID}


class ClientConnection(Connection[ClientEvent]):
    """A client's end.  Without an `auth_key` it begins with the key exchange, which ends with `KeyAgreed`.

    `keys` are the RSA keys to trust, in order of preference; `dc` is the data centre's number as the key
    exchange names it (plus 10000 for test ones, negative for media).  With an `auth_key`, give its
    `server_salt`, `salts` (those that follow it, see `salts`) and `time_offset` (seconds that the server's clock is
    ahead) as far as they are known.

    `keep_alive` finds out that a link is dead: see `KeepAlive`.

    With a `temp_key_lifetime`, in whole seconds from 60 to 31,536,000 (a year), requests are sent under
    temporary keys (perfect forward secrecy): each is bound to the permanent key, `KeyAgreed` says so, and is
    renewed in time.  After each the server has to be told again who is there (initConnection).

    `transport`, `obfuscated` and `mtproxy_secret` say how the bytes look: see `transport.client_framing`.

    Raise LocalProtocolError for a `temp_key_lifetime` that can't be.
    """

    def __init__(
        self,
        keys: Sequence[PublicKey] = (),
        *,
        transport: str | None = None,
        obfuscated: bool = False,
        mtproxy_secret: ProxySecret | str | bytes | None = None,
        dc: int = 2,
        auth_key: AuthKey | None = None,
        server_salt: int = 0,
        salts: Sequence[Salt] = (),
        time_offset: float | None = None,
        temp_key_lifetime: int | None = None,
        keep_alive: KeepAlive | None = None,
        clock: Callable[[], float] = steady_time,
        rng: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._make_wire = partial(
            client_framing, transport, obfuscated=obfuscated, mtproxy_secret=mtproxy_secret, dc=dc, rng=rng
        )
        self._keep_alive = keep_alive
        self._keys = ClientKeys(keys, dc=dc, lifetime=temp_key_lifetime, clock=clock, rng=rng)
        self._open(clock, rng)
        self._send_plain(self._keys.start(auth_key, server_salt, time_offset, salts))

    def _open(self, clock: Callable[[], float], rng: Callable[[int], bytes]) -> None:
        """Begin with the bytes of a new stream."""
        wire = self._make_wire()
        super().__init__(wire, clock, rng)
        self._out += wire.prefix
        self._quick_acks = AwaitedQuickAcks()
        self._asks_quick_ack = False
        self._is_key_lost = False
        self._plain_ids = MessageIdGenerator(Side.CLIENT, clock)
        self._heartbeat = None if self._keep_alive is None else Heartbeat(self._keep_alive, clock())

    def successor(self) -> ClientConnection:
        """A connection for a new stream that goes on where this one has ended: same keys, sessions, open requests.

        The server is asked what became of the requests that were under way: those that it has not received are
        sent again, those that it has forgotten fail with FateUnknown, or are sent again where they may be executed
        twice.  A key exchange begins anew, also where the server does not know a temporary key any more.

        Raise LocalProtocolError while this connection is open, and where its permanent key is lost (-404).
        """
        if not self._closed:
            raise LocalProtocolError("the connection is not closed: it needs no successor")
        if self._is_key_lost and not self._keys.are_temporary:
            raise LocalProtocolError("the server does not know the auth_key any more: nothing can go on")
        successor = copy(self)
        successor._open(self._clock, self._rng)
        successor.defer_work = self.defer_work
        query, events = self._keys.reconnected(key_is_lost=self._is_key_lost)
        if self.observer is not None:
            self.observer.succeeded_by(successor)
        successor._send_plain(query)
        successor._told += events
        return successor

    def auth_key(self, key_id: bytes) -> AuthKey | None:
        return self._keys.auth_key(key_id)

    def new_nonce(self, server_nonce: bytes) -> bytes | None:
        return self._keys.new_nonce(server_nonce)

    @property
    def session(self) -> ClientSession:
        """The session; LocalProtocolError before the key is agreed."""
        if self._keys.current is None:
            raise LocalProtocolError("there is no session before the key exchange is complete")
        return self._keys.current.session

    @property
    def sessions(self) -> tuple[ClientSession, ...]:
        """All sessions that are listened to, `session` first: with temporary keys there may be up to three."""
        return self._keys.sessions

    @property
    def is_ready(self) -> bool:
        """Whether requests can be sent."""
        return self._keys.current is not None and not self._closed

    @property
    def salts(self) -> tuple[Salt, ...]:
        """The salts that the server has told in advance, for who wants to keep them with the key."""
        return self.session.salts.timetable

    def send_request(
        self,
        body: bytes,
        *,
        quick_ack: bool = False,
        after: Sequence[int] = (),
        at_least_once: bool = False,
        gzip: bool = False,
    ) -> int:
        """Queue the request whose boxed bytes are `body`; return the number by which events refer to it.

        It is executed after the earlier requests with the numbers `after`, whatever becomes of them
        (invokeAfterMsg).  With `at_least_once` it is sent again even where the server may have executed it.
        With `gzip` it travels in gzip_packed, if that makes it shorter.

        With `quick_ack` the server is asked to say when the message with it has arrived: QuickAckReceived.
        What else is sent with it is in the same message.

        Raise LocalProtocolError before the key is agreed, on a closed connection, for a body that is empty,
        not a multiple of 4 bytes, longer than `MAX_BODY`, or a container, and for a quick ack where the
        transport has none.
        """
        if self._closed:
            raise LocalProtocolError("the connection is closed")
        if len(body) % 4 or not 4 <= len(body) <= MAX_BODY:
            raise LocalProtocolError(
                f"a request of {len(body)} bytes, expected a multiple of 4 from 4 to {MAX_BODY}"
            )
        if constructor_id(body) in _NO_REQUESTS:
            raise LocalProtocolError(
                f"0x{constructor_id(body):08x} is no request: containers are made here, as they are needed"
            )
        if quick_ack and not self._framing.has_quick_acks:
            raise LocalProtocolError(f"{self.transport}: this framing has no quick acks")
        if gzip and len(packed := pack_gzip(body)) < len(body):
            body = packed
        number = self.session.send(body, after=after, at_least_once=at_least_once)
        self._asks_quick_ack = self._asks_quick_ack or quick_ack
        return number

    def is_sent(self, number: int) -> bool:
        """Whether the open request has gone out, so that the server may have executed it."""
        session = self._keys.session_with(number)
        return session is not None and session.is_sent(number)

    def drop_request(self, number: int) -> None:
        """Nobody waits for the answer; if the request has gone out, the server is told so (rpc_drop_answer)."""
        self._keys.drop(number)

    def ping(self, ping_id: int) -> None:
        """Queue a ping: PongReceived has the same `ping_id`.  Raise LocalProtocolError before the key is agreed."""
        self.session.ping(ping_id)

    def destroy_session(self, session_id: int) -> None:
        """Ask the server to forget another session of this key: SessionDestroyed tells."""
        self.session.ask(service.DestroySession(session_id=session_id), (session_id,))

    def destroy_auth_key(self) -> None:
        """Ask the server to forget the auth_key in use, with all that it stands for: AuthKeyDestroyed tells."""
        self.session.ask(service.DestroyAuthKey())

    def next_timer(self) -> float | None:
        if self._closed:
            return None
        timers = [self._keys.next_timer()]
        if self._heartbeat is not None and self._keys.current is not None:  # else there is nothing to ping in
            timers.append(self._heartbeat.next_timer())
        if self._told:
            timers.append(self._clock())
        return min((timer for timer in timers if timer is not None), default=None)

    def handle_timer(self) -> list[ClientEvent]:
        """Queue what is due by now: acknowledgements, questions, pings, the renewal of a temporary key.

        Raise HandshakeFailed, and be closed, where a key exchange has taken too long (H14), or a temporary key
        has expired (H15); PeerSilent where nothing came after a ping.
        """
        if not self._closed:
            try:
                self._told += self._keys.retire()
                self._send_plain(self._keys.handle_timer())
                self._beat()
            except (HandshakeFailed, PeerSilent) as error:
                self._fail(error)
                raise
            for keyed in self._keys.sending():
                for told in keyed.session.handle_timer():
                    self._told += self._keys.sorted_out(told)
        return super().handle_timer()

    def _beat(self) -> None:
        if self._heartbeat is None or self._keep_alive is None or self._keys.current is None:
            return
        if self._heartbeat.is_ping_due(self._clock()):
            ping_id = int.from_bytes(self._rng(8), "little", signed=True)
            self._keys.current.session.ping(ping_id, self._keep_alive.disconnect_delay)

    def _send_plain(self, body: bytes | None) -> None:
        if body is not None:
            message = PlainMessage(self._plain_ids.next(), body)
            self._write(encode_plain(message))

    def _frame(self, event: FramingEvent) -> Progress[ClientEvent]:
        if self._heartbeat is not None:
            self._heartbeat.heard()
        match event:
            case TransportCode(code):
                self._is_key_lost = code == UNKNOWN_AUTH_KEY and self._keys.current is not None
                self._end()
                yield TransportErrorReceived(code)
            case QuickAck(token):
                requests = self._quick_acks.take(token)
                if requests is not None:  # one that nobody waits for is forged, or came before (X9)
                    yield QuickAckReceived(token, requests)
            case Frame():
                for payload in self._messages_in(event):
                    yield from self._message(payload)

    def _message(self, payload: bytes) -> Progress[ClientEvent]:
        session = self._keys.session_of(payload)
        if self._keys.is_over(payload):
            yield MessageDropped(0, "H15", "under a temporary key that is over")
        elif session is None:
            yield from self._exchange(payload)
        else:
            for told in session.receive(payload):
                yield from self._keys.sorted_out(told)

    def _exchange(self, payload: bytes) -> Progress[ClientEvent]:
        message = decode_plain(payload)
        if message.msg_id & 1 == 0:
            raise HandshakeFailed(
                "a plain message with an even msg_id", check="C9", got=message.msg_id, expected="odd"
            )
        query, agreed = yield from self._keys.exchange(message.body)
        self._send_plain(query)
        if agreed is not None:
            yield agreed

    def _flush(self) -> None:
        if self._closed:
            return
        for keyed in self._keys.sending():
            asks = self._asks_quick_ack and keyed is self._keys.current
            for payload in keyed.session.flush():
                if asks:
                    token, msg_id = read_quick_ack(keyed.auth_key, payload)
                    self._quick_acks.add(token, keyed.session.requests_in(msg_id))
                self._write(payload, quick_ack=asks)
        self._asks_quick_ack = self._asks_quick_ack and self._keys.current is None
