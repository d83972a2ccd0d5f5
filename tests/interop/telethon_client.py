"""Telethon as a process: the same argument, commands and answers as `gramjs_client.js`."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import Any

from telethon import TelegramClient
from telethon.crypto import rsa
from telethon.errors import RPCError
from telethon.network import connection as connections
from telethon.sessions import MemorySession
from telethon.tl.functions.account import SendVerifyPhoneCodeRequest
from telethon.tl.types import CodeSettings

CONNECTIONS = {
    "full": connections.ConnectionTcpFull,
    "abridged": connections.ConnectionTcpAbridged,
    "intermediate": connections.ConnectionTcpIntermediate,
    "obfuscated": connections.ConnectionTcpObfuscated,
}
PING_INTERVAL = 60.0


class Loop(asyncio.SelectorEventLoop):
    """A loop whose clock can be moved: what waits for a time then gets its turn."""

    moved = 0.0

    def time(self) -> float:
        return super().time() + self.moved


class Pongs(logging.Handler):
    """Lets `next` return when the client logs that it has got a pong."""

    def __init__(self) -> None:
        super().__init__()
        self._seen = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg.startswith("Handling pong"):
            self._seen.set()

    async def next(self) -> None:
        self._seen.clear()
        await self._seen.wait()


class Commands:
    """What can be asked of the client, by name."""

    def __init__(self, options: dict[str, Any], loop: Loop) -> None:
        self._loop = loop
        rsa._server_keys.clear()
        rsa.add_key(options["public_key"], old=False)
        session = MemorySession()
        session.set_dc(2, options["host"], options["port"])
        self._client = TelegramClient(
            session, 1, "0123456789abcdef0123456789abcdef", connection=CONNECTIONS[options["transport"]]
        )
        self._pongs = Pongs()
        logging.getLogger("telethon.network.mtprotosender").addHandler(self._pongs)

    async def connect(self) -> bool:
        await self._client.connect()
        return bool(self._client.is_connected())

    async def in_a_row(self, phones: list[str]) -> list[dict[str, Any]]:
        return [await self._outcome(phone) for phone in phones]

    async def at_once(self, phones: list[str]) -> list[dict[str, Any]]:
        return await asyncio.gather(*map(self._outcome, phones))

    async def idle(self) -> bool:
        # The client pings every minute, and can't be told to do so more often.
        self._loop.moved += PING_INTERVAL
        await self._pongs.next()
        return True

    async def _outcome(self, phone: str) -> dict[str, Any]:
        settings = CodeSettings(
            allow_flashcall=True,
            current_number=True,
            allow_app_hash=True,
            allow_missed_call=True,
            logout_tokens=[b"arbitrary data here"],
        )
        try:
            result = await self._client(SendVerifyPhoneCodeRequest(phone, settings))
        except RPCError as error:  # of the class that belongs to the message, which is not kept
            return {"code": error.code, "error": type(error).__name__}
        return {
            "name": tl_name(result),
            "type": [tl_name(result.type), result.type.length],
            "phone_code_hash": result.phone_code_hash,
            "next_type": tl_name(result.next_type),
            "timeout": result.timeout,
        }

    async def disconnect(self) -> None:
        await self._client.disconnect()


def tl_name(value: object) -> str:
    """The name with its namespace, from where the class is: `telethon.tl.types.auth`."""
    return f"{type(value).__module__}.{type(value).__name__}".removeprefix("telethon.tl.types.")


async def run(options: dict[str, Any]) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Loop)
    commands = Commands(options, loop)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        answer = await getattr(commands, command.pop("do"))(**command)
        print(json.dumps(answer), flush=True)
    await commands.disconnect()


if __name__ == "__main__":
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(run(json.loads(sys.argv[1])))
