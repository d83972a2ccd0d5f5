"""The places where faults happen: a Pair, and a loopback server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from mtproto.connection import ServerConnection, ServerState
from mtproto.side import Side
from mtproto.testing.faults.base import Altered, Fault, Item, Scene, Tamper, install, items_of
from mtproto.testing.line import Line

if TYPE_CHECKING:
    from mtproto.testing.pair import Pair
    from mtproto.testing.server import LoopbackServer

__all__ = ["LineChannel", "LoopbackScene", "PairScene"]


class PairScene(Scene):
    """A Pair: both ends are ours, and time."""

    def __init__(self, pair: Pair) -> None:
        super().__init__()
        self._pair = pair
        self._sent: list[Tamper] = []
        self._arrived: list[Tamper] = []

    def install(self, fault: Fault) -> None:
        """Let a fault happen from now on."""
        tamper = install(fault, self)
        if tamper is not None:
            (self._arrived if fault.is_the_servers else self._sent).append(tamper)

    def stop(self) -> None:
        """No fault happens to messages any more."""
        for asked in (self._sent, self._arrived, self.retries, self.failures):
            asked.clear()

    def sent(self, channel: LineChannel, side: Side, payload: bytes) -> Iterator[Item]:
        """What goes out in place of a payload."""
        tampers = self._sent if side is Side.CLIENT else self._sent + self._arrived
        return items_of(tampers, self, channel, side, payload)

    def arrived(self, channel: LineChannel, payload: bytes) -> list[bytes]:
        """What the server gets in place of a client's payload."""
        items = items_of(self._arrived, self, channel, Side.CLIENT, payload)
        taken = [item for item in items if isinstance(item, bytes)]
        if payload not in taken:  # although its bytes have come
            self._pair.doubted(self._pair.ledger.open(Side.CLIENT, payload, self._pair.clock.now))
        return taken

    @property
    def state(self) -> ServerState:
        return self._pair.state

    @property
    def pair(self) -> Pair:
        return self._pair

    @property
    def exchanges_keys(self) -> bool:
        return self._pair.exchanges_keys

    @property
    def transport(self) -> str:
        return self._pair.client.transport.removeprefix("obfuscated ")

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        self._pair.clock.after(seconds, do)

    def restart(self) -> None:
        self._pair.restart()

    def flush(self) -> None:
        self._pair.pump()


class LineChannel:
    """A stream of a Pair."""

    def __init__(self, pair: Pair, line: Line) -> None:
        self.transport = line.client.transport
        self._pair = pair
        self._line = line

    def send(self, side: Side, payload: bytes, after: float = 0.0) -> None:
        """Let a payload go out so many seconds later."""
        end, carried = self._line.ends[side], self._pair.ledger.open(side, payload, self._pair.clock.now)
        self._pair.clock.after(after, lambda: end.inject(payload, carried))

    def hang_up(self) -> None:
        """The server closes the connection."""

        def close() -> None:
            self._line.server.close()
            self._line.pump()

        self._pair.clock.after(0.0, close)

    def break_off(self) -> None:
        """The connection breaks."""
        self._pair.clock.after(0.0, self._line.reset)

    def send_quick_ack(self, token: bytes) -> None:
        """Let a quick ack go out."""
        _quick_ack(self._line.server, token)

    def new_nonce(self, server_nonce: bytes) -> bytes | None:
        """The secret nonce of the key exchange under way."""
        return self._line.server.new_nonce(server_nonce)


def _quick_ack(server: ServerConnection, token: bytes) -> None:
    if not server.closed and not server.transport.endswith("full"):
        server.send_quick_ack(token)


class LoopbackScene(Scene):
    """A loopback server: its clients may be anyone's, and time is everyone's."""

    def __init__(self, server: LoopbackServer, faults: Sequence[Fault]) -> None:
        super().__init__()
        self._server = server
        self._restarts: set[asyncio.Task[None]] = set()
        self._tampers = [tamper for fault in faults if (tamper := install(fault, self)) is not None]

    @property
    def state(self) -> ServerState:
        return self._server.state

    @property
    def transport(self) -> str | None:
        return self._server.transport

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(seconds, do)

    def restart(self) -> None:
        task = asyncio.create_task(self._server.restart())
        self._restarts.add(task)
        task.add_done_callback(self._restarts.discard)

    def flush(self) -> None:
        self._server.flush()

    def hang_up(self, connection: ServerConnection) -> None:
        """Close a connection, once it has sent what is to be sent."""
        self._server.hang_up(connection)

    def cut(self, connection: ServerConnection) -> None:
        """End a connection at once."""
        self._server.cut(connection)

    def attach(self, connection: ServerConnection) -> None:
        """Faults happen to this connection, too."""
        if not self._tampers:
            return
        channel = _PeerChannel(self, connection)

        def outgoing(payload: bytes, frame: Callable[[bytes], bytes]) -> bytes:
            items = items_of(self._tampers, self, channel, Side.SERVER, payload)
            return b"".join(
                item.change(frame(item.payload)) if isinstance(item, Altered) else frame(item)
                for item in items
            )

        def incoming(payload: bytes) -> Iterable[bytes]:
            items = items_of(self._tampers, self, channel, Side.CLIENT, payload)
            return [item for item in items if isinstance(item, bytes)]

        connection.outgoing, connection.incoming = outgoing, incoming


class _PeerChannel:
    """A connection of a loopback server."""

    def __init__(self, scene: LoopbackScene, connection: ServerConnection) -> None:
        self._scene = scene
        self._connection = connection

    @property
    def transport(self) -> str:
        return self._connection.transport

    def send(self, side: Side, payload: bytes, after: float = 0.0) -> None:
        def send() -> None:
            if not self._connection.closed:
                self._connection.send_payload(payload)
                self._scene.flush()

        self._scene.later(after, send)

    def hang_up(self) -> None:
        self._scene.later(0.0, lambda: self._scene.hang_up(self._connection))

    def break_off(self) -> None:
        self._scene.later(0.0, lambda: self._scene.cut(self._connection))

    def send_quick_ack(self, token: bytes) -> None:
        _quick_ack(self._connection, token)

    def new_nonce(self, server_nonce: bytes) -> bytes | None:
        return self._connection.new_nonce(server_nonce)
