"""Others who want something of the server, and never say all of it: only in a Pair."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mtproto.testing.faults.base import Scene, Tamper, number, whole
from mtproto.testing.faults.streams import OfPairs

if TYPE_CHECKING:
    from mtproto.testing.pair import Pair

__all__ = ["MAX_CROWD", "HalfHandshakes", "Slowloris"]

MAX_CROWD = 100_000
"""How many others there may be: each is a connection, in memory."""


@dataclass(frozen=True, slots=True)
class _Crowd(OfPairs):
    """So many others."""

    count: int = whole(1000, least=1, most=MAX_CROWD)

    def refusal(self, scene: Scene) -> str | None:
        if scene.pair is not None and not self.ends(scene.pair):
            return "without deadlines= that end it, these would stay for ever"
        return OfPairs.refusal(self, scene)

    @abstractmethod
    def ends(self, pair: Pair) -> bool:
        """Whether the server's deadlines are for such as these."""


@dataclass(frozen=True, slots=True)
class Slowloris(_Crowd):
    """`count` other connections to the server, in each of which `rate` bytes a second arrive (0: none at all).

    Right: the server closes each when its deadline is over (X10), and meanwhile serves everyone else.
    """

    rate: float = number(1.0, least=0)

    def ends(self, pair: Pair) -> bool:
        return pair.deadlines.opening is not None or pair.deadlines.first_frame is not None

    def happen(self, pair: Pair) -> Tamper | None:
        network = replace(pair.network, bandwidth=self.rate or None, fragment=1)
        for _ in range(self.count):
            pair.join(network=network, queries=1 if self.rate else 0)
        return None


@dataclass(frozen=True, slots=True)
class HalfHandshakes(_Crowd):
    """`count` others begin a key exchange, and say nothing any more after one or two `queries`.

    Right: the server closes each after its silence, and meanwhile serves everyone else.
    """

    queries: int = whole(1, least=1, most=2)

    def refusal(self, scene: Scene) -> str | None:
        if not scene.exchanges_keys:
            return "without a key= there is no key exchange in a Pair"
        return _Crowd.refusal(self, scene)

    def ends(self, pair: Pair) -> bool:
        return pair.deadlines.silence is not None

    def happen(self, pair: Pair) -> Tamper | None:
        for _ in range(self.count):
            pair.join(network=pair.network, queries=self.queries)
        return None
