"""A conversation at work, without I/O: bytes in, bytes out, a timer, and a verdict at the end."""

from __future__ import annotations

from collections.abc import Callable

from mtproto.crypto.auth_key import AuthKey
from mtproto.crypto.randomness import Rng
from mtproto.crypto.rsa import PrivateKey, PublicKey
from mtproto.errors import LocalProtocolError, RemoteProtocolError
from mtproto.side import Side
from mtproto.testing.hostile.conversation import Conversation
from mtproto.testing.hostile.exchange import ClientExchange, ServerExchange
from mtproto.testing.hostile.failure import ConversationFailed
from mtproto.testing.hostile.fields import checked_seed
from mtproto.testing.hostile.happenings import Closed, Connected, Elapsed, Happening, Unreadable
from mtproto.testing.hostile.nodes import seconds
from mtproto.testing.hostile.stage import Stage
from mtproto.transport import ProxySecret, ServerFraming, Wire, client_framing

__all__ = ["PATIENCE", "QUIET", "Play"]

PATIENCE = 10.0
"""Seconds that what is expected may take."""
QUIET = 1.0
"""Seconds of silence that are enough."""


class Play:
    """`conversation` at work, in a connection or several; the RSA `key` of a server is private, a client's public.

    `auth_key` with its `server_salt` is for conversations that begin in a session.  A client's script speaks a
    `transport`, `obfuscated` or not; a server's takes any, or those only.  `request` is the client's request,
    `answer` a function that answers those of a client.
    """

    def __init__(
        self,
        conversation: Conversation,
        key: PrivateKey | PublicKey | None,
        *,
        clock: Callable[[], float],
        rng: Rng,
        auth_key: AuthKey | None = None,
        server_salt: int = 1,
        transport: str | None = None,
        obfuscated: bool = False,
        mtproxy_secret: ProxySecret | str | bytes | None = None,
        dc: int = 2,
        request: bytes,
        answer: Callable[[bytes], bytes] | None = None,
        patience: float = PATIENCE,
        quiet: float = QUIET,
        seed: int = 0,
    ) -> None:
        self.conversation = conversation
        side = conversation.side
        secret = None if mtproxy_secret is None else ProxySecret.read(mtproxy_secret)

        def wire() -> Wire:
            if side is Side.SERVER:
                return ServerFraming(secret=secret, transport=transport, obfuscated=obfuscated, rng=rng)
            return client_framing(transport, obfuscated=obfuscated, mtproxy_secret=secret, dc=dc, rng=rng)

        self._wire = wire
        self.stage = Stage(
            side,
            wire(),
            _exchange(side, key, dc, rng),
            clock=clock,
            rng=rng,
            auth_key=auth_key,
            salt=server_salt,
            request=request,
            answer=answer,
            patience=seconds(patience, "patience"),
            quiet=seconds(quiet, "quiet"),
            seed=checked_seed(seed),
        )
        self.connections = 1
        """In how many connections it was played so far."""
        self.is_over = False
        """Whether the conversation has ended, well or not; the connection is closed then."""
        self.failure: ConversationFailed | None = None
        self.mistake: LocalProtocolError | None = None
        """What is wrong with the script, where it could not be played on; it is raised, too."""
        self.clock = clock
        self._deadline: float | None = None
        self._is_closed = False
        self.has_heard = False
        """Whether the peer has sent anything at all."""
        self._script = conversation.play(self.stage)
        self._go_on(None)

    @property
    def closes(self) -> bool:
        """Whether the connection is to be closed, once what there is to send has gone out."""
        return self.is_over or self.stage.is_closed

    @property
    def awaits_connection(self) -> bool:
        """Whether it goes on in another connection: `connect` tells it of one, `abandon` that there is none."""
        return self.stage.awaits_connection and not self.is_over

    @property
    def node(self) -> str:
        """The number and the text of the node that it is at."""
        return self.conversation.text_of(self.stage.place_text)

    def connect(self) -> None:
        """There is a new connection; LocalProtocolError where none is awaited."""
        if not self.awaits_connection:
            raise LocalProtocolError("the conversation does not wait for another connection")
        self.connections += 1
        self.stage.open(self._wire())
        self._is_closed = False
        self._hear(Connected())

    def abandon(self) -> None:
        """There will be no other connection."""
        if self.awaits_connection:
            self._go_on(Elapsed())

    def result(self) -> None:
        """Raise ConversationFailed where it went wrong, LocalProtocolError for a wrong script, or one not over."""
        if self.failure is not None:
            raise self.failure
        if self.mistake is not None:
            raise self.mistake
        if not self.is_over:
            raise LocalProtocolError("the conversation is not over")

    def receive_data(self, data: bytes) -> None:
        """The peer sends these bytes."""
        self.has_heard = self.has_heard or bool(data)
        if self.is_over:
            return
        try:
            events = self.stage.wire.receive_data(data)
        except RemoteProtocolError as error:
            self._hear(Unreadable(str(error)))
            return
        for event in events:
            for happening in self.stage.hear(event):
                self._hear(happening)

    def receive_eof(self) -> None:
        """The peer has closed the connection."""
        if not self._is_closed:
            self._is_closed = self.stage.is_closed = True
            self._hear(Closed())

    def data_to_send(self) -> bytes:
        """What is to be sent now, once."""
        return self.stage.data_to_send()

    def next_timer(self) -> float | None:
        """The time at which `handle_timer` is to be called; None when all is over."""
        return None if self.is_over else self._deadline

    def handle_timer(self) -> None:
        """What the script has waited for does not come."""
        if not self.is_over and self._deadline is not None and self.clock() >= self._deadline:
            self._go_on(Elapsed())

    def _hear(self, happening: Happening) -> None:
        if self.is_over:
            return
        self.stage.note(f"← {happening}")
        self._go_on(happening)

    def _go_on(self, happening: Happening | None) -> None:
        try:
            while True:
                self._deadline = self._script.send(happening)  # type: ignore[arg-type]
                if not self._is_closed or self.stage.awaits_connection:
                    return
                happening = Closed()  # again: whoever has hung up says nothing more
        except StopIteration:
            self.is_over = True
        except ConversationFailed as error:
            self.failure, self.is_over = error, True
        except LocalProtocolError as error:
            self.mistake, self.is_over = error, True
            raise


def _exchange(
    side: Side, key: PrivateKey | PublicKey | None, dc: int, rng: Rng
) -> ServerExchange | ClientExchange:
    if side is Side.SERVER:
        if not isinstance(key, PrivateKey):
            raise LocalProtocolError(
                f"got {type(key).__name__} for the key of a server's script, expected a PrivateKey"
            )
        return ServerExchange(key, rng)
    if not isinstance(key, PublicKey):
        raise LocalProtocolError(
            f"got {type(key).__name__} for the key of a client's script, expected a PublicKey"
        )
    return ClientExchange(key, dc, rng)
