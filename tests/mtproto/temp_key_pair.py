"""A client with temporary keys and a server, joined in memory; and the same over a link that takes its time."""

from __future__ import annotations

from mtproto import api, service
from mtproto.connection import ClientConnection, ServerConnection, ServerState
from mtproto.errors import RpcError
from mtproto.events import ClientEvent, KeyAgreed, RequestReceived
from tests.mtproto.helpers import TEST_KEY, ManualClock, seeded

__all__ = ["CONFIG", "END", "LIFE", "TRUE", "UNBOUND", "Pair", "SlowPair", "error_body", "temp_key_id"]

LIFE = 3600
END = LIFE - 5
"""When a client with a clock that shows whole seconds stops using the key."""
TRUE, CONFIG = bytes(api.BoolTrue()), bytes(api.help.GetConfig())


def error_body(error: RpcError) -> bytes:
    return bytes(service.RpcError(error_code=error.code, error_message=error.message))


UNBOUND = error_body(RpcError(401, "AUTH_KEY_PERM_EMPTY"))


class Pair:
    """Client and server in memory; the server answers bindings, and other requests when it is told to."""

    def __init__(
        self,
        *,
        skew: float = 0.0,
        lifetime: int | None = LIFE,
        binding: bytes | None = None,
        start: float = 1_700_000_000.0,
    ) -> None:
        self.clock = ManualClock(start)
        self.state = ServerState(clock=self.clock, rng=seeded(1))
        self.server = ServerConnection([TEST_KEY], self.state)
        self.binding = binding
        self.client = ClientConnection(
            [TEST_KEY.public],
            temp_key_lifetime=lifetime,
            clock=lambda: self.clock() + skew,
            rng=seeded(2),
        )
        self.events: list[ClientEvent] = []
        self.requests: list[RequestReceived] = []
        self.unbound: list[RequestReceived] = []
        self.errors: list[RpcError] = []

    def run(self) -> None:
        for _ in range(100):
            out, back = self.client.data_to_send(), self.server.data_to_send()
            if not out and not back:
                return
            for event in self.server.receive_data(out):
                if isinstance(event, RequestReceived):
                    self.take(event)
            self.events += self.client.receive_data(back)
            if self.client.failure is not None:
                raise self.client.failure
        raise AssertionError("they go on for ever")

    def take(self, event: RequestReceived) -> None:
        request = api.decode(event.body)
        if not isinstance(request, api.auth.BindTempAuthKey):
            if self.state.needs_binding(event.session.auth_key_id):
                self.unbound.append(event)
                self.server.answer(event.session, event.msg_id, UNBOUND)
            else:
                self.requests.append(event)
            return
        try:
            self.state.bind_temp_key(event.session, event.msg_id, request)
            answer = TRUE if self.binding is None else self.binding
        except RpcError as error:
            self.errors.append(error)
            answer = error_body(error)
        self.server.answer(event.session, event.msg_id, answer)

    def agreed(self) -> list[KeyAgreed]:
        return [event for event in self.events if isinstance(event, KeyAgreed)]

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.events += self.client.handle_timer()
        self.run()


class SlowPair(Pair):
    """Bytes arrive `delay` seconds after they were sent, either way; the server answers all that it takes.

    `delay` may be changed on the way; what was sent before is not overtaken.
    """

    def __init__(self, delay: float, *, lifetime: int, start: float = 1_700_000_000.0) -> None:
        super().__init__(lifetime=lifetime, start=start)
        self.delay = delay
        self._to_server: list[tuple[float, bytes]] = []
        self._to_client: list[tuple[float, bytes]] = []

    def step(self, seconds: float = 0.25) -> None:
        """Let time pass, and what has arrived be received."""
        self.clock.advance(seconds)
        self.events += self.client.handle_timer()
        for data in self._arrived(self._to_server):
            for event in self.server.receive_data(data):
                if isinstance(event, RequestReceived):
                    self.take(event)
            if self.server.failure is not None:
                raise self.server.failure
        for data in self._arrived(self._to_client):
            self.events += self.client.receive_data(data)
            if self.client.failure is not None:
                raise self.client.failure
        self._send(self.client.data_to_send(), self._to_server)
        self._send(self.server.data_to_send(), self._to_client)

    def _send(self, data: bytes, link: list[tuple[float, bytes]]) -> None:
        if data:
            earliest = link[-1][0] if link else 0.0
            link.append((max(self.clock() + self.delay, earliest), data))

    def _arrived(self, link: list[tuple[float, bytes]]) -> list[bytes]:
        arrived = [data for at, data in link if at <= self.clock()]
        del link[: len(arrived)]
        return arrived

    def take(self, event: RequestReceived) -> None:
        super().take(event)
        if event in self.requests:
            self.server.answer(event.session, event.msg_id, TRUE)


def temp_key_id(pair: Pair, index: int = -1) -> bytes:
    temporary = pair.agreed()[index].temp_auth_key
    assert temporary is not None
    return temporary.key_id
