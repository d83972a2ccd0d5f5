"""The work that every client does, and how it is counted: calls by so many workers on so many connections.

A client program gets one argument, JSON as `Task` has it.  When it is connected it prints a line, waits for one,
does the work, and prints another line, JSON as `Outcome` has it.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["PHONE", "Outcome", "Task", "main", "percentile", "work"]

PHONE = "+12025550123"

Call = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Task:
    """Where the server is, how many connections to open, how many workers call on each, how often each."""

    host: str
    port: int
    key: str
    fingerprint: str
    connections: int
    workers: int
    calls: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """Calls a second, the latency of a call in ms, and the client's own processor time for one in µs."""

    rate: float
    p50: float
    p90: float
    p99: float
    cpu: float


def percentile(values: list[float], share: float) -> float:
    """The value that so large a share of them does not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


async def work(task: Task, calls: list[Call]) -> Outcome:
    """Have the workers of every connection make their calls, all at once."""
    latencies: list[float] = []

    async def worker(call: Call) -> None:
        for _ in range(task.calls):
            begun = time.perf_counter()
            await call()
            latencies.append(time.perf_counter() - begun)

    for call in calls:  # each once, so that nothing is done for the first time later
        await call()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    begun, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker(call) for call in calls for _ in range(task.workers)))
    seconds, used = time.perf_counter() - begun, time.process_time() - used
    p50, p90, p99 = (1e3 * percentile(latencies, share) for share in (0.5, 0.9, 0.99))
    return Outcome(len(latencies) / seconds, p50, p90, p99, 1e6 * used / len(latencies))


def main(client: Callable[[Task], Awaitable[Outcome]]) -> None:
    """A client program."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))
    task = Task(**json.loads(sys.argv[1]))

    async def run() -> Any:
        return await client(task)

    print(json.dumps(asdict(asyncio.run(run()))))
