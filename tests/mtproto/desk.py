"""The insides of a loopback server without a socket: a client by hand, a `ServerConnection`, a `Dispatcher`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import tl
from mtproto import service
from mtproto.connection import Deadlines, ServerConnection, ServerState
from mtproto.crypto.auth_key import AuthKey
from mtproto.envelope import Cipher, Envelope
from mtproto.events import RequestReceived, ServerEvent, SessionId
from mtproto.message import Message, constructor_id, pack_container, unpack_container, unpack_rpc_result
from mtproto.side import Side
from mtproto.testing import RequestLog
from mtproto.testing.dispatch import Dispatcher
from mtproto.testing.handlers import checked
from mtproto.transport import Frame, framing
from tests.mtproto.helpers import TEST_KEY, ManualClock, seeded

__all__ = ["Desk", "Hand", "turns"]

SALT = 1234567


class Hand:
    """A client by hand in one connection: messages with just these numbers go out, and come back as they are."""

    def __init__(
        self,
        state: ServerState,
        key: AuthKey,
        session_id: int = 1,
        *,
        deadlines: Deadlines = Deadlines(),  # noqa: B008
    ) -> None:
        self.clock: Callable[[], float] = state.clock
        self.server = ServerConnection([TEST_KEY], state, deadlines=deadlines)
        self.session_id = session_id
        self.session = SessionId(key.key_id, session_id)
        self._cipher = Cipher(key, Side.CLIENT)
        self._framing = framing("intermediate", Side.CLIENT)
        self._prefix = self._framing.prefix
        self._count = 0
        self._rng = seeded(3)

    def next_id(self) -> int:
        """A msg_id that is right now, greater than those before."""
        self._count += 4
        return (int(self.clock() * 2**32) & ~0xFFFF_FFFF) + self._count

    def send(
        self, body: bytes, msg_id: int | None = None, *, seq_no: int = 1, salt: int = SALT
    ) -> list[ServerEvent]:
        """One message; the events that it brings."""
        msg_id = self.next_id() if msg_id is None else msg_id
        payload = self._cipher.seal(Envelope(salt, self.session_id, msg_id, seq_no, body), self._rng)
        prefix, self._prefix = self._prefix, b""
        return self.server.receive_data(prefix + self._framing.encode(payload))

    def send_container(self, messages: Iterable[tuple[int, bytes]]) -> list[ServerEvent]:
        """A container of messages with these msg_ids and bodies."""
        inner = [Message(msg_id, 1, body) for msg_id, body in messages]
        return self.send(pack_container(inner), seq_no=0)

    def payloads(self) -> list[list[Message]]:
        """What the server has sent since the last time: the messages in each of its payloads."""
        found = []
        for event in self._framing.receive_data(self.server.data_to_send()):
            assert isinstance(event, Frame)
            envelope = self._cipher.open(event.payload)
            message = Message(envelope.msg_id, envelope.seq_no, envelope.body)
            is_container = constructor_id(message.body) == service.MsgContainer.CONSTRUCTOR_ID
            found.append(unpack_container(message.body, message.msg_id) if is_container else [message])
        return found

    def received(self) -> list[Message]:
        """The messages that the server has sent since the last time, without their containers."""
        return [message for payload in self.payloads() for message in payload]

    def answers(self) -> dict[int, str | bytes]:
        """The answers since the last time by the request's msg_id: bytes, or the text of an rpc_error."""
        found: dict[int, str | bytes] = {}
        for message in self.received():
            if constructor_id(message.body) == service.RpcResult.CONSTRUCTOR_ID:
                msg_id, body = unpack_rpc_result(message.body)
                found[msg_id] = body
                if constructor_id(body) == service.RpcError.CONSTRUCTOR_ID:
                    error = service.decode(body, service.RpcError)
                    found[msg_id] = f"{error.error_code} {error.error_message}"
        return found


class Desk(Hand):
    """One such client, whose requests the `handlers` answer."""

    def __init__(self, handlers: dict[Any, Any], **options: Any) -> None:
        self.time = ManualClock()
        self.state = ServerState(clock=self.time, rng=seeded(1), **options)
        self.key = AuthKey(seeded(7)(256))
        self.state.add_key(self.key, SALT)
        super().__init__(self.state, self.key)
        self.name = "here:1"
        self.pending = 0
        self.log: list[RequestLog] = []
        self.dispatcher = Dispatcher(self.state, flush=lambda *_: None, on_request=self.log.append)
        self.dispatcher.use(checked(handlers))

    def answered(self) -> None:
        self.pending -= 1

    def handle(self, events: list[ServerEvent]) -> None:
        """What a peer does with the events of one read."""
        for event in self.dispatcher.announce(self, events):
            assert isinstance(event, RequestReceived)
            self.dispatcher.handle(self, event)

    async def ask(self, *requests: tl.TLObject | bytes) -> list[str | bytes]:
        """The answers to requests that come in one container, in their order."""
        ids = [self.next_id() for _ in requests]
        self.handle(self.send_container(zip(ids, map(bytes, requests), strict=True)))
        await turns()
        answers = self.answers()
        return [answers.get(msg_id, "") for msg_id in ids]


async def turns(count: int = 20) -> None:
    """Let tasks go on as far as they can."""
    for _ in range(count):
        await asyncio.sleep(0)
