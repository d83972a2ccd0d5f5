"""How much a server of ours gets done for its clients, ours and others, and what a connection costs it.

    python -m tests.bench.load                                       # ours only; about two minutes
    python -m tests.bench.load --telethon --gramjs DIR/node_modules  # side by side

The server is a process of its own, and so is each client.  All call account.sendVerifyPhoneCode with empty
settings; the default handler answers.  Rounds are interleaved, and the tables have medians.  `client` and `server`
are the processor time of one call in µs, which other programs on the machine disturb least.  Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
SCENARIOS = {
    "1 connection, 1 call at a time": (1, 1, 1500),
    "1 connection, 100 calls at a time": (1, 100, 40),
    "100 connections, 1 call at a time each": (100, 1, 30),
}


class Server:
    """The server's process."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.load.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.where = self._line()

    def _line(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def cost(self) -> Any:
        """Memory and processor time until now."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self._line()

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(20)


def run(
    command: list[str], server: Server, scenario: tuple[int, int, int], env: dict[str, str]
) -> dict[str, float]:
    """What the client's process says of its work, with the server's part."""
    connections, workers, calls = scenario
    task = {**server.where, "connections": connections, "workers": workers, "calls": calls}
    with subprocess.Popen(
        [*command, json.dumps(task)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdout.readline()
        before = server.cost()["cpu"]
        client.stdin.write("\n")
        client.stdin.flush()
        outcome: dict[str, float] = json.loads(client.stdout.readline())
        outcome["server"] = 1e6 * (server.cost()["cpu"] - before) / (connections * workers * calls)
    return outcome


def side_by_side(clients: dict[str, list[str]], env: dict[str, str], rounds: int) -> None:
    """The tables of calls."""
    for name, scenario in SCENARIOS.items():
        outcomes: dict[str, list[dict[str, float]]] = {client: [] for client in clients}
        for _ in range(rounds):
            for client, command in clients.items():
                server = Server()
                outcomes[client].append(run(command, server, scenario, env))
                server.end()
        print(f"\n{name:40}   calls/s    p50 ms    p90 ms    p99 ms    client    server")
        for client, rows in outcomes.items():
            keys = ("rate", "p50", "p90", "p99", "cpu", "server")
            cells = "  ".join(f"{median(row[key] for row in rows):8.2f}" for key in keys)
            print(f"{client:40}  {cells}", flush=True)


def idle(count: int) -> None:
    """What connections cost that do nothing, and whether so many at once work."""
    server = Server()
    before = server.cost()
    where = [server.where["host"], str(server.where["port"]), str(count)]
    client = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.load.idle", *where],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert client.stdin is not None
    assert client.stdout is not None
    opened = json.loads(client.stdout.readline())
    after = server.cost()
    kib = (after["rss"] - before["rss"]) / 1024 / count
    print(f"\n{count} connections at once: {opened['errors']} errors, {after['connections']} sessions")
    print(f"an idle one takes {kib:.1f} KiB of the server's memory")
    client.stdin.write("\n")
    client.stdin.close()
    said = json.loads(client.stdout.readline())
    print(f"ten calls in each: {said}")
    client.wait(60)
    print(f"mistakes on the server: {server.cost()['errors']}")
    server.end()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Measures calls, and connections that do nothing.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--connections", type=int, default=1000, help="that do nothing (default: %(default)s)"
    )
    parser.add_argument("--telethon", action="store_true", help="Telethon too, which has to be installed")
    parser.add_argument("--gramjs", metavar="NODE_MODULES", help="GramJS too, which is installed there")
    parser.add_argument("--only", choices=["calls", "idle"])
    arguments = parser.parse_args()
    env = dict(os.environ)
    clients = {"mtwire": [sys.executable, "-m", "tests.bench.load.mtwire_client"]}
    if arguments.telethon:
        clients["telethon"] = [sys.executable, "-m", "tests.bench.load.telethon_client"]
    if arguments.gramjs:
        env["NODE_PATH"] = arguments.gramjs
        clients["gramjs"] = ["node", str(HERE / "gramjs_client.js")]
    if arguments.only != "idle":
        side_by_side(clients, env, arguments.rounds)
    if arguments.only != "calls":
        idle(arguments.connections)


if __name__ == "__main__":
    main()
