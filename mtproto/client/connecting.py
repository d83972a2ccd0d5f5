"""From an address to a connected client: TCP, then the key exchange."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Generator, Sequence
from types import TracebackType
from typing import Any

from mtproto.client.client import Client
from mtproto.connection import ClientConnection
from mtproto.crypto.rsa import PublicKey
from mtproto.errors import ConnectionClosed, LocalProtocolError, RequestTimeout
from mtproto.transport import ProxySecret

__all__ = ["Connecting", "connect"]


class Connecting:
    """What `connect` returns: await it for a `Client`, or use it with ``async with``, which also closes it."""

    def __init__(self, opening: Callable[[], Any]) -> None:
        self._opening = opening
        self._client: Client | None = None

    def __await__(self) -> Generator[Any, None, Client]:
        client: Generator[Any, None, Client] = self._opening().__await__()
        return client

    async def __aenter__(self) -> Client:
        self._client = await self
        return self._client

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.close()


def _from_pem(key: object) -> PublicKey:
    if not isinstance(key, str | bytes):
        raise LocalProtocolError(f"got {key!r:.60} among keys, expected a PublicKey or PEM text")
    return PublicKey.from_pem(key)


def connect(
    host: str,
    port: int,
    *,
    keys: Sequence[PublicKey | str | bytes],
    transport: str | None = None,
    obfuscated: bool = False,
    mtproxy_secret: ProxySecret | str | bytes | None = None,
    dc: int = 2,
    temp_key_lifetime: int | None = None,
    api_id: int | None = None,
    timeout: float | None = 10.0,
    clock: Callable[[], float] = time.time,
    rng: Callable[[int], bytes] = os.urandom,
    tap: Callable[[str, bytes], None] | None = None,
) -> Connecting:
    """Connect to an MTProto server over TCP and agree on an auth_key.

    `keys` are the RSA keys to trust, as `PublicKey` or PEM text, in order of preference.  `transport` is
    "abridged", "intermediate" (the default), "padded" or "full"; `obfuscated` makes the stream look random,
    which full can't.  `mtproxy_secret`, in hexadecimal, is that of the MTProxy at `host` and `port`: the
    connection is then obfuscated, and padded where the secret begins with dd.  `dc` is the data centre's
    number as the key exchange names it, and as the proxy is asked for it.  With a `temp_key_lifetime`, in
    whole seconds from 60 to 31,536,000, requests go under temporary keys that are renewed in time.  With an
    `api_id`, requests are wrapped in invokeWithLayer(initConnection(...)) until one has been answered.
    `timeout` bounds, in seconds, the connection and the key exchange together.  `tap` is called with "out" or
    "in" and the raw bytes of the socket.

    Raise, when awaited: ConnectionClosed (refused, unreachable, closed early), HandshakeFailed,
    TransportCodeReceived, RequestTimeout; LocalProtocolError and ValueError for wrong arguments.
    """
    trusted = [key if isinstance(key, PublicKey) else _from_pem(key) for key in keys]
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def opening() -> Client:
        connection = ClientConnection(
            trusted,
            transport=transport,
            obfuscated=obfuscated,
            mtproxy_secret=mtproxy_secret,
            dc=dc,
            temp_key_lifetime=temp_key_lifetime,
            clock=clock,
            rng=rng,
        )
        try:
            async with asyncio.timeout(timeout):
                return await _open(connection)
        except TimeoutError:
            raise RequestTimeout(f"no key agreed with {address} within {timeout} s") from None

    async def _open(connection: ClientConnection) -> Client:
        try:
            reader, writer = await asyncio.open_connection(host, port)
        except OSError as error:
            raise ConnectionClosed(f"can't connect to {address}: {error.strerror or error}") from error
        except UnicodeError:
            raise ConnectionClosed(f"can't connect to {address}: not a host name") from None
        except OverflowError:
            raise ConnectionClosed(f"can't connect to {address}: not a port, expected 1..65535") from None
        client = Client(connection, reader, writer, api_id=api_id, clock=clock, rng=rng, tap=tap)
        try:
            await client.start()
        except BaseException:
            await client.close()
            raise
        return client

    return Connecting(opening)
