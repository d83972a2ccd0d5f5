"""What a script knows while it is played: keys, numbers, what was heard, and the bytes on their way.

Honest values come from here; nothing here judges the peer, but that what it says can be read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import tl
from mtproto import service
from mtproto.connection.quick_acks import read_quick_ack
from mtproto.crypto.auth_key import AuthKey
from mtproto.crypto.randomness import Rng, draw
from mtproto.envelope import PLAIN_AUTH_KEY_ID, Cipher, decode_plain
from mtproto.errors import LocalProtocolError, RemoteProtocolError
from mtproto.message import Message, constructor_id, unpack_container, unpack_gzip
from mtproto.message_id import MessageIdGenerator, SequenceNumbers, unix_time
from mtproto.side import Side
from mtproto.testing.hostile.bending import Bending
from mtproto.testing.hostile.exchange import ClientExchange, ServerExchange
from mtproto.testing.hostile.failure import NeverEnds, Transcript
from mtproto.testing.hostile.fields import checked_value, settled
from mtproto.testing.hostile.happenings import (
    CodeHeard,
    Happening,
    Heard,
    QuickAckHeard,
    Unreadable,
)
from mtproto.testing.hostile.honest import answer_to
from mtproto.testing.hostile.sealing import plain, sealed
from mtproto.testing.hostile.wording import described, read
from mtproto.transport import Event, Frame, QuickAck, TransportCode, Wire, unpadded

__all__ = ["MAX_STEPS", "Stage"]

MAX_STEPS = 10_000
"""A script that listens or sends more often than this has no end."""

_CONTAINER = service.MsgContainer.CONSTRUCTOR_ID


class Stage:
    """A script that plays `side`, in its connection; `patience` and `quiet` are what nodes wait, in seconds.

    Of the encrypted half: `salt`, `session_id`, `ids` and `sequence` number what is sent, `heard` is what the peer
    has said; `sent_ids` are all msg_ids used, `session_ids` all sessions.  `exchange` is the key exchange.
    """

    def __init__(
        self,
        side: Side,
        wire: Wire,
        exchange: ServerExchange | ClientExchange,
        *,
        clock: Callable[[], float],
        rng: Rng,
        auth_key: AuthKey | None,
        salt: int,
        request: bytes,
        answer: Callable[[bytes], bytes] | None,
        patience: float,
        quiet: float,
        seed: int,
    ) -> None:
        self.side = side
        self.wire = wire
        self.exchange = exchange
        self.clock = clock
        self.rng: Rng = rng
        self.auth_key = auth_key
        self.salt: int = salt
        self.request_body = request
        self.answer = answer or answer_to
        self.patience = patience
        self.quiet = quiet
        self.seed = seed
        self.session_id: int = (
            int.from_bytes(draw(rng, 8), "little", signed=True) if side is Side.CLIENT else 0
        )
        self.ids = MessageIdGenerator(side, clock)
        self.sequence = SequenceNumbers()
        self.heard: list[Heard] = []
        self.sent_ids: list[int] = []
        self.payloads: list[bytes] = []
        """The encrypted messages that were sent."""
        self.tokens: list[bytes] = []
        """The quick acks that belong to what the client has sent, whether it has asked for them or not."""
        self.session_ids: list[int] = [self.session_id] if side is Side.CLIENT else []
        self.last_plain = b""
        """The body of the last plain message that was sent."""
        self.unacknowledged: list[int] = []
        self.transcript = Transcript(clock())
        self.place: tuple[int, ...] = ()
        self.pushed: deque[Happening] = deque()
        self.is_closed = False
        self.awaits_connection = False
        """Whether the script goes on in another connection, once there is one."""
        self.openings: list[bytes] = []
        """The first bytes of each connection of a client's script, and its first frame."""
        self._out = bytearray()
        self._prefix: bytes | None = getattr(wire, "prefix", b"") if side is Side.CLIENT else None
        self._steps = 0
        self._plain_ids = MessageIdGenerator(side, clock)

    # What is known

    @property
    def server_exchange(self) -> ServerExchange:
        """The key exchange of a server; LocalProtocolError for a client."""
        if not isinstance(self.exchange, ServerExchange):
            raise LocalProtocolError("this is a client's script: only a server's has this step")
        return self.exchange

    @property
    def client_exchange(self) -> ClientExchange:
        """The key exchange of a client; LocalProtocolError for a server."""
        if not isinstance(self.exchange, ClientExchange):
            raise LocalProtocolError("this is a server's script: only a client's has this step")
        return self.exchange

    def known_key(self) -> AuthKey:
        """The auth_key in use; LocalProtocolError where there is none."""
        if self.auth_key is None:
            raise LocalProtocolError(
                "there is no auth_key to encrypt with: begin with KeyExchange(), or give the auth_key"
            )
        return self.auth_key

    def agree(self) -> None:
        """The key exchange is complete: its key is in use from now on."""
        self.auth_key, self.salt = self.exchange.agreed(), self.exchange.salt

    def last(self, *names: str) -> Heard:
        """The latest message of these names, or of any; LocalProtocolError where none was heard."""
        for heard in reversed(self.heard):
            if not names or heard.name in names:
                return heard
        raise LocalProtocolError(f"no {' or '.join(names) or 'message'} was heard yet to refer to")

    @property
    def last_sent(self) -> int:
        """The msg_id of the last encrypted message that the script has sent."""
        if not self.sent_ids:
            raise LocalProtocolError("nothing encrypted was sent yet to refer to")
        return self.sent_ids[-1]

    @property
    def last_token(self) -> bytes:
        """The quick ack of the client's last encrypted message; LocalProtocolError where there was none."""
        if not self.tokens:
            raise LocalProtocolError("nothing encrypted was said yet that a quick ack could be about")
        return self.tokens[-1]

    @property
    def acked(self) -> set[int]:
        """The msg_ids that the peer has acknowledged."""
        return {i for h in self.heard if isinstance(h.value, service.MsgsAck) for i in h.value.msg_ids}

    def open(self, wire: Wire) -> None:
        """There is a new connection: what was on its way in the one before is lost."""
        self.wire = wire
        self.is_closed = self.awaits_connection = False
        self._out.clear()
        self._prefix = getattr(wire, "prefix", b"") if self.side is Side.CLIENT else None

    def new_session(self) -> None:
        """A client's script goes on in a session of another number."""
        self.session_id = int.from_bytes(draw(self.rng, 8), "little", signed=True)
        self.session_ids.append(self.session_id)
        self.sequence = SequenceNumbers()
        self.unacknowledged.clear()

    def plain_id(self) -> int:
        """The msg_id of the next plain message."""
        return self._plain_ids.next(answer=True)

    # Sending

    def send_plain(
        self, body: tl.TLObject | bytes, fields: Mapping[str, Any], given: tuple[str, ...]
    ) -> None:
        """Send a message without encryption."""
        self._note_sent(body, (*given, *(n for n, v in fields.items() if v is not None)))
        self.last_plain = bytes(body)
        self._send(plain(self, self.last_plain, fields), fields)

    def send(
        self,
        body: tl.TLObject | bytes,
        fields: Mapping[str, Any],
        given: tuple[str, ...],
        *,
        answer: bool,
        needs_ack: bool | None = None,
    ) -> None:
        """Send an encrypted message."""
        self._note_sent(body, (*given, *(n for n, v in fields.items() if v is not None)))
        payload = sealed(self, bytes(body), fields, answer=answer, needs_ack=needs_ack)
        self.payloads.append(payload)
        if self.side is Side.CLIENT and fields.get("quick_ack"):
            self.tokens.append(read_quick_ack(self.known_key(), payload)[0])
        self._send(payload, fields)

    def send_again(self, index: int) -> None:
        """Send an encrypted message once more, to the letter; LocalProtocolError where there is no such one."""
        if not -len(self.payloads) <= index < len(self.payloads):
            raise LocalProtocolError(
                f"no encrypted message has the index {index}: {len(self.payloads)} were sent so far"
            )
        self.note(f"→ the encrypted message {index} again, to the letter")
        self._send(self.payloads[index], {})

    def send_quick_ack(self, token: bytes) -> None:
        """Send a quick ack."""
        self.count_step()
        self.note(f"→ quick ack {token.hex()}")
        self.send_bytes(self.wire.encode_quick_ack(token))

    def _note_sent(self, body: tl.TLObject | bytes, given: tuple[str, ...]) -> None:
        self.note(f"→ {described(body)}" + (f"  given: {', '.join(given)}" if given else ""))

    def _send(self, payload: bytes, fields: Mapping[str, Any]) -> None:
        self.count_step()
        frame = fields.get("frame")

        def change(honest: bytes) -> bytes:
            changed: bytes = checked_value("a message", "frame", settled(frame, honest, self))
            return changed

        quick_ack = bool(fields.get("quick_ack"))
        bending = Bending(self.wire)
        encoded = bending.encode(payload, None if frame is None else change, quick_ack=quick_ack)
        if self._prefix is not None:  # a client's first frame in this connection
            encoded = self._prefix + encoded
            self._prefix = None
            self.openings.append(encoded)
        self.send_bytes(encoded)

    def send_code(self, code: int) -> None:
        """Send a transport error."""
        self.count_step()
        self.note(f"→ transport error {code}")
        self.send_bytes(self.wire.encode_code(code))

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are; nothing where the connection is closed."""
        if not self.is_closed:
            self._out += data

    def data_to_send(self) -> bytes:
        """What is to be sent now, once."""
        out, self._out = bytes(self._out), bytearray()
        return out

    # Hearing

    def hear(self, event: Event) -> Iterator[Happening]:
        """What a frame says; each is in the transcript."""
        if isinstance(event, TransportCode):
            yield CodeHeard(event.code)
        elif isinstance(event, QuickAck):
            yield QuickAckHeard(event.token)
        else:
            try:
                yield from self._messages(event)
            except (
                RemoteProtocolError,
                ValueError,
                ArithmeticError,
            ) as error:  # or numbers that are no group
                yield Unreadable(str(error))

    def _messages(self, frame: Frame) -> Iterator[Happening]:
        payload = unpadded(frame.payload) if self.wire.pads else frame.payload
        if payload[:8] == PLAIN_AUTH_KEY_ID:
            message = decode_plain(payload)
            value = read(message.body)
            heard = self._named(Message(message.msg_id, 0, message.body), value, is_plain=True)
            if value is not None:
                self.exchange.hear(value)
            yield heard
            return
        if self.auth_key is None:
            yield Unreadable("an encrypted message, although there is no auth_key")
            return
        salt, session_id, msg_id, seq_no, body = Cipher(self.auth_key, self.side).open(payload)
        if self.side is Side.SERVER:
            self.tokens.append(read_quick_ack(self.auth_key, payload)[0])
        if self.side is Side.SERVER and session_id != self.session_id:
            self.session_id, self.sequence = session_id, SequenceNumbers()
            self.session_ids.append(session_id)
        outer = Message(msg_id, seq_no, body)
        is_packed = constructor_id(body) == _CONTAINER
        for inner in unpack_container(body, msg_id) if is_packed else [outer]:
            container = msg_id if is_packed else None
            yield self._named(inner, None, salt=salt, session_id=session_id, container=container)

    def _named(self, message: Message, value: tl.TLObject | None, **more: Any) -> Heard:
        body = message.body
        if constructor_id(body) == service.GzipPacked.CONSTRUCTOR_ID:
            body = unpack_gzip(body)
        value = read(body) if value is None else value
        cls = service.SCHEMA.find(constructor_id(body))
        name = str(cls.TL_NAME) if cls else "request" if self.side is Side.SERVER else "update"
        heard = Heard(name, body, message.msg_id, value, message.seq_no, **more)
        self.heard.append(heard)
        if not heard.is_plain:
            self._learn(heard)
        return heard

    def _learn(self, heard: Heard) -> None:
        if heard.seq_no & 1:
            self.unacknowledged.append(heard.msg_id)
        if self.side is Side.CLIENT:
            if isinstance(heard.value, service.BadServerSalt):
                self.salt = heard.value.new_server_salt
            elif isinstance(heard.value, service.NewSessionCreated):
                self.salt = heard.value.server_salt
            self.ids.synchronise(unix_time(heard.msg_id))

    # The script

    @property
    def place_text(self) -> str:
        """The number of the node that it is at."""
        return ".".join(map(str, self.place))

    def note(self, what: str) -> None:
        """Add a line to the transcript."""
        self.transcript.note(self.clock(), what)

    def count_step(self) -> None:
        """One more step; NeverEnds where there have been too many."""
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise NeverEnds(f"it took more than {MAX_STEPS} steps", self.place_text)
