"""The work done by our own client."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial

import mtproto
from mtproto import api
from tests.bench.load.work import PHONE, Outcome, Task, main, work


async def client(task: Task) -> Outcome:
    """All connections are opened first, each with a key of its own."""
    request = api.account.SendVerifyPhoneCode(phone_number=PHONE, settings=api.CodeSettings())
    async with contextlib.AsyncExitStack() as stack:
        opening = [
            stack.enter_async_context(mtproto.connect(task.host, task.port, keys=[task.key], timeout=120.0))
            for _ in range(task.connections)
        ]
        clients = [await connecting for connecting in opening]
        await asyncio.sleep(0)
        return await work(task, [partial(each.invoke, request) for each in clients])


if __name__ == "__main__":
    main(client)
