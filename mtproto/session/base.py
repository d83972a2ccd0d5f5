"""What the sessions of both sides share: numbers for what is sent, checks for what comes, acknowledgements.

    receive:  payload → Envelope → Message (or the messages of a container) → a handler by constructor
    send:     bodies wait in a queue; `flush` numbers them, packs and seals them

A session is not a connection: it lives on when the connection is lost, and is then flushed into the next.

Specification: core.telegram.org/mtproto/description, service_messages, service_messages_about_messages.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import tl
from mtproto import service
from mtproto.acks import MAX_ACKS, OwedAcks
from mtproto.crypto.auth_key import AuthKey
from mtproto.envelope import Cipher, Envelope
from mtproto.errors import RemoteProtocolError
from mtproto.message import Message, is_content_related, pack_container
from mtproto.message_id import MessageIdGenerator, ReceivedWindow, SequenceNumbers, Verdict, unix_time
from mtproto.session.sent import SentMessages
from mtproto.side import Side

__all__ = ["FLOOD", "Body", "Outgoing", "Session", "decode_service", "distinct"]

Body: TypeAlias = bytes | Callable[[int], bytes]
"""The boxed bytes of a message, or what makes them of its msg_id: auth.bindTempAuthKey repeats its own."""

FLOOD = -429
"""The transport error for what is too much of a thing."""

_MAX_PACKED_MESSAGES = 100
_MAX_PACKED_BYTES = 256 * 1024
_STATES = {Verdict.DUPLICATE: 4, Verdict.TOO_NEW_TIME: 3, Verdict.TOO_OLD_WINDOW: 1}
_MAX_RESENT_AGE = 240.0  # seconds; the peer ignores a msg_id that is 300 old, and this has to get there


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A body waiting to be sent.

    `request` is whose it is: the number of a request on the client, the msg_id that is answered on the
    server.  `answer` marks a server's reply.  A `query` is a service message that is answered by another:
    sent again if the peer does not take it; `about` are the msg_ids that it asks about.  An `original` is a
    message that was sent before, and is sent once more as it was.
    """

    body: Body
    request: int | None = None
    answer: bool = False
    query: bool = False
    about: tuple[int, ...] = ()
    resends: int = 0
    original: Message | None = None

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


def distinct(msg_ids: Iterable[int], *, check: str) -> list[int]:
    """The ids, each once; more than 8192 are a flood: RemoteProtocolError, with the id of the rule."""
    msg_ids = list(msg_ids)
    if len(msg_ids) > MAX_ACKS:
        raise RemoteProtocolError(
            "too many msg_ids in one message",
            check=check,
            got=len(msg_ids),
            expected=f"<= {MAX_ACKS}",
            reply=FLOOD,
        )
    return list(dict.fromkeys(msg_ids))


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
        # Only a client has to know what it is that the other side complains about.
        self.sent = SentMessages() if side is Side.CLIENT else SentMessages(max_known=0)
        self._clock = clock
        self._rng = rng
        self._queue: deque[Outgoing] = deque()
        self._repeated: set[int] = set()

    @property
    @abstractmethod
    def salt(self) -> int:
        """The server_salt for what is sent now."""

    def now(self) -> float:
        """Unix time by our own clock."""
        return self._clock()

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
            messages = []
            is_original = False
            for outgoing in self._take():  # each has its numbers before the next is looked at
                messages.append(self._numbered(outgoing, now))
                is_original = is_original or outgoing.original is not None
            if not messages:
                break
            is_alone = len(messages) == 1 and not is_original
            payloads.append(self._seal(messages[0] if is_alone else self._pack(messages)))
        return payloads

    def _take(self) -> Iterator[Outgoing]:
        """What fits into one container, of what is still wanted and may be sent now."""
        size = count = 0
        for _ in range(len(self._queue)):
            first = self._queue[0]
            if count and (count >= _MAX_PACKED_MESSAGES or size + first.size > _MAX_PACKED_BYTES):
                return
            self._queue.popleft()
            if first.original is not None:
                self._repeated.discard(first.original.msg_id)
            if self.is_wanted(first):
                size += first.size
                count += 1
                yield first
                if self.is_last(first):
                    return

    def is_last(self, outgoing: Outgoing) -> bool:
        """Whether nothing else may stand behind `outgoing` in its container."""
        return False

    def is_wanted(self, outgoing: Outgoing) -> bool:
        """Whether `outgoing`, which has left the queue, is to be sent at all."""
        return True

    def _numbered(self, outgoing: Outgoing, now: float) -> Message:
        if outgoing.original is not None:
            self.sent.add(outgoing.original, now)
            return outgoing.original
        msg_id = self._next_id(answer=outgoing.answer)
        body = self.body_of(outgoing, msg_id)
        # A request is one in gzip_packed, too: whoever gets it has to acknowledge it.
        needs_ack = outgoing.request is not None or is_content_related(body)
        message = Message(msg_id, self.sequence.next(needs_ack), body)
        self.sent.add(message, now)
        self.was_numbered(outgoing, message)
        return message

    def _next_id(self, *, answer: bool = False) -> int:
        """A msg_id that no message had in a session before either, even where the clock was turned back."""
        msg_id = self.ids.next(answer=answer)
        while msg_id in self.sent:
            msg_id = self.ids.next(answer=answer)
        return msg_id

    def body_of(self, outgoing: Outgoing, msg_id: int) -> bytes:
        """The body of the message `msg_id` that `outgoing` becomes."""
        return outgoing.body if isinstance(outgoing.body, bytes) else outgoing.body(msg_id)

    def _pack(self, messages: list[Message]) -> Message:
        body = pack_container(messages)
        container = Message(self._next_id(), self.sequence.next(False), body)
        self.sent.add_container(container.msg_id, messages)
        return container

    def _seal(self, message: Message) -> bytes:
        envelope = Envelope(self.salt, self.session_id, message.msg_id, message.seq_no, message.body)
        return self.cipher.seal(envelope, self._rng)

    @abstractmethod
    def was_numbered(self, outgoing: Outgoing, message: Message) -> None:
        """`outgoing` is about to be sent as `message`."""

    def send_once_more(self, message: Message) -> bool:
        """Queue a message that was sent before, as it was; False where it is too old for the peer to take it."""
        if self.ids.now() - unix_time(message.msg_id) > _MAX_RESENT_AGE:
            return False
        if message.msg_id not in self._repeated:
            self._repeated.add(message.msg_id)
            self.queue(Outgoing(message.body, original=message))
        return True

    # What both sides are asked

    def resend(self, msg_ids: Iterable[int]) -> bool:
        """Send these messages of ours once more, as far as they are kept; whether that is all of them."""
        found = [(message := self.sent.find(i)) is not None and self.send_once_more(message) for i in msg_ids]
        return all(found)

    def states_of(self, msg_ids: Iterable[int], first_msg_id: int | None) -> Iterator[int]:
        """What is known of the peer's messages, each as a byte of msgs_state_info has it.

        1 nothing, 2 not received, 3 not received and not to be expected yet, 4 received.  Of messages before
        the `first_msg_id` of the session nothing is known: another session, forgotten since, may have had them.
        """
        now = self.ids.now()
        for msg_id in msg_ids:
            verdict = self.window.check(msg_id, now)
            is_before = first_msg_id is None or msg_id < first_msg_id
            yield _STATES.get(verdict) or (1 if is_before else 2)

    # Timers

    @abstractmethod
    def next_timer(self) -> float | None:
        """When, in unix time, there is something to do even if nothing happens."""
