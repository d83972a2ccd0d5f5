"""The work done by Telethon; the connections behind the first share its auth key."""

from __future__ import annotations

from collections.abc import Awaitable

from telethon import TelegramClient
from telethon.crypto import rsa
from telethon.network import connection as connections
from telethon.sessions import MemorySession
from telethon.tl.functions.account import SendVerifyPhoneCodeRequest
from telethon.tl.types import CodeSettings

from tests.bench.load.work import PHONE, Call, Outcome, Task, main, work


async def client(task: Task) -> Outcome:
    rsa._server_keys.clear()
    rsa.add_key(task.key, old=False)
    clients: list[TelegramClient] = []
    for _ in range(task.connections):
        session = MemorySession()
        session.set_dc(2, task.host, task.port)
        if clients:
            session.auth_key = clients[0].session.auth_key
        one = TelegramClient(session, 1, "0" * 32, connection=connections.ConnectionTcpIntermediate)
        await one.connect()
        clients.append(one)

    def calling(one: TelegramClient) -> Call:
        def call() -> Awaitable[object]:
            answer: Awaitable[object] = one(SendVerifyPhoneCodeRequest(PHONE, CodeSettings()))
            return answer

        return call

    outcome = await work(task, [calling(one) for one in clients])
    for one in clients:
        await one.disconnect()
    return outcome


if __name__ == "__main__":
    main(client)
