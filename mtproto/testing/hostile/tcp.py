"""Hostile peers over TCP: a server that listens, a client that connects.  Time is real here."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from random import Random
from types import TracebackType

from mtproto.closing import close_writer
from mtproto.crypto.auth_key import AuthKey
from mtproto.crypto.rsa import PrivateKey, PublicKey
from mtproto.errors import LocalProtocolError
from mtproto.side import Side
from mtproto.testing.hostile.conversation import Conversation
from mtproto.testing.hostile.fields import checked_seed
from mtproto.testing.hostile.play import PATIENCE, QUIET, Play
from mtproto.testing.hostile.rehearsal import REQUEST
from mtproto.transport import ProxySecret

__all__ = ["HostileServer", "call", "listen"]

_READ_SIZE = 64 * 1024
_CLOSING_TIME = 0.5


async def drive(play: Play, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Play a conversation on a socket to its end, or to that of the connection, and close that."""
    number = play.connections
    loop = asyncio.get_running_loop()
    try:
        while True:
            writer.write(play.data_to_send())
            if play.closes:
                break
            timer = play.next_timer()
            delay = None if timer is None else max(0.0, timer - play.clock())
            try:
                async with asyncio.timeout_at(None if delay is None else loop.time() + delay):
                    data = await reader.read(_READ_SIZE)
            except TimeoutError:
                play.handle_timer()
                continue
            except OSError:
                data = b""
            if data:
                play.receive_data(data)
            else:
                play.receive_eof()
    finally:
        with contextlib.suppress(OSError):
            await close_writer(writer, _CLOSING_TIME)
        if play.connections == number:
            play.receive_eof()


class HostileServer:
    """A server that plays a conversation with each client that connects; made by `listen`.

    `plays` are those conversations, in the order of their first connections.  A connection belongs to the one that
    waits for it (`Reconnect`), if there is one.
    """

    def __init__(
        self,
        conversation: Conversation,
        make: Callable[[PrivateKey, int], Play],
        host: str,
        port: int,
        key: PrivateKey | None,
    ) -> None:
        self.conversation = conversation
        self.host = host
        self.port = port
        self.plays: list[Play] = []
        self._make = make
        self._key = key
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._first: asyncio.Future[Play] | None = None
        self._came = asyncio.Event()
        self._changed = asyncio.Event()
        self._is_given_up = False

    @property
    def public_key(self) -> PublicKey:
        """The RSA key that clients have to trust."""
        self._key = self._key or PrivateKey.generate()
        return self._key.public

    async def __aenter__(self) -> HostileServer:
        self._first = asyncio.get_running_loop().create_future()
        if self._key is None:
            self._key = await asyncio.get_running_loop().run_in_executor(None, PrivateKey.generate)
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.host, self.port = self._server.sockets[0].getsockname()[:2]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def result(self) -> Play:
        """Wait until the first conversation is over; raise ConversationFailed where it went wrong.

        Connections in which the client has said nothing at all don't count.
        """
        if self._first is None:
            raise LocalProtocolError("the server does not listen yet: use it with `async with`")
        play = await asyncio.shield(self._first)
        play.result()
        return play

    async def came(self) -> None:
        """Wait until a client has connected."""
        await self._came.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        if self._key is None or self._first is None:
            return
        try:
            play = self._play(self._key)
            number = play.connections
            await drive(play, reader, writer)
            await self._whoever_returns(play, number)
        except asyncio.CancelledError:
            return  # the server is closing; asyncio would log a task that was cancelled
        except Exception as error:  # a mistake in the script is its author's to hear of
            writer.close()
            if not self._first.done():
                self._first.set_exception(error)
            return
        finally:
            self._tasks.discard(task) if task is not None else None
        if not self._first.done() and play.has_heard and play.connections == number:
            self._first.set_result(play)

    def _play(self, key: PrivateKey) -> Play:
        """What is played in a new connection."""
        play = next((play for play in self.plays if play.awaits_connection), None)
        if play is None:
            self._came.set()
            play = self._make(key, len(self.plays))
            self.plays.append(play)
        else:
            play.connect()
            self._changed.set()
        return play

    async def _whoever_returns(self, play: Play, number: int) -> None:
        """Wait while the conversation waits for another connection, which is then played elsewhere."""
        while play.awaits_connection and play.connections == number:
            if self._is_given_up:
                play.abandon()
                return
            delay = max(0.0, (play.next_timer() or 0.0) - play.clock())
            self._changed.clear()
            try:
                async with asyncio.timeout(delay):
                    await self._changed.wait()
            except TimeoutError:
                play.handle_timer()

    def give_up(self) -> None:
        """No client will connect any more: a conversation that waits for one ends."""
        self._is_given_up = True
        self._changed.set()


def listen(
    conversation: Conversation,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    key: PrivateKey | None = None,
    auth_key: AuthKey | None = None,
    server_salt: int = 1,
    transport: str | None = None,
    obfuscated: bool = False,
    mtproxy_secret: ProxySecret | str | bytes | None = None,
    answer: Callable[[bytes], bytes] | None = None,
    patience: float = PATIENCE,
    quiet: float = QUIET,
    seed: int = 0,
    clock: Callable[[], float] = time.time,
) -> HostileServer:
    """A hostile server, as an async context manager with `host`, `port`, `public_key` and `result()`.

    `auth_key` and `server_salt` are for a conversation that begins in a session; `transport` and its like are
    those of `serve`.  `answer` gives the boxed answer to a request, `patience` and `quiet` are seconds that what
    is expected may take, and that silence has to last.  `seed` gives the same secrets and padding again.
    """
    if conversation.side is not Side.SERVER:
        raise LocalProtocolError(f"{conversation.name!r} examines servers: use call() to play it")
    checked_seed(seed)

    def make(private: PrivateKey, number: int) -> Play:
        return Play(
            conversation,
            private,
            clock=clock,
            rng=Random(f"{seed}/script/{number}").randbytes,
            auth_key=auth_key,
            server_salt=server_salt,
            transport=transport,
            obfuscated=obfuscated,
            mtproxy_secret=mtproxy_secret,
            request=REQUEST,
            answer=answer,
            patience=patience,
            quiet=quiet,
            seed=seed,
        )

    return HostileServer(conversation, make, host, port, key)


async def call(
    host: str,
    port: int,
    conversation: Conversation,
    *,
    key: PublicKey,
    auth_key: AuthKey | None = None,
    server_salt: int = 1,
    transport: str | None = None,
    obfuscated: bool = False,
    mtproxy_secret: ProxySecret | str | bytes | None = None,
    dc: int = 2,
    request: bytes = REQUEST,
    patience: float = PATIENCE,
    quiet: float = QUIET,
    seed: int = 0,
    clock: Callable[[], float] = time.time,
) -> Play:
    """Connect to a server, and play a conversation with it; raise ConversationFailed where it goes wrong.

    `key` is the server's RSA key, `request` the boxed bytes of an honest request; the rest is as for `listen`.
    """
    if conversation.side is not Side.CLIENT:
        raise LocalProtocolError(f"{conversation.name!r} examines clients: use listen() to play it")
    checked_seed(seed)
    reader, writer = await asyncio.open_connection(host, port)
    try:
        play = Play(
            conversation,
            key,
            clock=clock,
            rng=Random(f"{seed}/script").randbytes,
            auth_key=auth_key,
            server_salt=server_salt,
            transport=transport,
            obfuscated=obfuscated,
            mtproxy_secret=mtproxy_secret,
            dc=dc,
            request=request,
            patience=patience,
            quiet=quiet,
            seed=seed,
        )
    except BaseException:
        writer.close()
        raise
    await drive(play, reader, writer)
    while play.awaits_connection:
        reader, writer = await asyncio.open_connection(host, port)
        play.connect()
        await drive(play, reader, writer)
    play.result()
    return play
