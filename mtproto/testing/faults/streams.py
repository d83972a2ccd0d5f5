"""What happens to a stream, and to a clock: only in a Pair, where both ends and all time are ours."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from mtproto.errors import FateUnknown, LocalProtocolError, MTProtoError
from mtproto.side import Side
from mtproto.testing.faults.base import Fault, Item, Passing, Scene, Tamper, number, whole
from mtproto.testing.network import Ending

if TYPE_CHECKING:
    from mtproto.testing.pair import Pair

__all__ = ["Cut", "Fragments", "HalfOpen", "Lumps", "OfPairs", "SkewClock", "SlowReader"]


@dataclass(frozen=True, slots=True)
class OfPairs(Fault):
    """A fault that takes a Pair."""

    def refusal(self, scene: Scene) -> str | None:
        return None if scene.pair is not None else "it takes a Pair"

    def begin(self, scene: Scene) -> Tamper | None:
        if scene.pair is None:
            raise LocalProtocolError("it takes a Pair")
        return self.happen(scene.pair)

    @abstractmethod
    def happen(self, pair: Pair) -> Tamper | None:
        """Let it happen in a Pair."""


@dataclass(frozen=True, slots=True)
class Fragments(OfPairs):
    """Every piece that arrives has `size` bytes at most.

    Right: nothing is different.
    """

    size: int = whole(1, least=1)

    def happen(self, pair: Pair) -> Tamper | None:
        pair.change_network(replace(pair.network, fragment=self.size))
        return None


@dataclass(frozen=True, slots=True)
class Lumps(OfPairs):
    """What arrives within `seconds` arrives in one piece.

    Right: nothing is different.
    """

    seconds: float = number(0.5, least=0)

    def happen(self, pair: Pair) -> Tamper | None:
        pair.change_network(replace(pair.network, coalesce=self.seconds))
        return None


@dataclass(frozen=True, slots=True)
class Cut(OfPairs):
    """The stream of one side ends `after` so many bytes more, like this.

    Right: the client comes back, and goes on where it was: what had not arrived is sent again, what had been
    executed is not.
    """

    after: int = whole(0, least=0)
    side: Side = Side.SERVER
    ending: Ending = Ending.FIN

    def happen(self, pair: Pair) -> Tamper | None:
        pair.cut(self.side, pair.line.links[self.side].sent + self.after, self.ending)
        return None


@dataclass(frozen=True, slots=True)
class HalfOpen(OfPairs):
    """After `after` more bytes of the client's nothing arrives any more on either side, and nobody is told.

    Right: a ping without an answer tells the client, and a ping that does not come the server.
    """

    after: int = whole(0, least=0)

    def refusal(self, scene: Scene) -> str | None:
        if scene.pair is not None and scene.pair.keep_alive is None:
            return "without keep_alive nobody would ever find out"
        return OfPairs.refusal(self, scene)

    def happen(self, pair: Pair) -> Tamper | None:
        line = pair.line
        pair.cut(Side.CLIENT, line.links[Side.CLIENT].sent + self.after, Ending.SILENCE)

        def tamper(passing: Passing) -> Iterable[Item]:
            if line.links[Side.CLIENT].is_over:
                line.cut(Side.SERVER, line.links[Side.SERVER].sent, Ending.SILENCE)
            return (passing.payload,)

        if self.after == 0:
            line.cut(Side.SERVER, line.links[Side.SERVER].sent, Ending.SILENCE)
        return tamper


@dataclass(frozen=True, slots=True)
class SlowReader(OfPairs):
    """One side of this connection takes `rate` bytes a second of what it is sent, and no more.

    Right: what is sent comes late, once each, and in order.  Where a ping, its answer, or everything is too late
    the connection is given up, and the client goes on in another.
    """

    rate: float = number(100.0, above=0)
    side: Side = Side.CLIENT

    def happen(self, pair: Pair) -> Tamper | None:
        link = pair.line.links[self.side.peer]
        link.network = replace(link.network, bandwidth=self.rate)
        return None


@dataclass(frozen=True, slots=True)
class SkewClock(OfPairs):
    """The client's clock jumps by so many seconds, `at` so many seconds from now.

    Right: one bad_msg_notification (16 or 17) tells the time, and what was refused is sent again once.  Where that
    takes a new session, and the connection too, nobody may know what became of what was under way.
    """

    seconds: float = number(3600.0, above=-(2**31), below=2**31)
    at: float = number(0.0, least=0)
    errors: ClassVar[tuple[type[MTProtoError], ...]] = (FateUnknown,)

    def happen(self, pair: Pair) -> Tamper | None:
        def jump() -> None:
            pair.skew += self.seconds

        pair.clock.after(self.at, jump)
        return None
