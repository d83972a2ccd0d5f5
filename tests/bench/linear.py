"""Does the cost of encoding and decoding grow with the message, and no faster?  Prints ns per element.

    python -m tests.bench.linear                    # 10^3 to 10^6 elements, about a minute
    python -m tests.bench.linear --most 10000 --kinds longs,bytes

One message holds one vector: of longs (`msgs_ack`), of bytes (`codeSettings`), of boxed objects
(`jsonArray`).  The time is processor time, the least of several rounds; decoding is under the default limits.

What it shows: with the garbage collector off, a row rises by what memory costs that no cache holds, and that
the system has to hand out first: of a long, which is little work, a good part; of anything else little.  Were
the cost quadratic, the last column would say 1000.  With the collector on, encoding is the same, and so is
decoding of longs and bytes, which the collector does not track; objects take about half as much again from
10^5 on.  They are alive, so each full collection walks through all of them and frees nothing, but Python puts
it off until the new ones are a quarter of the old ones, and so all these walks together grow no faster than
the message.  A program that decodes such messages all the time can `gc.freeze()` what stays, or raise
`gc.set_threshold`; a library should not do that for it.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from mtproto import api, service
from tl.runtime import Decode

__all__ = ["main"]

_MAKERS: dict[str, tuple[Decode, Callable[[int], Any]]] = {
    "longs": (service.decode, lambda count: service.MsgsAck(msg_ids=list(range(count)))),
    "bytes": (api.decode, lambda count: api.CodeSettings(logout_tokens=[b"%07d" % i for i in range(count)])),
    "objects": (api.decode, lambda count: api.JsonArray(value=[_json_string(i) for i in range(count)])),
}


def _json_string(number: int) -> api.JsonString:
    return api.JsonString(value=str(number))


def _least(work: Callable[[], object], count: int, rounds: int) -> float:
    """The least time of a call, in ns of processor time per element."""
    times = []
    repeats = max(1, 20_000 // count)
    for _ in range(rounds):
        start = time.process_time_ns()
        for _ in range(repeats):
            work()
        times.append((time.process_time_ns() - start) / repeats / count)
    return min(times)


def _row(kind: str, counts: list[int], collects: bool, rounds: int) -> None:
    """Measure and print the rows of one kind of element: encoding, decoding."""
    cells: dict[str, list[float]] = {"encode": [], "decode": []}
    for count in counts:
        print(f"{kind}, {count} elements …", end="\r", flush=True)
        decode, make = _MAKERS[kind]
        value = make(count)
        data = bytes(value)
        gc.collect()
        if not collects:
            gc.disable()
        try:
            cells["encode"].append(_least(partial(bytes, value), count, rounds))
            cells["decode"].append(_least(partial(decode, data), count, rounds))
        finally:
            gc.enable()
    for name, times in cells.items():
        numbers = "".join(f"{ns:10.1f}" for ns in times)
        print(f"{kind:10}{name:10}{'on' if collects else 'off':>4}{numbers}{times[-1] / times[0]:10.2f}")


def main() -> None:
    """Print the table, row by row."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--most", type=int, default=10**6, help="the largest number of elements")
    parser.add_argument("--kinds", default=",".join(_MAKERS), help=f"of {', '.join(_MAKERS)}")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is timed")
    arguments = parser.parse_args()
    counts = [10**n for n in range(3, 10) if 10**n <= arguments.most]
    if not counts:
        parser.error("--most has to be at least 1000")
    kinds = arguments.kinds.split(",")
    if not set(kinds) <= _MAKERS.keys():
        parser.error(f"--kinds: got {arguments.kinds}, expected some of {', '.join(_MAKERS)}")
    print(f"{'elements':10}{'':10}{'gc':>4}{''.join(f'{count:10}' for count in counts)}{'last/first':>12}")
    for kind in kinds:
        for collects in (False, True):
            _row(kind, counts, collects, arguments.rounds)


if __name__ == "__main__":
    main()
