"""``mtproto serve``: the loopback server until SIGINT or SIGTERM, for clients written in anything.

stdout gets one line of JSON when the server is ready, stderr a line for each request, and for each connection
that was refused or broke.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ipaddress
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from mtproto import testing
from mtproto.cli.recording import Recording
from mtproto.cli.wording import CommandError, address_text, one_line
from mtproto.crypto.rsa import PrivateKey
from mtproto.testing.transcript import Recorder

__all__ = ["run"]

_MANY_FILES = 16_384


def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal comes; then 0."""
    if not _is_loopback(arguments.host):
        _log(f"warning: {arguments.host!r} can be reached from elsewhere, and this is a test server")
    _allow_many_files()
    # Where the loop can't watch for signals, SIGINT arrives as an exception.
    with _logging(), contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(arguments))
    return 0


def _allow_many_files() -> None:
    """Let there be thousands of connections: what a process may open without asking is often 1024."""
    try:
        import resource
    except ImportError:  # no Unix
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MANY_FILES if hard == resource.RLIM_INFINITY else min(_MANY_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _serve(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    key = PrivateKey.generate()
    with Recording.of(arguments).recorder(arguments.mtproxy_secret, [key]) as recorder:
        await _serve_until(stop, arguments, key, recorder)


async def _serve_until(
    stop: asyncio.Event, arguments: argparse.Namespace, key: PrivateKey, recorder: Recorder | None
) -> None:
    exchange = testing.KeyExchange(arguments.dc, arguments.dh_gen_retries, arguments.dh_gen_fail)
    server = testing.serve(
        key=key,
        host=arguments.host,
        port=arguments.port,
        phone_code_hash=arguments.phone_code_hash,
        mtproxy_secret=arguments.mtproxy_secret,
        transport=arguments.transport,
        obfuscated=arguments.obfuscated,
        key_exchange=exchange,
        strict=arguments.strict,
        on_request=_log_request,
        on_connection=None if recorder is None else recorder.server,
    )
    async with contextlib.AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(server)
        except OSError as error:
            where = address_text(arguments.host, arguments.port)
            raise CommandError(f"can't listen on {where}: {_reason(error)}") from None
        except UnicodeError:
            raise CommandError(f"can't listen on {arguments.host!r}: not a host name") from None
        print(json.dumps(_ready(server, arguments.public_key_out)), flush=True)
        await stop.wait()


def _ready(server: testing.LoopbackServer, path: str | None) -> dict[str, object]:
    """What the line says; with a `path`, the key is written there first."""
    pem = server.public_key.to_pem()
    if path is not None:
        Path(path).write_text(pem, encoding="ascii")
    return {
        "host": server.host,
        "port": server.port,
        "fingerprint": f"{server.public_key.fingerprint % 2**64:016x}",
        "public_key": pem if path is None else path,
    }


def _reason(error: OSError) -> str:
    """What the system says.  asyncio's own text says more, the address again, and differs by version."""
    if error.errno is None or isinstance(error, socket.gaierror):  # whose numbers are not the system's
        return error.strerror or str(error)
    return os.strerror(error.errno)


def _log_request(log: testing.RequestLog) -> None:
    _log(f"{_now()} {log.peer} {log.method} -> {log.answer}")


@contextlib.contextmanager
def _logging() -> Iterator[None]:
    """Meanwhile what the package logs goes to stderr: connections refused and broken, and mistakes."""
    logger, handler = logging.getLogger("mtproto"), _OneLine()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)


class _OneLine(logging.Handler):
    """One line for each record; of an exception what it says, without where it comes from."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        text = record.getMessage()
        _log(f"{_now()} {text}" if error is None else f"{_now()} {text}: {type(error).__name__}: {error}")


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="milliseconds")


def _log(line: str) -> None:
    with contextlib.suppress(OSError):  # nobody reads it: no reason to fail the request
        print(one_line(line), file=sys.stderr, flush=True)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
