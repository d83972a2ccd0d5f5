"""All conversations with one client or server, one after the other, and what came of each: a table.

Each conversation has a connection of its own.  The first and the last are sane: where the last fails, what was
examined has not survived, and what came before says less.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from mtproto.crypto.rsa import PrivateKey, PublicKey
from mtproto.errors import LocalProtocolError
from mtproto.side import Side
from mtproto.testing.hostile.conversation import Conversation
from mtproto.testing.hostile.failure import ConversationFailed
from mtproto.testing.hostile.library import CLIENT_CONVERSATIONS, SERVER_CONVERSATIONS
from mtproto.testing.hostile.play import PATIENCE, QUIET, Play
from mtproto.testing.hostile.rehearsal import REQUEST
from mtproto.testing.hostile.tcp import HostileServer, call, listen

__all__ = ["Result", "Results", "RunClient", "examine_client", "examine_server"]

RunClient = Callable[[str, int, PublicKey], Awaitable[object]]
"""(host, port, RSA key) -> connect, make a request; return, or raise whatever the client raises."""

_LONGEST = 120.0
_GRACE = 2.0


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a conversation: None, or the `failure`; and how the client's program ended, in words."""

    conversation: Conversation
    failure: Exception | None
    ending: str = ""

    @property
    def passed(self) -> bool:
        """Whether the peer did what is right."""
        return self.failure is None


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
        return "\n\n".join([f"{self.table}\n\n{counts}", *(str(r.failure) for r in self.failed)])


async def examine_client(
    run_client: RunClient,
    *,
    key: PrivateKey | None = None,
    conversations: Sequence[Conversation] = CLIENT_CONVERSATIONS,
    host: str = "127.0.0.1",
    answer: Callable[[bytes], bytes] | None = None,
    patience: float = PATIENCE,
    quiet: float = QUIET,
    seed: int = 0,
    tell: Callable[[Result], object] | None = None,
    clock: Callable[[], float] = time.time,
) -> Results:
    """Play all `conversations` with a client: a hostile server listens, `run_client` connects to it.

    That is a coroutine function of (host, port, RSA key) that makes a request, and no second one before it has
    the answer.  It is cancelled when the conversation is over.  A client that is silent is taken for one that
    ignores what it was told: `quiet` has to be longer than it takes to think.  One that blocks the loop should
    run in a process of its own.  `tell` hears each
    result as it comes; the rest is as for `listen`.
    """
    _check(conversations, Side.CLIENT)
    private = key or await asyncio.get_running_loop().run_in_executor(None, PrivateKey.generate)
    results = []
    for conversation in conversations:
        server = listen(
            conversation,
            host=host,
            key=private,
            answer=answer,
            patience=patience,
            quiet=quiet,
            seed=seed,
            clock=clock,
        )
        async with server:
            result = await _client_result(server, run_client)
        results.append(_told(result, tell))
    return Results(results)


async def _client_result(server: HostileServer, run_client: RunClient) -> Result:
    client = asyncio.ensure_future(run_client(server.host, server.port, server.public_key))
    verdict = asyncio.ensure_future(server.result())
    try:
        await asyncio.wait({client, verdict}, timeout=_LONGEST, return_when=asyncio.FIRST_COMPLETED)
        # Whoever ends before the conversation does has closed the connection, if there was one.
        await asyncio.wait({verdict}, timeout=_GRACE if server.plays else 0)
        failure = _failure(verdict) if verdict.done() else _unfinished(server)
        await asyncio.wait({client}, timeout=_GRACE)
        return Result(server.conversation, failure, _ending(client))
    finally:
        verdict.cancel()
        client.cancel()
        with contextlib.suppress(Exception, asyncio.CancelledError):
            await client


def _failure(verdict: asyncio.Future[Play]) -> Exception | None:
    error = verdict.exception()
    if error is not None and not isinstance(error, ConversationFailed):
        raise error
    return error


def _unfinished(server: HostileServer) -> Exception:
    what = "the conversation did not end in time" if server.plays else "the client did not connect"
    return AssertionError(f"{server.conversation.name}: {what}")


def _ending(client: asyncio.Future[object]) -> str:
    if not client.done():
        return "still running"
    if client.cancelled():
        return "cancelled"
    error = client.exception()
    return "returned" if error is None else f"raised {type(error).__name__}: {error}"


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
    seed: int = 0,
    tell: Callable[[Result], object] | None = None,
    clock: Callable[[], float] = time.time,
) -> Results:
    """Play all `conversations` with a server, whose RSA key is `key`; their seeds begin with `seed`.

    `request` is the boxed bytes of a request that it answers, whatever the answer; the rest is as for `call`.
    """
    _check(conversations, Side.SERVER)
    results = []
    for number, conversation in enumerate(conversations):
        failure: Exception | None = None
        try:
            async with asyncio.timeout(_LONGEST):
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
        except (ConversationFailed, OSError, TimeoutError) as error:
            failure = error
        results.append(_told(Result(conversation, failure), tell))
    return Results(results)


def _told(result: Result, tell: Callable[[Result], object] | None) -> Result:
    if tell is not None:
        tell(result)
    return result


def _check(conversations: Iterable[object], examined: Side) -> None:
    for conversation in conversations:
        if not isinstance(conversation, Conversation) or conversation.examines is not examined:
            raise LocalProtocolError(
                f"got {conversation!r:.80}, expected conversations for a {examined.name.lower()}"
            )
