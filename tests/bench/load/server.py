"""The server of the benchmark, a process of its own: says where it is, then answers a line with what it costs."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from pathlib import Path

from mtproto import testing
from mtproto.connection import Deadlines, ServerState
from mtproto.crypto.auth_key import AuthKey

__all__ = ["KEYS", "SALT", "rss"]

SALT = 1
KEYS = [bytes([number]) * 256 for number in range(1, 11)]
"""Auth keys that are known from the beginning."""


def rss() -> int:
    """The resident memory of this process, in bytes (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def serve() -> None:
    """Serve until stdin ends."""
    state = ServerState(max_sessions_per_key=10_000)
    for key in KEYS:
        state.add_key(AuthKey(key), SALT)
    async with testing.serve(state=state, deadlines=Deadlines(opening=60.0, first_frame=120.0)) as server:
        public = server.public_key
        where = {"host": server.host, "port": server.port, "key": public.to_pem()}
        where["fingerprint"] = str(public.fingerprint)
        print(json.dumps(where), flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            cost = {"rss": rss(), "cpu": time.process_time(), "connections": len(server.sessions)}
            print(json.dumps({**cost, "errors": len(server.errors)}), flush=True)


if __name__ == "__main__":
    asyncio.run(serve())
