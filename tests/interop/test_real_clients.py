"""GramJS and Telethon, over each of their TCP transports: all that they ask is answered, once.

The request is that of the project's commission.  Both clients run as processes of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from mtproto import api, testing
from mtproto.connection import ServerState
from mtproto.crypto.rsa import PublicKey
from tests.interop.clients import CLIENTS, Program, client, needs, running
from tests.mtproto.helpers import TEST_KEY

EACH = pytest.mark.parametrize(
    ("kind", "transport"),
    [
        pytest.param(kind, transport, id=f"{kind}-{transport}")
        for kind, library in CLIENTS.items()
        for transport in library.transports
    ],
)
SETTINGS = api.CodeSettings(
    allow_flashcall=True,
    current_number=True,
    allow_app_hash=True,
    allow_missed_call=True,
    logout_tokens=[b"arbitrary data here"],
)
INVALID = "some string here"
REFUSED = {
    "gramjs": {"code": 400, "error": "PHONE_NUMBER_INVALID"},
    "telethon": {"code": 400, "error": "PhoneNumberInvalidError"},
}


def sent_code(phone_code_hash: str) -> dict[str, Any]:
    """The answer of the default handler, as the clients' programs tell it."""
    return {
        "name": "auth.SentCode",
        "type": ["auth.SentCodeTypeSms", 5],
        "phone_code_hash": phone_code_hash,
        "next_type": "auth.CodeTypeCall",
        "timeout": 60,
    }


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def watched() -> None:
        async with asyncio.timeout(120):
            await scenario()

    asyncio.run(watched())


# A server in a process of its own


@EACH
def test_calls_to_mtproto_serve(kind: str, transport: str, tmp_path: Path) -> None:
    needs(kind)
    phones = [f"+99966200{number:02}" for number in range(20)]

    async def scenario() -> None:
        command = [sys.executable, "-m", "mtproto", "serve", "--phone-code-hash", "0123456789abcdef01"]
        async with running("serve", *command, folder=tmp_path) as server:
            ready = await server.line()
            key = PublicKey.from_pem(ready["public_key"])
            async with client(
                kind, transport, host=ready["host"], port=ready["port"], key=key, folder=tmp_path
            ) as program:
                answer = sent_code("0123456789abcdef01")
                assert await program.do("in_a_row", phones=phones) == [answer] * 20
                assert await program.do("in_a_row", phones=[INVALID]) == [REFUSED[kind]]
                together = await program.do("at_once", phones=[*phones[:5], INVALID, *phones[5:9]])
                assert together == [*[answer] * 5, REFUSED[kind], *[answer] * 4]
            server.process.send_signal(signal.SIGTERM)
            await server.end()
            lines = [re.fullmatch(r"\S+ (127\S+) (\S+) -> (.*)", line) for line in server.said().splitlines()]
            assert all(lines), "something was refused, or failed"
            assert len({match[1] for match in lines if match}) == 1, "more than one connection"
            assert Counter(match.group(2, 3) for match in lines if match) == {
                ("help.getConfig", "config"): 1,
                ("account.sendVerifyPhoneCode", "auth.sentCode"): 29,
                ("account.sendVerifyPhoneCode", "400 PHONE_NUMBER_INVALID"): 2,
                **({("users.getUsers", "401 AUTH_KEY_UNREGISTERED"): 1} if kind == "telethon" else {}),
            }

    run(scenario)


# A server whose salts and sessions are at hand


def where(server: testing.LoopbackServer) -> dict[str, Any]:
    return {"host": server.host, "port": server.port, "key": server.public_key}


class Backend:
    """What the server executes: each number that is sent a code should come once."""

    def __init__(self) -> None:
        self.executed: Counter[str] = Counter()
        self.peers: set[str] = set()
        self._numbers = itertools.count()
        self._expected: list[str] = []

    @contextlib.asynccontextmanager
    async def serving(
        self, port: int = 0, state: ServerState | None = None
    ) -> AsyncIterator[testing.LoopbackServer]:
        handlers: dict[Any, testing.Handler] = {
            **testing.serve(key=TEST_KEY).default_handlers(),
            api.account.SendVerifyPhoneCode: self._send_code,
        }
        server = testing.serve(handlers, port=port, state=state, key=TEST_KEY, on_request=self._log)
        async with server:
            yield server
        assert server.errors == []

    def _send_code(self, request: api.account.SendVerifyPhoneCode) -> api.auth.SentCode:
        if request.settings != SETTINGS:
            raise ValueError(f"got {request.settings}, expected {SETTINGS}")
        self.executed[request.phone_number] += 1
        return api.auth.SentCode(
            type=api.auth.SentCodeTypeSms(length=5),
            phone_code_hash=f"for {request.phone_number}",
            next_type=api.auth.CodeTypeCall(),
            timeout=60,
        )

    def _log(self, log: testing.RequestLog) -> None:
        self.peers.add(log.peer)

    async def ask(self, program: Program, count: int, how: str = "in_a_row") -> None:
        """Calls for new numbers; each has to get its own answer, and to be executed once."""
        phones = [f"+999662{next(self._numbers):04}" for _ in range(count)]
        assert await program.do(how, phones=phones) == [sent_code(f"for {phone}") for phone in phones]
        self._expected += phones
        assert {phone: self.executed[phone] for phone in phones} == dict.fromkeys(phones, 1)

    def check(self) -> None:
        """Nothing was executed twice, or was not asked for."""
        assert self.executed == Counter(self._expected)


@EACH
def test_salts_that_change(kind: str, transport: str, tmp_path: Path) -> None:
    needs(kind)

    def corrections(program: Program) -> int:
        return program.said().count("Handling bad salt")

    async def scenario() -> None:
        backend = Backend()
        async with (
            backend.serving() as server,
            client(kind, transport, **where(server), folder=tmp_path) as program,
        ):

            def rotate(keep_previous: bool) -> None:
                for salts in server.state.salts.values():  # one key; two if the first agreement failed
                    salts.rotate(time.time(), keep_previous=keep_previous)

            await backend.ask(program, 4)
            before = corrections(program)
            rotate(keep_previous=True)
            await backend.ask(program, 4)
            assert corrections(program) == before  # the old one is good for half an hour more
            for how in ("in_a_row", "at_once", "in_a_row"):
                rotate(keep_previous=False)
                before = corrections(program)
                await backend.ask(program, 4, how)
                assert corrections(program) > before
            assert len(backend.peers) == 1
        backend.check()

    run(scenario)


@EACH
def test_a_server_that_is_started_again(kind: str, transport: str, tmp_path: Path) -> None:
    needs(kind)

    async def scenario() -> None:
        backend = Backend()
        async with contextlib.AsyncExitStack() as stack:
            async with backend.serving() as first:
                program = await stack.enter_async_context(
                    client(kind, transport, **where(first), folder=tmp_path)
                )
                await backend.ask(program, 10)
                keys = dict(first.state.keys)
            async with backend.serving(first.port, first.state.restarted()) as second:
                assert second.state.sessions == {}
                await backend.ask(program, 10)
                await backend.ask(program, 10, "at_once")
                assert second.state.keys == keys
                assert len(backend.peers) == 2
                await stack.aclose()
        backend.check()

    run(scenario)


def pings_and_pongs(program: Program) -> tuple[set[str], set[str]]:
    """The msg_ids of the pings that the client has logged, and those that the pongs named."""
    pings = re.findall(r"Assigned msg_?[iI]d = (\d+) to Ping", program.said())
    pongs = re.findall(r"Handling pong for message (\d+)", program.said())
    return set(pings), set(pongs)


@pytest.mark.parametrize("kind", list(CLIENTS))
def test_idle_past_a_ping(kind: str, tmp_path: Path) -> None:
    """All transports at once, since GramJS really waits."""
    needs(kind)

    async def scenario() -> None:
        backend = Backend()
        async with backend.serving() as server, contextlib.AsyncExitStack() as stack:
            programs = [
                await stack.enter_async_context(client(kind, transport, **where(server), folder=tmp_path))
                for transport in CLIENTS[kind].transports
            ]
            for program in programs:
                await backend.ask(program, 1)
            assert await asyncio.gather(*(program.do("idle") for program in programs)) == [True] * len(
                programs
            )
            for program in programs:
                pings, pongs = pings_and_pongs(program)
                assert pongs, "no pong"
                assert pongs <= pings
                await backend.ask(program, 1)
            assert len(backend.peers) == len(programs)
        backend.check()

    run(scenario)
