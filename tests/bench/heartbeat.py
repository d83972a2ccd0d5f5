"""How long the event loop stands still while the first key of a process is agreed on.

    python -m tests.bench.heartbeat                 # 5 rounds of every transport, a minute
    python -m tests.bench.heartbeat --rounds 20

Client and server are processes of their own, new for every exchange, and in each a task that wakes up every half
a millisecond notes how late it is.  `stands still` is the longest that it was late between start-up and the
answer to a first ping, in ms; `of that at work` what the loop's own thread has computed in the meantime.  The rest
of the time other threads or other programs had the processor: on a shared machine that happens to anything.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import median

import mtproto
from mtproto import testing
from mtproto.transport import FRAMINGS

__all__ = ["Heart", "beating", "main"]

_BEAT = 0.0005


@dataclass(slots=True)
class Heart:
    """(how late a beat was, what this thread computed meanwhile), in seconds."""

    gaps: list[tuple[float, float]] = field(default_factory=list)

    async def beat(self) -> None:
        """Note every beat, until cancelled."""
        while True:
            wall, used = time.perf_counter(), time.thread_time()
            await asyncio.sleep(_BEAT)
            self.gaps.append((time.perf_counter() - wall - _BEAT, time.thread_time() - used))

    def worst(self) -> dict[str, float]:
        """The longest gap, and the most that this thread has computed in one, in ms."""
        return {
            "gap": 1e3 * max(gap for gap, _ in self.gaps),
            "work": 1e3 * max(used for _, used in self.gaps),
        }


@asynccontextmanager
async def beating() -> AsyncIterator[Heart]:
    """A heart that beats meanwhile."""
    heart = Heart()
    task = asyncio.create_task(heart.beat())
    await asyncio.sleep(0.01)
    heart.gaps.clear()
    try:
        yield heart
    finally:
        await asyncio.sleep(0.002)
        task.cancel()


async def _serve() -> dict[str, float]:
    """Serve until stdin ends."""
    async with beating() as heart, testing.serve() as server:
        ready = {"port": server.port, "key": server.public_key.to_pem()}
        print(json.dumps(ready), flush=True)
        await asyncio.to_thread(sys.stdin.read)
    return heart.worst()


async def _connect(port: int, key: str, transport: str, obfuscated: bool) -> dict[str, float]:
    async with (
        beating() as heart,
        mtproto.connect("127.0.0.1", port, keys=[key], transport=transport, obfuscated=obfuscated) as client,
    ):
        await client.ping()
        return heart.worst()


def _round(transport: str, obfuscated: bool) -> tuple[dict[str, float], dict[str, float]]:
    """One exchange between two new processes: the worst of the server and of the client."""
    command = [sys.executable, "-m", "tests.bench.heartbeat", "--role"]
    with subprocess.Popen(
        [*command, "server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        ready = json.loads(server.stdout.readline())
        words = [json.dumps({**ready, "transport": transport, "obfuscated": obfuscated})]
        client = subprocess.run([*command, "client", *words], capture_output=True, text=True, check=True)
        server.stdin.close()
        return json.loads(server.stdout.readline()), json.loads(client.stdout)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description="Measures how long event loops stand still in key exchanges."
    )
    parser.add_argument(
        "--rounds", type=int, default=5, help="exchanges per transport (default: %(default)s)"
    )
    parser.add_argument("--role", choices=["server", "client"], help=argparse.SUPPRESS)
    parser.add_argument("options", nargs="?", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.role == "server":
        print(json.dumps(asyncio.run(_serve())))
    elif arguments.role == "client":
        print(json.dumps(asyncio.run(_connect(**json.loads(arguments.options)))))
    else:
        _table(arguments.rounds)


def _table(rounds: int) -> None:
    print(f"ms, median and max of {rounds:<11} server: stands still   of that at work   client: the same")
    for obfuscated in (False, True):
        for transport in FRAMINGS:
            if obfuscated and transport == "full":
                continue
            worst = [_round(transport, obfuscated) for _ in range(rounds)]
            cells = []
            for side in range(2):
                for what in ("gap", "work"):
                    values = [one[side][what] for one in worst]
                    cells.append(f"{median(values):7.2f} {max(values):7.2f}")
            print(f"{'obfuscated ' * obfuscated + transport:32} {'   '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
