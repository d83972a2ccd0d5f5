"""All conversations with one client or server, one after the other, and what came of each: a table.

Each conversation has a connection of its own.  The first and the last are sane: where the last fails, what was
examined has not survived, and what came before says less.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from mtproto.crypto.rsa import PrivateKey, PublicKey
from mtproto.errors import LocalProtocolError
from mtproto.side import Side
from mtproto.testing.hostile.conversation import Conversation
from mtproto.testing.hostile.failure import ConversationFailed, NobodyCame
from mtproto.testing.hostile.fields import checked_seed
from mtproto.testing.hostile.library import CLIENT_CONVERSATIONS, SERVER_CONVERSATIONS
from mtproto.testing.hostile.play import PATIENCE, QUIET, Play
from mtproto.testing.hostile.program import ProgramEnd
from mtproto.testing.hostile.rehearsal import REQUEST
from mtproto.testing.hostile.tcp import HostileServer, call, listen

__all__ = ["LIMIT", "MAX_JOBS", "Result", "Results", "RunClient", "examine_client", "examine_server"]

RunClient = Callable[[str, int, PublicKey], Awaitable[object]]
"""(host, port, RSA key) -> connect, make a request; return, or raise whatever the client raises."""

LIMIT = 120.0
"""Seconds that a conversation may take."""
MAX_JOBS = 64
"""How many conversations may go on at once."""
_GRACE = 1.0
_LINES = 20


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a conversation: None, or the `failure`; how a client ended, and what its program `said`."""

    conversation: Conversation
    failure: Exception | None
    ending: str = ""
    said: str = ""

    @property
    def passed(self) -> bool:
        """Whether the peer did what is right."""
        return self.failure is None

    @property
    def account(self) -> str:
        """Why it failed, with all that was said, and how the client ended."""
        lines = [str(self.failure)]
        if self.ending:
            lines.append(f"  the client {self.ending}{', having said:' if self.said else ''}")
        return "\n".join(lines + [f"    {line}" for line in self.said.splitlines()[-_LINES:]])


class Results(tuple[Result, ...]):
    """The results, in order; as text they are a table, with an account of each failure below."""

    __slots__ = ()

    @property
    def failed(self) -> tuple[Result, ...]:
        """Those where the peer was wrong."""
        return tuple(result for result in self if not result.passed)

    @property
    def table(self) -> str:
        """A line for each conversation."""
        width = max((len(r.conversation.name) for r in self), default=0)
        return "\n".join(
            f"{'ok    ' if r.passed else 'FAILED'}  {r.conversation.check:<4} {r.conversation.name:<{width}}"
            f"{'' if r.passed else f'  right: {r.conversation.right}'}"
            for r in self
        )

    def __str__(self) -> str:
        counts = f"{len(self) - len(self.failed)} of {len(self)} conversations went as they should"
        return "\n\n".join([f"{self.table}\n\n{counts}", *(r.account for r in self.failed)])


async def examine_client(
    run_client: RunClient,
    *,
    key: PrivateKey | None = None,
    conversations: Sequence[Conversation] = CLIENT_CONVERSATIONS,
    host: str = "127.0.0.1",
    transport: str | None = None,
    obfuscated: bool = False,
    answer: Callable[[bytes], bytes] | None = None,
    patience: float = PATIENCE,
    quiet: float = QUIET,
    limit: float = LIMIT,
    seed: int = 0,
    jobs: int = 1,
    tell: Callable[[Result], object] | None = None,
    clock: Callable[[], float] = time.time,
) -> Results:
    """Play all `conversations` with a client: a hostile server listens, `run_client` connects to it.

    That is a coroutine function of (host, port, RSA key) that makes a request, and no second one before it has
    the answer; or a `Program`, for clients that block the loop, too.  It is cancelled when the conversation
    is over, after `limit` seconds at the latest.  A client that is silent is taken for one that ignores what it was
    told: `quiet` has to be longer than it takes to think.

    `jobs` conversations go on at once, but for the first and the last one.  Where nobody comes to the first, there
    are no others.  `tell` hears each result as it comes; the rest is as for `listen`.
    """
    _check(conversations, Side.CLIENT)
    checked_seed(seed)
    client: object = run_client
    if not callable(client):
        raise LocalProtocolError(
            f"got {run_client!r:.60} for a client, expected an async function or a Program"
        )
    private = key or await asyncio.get_running_loop().run_in_executor(None, PrivateKey.generate)

    async def examined(number: int, conversation: Conversation) -> Result:
        server = listen(
            conversation,
            host=host,
            key=private,
            transport=transport,
            obfuscated=obfuscated,
            answer=answer,
            patience=patience,
            quiet=quiet,
            seed=seed,
            clock=clock,
        )
        async with server:
            return await _client_result(server, run_client, patience, limit)

    return await _each(conversations, examined, jobs, tell)


async def _client_result(
    server: HostileServer, run_client: RunClient, patience: float, limit: float
) -> Result:
    client = asyncio.ensure_future(run_client(server.host, server.port, server.public_key))
    verdict = asyncio.ensure_future(server.result())
    came = asyncio.ensure_future(server.came())
    try:
        await asyncio.wait({client, came}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        if came.done() or client.done():
            await asyncio.wait({client, verdict}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        # Whoever ends before the conversation does has closed the connection, if any, and does not return.
        if client.done():
            server.give_up()
        await asyncio.wait({verdict}, timeout=_GRACE if came.done() else 0)
        failure = _failure(verdict) if verdict.done() else _unfinished(server, client.done(), patience, limit)
        await asyncio.wait({client}, timeout=_GRACE if verdict.done() else 0)
        was_running = not client.done()
        client.cancel()
        await asyncio.wait({client})
        return Result(server.conversation, failure, *_ending(client, was_running=was_running))
    finally:
        for task in (came, verdict, client):
            task.cancel()
        with contextlib.suppress(Exception, asyncio.CancelledError):
            await client


def _failure(verdict: asyncio.Future[Play]) -> Exception | None:
    error = verdict.exception()
    if error is not None and not isinstance(error, ConversationFailed):
        raise error
    return error


def _unfinished(server: HostileServer, has_ended: bool, patience: float, limit: float) -> Exception:
    name = server.conversation.name
    if not server.plays:
        when = "before it ended" if has_ended else f"within {patience:g} s"
        return NobodyCame(f"{name}: the client did not connect to {server.host}:{server.port} {when}")
    if not any(play.has_heard for play in server.plays):
        return NobodyCame(f"{name}: the client connected, and said nothing")
    at = next(play.node for play in server.plays if play.has_heard)
    return AssertionError(f"{name}: the conversation did not end within {limit:g} s, it is at node {at}")


def _ending(client: asyncio.Future[object], *, was_running: bool) -> tuple[str, str]:
    """How the client ended, and what it said, where it is a program."""
    if client.cancelled():
        return ("still running" if was_running else "cancelled"), ""
    error = client.exception()
    if error is not None:
        return f"raised {type(error).__name__}: {error}", ""
    result = client.result()
    return (str(result), result.said) if isinstance(result, ProgramEnd) else ("returned", "")


async def examine_server(
    host: str,
    port: int,
    key: PublicKey,
    *,
    conversations: Sequence[Conversation] = SERVER_CONVERSATIONS,
    transport: str | None = None,
    obfuscated: bool = False,
    dc: int = 2,
    request: bytes = REQUEST,
    patience: float = PATIENCE,
    quiet: float = QUIET,
    limit: float = LIMIT,
    seed: int = 0,
    jobs: int = 1,
    tell: Callable[[Result], object] | None = None,
    clock: Callable[[], float] = time.time,
) -> Results:
    """Play all `conversations` with a server, whose RSA key is `key`; their seeds begin with `seed`.

    `request` is the boxed bytes of a request that it answers, whatever the answer; `limit`, `jobs` and `tell` are
    as for `examine_client`, the rest as for `call`.  Where it says nothing in the first conversation, there are no
    others.
    """
    _check(conversations, Side.SERVER)
    checked_seed(seed)

    async def examined(number: int, conversation: Conversation) -> Result:
        try:
            async with asyncio.timeout(limit):
                await call(
                    host,
                    port,
                    conversation,
                    key=key,
                    transport=transport,
                    obfuscated=obfuscated,
                    dc=dc,
                    request=request,
                    patience=patience,
                    quiet=quiet,
                    seed=seed + number,
                    clock=clock,
                )
        except (ConversationFailed, OSError) as error:
            if number == 0 and isinstance(error, ConversationFailed) and not error.has_heard:
                silent = f"{conversation.name}: {host}:{port} took the connection, and said nothing"
                return Result(conversation, NobodyCame(silent))
            if isinstance(error, TimeoutError) and not error.args:  # ours, not the system's
                late = f"{conversation.name}: the conversation did not end within {limit:g} s"
                return Result(conversation, AssertionError(late))
            return Result(conversation, error)
        return Result(conversation, None)

    return await _each(conversations, examined, jobs, tell)


async def _each(
    conversations: Sequence[Conversation],
    examined: Callable[[int, Conversation], Awaitable[Result]],
    jobs: int,
    tell: Callable[[Result], object] | None,
) -> Results:
    """The first and the last by themselves, the others `jobs` at a time; the first alone where nobody was there."""
    if type(jobs) is not int or not 0 < jobs <= MAX_JOBS:
        raise LocalProtocolError(f"got {jobs!r:.40} jobs, expected an int from 1 to {MAX_JOBS}")
    results: dict[int, Result] = {}

    async def work(numbers: Iterator[int]) -> None:
        for number in numbers:
            results[number] = await examined(number, conversations[number])
            if tell is not None:
                tell(results[number])

    count = len(conversations)
    await work(iter(range(min(count, 1))))
    if any(isinstance(result.failure, NobodyCame | OSError) for result in results.values()):
        return Results(results.values())
    between = iter(range(1, count - 1))
    workers = [asyncio.ensure_future(work(between)) for _ in range(jobs)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    await work(iter(range(max(1, count - 1), count)))
    return Results(results[number] for number in range(count))


def _check(conversations: Sequence[object], examined: Side) -> None:
    if not conversations:
        raise LocalProtocolError("there are no conversations to examine with")
    for conversation in conversations:
        if not isinstance(conversation, Conversation) or conversation.examines is not examined:
            raise LocalProtocolError(
                f"got {conversation!r:.80}, expected conversations for a {examined.name.lower()}"
            )
