"""The client's end of a connection: the key exchange, then one session."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence

from mtproto import service
from mtproto.connection.base import Connection
from mtproto.crypto.auth_key import AuthKey
from mtproto.crypto.rsa import PublicKey
from mtproto.envelope import PlainMessage, decode_plain, encode_plain
from mtproto.errors import HandshakeFailed, LocalProtocolError
from mtproto.events import ClientEvent, KeyAgreed, QuickAckReceived, TransportErrorReceived
from mtproto.handshake import ClientHandshake
from mtproto.message import MAX_BODY, constructor_id
from mtproto.message_id import MessageIdGenerator
from mtproto.session import ClientSession
from mtproto.side import Side
from mtproto.transport import Event as FramingEvent
from mtproto.transport import Frame, QuickAck, TransportCode, framing

__all__ = ["ClientConnection"]

_NO_REQUESTS = {service.MsgContainer.CONSTRUCTOR_ID, service.MsgCopy.CONSTRUCTOR_ID}


class ClientConnection(Connection[ClientEvent]):
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
        wire = framing(transport, Side.CLIENT)
        super().__init__(wire, clock, rng)
        self._out += wire.prefix
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
        empty, not a multiple of 4 bytes, longer than `MAX_BODY`, or a container.
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
        return self.session.send(body)

    def next_timer(self) -> float | None:
        return self._session.next_timer() if self._session and not self._closed else None

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
