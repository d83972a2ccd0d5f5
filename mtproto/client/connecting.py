"""From an address to a connected client: TCP, then the key exchange."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from types import TracebackType
from typing import Any

from mtproto.client.backoff import Backoff
from mtproto.client.client import MAX_PENDING, MAX_PENDING_BYTES, Client
from mtproto.client.introduction import Introduction
from mtproto.client.link import Tap
from mtproto.client.room import Room
from mtproto.client.upkeep import Surroundings
from mtproto.clock import steady_time
from mtproto.connection import ClientConnection
from mtproto.connection.keep_alive import KeepAlive
from mtproto.credentials import Credentials
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


def _check_kinds(**values: tuple[object, type, bool]) -> None:
    """Raise LocalProtocolError for a value that is not of its class, nor None where that will do, too."""
    for name, (value, kind, may_be_none) in values.items():
        if not (isinstance(value, kind) or (may_be_none and value is None)):
            got = (
                f"{value!r:.60}" if kind is not Credentials else f"a {type(value).__name__}"
            )  # it may be a key
            expected = f"{kind.__name__}{' or None' if may_be_none else ''}"
            raise LocalProtocolError(f"got {got} for {name}, expected {expected}")


def connect(
    host: str,
    port: int,
    *,
    keys: Sequence[PublicKey | str | bytes] = (),
    credentials: Credentials | None = None,
    transport: str | None = None,
    obfuscated: bool = False,
    mtproxy_secret: ProxySecret | str | bytes | None = None,
    dc: int | None = None,
    temp_key_lifetime: int | None = None,
    api_id: int | None = None,
    timeout: float | None = 10.0,
    reconnect: Backoff | None = Backoff(),  # noqa: B008 - it is immutable
    keep_alive: KeepAlive | None = KeepAlive(),  # noqa: B008
    max_pending: int = MAX_PENDING,
    max_pending_bytes: int = MAX_PENDING_BYTES,
    clock: Callable[[], float] = steady_time,
    rng: Callable[[int], bytes] = os.urandom,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    tap: Tap | None = None,
    on_connection: Callable[[ClientConnection], object] | None = None,
) -> Connecting:
    """Connect to an MTProto server over TCP and agree on an auth_key, unless there are `credentials`.

    `keys` are the RSA keys to trust, as `PublicKey` or PEM text, in order of preference; they are needed where
    a key is to be agreed on.  `credentials`, of a client before, spare that: see `Client.credentials`.  `dc` is
    the data centre's number as the key exchange names it, and as a proxy is asked for it (None: that of the
    credentials, or 2).  `transport` is "abridged", "intermediate" (the default), "padded" or "full";
    `obfuscated` makes the stream look random, which full can't.  `mtproxy_secret`, in hexadecimal, is that of
    the MTProxy at `host` and `port`: the connection is then obfuscated, and padded where the secret begins with
    dd.  With a `temp_key_lifetime`, in whole seconds from 60 to 31,536,000, requests go under temporary keys
    that are renewed in time.  With an `api_id`, requests are wrapped in invokeWithLayer(initConnection(...))
    until one has been answered.  `timeout` bounds, in seconds, the connection and the key exchange together.

    `reconnect` says how to go on when a connection ends (None: not at all), after its first key was agreed;
    `keep_alive` how dead ones are found.  At most `max_pending` requests of `max_pending_bytes` together are
    open at a time: others wait.  `sleep` is what passes the time between attempts; `tap` is called with "out"
    or "in" and the raw bytes of the socket, `on_connection` with the first connection before its first byte: a
    recorder of transcripts watches it, and those that follow it.

    Raise, when awaited: ConnectionClosed (refused, unreachable, closed early), HandshakeFailed,
    TransportCodeReceived, RequestTimeout; LocalProtocolError, tl.EncodeError and ValueError for wrong arguments.
    """
    _check_kinds(
        host=(host, str, False),
        credentials=(credentials, Credentials, True),
        obfuscated=(obfuscated, bool, False),
        reconnect=(reconnect, Backoff, True),
        keep_alive=(keep_alive, KeepAlive, True),
        max_pending=(max_pending, int, False),
        max_pending_bytes=(max_pending_bytes, int, False),
    )
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int | float)):
        raise LocalProtocolError(f"got {timeout!r:.60} for timeout, expected a number of seconds or None")
    if isinstance(keys, PublicKey | str | bytes) or not isinstance(keys, Iterable):
        raise LocalProtocolError(f"got {keys!r:.60} as keys, expected a sequence of PublicKey or PEM text")
    if dc is not None and not isinstance(dc, int):
        raise LocalProtocolError(f"got {dc!r:.60} for a dc, expected an int or None")
    trusted = [key if isinstance(key, PublicKey) else _from_pem(key) for key in keys]
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    known = credentials
    number = dc if dc is not None else 2 if known is None else known.dc
    introduction = Introduction(api_id)

    async def dial() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            return await asyncio.open_connection(host, port)
        except OSError as error:
            raise ConnectionClosed(f"can't connect to {address}: {error.strerror or error}") from error
        except UnicodeError:
            raise ConnectionClosed(f"can't connect to {address}: not a host name") from None
        except OverflowError:
            raise ConnectionClosed(f"can't connect to {address}: not a port, expected 1..65535") from None

    async def opening() -> Client:
        connection = ClientConnection(
            trusted,
            transport=transport,
            obfuscated=obfuscated,
            mtproxy_secret=mtproxy_secret,
            dc=number,
            auth_key=None if known is None else known.auth_key,
            server_salt=0 if known is None else known.server_salt,
            salts=() if known is None else known.salts,
            time_offset=None if known is None else known.time_offset,
            temp_key_lifetime=temp_key_lifetime,
            keep_alive=keep_alive,
            clock=clock,
            rng=rng,
        )
        if on_connection is not None:
            on_connection(connection)
        if connection.is_ready:
            # The offset is of an earlier day, and either clock may have been set since: the server tells anew.
            connection.session.is_time_known = False
        client = Client(
            connection,
            Surroundings(dial, timeout, clock, rng, sleep, tap),
            dc=number,
            auth_key=None if known is None else known.auth_key,
            introduction=introduction,
            room=Room(max_pending, max_pending_bytes),
            backoff=reconnect,
        )
        try:
            async with asyncio.timeout(timeout):
                await client.start()
        except TimeoutError:
            await client.close()
            raise RequestTimeout(f"no key agreed with {address} within {timeout} s", was_sent=False) from None
        except BaseException:
            await client.close()
            raise
        return client

    return Connecting(opening)
