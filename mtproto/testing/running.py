"""How a Pair lets time pass, and who stops it where that would take for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from mtproto.errors import LocalProtocolError
from mtproto.events import PongReceived
from mtproto.testing.arguments import check_callable, check_number, check_whole
from mtproto.testing.checks import StillRunning
from mtproto.testing.network import Network

if TYPE_CHECKING:
    from mtproto.testing.pair import Pair

__all__ = ["DEADLINE", "MAX_STEPS", "begin", "run"]

DEADLINE: Final = 3600.0
"""For how many seconds of virtual time a Pair runs, where nobody says otherwise."""
MAX_STEPS: Final = 100_000
"""How many things may happen in it: with messages all the time, that is half a minute of everyone's time."""


def run(
    pair: Pair,
    is_quiet: Callable[[], bool],
    *,
    until: Callable[[], object] | None,
    for_: float | None,
    deadline: float,
    max_steps: int,
) -> None:
    """What `Pair.run` does."""
    check_callable("until", until)
    check_number("deadline", deadline, "seconds", least=0)
    check_whole("max_steps", max_steps, least=1)
    if for_ is not None:
        check_number("for_", for_, "seconds", least=0)
        if until is not None:
            raise LocalProtocolError("until and for_ exclude each other")
    clock = pair.clock
    begun, steps = clock.now, clock.steps
    end = begun + (deadline if for_ is None else for_)
    is_done = (lambda: False) if for_ is not None else until or is_quiet
    while not is_done():
        when = clock.next()
        if when is None or when > end:
            clock.skip(end)
            if for_ is None and not is_done():
                raise StillRunning(pair, f"after {deadline:g} s")
            return
        if clock.steps - steps >= max_steps:
            passed = f"{clock.now - begun:g} s"
            raise StillRunning(pair, f"after {max_steps} events in {passed}, the most that max_steps allows")
        clock.step()


def begin(pair: Pair, rng: Callable[[int], bytes]) -> None:
    """What `Pair.begin` does."""
    network = pair.network
    pair.change_network(Network())
    try:
        pair.run(until=lambda: pair.is_given_up or (pair.client.is_ready and not pair.client.closed))
        if pair.is_given_up:
            raise LocalProtocolError(f"no session can begin: the client has given up: {pair.failures[-1]}")
        pong = PongReceived(int.from_bytes(rng(8), "little", signed=True))
        pair.client.ping(pong.ping_id)
        pair.pump()
        pair.run(until=lambda: pong in pair.client_events)
    finally:
        pair.change_network(network)
