"""How much a key exchange costs: both sides in memory, all checks on.  Prints milliseconds and exchanges a second.

    python -m tests.bench.handshakes                # 200 exchanges, some seconds
    python -m tests.bench.handshakes --count 1000

The time is processor time.  Each exchange has other nonces, primes and secrets, the same in every run.  What
comes out of the steps as work is timed by itself: the rest is what a program with an event loop does in it.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import defaultdict
from dataclasses import dataclass, field
from statistics import mean, median

from mtproto.crypto.rsa import PrivateKey
from mtproto.handshake import ClientHandshake, ServerHandshake, Steps

__all__ = ["Cost", "exchange", "main"]


@dataclass(slots=True)
class Cost:
    """Seconds of one exchange: all of it, each piece of work by its function, the rest by side."""

    total: float = 0.0
    parts: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def drive(self, side: str, steps: Steps[bytes | None] | Steps[bytes]) -> bytes | None:
        """Run one step, and note what it costs."""
        begun, outcome = time.process_time(), None
        try:
            while True:
                work = steps.send(outcome)  # type: ignore[arg-type]
                self.parts[f"{side}, beside its work"] += time.process_time() - begun
                begun = time.process_time()
                outcome = work.run()
                self.parts[f"{side}: {work.function.__name__}"] += time.process_time() - begun
                begun = time.process_time()
        except StopIteration as end:
            self.parts[f"{side}, beside its work"] += time.process_time() - begun
            answer: bytes | None = end.value
            return answer


def exchange(key: PrivateKey, seed: int) -> Cost:
    """One key exchange, from req_pq_multi to dh_gen_ok, on both sides."""
    rng = random.Random(seed).randbytes
    client = ClientHandshake([key.public], dc=2, clock=time.time, rng=rng)
    server = ServerHandshake([key], clock=time.time, rng=rng)
    cost, begun = Cost(), time.process_time()
    body: bytes | None = client.start()
    while body is not None:
        body = cost.drive("client", client.receiving(cost.drive("server", server.receiving(body)) or b""))
    cost.total = time.process_time() - begun
    return cost


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Times key exchanges.")
    parser.add_argument("--count", type=int, default=200, help="how many (default: %(default)s)")
    key = PrivateKey.generate()
    costs = [exchange(key, seed) for seed in range(parser.parse_args().count)]
    totals = [cost.total for cost in costs]
    print(f"{1 / mean(totals):.1f} exchanges a second, both sides; each takes, in ms of processor time:")
    print(f"{'':32} median   mean    max")
    rows = {"all": totals, **{name: [c.parts[name] for c in costs] for name in costs[0].parts}}
    for name, times in rows.items():
        print(f"{name:32} {median(times) * 1e3:6.2f} {mean(times) * 1e3:6.2f} {max(times) * 1e3:6.2f}")


if __name__ == "__main__":
    main()
