"""How much a test costs that has a `testing.Pair`: calls a second, and whole pairs a second.

    python -m tests.bench.pairs                     # 7 rounds, half a minute
    python -m tests.bench.pairs --rounds 20

The time is processor time, of both sides and of all that watches them.  Each round has another seed, the same in
every run; the median and the best of the rounds are shown.  `one at a time` runs the pair until each call is done,
`100 at a time` makes so many before it runs; a `whole pair` is made, asked once, run until all is quiet, checked.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

from mtproto import api
from mtproto.crypto.rsa import PrivateKey
from mtproto.testing import Network, Pair

__all__ = ["main", "one_at_a_time", "pipelined", "whole_pairs"]

_CALLS = 1000
_AT_A_TIME = 100
_PAIRS = 200
_EXCHANGES = 5
_LOSSY = Network(latency=0.05, jitter=0.05, loss=0.1, duplication=0.1, reordering=0.1)
_KEY = PrivateKey.generate()


def one_at_a_time(seed: int, count: int = _CALLS) -> int:
    """So many round trips, each when the one before is over."""
    pair = Pair(seed=seed)
    for _ in range(count):
        call = pair.invoke(api.help.GetConfig())
        pair.run(until=lambda: call.done)  # noqa: B023 - it is called at once
    return _checked(pair)


def pipelined(seed: int, count: int = _CALLS, network: Network | None = None) -> int:
    """So many calls, a hundred of them open at a time."""
    pair = Pair(seed=seed, network=network or Network(), begun=True)
    for _ in range(count // _AT_A_TIME):
        for _ in range(_AT_A_TIME):
            pair.invoke(api.help.GetConfig())
        pair.run()
    return _checked(pair)


def whole_pairs(seed: int, count: int = _PAIRS, key: PrivateKey | None = None) -> int:
    """So many pairs, each with one call; with an RSA key they agree on an auth key."""
    for number in range(count):
        pair = Pair(seed=seed * count + number, key=key)
        pair.invoke(api.help.GetConfig())
        _checked(pair)
    return count


def _checked(pair: Pair) -> int:
    pair.run()
    pair.check()
    return sum(call.outcome == "answered" for call in pair.calls)


_ROWS: dict[str, tuple[str, Callable[[int], int]]] = {
    "calls, one at a time": ("calls", one_at_a_time),
    "calls, 100 at a time": ("calls", pipelined),
    "the same over a bad network": ("calls", lambda seed: pipelined(seed, network=_LOSSY)),
    "whole pairs": ("pairs", whole_pairs),
    "whole pairs that agree on a key": ("pairs", lambda seed: whole_pairs(seed, _EXCHANGES, _KEY)),
}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Times clients and servers in memory.")
    parser.add_argument("--rounds", type=int, default=7, help="how many (default: %(default)s)")
    rounds = parser.parse_args().rounds
    times: dict[str, list[float]] = {name: [] for name in _ROWS}
    for seed in range(rounds + 1):
        for name, (_, work) in _ROWS.items():
            begun = time.process_time()
            done = work(seed)
            if seed:  # the first round makes classes
                times[name].append((time.process_time() - begun) / done)
    print(f"{'':32} {'a second':>9}  {'best':>7}  µs of processor time each")
    for name, (what, _) in _ROWS.items():
        each = median(times[name])
        print(f"{name:32} {1 / each:7.0f} {what}  {1 / min(times[name]):7.0f}  {each * 1e6:9.0f}")


if __name__ == "__main__":
    main()
