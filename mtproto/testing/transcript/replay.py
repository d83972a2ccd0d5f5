"""One side of a recorded conversation, said again to a live other side, without I/O.

    Transcript ─▶ script ─▶ replay_server: the server's messages, to a client
                            replay_client: the client's messages, to a server

The key exchange is a new one, and so are msg_id, seq_no, salt, session_id, encryption, and what messages say of the
msg_ids of others.  The live side has to go on as the recorded one did: who asks for something else gets no answer,
but ReplayMismatch is raised.  It need not do so at the same time, nor in the same containers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence

from mtproto import service
from mtproto.envelope import (
    PLAIN_AUTH_KEY_ID,
    Cipher,
    Envelope,
    PlainMessage,
    auth_key_id_of,
    decode_plain,
    encode_plain,
)
from mtproto.errors import TransportCodeReceived
from mtproto.message import Message, constructor_id, is_content_related, pack_container, unpack_container
from mtproto.message_id import MessageIdGenerator, SequenceNumbers
from mtproto.side import Side
from mtproto.testing.transcript.reading import Schemas
from mtproto.testing.transcript.rewriting import Rewriter
from mtproto.testing.transcript.script import Step
from mtproto.transport import Frame, TransportCode, Wire, unpadded

__all__ = ["QUIET", "Replay"]

_CONTAINER = service.MsgContainer.CONSTRUCTOR_ID
QUIET = (
    *("msgs_ack", "http_wait", "ping", "ping_delay_disconnect", "pong"),
    *("get_future_salts", "future_salts", "msgs_state_req", "msgs_state_info"),
)
"""What is not said again, but as it is due now: acknowledgements, and what is asked of the session itself."""


class Replay(ABC):
    """What both sides share: the stream, the session, and which steps are due.

    `is_done` says whether everything was said, and answered where it had to be.
    """

    side: Side

    def __init__(
        self,
        steps: Sequence[Step],
        wire: Wire,
        *,
        schemas: Schemas,
        clock: Callable[[], float],
        rng: Callable[[int], bytes],
    ) -> None:
        self.steps = steps
        self._wire = wire
        self._schemas = schemas
        self._clock = clock
        self._rng = rng
        self._out = bytearray()
        self._plain_ids = MessageIdGenerator(self.side, clock)
        self._ids = MessageIdGenerator(self.side, clock)
        self._numbers = SequenceNumbers()
        self._cipher: Cipher | None = None
        self._salt = 0
        self._session_id = 0
        self._acks: list[int] = []
        self._extra: list[tuple[bytes, int | None]] = []
        self._rewriter = Rewriter()
        self._carried: dict[int, list[int]] = {}
        self._taken: set[int] = set()
        self._sent: set[int] = set()

    @property
    @abstractmethod
    def is_done(self) -> bool: ...

    def receive_data(self, data: bytes) -> None:
        """Take the next bytes of the live side; what there is to say is then in `data_to_send`.

        Raise ReplayMismatch where it does not go on as the recorded one did, RemoteProtocolError and
        TransportCodeReceived for what breaks the protocol.
        """
        for event in self._wire.receive_data(data):
            if isinstance(event, TransportCode):
                raise TransportCodeReceived(event.code)
            if isinstance(event, Frame):
                self._payload(unpadded(event.payload) if self._wire.pads else event.payload)
        if self._wire.failure is not None:
            raise self._wire.failure
        self._go_on()

    def data_to_send(self) -> bytes:
        """All bytes that are to be sent now, once."""
        out, self._out = bytes(self._out), bytearray()
        return out

    def _payload(self, payload: bytes) -> None:
        if auth_key_id_of(payload) == PLAIN_AUTH_KEY_ID:
            self._exchange(decode_plain(payload).body)
            return
        envelope = self._open(payload)
        for message in _messages(envelope):
            if constructor_id(message.body) == service.MsgsAck.CONSTRUCTOR_ID:
                continue
            if message.seq_no & 1:
                self._acks.append(message.msg_id)
            self._take(message, envelope.msg_id)

    def _send_plain(self, body: bytes) -> None:
        msg_id = self._plain_ids.next(answer=self.side is Side.SERVER)
        self._out += self._wire.encode(encode_plain(PlainMessage(msg_id, body)))

    @abstractmethod
    def _exchange(self, body: bytes) -> None: ...

    @abstractmethod
    def _open(self, payload: bytes) -> Envelope: ...

    @abstractmethod
    def _take(self, message: Message, outer: int) -> None: ...

    @abstractmethod
    def _is_due(self, step: Step) -> bool: ...

    def _go_on(self) -> None:
        """Say what is due now, all of it in one envelope."""
        if self._cipher is None:
            return
        bodies: list[tuple[bytes, int | None]] = [*self._extra]
        self._extra.clear()
        said: list[Step | None] = [None] * len(bodies)
        for step in self._own():
            if not self._is_due(step):
                continue
            self._sent.add(step.index)
            for body in self._rewriter.rewritten(step, self._salt):
                bodies.append((body, step.answers))
                said.append(step)
        if self._acks and (bodies or self.side is Side.CLIENT):
            bodies.append((bytes(service.MsgsAck(msg_ids=self._acks[:])), None))
            said.append(None)
            self._acks.clear()
        messages = [self._message(body, answers) for body, answers in bodies]
        for message, said_step in zip(messages, said, strict=True):
            if said_step is not None:
                self._rewriter.own[said_step.msg_id] = message.msg_id
        self._seal(messages)

    def _own(self) -> Iterator[Step]:
        """The steps that we still have to take."""
        return (step for step in self.steps if step.side is self.side and step.index not in self._sent)

    def _message(self, body: bytes, answers: int | None) -> Message:
        msg_id = self._ids.next(answer=answers is not None)
        return Message(msg_id, self._numbers.next(is_content_related(body)), body)

    def _seal(self, messages: Sequence[Message]) -> None:
        if not messages or self._cipher is None:
            return
        whole = messages[0]
        if len(messages) > 1:
            whole = self._message(pack_container(messages), None)
            self._carried[whole.msg_id] = [message.msg_id for message in messages]
        envelope = Envelope(self._salt, self._session_id, whole.msg_id, whole.seq_no, whole.body)
        self._out += self._wire.encode(self._cipher.seal(envelope, self._rng))


def _messages(envelope: Envelope) -> Iterable[Message]:
    if constructor_id(envelope.body) == _CONTAINER:
        return unpack_container(envelope.body, envelope.msg_id)
    return [Message(envelope.msg_id, envelope.seq_no, envelope.body)]
