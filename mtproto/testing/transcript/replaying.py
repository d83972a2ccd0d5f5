"""Replays over TCP: a server that says what a recorded one said, and a client that asks what one asked."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Any, Final

from mtproto.closing import close_writer
from mtproto.crypto.auth_key import AuthKey
from mtproto.crypto.rsa import PrivateKey, PublicKey
from mtproto.errors import ConnectionClosed, MTProtoError, RequestTimeout
from mtproto.testing.transcript.client_replay import Answer, ClientReplay
from mtproto.testing.transcript.files import Transcript
from mtproto.testing.transcript.replay import Replay
from mtproto.testing.transcript.server_replay import replay_server

__all__ = ["ReplayServer", "run_client"]

_READ_SIZE: Final = 64 * 1024
_CLOSING_TIME: Final = 0.5


class ReplayServer:
    """The server of a transcript on a local socket; an async context manager.

    Every connection gets the recorded conversation from its beginning.  `errors` are what went wrong in any of
    them, `replays` how far each has come.  `options` are those of `replay_server`.
    """

    def __init__(
        self,
        transcript: Transcript,
        *,
        key: PrivateKey | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        **options: Any,
    ) -> None:
        self.host = host
        self.port = port
        self.errors: list[MTProtoError] = []
        self.replays: list[Replay] = []
        self._transcript = transcript
        self._key = key
        self._options: dict[str, Any] = {"auth_keys": dict[bytes, AuthKey](), **options}
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._next()  # raises here what does not fit

    @property
    def public_key(self) -> PublicKey:
        """The RSA key that clients have to trust."""
        return self._made_key().public

    def _made_key(self) -> PrivateKey:
        self._key = self._key or PrivateKey.generate()
        return self._key

    def _next(self) -> Replay:
        return replay_server(self._transcript, [self._made_key()], **self._options)

    async def __aenter__(self) -> ReplayServer:
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.host, self.port = self._server.sockets[0].getsockname()[:2]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSING_TIME)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        replay = self._next()
        self.replays.append(replay)
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        try:
            while data := await reader.read(_READ_SIZE):
                try:
                    await asyncio.get_running_loop().run_in_executor(None, replay.receive_data, data)
                finally:
                    writer.write(replay.data_to_send())
        except MTProtoError as error:
            self.errors.append(error)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            with contextlib.suppress(asyncio.CancelledError):
                await close_writer(writer, _CLOSING_TIME)
            if task is not None:
                self._tasks.discard(task)


async def run_client(replay: ClientReplay, host: str, port: int, *, timeout: float = 30.0) -> list[Answer]:
    """Hold the conversation with the server at this address; return what was answered, then and now.

    Raise RequestTimeout where that takes more than `timeout` seconds, ConnectionClosed where the server ends it
    before all is said, and what `Replay.receive_data` raises.
    """
    reader, writer = await asyncio.open_connection(host, port)
    try:
        async with asyncio.timeout(timeout):
            writer.write(replay.data_to_send())
            while not replay.is_done:
                data = await reader.read(_READ_SIZE)
                if not data:
                    raise ConnectionClosed("the server closed the connection before all was said again")
                await asyncio.get_running_loop().run_in_executor(None, replay.receive_data, data)
                writer.write(replay.data_to_send())
    except TimeoutError:
        raise RequestTimeout(f"not all was answered within {timeout} s") from None
    finally:
        await close_writer(writer, _CLOSING_TIME)
    return replay.answers
