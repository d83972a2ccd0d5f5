"""What the sessions of both sides share: numbers for what is sent, checks for what comes, acknowledgements.

    receive:  payload → Envelope → Message (or the messages of a container) → a handler by constructor
    send:     bodies wait in a queue; `flush` numbers them, packs and seals them

A session is not a connection: it lives on when the connection is lost, and is then flushed into the next.

Specification: core.telegram.org/mtproto/description, service_messages, service_messages_about_messages.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import tl
from mtproto import service
from mtproto.acks import OwedAcks
from mtproto.crypto.auth_key import AuthKey
from mtproto.envelope import Cipher, Envelope
from mtproto.errors import RemoteProtocolError
from mtproto.message import Message, is_content_related, pack_container
from mtproto.message_id import MessageIdGenerator, ReceivedWindow, SequenceNumbers
from mtproto.side import Side

__all__ = ["Body", "Outgoing", "Session", "decode_service"]

Body: TypeAlias = bytes | Callable[[int], bytes]
"""The boxed bytes of a message, or what makes them of its msg_id: auth.bindTempAuthKey repeats its own."""

_MAX_PACKED_MESSAGES = 100
_MAX_PACKED_BYTES = 256 * 1024
_REMEMBERED_CONTAINERS = 10_000
_REMEMBERED_MESSAGES = 10_000


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A body waiting to be sent.

    `request` is whose it is: the number of a request on the client, the msg_id that is answered on the
    server.  `answer` marks a server's reply.  A `ping` is sent again if the server does not take it.
    """

    body: Body
    request: int | None = None
    answer: bool = False
    ping: bool = False
    resends: int = 0

    @property
    def size(self) -> int:
        """About how many bytes the body takes."""
        return len(self.body) if isinstance(self.body, bytes) else 0


def decode_service(body: bytes) -> tl.TLObject:
    """The service message `body`; raise RemoteProtocolError where it is not one."""
    try:
        return service.decode(body)
    except tl.DecodeError as error:
        raise RemoteProtocolError(f"a service message that can't be read: {error}", check="T1") from None


class Session(ABC):
    """One session of one side.  `clock` is unix time in seconds, `rng` gives random bytes."""

    def __init__(
        self,
        auth_key: AuthKey,
        side: Side,
        session_id: int,
        *,
        clock: Callable[[], float],
        rng: Callable[[int], bytes],
    ) -> None:
        self.side = side
        self.session_id = session_id
        self.cipher = Cipher(auth_key, side)
        self.ids = MessageIdGenerator(side, clock)
        self.sequence = SequenceNumbers()
        self.window = ReceivedWindow(side)
        self.acks = OwedAcks()
        self._clock = clock
        self._rng = rng
        self._queue: deque[Outgoing] = deque()
        self._containers: dict[int, tuple[int, ...]] = {}
        self._sent: dict[int, None] = {}

    @property
    @abstractmethod
    def salt(self) -> int:
        """The server_salt for what is sent now."""

    # Sending

    def queue(self, outgoing: Outgoing) -> None:
        """Let a body wait for the next `flush`."""
        self._queue.append(outgoing)

    def flush(self) -> list[bytes]:
        """The encrypted payloads of all that waits, acknowledgements among them where they are due."""
        now = self._clock()
        payloads = []
        while self._queue or self.acks.are_due(now):
            if self.acks:
                self._queue.append(Outgoing(bytes(service.MsgsAck(msg_ids=self.acks.take(now)))))
            messages = [self._numbered(outgoing) for outgoing in self._take()]
            if len(messages) == 1:
                message = messages[0]
            else:
                message = self._pack(messages)
            payloads.append(self._seal(message))
        return payloads

    def _take(self) -> Iterator[Outgoing]:
        """What fits into one container."""
        size = 0
        for count in range(_MAX_PACKED_MESSAGES):
            if not self._queue or (count and size + self._queue[0].size > _MAX_PACKED_BYTES):
                return
            size += self._queue[0].size
            yield self._queue.popleft()

    def _numbered(self, outgoing: Outgoing) -> Message:
        msg_id = self.ids.next(answer=outgoing.answer)
        body = outgoing.body if isinstance(outgoing.body, bytes) else outgoing.body(msg_id)
        message = Message(msg_id, self.sequence.next(is_content_related(body)), body)
        self._remember(message.msg_id)
        self.was_numbered(outgoing, message)
        return message

    def _remember(self, msg_id: int) -> None:
        self._sent[msg_id] = None
        while len(self._sent) > _REMEMBERED_MESSAGES:
            del self._sent[next(iter(self._sent))]

    def _pack(self, messages: list[Message]) -> Message:
        body = pack_container(messages)
        container = Message(self.ids.next(), self.sequence.next(False), body)
        self._remember(container.msg_id)
        self._containers[container.msg_id] = tuple(m.msg_id for m in messages)
        while len(self._containers) > _REMEMBERED_CONTAINERS:
            del self._containers[next(iter(self._containers))]
        return container

    def _seal(self, message: Message) -> bytes:
        envelope = Envelope(self.salt, self.session_id, message.msg_id, message.seq_no, message.body)
        return self.cipher.seal(envelope, self._rng)

    @abstractmethod
    def was_numbered(self, outgoing: Outgoing, message: Message) -> None:
        """`outgoing` is about to be sent as `message`."""

    def sent_in(self, msg_id: int) -> tuple[int, ...]:
        """The messages that were sent as `msg_id`: those of a container, or the one itself."""
        return self._containers.get(msg_id, (msg_id,))

    # Timers

    def next_timer(self) -> float | None:
        """When, in unix time, `flush` has something to send even if nothing happens."""
        return self.acks.deadline()
