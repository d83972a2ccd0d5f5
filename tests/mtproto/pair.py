"""A client and a server connection joined in memory: no sockets, no sleep, one clock, seeded randomness."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import tl
from mtproto import service
from mtproto.connection import ClientConnection, Deadlines, ServerConnection, ServerState
from mtproto.crypto.auth_key import AuthKey
from mtproto.envelope import Cipher, Envelope
from mtproto.events import (
    AnswerReceived,
    ClientEvent,
    KeyAgreed,
    MessageDropped,
    RequestFailed,
    RequestReceived,
    ServerEvent,
)
from mtproto.message import Message, constructor_id, unpack_container
from mtproto.side import Side
from mtproto.transport import Frame, framing
from tests.mtproto.helpers import TEST_KEY, ManualClock, seeded

__all__ = ["Pair", "agreed_pair", "frames_of"]

FOR_EVER = Deadlines(opening=None, first_frame=None, partial_frame=None)
Cut = Callable[[bytes], Iterable[bytes]]


def whole(data: bytes) -> list[bytes]:
    return [data] if data else []


class Pair:
    """`client` and `server`, and what has happened on either side so far."""

    def __init__(
        self,
        transport: str = "intermediate",
        *,
        seed: int = 0,
        auth_key: AuthKey | None = None,
        server_salt: int = 0,
        time_offset: float | None = None,
        skew: float = 0.0,
        cut: Cut = whole,
    ) -> None:
        self.clock = ManualClock()
        self.skew = skew
        self.cut = cut
        self.state = ServerState(clock=self.clock, rng=seeded(seed + 1))
        self.server = ServerConnection([TEST_KEY], self.state, deadlines=FOR_EVER)
        self.client = ClientConnection(
            [TEST_KEY.public],
            transport=transport,
            auth_key=auth_key,
            server_salt=server_salt,
            time_offset=time_offset,
            clock=lambda: self.clock() + self.skew,
            rng=seeded(seed + 2),
        )
        self.client_events: list[ClientEvent] = []
        self.server_events: list[ServerEvent] = []
        self.to_server: list[bytes] = []
        self.to_client: list[bytes] = []
        self.said = 0

    def run(self) -> None:
        """Carry bytes to and fro until both are silent."""
        for _ in range(100):
            out, back = self.client.data_to_send(), self.server.data_to_send()
            if not out and not back:
                return
            self.deliver_to_server(out)
            self.deliver_to_client(back)
        raise AssertionError("client and server go on for ever")

    def deliver_to_server(self, data: bytes) -> None:
        if data:
            self.to_server.append(data)
        for piece in self.cut(data):
            self.server_events += self.server.receive_data(piece)

    def deliver_to_client(self, data: bytes) -> None:
        if data:
            self.to_client.append(data)
        for piece in self.cut(data):
            self.client_events += self.client.receive_data(piece)

    def reconnect(self) -> None:
        """The stream breaks, with all that is on its way; both sides go on in another one."""
        self.client.abandon()
        self.server.abandon()
        self.client = self.client.successor()
        self.server = ServerConnection([TEST_KEY], self.state, deadlines=FOR_EVER)

    def restart(self) -> None:
        """The server starts again with its keys, and no session."""
        self.clock.advance(0.001)  # or new sessions would repeat msg_ids
        self.state.sessions.clear()
        self.state.carriers.clear()
        self.reconnect()

    def pass_time(self, seconds: float) -> None:
        """Time passes, both sides do what is due, and are heard."""
        self.clock.advance(seconds)
        self.client_events += self.client.handle_timer()
        self.server_events += self.server.handle_timer()
        self.run()

    def failures(self) -> list[RequestFailed]:
        return [e for e in self.client_events if isinstance(e, RequestFailed)]

    def dropped(self, side: Side) -> list[MessageDropped]:
        events = self.client_events if side is Side.CLIENT else self.server_events
        return [e for e in events if isinstance(e, MessageDropped)]

    def say(self, *bodies: bytes | tl.TLObject, **numbers: int) -> None:
        """The client hears these from a server by hand, each in a message of its own."""
        for body in bodies:
            self.said += 1
            msg_id = numbers.get("msg_id", int(self.clock() * 2**32) + 4 * self.said + 1)
            self.deliver_to_client(self.forged(bytes(body), msg_id=msg_id, seq_no=numbers.get("seq_no", 0)))

    def heard(self) -> list[Message]:
        """What the client has sent since the last time, for a server by hand: containers taken apart."""
        messages: list[Message] = []
        for payload in frames_of(self.client.data_to_send(), "intermediate", Side.SERVER):
            envelope = self.server_cipher().open(payload)
            message = Message(envelope.msg_id, envelope.seq_no, envelope.body)
            is_packed = constructor_id(message.body) == service.MsgContainer.CONSTRUCTOR_ID
            messages += unpack_container(message.body, message.msg_id) if is_packed else [message]
        return messages

    def requests(self) -> list[RequestReceived]:
        return [e for e in self.server_events if isinstance(e, RequestReceived)]

    def answers(self) -> list[AnswerReceived]:
        return [e for e in self.client_events if isinstance(e, AnswerReceived)]

    def answer(self, request: RequestReceived, body: bytes) -> None:
        self.server.answer(request.session, request.msg_id, body)

    def server_key(self) -> AuthKey:
        """The one key that the server knows."""
        (auth_key,) = self.state.keys.values()
        return auth_key

    def server_cipher(self) -> Cipher:
        """Seals as the server would, for messages that no server of ours sends."""
        return Cipher(self.server_key(), Side.SERVER)

    def forged(self, body: bytes, *, msg_id: int, seq_no: int = 0, session_id: int | None = None) -> bytes:
        """The bytes of a server's message with just these numbers, framed."""
        session = self.client.session
        envelope = Envelope(0, session.session_id if session_id is None else session_id, msg_id, seq_no, body)
        return framing("intermediate", Side.SERVER).encode(self.server_cipher().seal(envelope, seeded(9)))


def agreed_pair(
    transport: str = "intermediate", *, salt: int | None = None, skew: float = 0.0, known_time: bool = True
) -> Pair:
    """A pair that has its auth_key already; the client thinks that the salt is `salt`, right if None."""
    key = AuthKey(seeded(7)(256))
    pair = Pair(
        transport,
        auth_key=key,
        server_salt=1234567 if salt is None else salt,
        time_offset=0.0 if known_time else None,
        skew=skew,
    )
    pair.state.add_key(key, 1234567)
    return pair


def frames_of(data: bytes, transport: str, side: Side) -> list[bytes]:
    """The payloads in the bytes that went to `side`."""
    reader = framing(transport, side)
    if side is Side.SERVER and data.startswith(reader.prefix):
        data = data[len(reader.prefix) :]
    return [event.payload for event in reader.receive_data(data) if isinstance(event, Frame)]


def is_agreed(event: ClientEvent | ServerEvent) -> bool:
    return isinstance(event, KeyAgreed)
