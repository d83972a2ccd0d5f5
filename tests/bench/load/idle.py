"""A thousand connections at once, held by one process over the sans-IO client, under auth keys that are known."""

from __future__ import annotations

import asyncio
import json
import sys
import time

from mtproto import ClientConnection, api
from mtproto.crypto.auth_key import AuthKey
from mtproto.events import AnswerReceived
from tests.bench.load.server import KEYS, SALT
from tests.bench.load.work import PHONE, percentile

REQUEST = bytes(api.account.SendVerifyPhoneCode(phone_number=PHONE, settings=api.CodeSettings()))


class Line:
    """One connection; `call` sends a request and waits for its answer."""

    def __init__(self, number: int) -> None:
        key = AuthKey(KEYS[number % len(KEYS)])
        self.connection = ClientConnection([], auth_key=key, server_salt=SALT)

    async def open(self, host: str, port: int) -> None:
        self.reader, self.writer = await asyncio.open_connection(host, port)

    async def call(self) -> float:
        begun = time.perf_counter()
        self.connection.send_request(REQUEST)
        self.writer.write(self.connection.data_to_send())
        while True:
            data = await self.reader.read(65536)
            if not data:
                raise ConnectionError("the server has closed the connection")
            if any(isinstance(event, AnswerReceived) for event in self.connection.receive_data(data)):
                return time.perf_counter() - begun


async def hold(host: str, port: int, count: int) -> None:
    """Open the connections, call once in each, hold them until a line comes; ten calls in each, then the end."""
    lines = [Line(number) for number in range(count)]
    opened = await asyncio.gather(*(line.open(host, port) for line in lines), return_exceptions=True)
    called = await asyncio.gather(*(line.call() for line in lines), return_exceptions=True)
    failed = sum(isinstance(outcome, BaseException) for outcome in (*opened, *called))
    print(json.dumps({"errors": failed}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)

    async def ten(line: Line) -> list[float]:
        return [await line.call() for _ in range(10)]

    begun = time.perf_counter()
    rounds = await asyncio.gather(*(ten(line) for line in lines), return_exceptions=True)
    seconds = time.perf_counter() - begun
    good = [value for one in rounds if isinstance(one, list) for value in one]
    shares = {f"p{share}": 1e3 * percentile(good, share / 100) for share in (50, 90, 99)}
    errors = sum(isinstance(one, BaseException) for one in rounds)
    print(json.dumps({"errors": errors, "rate": len(good) / seconds, **shares}), flush=True)


if __name__ == "__main__":
    asyncio.run(hold(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
