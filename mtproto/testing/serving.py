"""`serve`, which makes a loopback server, with all that a test may want to say of one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

from mtproto.connection import Deadlines, ServerConnection, ServerState
from mtproto.crypto.rsa import PrivateKey
from mtproto.testing.dispatch import RequestLog
from mtproto.testing.faults.base import Fault
from mtproto.testing.handlers import Handlers
from mtproto.testing.key_exchange import KeyExchange
from mtproto.testing.peer import MAX_BACKLOG, MAX_PENDING
from mtproto.testing.server import MAX_CONNECTIONS, LoopbackServer
from mtproto.transport import ProxySecret

__all__ = ["serve"]


def serve(
    handlers: Handlers | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    key: PrivateKey | None = None,
    state: ServerState | None = None,
    phone_code_hash: str | None = None,
    mtproxy_secret: ProxySecret | str | bytes | None = None,
    transport: str | None = None,
    obfuscated: bool = False,
    key_exchange: KeyExchange = KeyExchange(),  # noqa: B008 - it is immutable
    on_request: Callable[[RequestLog], None] | None = None,
    on_connection: Callable[[ServerConnection], object] | None = None,
    deadlines: Deadlines = Deadlines(),  # noqa: B008 - it is immutable
    grace: float = 1.0,
    strict: bool = False,
    gzip_from: int | None = None,
    max_connections: int = MAX_CONNECTIONS,
    max_backlog: int = MAX_BACKLOG,
    max_pending: int = MAX_PENDING,
    faults: Sequence[Fault] = (),
    clock: Callable[[], float] = time.time,
    rng: Callable[[int], bytes] = os.urandom,
) -> LoopbackServer:
    """A server for tests, as an async context manager with `host`, `port` and `public_key`.

    `handlers` maps request classes to functions, plain or async, of the request, or of the request and its
    `RequestContext`; what wrappers there were, such as invokeWithLayer, is in the latter.  None means the default
    ones, which answer account.sendVerifyPhoneCode, auth.sendCode and help.getConfig as Telegram would.  Requests
    without a handler get rpc_error 401 AUTH_KEY_UNREGISTERED.  `port` 0 is any free one; a `key` that is not given
    is made when the server begins, or `public_key` is asked for; `phone_code_hash` is what the default answer says
    instead of a random one; `on_request` is called for each request that was answered, `on_connection` with each
    connection before its first byte.

    With the `key` of a server that has stopped, and its `state.restarted()`, this one is the same server, started
    again: clients go on with their auth keys.  A `state` brings its own clock, rng and strictness.

    Which transport a client speaks, and whether obfuscated, is told by its first bytes: all are taken.  With an
    `mtproxy_secret` (hexadecimal) the server is one behind an MTProxy, and takes only clients that know it.
    `transport`, the name of a framing, and `obfuscated` restrict it to that framing, and to obfuscated connections.
    `key_exchange` (see `KeyExchange`) makes clients try again, fail, or prove which data centre they mean.  A
    `strict` server takes nothing that the documents don't allow; otherwise it is as liberal as Telegram's.
    Answers of `gzip_from` bytes and more go out in gzip_packed where that is shorter; None: none do.

    `deadlines` (see `Deadlines`), `max_connections`, `max_backlog`, the bytes that a client may leave unread, and
    `max_pending`, the requests of a connection without an answer while more of it is read, are for clients that
    would cost too much.  When the server closes, handlers have `grace` seconds to end.  `faults` (see
    `mtproto.testing.faults`) are what goes wrong.
    """
    return LoopbackServer(
        handlers,
        host=host,
        port=port,
        key=key,
        state=state,
        phone_code_hash=phone_code_hash,
        mtproxy_secret=mtproxy_secret,
        transport=transport,
        obfuscated=obfuscated,
        key_exchange=key_exchange,
        on_request=on_request,
        on_connection=on_connection,
        deadlines=deadlines,
        grace=grace,
        strict=strict,
        gzip_from=gzip_from,
        max_connections=max_connections,
        max_backlog=max_backlog,
        max_pending=max_pending,
        faults=faults,
        clock=clock,
        rng=rng,
    )
