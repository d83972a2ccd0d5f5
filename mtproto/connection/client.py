"""The client's end of a connection: the key exchange, then one session; see `client_keys` for the keys."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

from mtproto import service
from mtproto.connection.base import Connection, Progress
from mtproto.connection.client_keys import ClientKeys
from mtproto.connection.quick_acks import AwaitedQuickAcks, read_quick_ack
from mtproto.crypto.auth_key import AuthKey
from mtproto.crypto.rsa import PublicKey
from mtproto.envelope import PlainMessage, decode_plain, encode_plain
from mtproto.errors import HandshakeFailed, LocalProtocolError
from mtproto.events import ClientEvent, QuickAckReceived, TransportErrorReceived
from mtproto.message import MAX_BODY, constructor_id
from mtproto.message_id import MessageIdGenerator
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
    `server_salt` and `time_offset` (seconds that the server's clock is ahead) as far as they are known.

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
        time_offset: float | None = None,
        temp_key_lifetime: int | None = None,
        clock: Callable[[], float] = time.time,
        rng: Callable[[int], bytes] = os.urandom,
    ) -> None:
        wire = client_framing(transport, obfuscated=obfuscated, mtproxy_secret=mtproxy_secret, dc=dc, rng=rng)
        super().__init__(wire, clock, rng)
        self._out += wire.prefix
        self._quick_acks = AwaitedQuickAcks()
        self._asks_quick_ack = False
        self._plain_ids = MessageIdGenerator(Side.CLIENT, clock)
        self._keys = ClientKeys(keys, dc=dc, lifetime=temp_key_lifetime, clock=clock, rng=rng)
        self._send_plain(self._keys.start(auth_key, server_salt, time_offset))

    @property
    def session(self) -> ClientSession:
        """The session; LocalProtocolError before the key is agreed."""
        if self._keys.current is None:
            raise LocalProtocolError("there is no session before the key exchange is complete")
        return self._keys.current.session

    @property
    def is_ready(self) -> bool:
        """Whether requests can be sent."""
        return self._keys.current is not None and not self._closed

    def send_request(self, body: bytes, *, quick_ack: bool = False) -> int:
        """Queue the request whose boxed bytes are `body`; return the number by which events refer to it.

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
        number = self.session.send(body)
        self._asks_quick_ack = self._asks_quick_ack or quick_ack
        return number

    def next_timer(self) -> float | None:
        return None if self._closed else self._keys.next_timer()

    def handle_timer(self) -> None:
        """Queue what is due by now: acknowledgements, and the renewal of a temporary key.

        Raise HandshakeFailed, and be closed, where a key exchange has taken too long (H14), or a temporary key
        has expired (H15).
        """
        if not self._closed:
            try:
                self._send_plain(self._keys.handle_timer())
            except HandshakeFailed as error:
                self._fail(error)
                raise
        super().handle_timer()

    def _send_plain(self, body: bytes | None) -> None:
        if body is not None:
            message = PlainMessage(self._plain_ids.next(), body)
            self._out += self._framing.encode(encode_plain(message))

    def _frame(self, event: FramingEvent) -> Progress[ClientEvent]:
        match event:
            case TransportCode(code):
                self._end()
                yield TransportErrorReceived(code)
            case QuickAck(token):
                requests = self._quick_acks.take(token)
                if requests is not None:  # one that nobody waits for is forged, or came before (X9)
                    yield QuickAckReceived(token, requests)
            case Frame():
                payload = self._message_in(event)
                session = self._keys.session_of(payload)
                if session is None:
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
                self._out += self._framing.encode(payload, quick_ack=asks)
        self._asks_quick_ack = self._asks_quick_ack and self._keys.current is None
