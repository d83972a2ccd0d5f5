"""The way of a Pair's payloads from being sealed to being framed: faults change them, the network loses them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from mtproto.side import Side
from mtproto.testing.caller import Caller
from mtproto.testing.faults.base import Altered
from mtproto.testing.line import Carried, End
from mtproto.testing.network import Network
from mtproto.testing.scenes import LineChannel, PairScene

if TYPE_CHECKING:
    from mtproto.testing.pair import Pair

__all__ = ["Passage"]


class Passage:
    """The way out of all connections of a Pair, through the `network` as it is now."""

    def __init__(
        self, pair: Pair, caller: Caller, scene: PairScene, network: Network, random: Random
    ) -> None:
        self.network = network
        self._pair = pair
        self._caller = caller
        self._scene = scene
        self._random = random

    def seam(self, end: End, channel: LineChannel) -> Callable[[bytes, Callable[[bytes], bytes]], bytes]:
        """What the connection at this end asks for the bytes that go out in place of a sealed payload."""
        ledger, clock = self._pair.ledger, self._pair.clock

        def outgoing(payload: bytes, frame: Callable[[bytes], bytes]) -> bytes:
            messages = ledger.open(end.side, payload, clock.now)
            ledger.sealed(messages)
            if end.side is Side.CLIENT:
                self._caller.sealed(messages)
            frames: list[bytes] = []
            items = list(self._scene.sent(channel, end.side, payload))
            if not items:
                self._lost(end, payload, "kept back by a fault")
            size = 0
            for item in items:
                if isinstance(item, Altered):
                    frames.append(item.change(frame(item.payload)))
                    size += len(frames[-1])
                    continue
                carried = messages if item is payload else ledger.open(end.side, item, clock.now)
                for copy in self._passing(end, item, carried):
                    frames.append(frame(copy))
                    size += len(frames[-1])
                    end.note(carried, size)
            return b"".join(frames)

        return outgoing

    def _passing(self, end: End, payload: bytes, messages: Carried) -> list[bytes]:
        """What becomes of a message in the network."""
        network, random = self.network, self._random
        if not network.changes_messages or not messages:
            return [payload]
        if random.random() < network.loss:
            self._lost(end, payload, "lost on the way")
            return []
        copies = 2 if random.random() < network.duplication else 1
        if random.random() < network.reordering:
            for _ in range(copies):
                self._pair.clock.after(network.held, lambda: end.inject(payload, messages))
            return []
        return [payload] * copies

    @staticmethod
    def _lost(end: End, payload: bytes, how: str) -> None:
        """Whoever looks on at either end hears of what does not come by."""
        for each in end.line.ends.values():
            if each.connection.observer is not None:
                each.connection.observer.lost(end.side, payload, how)
