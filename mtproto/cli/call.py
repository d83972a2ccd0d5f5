"""``mtproto call``: one request of the API, JSON in and JSON out (`tl.json_values`).

Without ``--server`` and ``--dc`` it goes to an embedded loopback server, over TCP all the same.
"""

from __future__ import annotations

import argparse
import asyncio
import difflib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mtproto
import tl
from mtproto import api, testing
from mtproto.cli.recording import Recording
from mtproto.cli.transports import Way
from mtproto.cli.wording import CommandError, rpc_error_text
from mtproto.datacenters import DATACENTERS
from mtproto.errors import AuthKeyLost, RpcError
from tl.json_text import parse_json
from tl.json_values import from_json_value, to_json_value

__all__ = ["Target", "run", "target"]


def run(arguments: argparse.Namespace) -> int:
    """Send the request and print its answer; 1 where the answer is an rpc_error."""
    if arguments.dc is not None and arguments.key is not None:
        arguments.fail("--dc has keys of its own: leave out --key")
    if arguments.dc is None and (arguments.server is None) != (arguments.key is None):
        arguments.fail("--server and --key go together: give both or none")
    if arguments.auth_key_file is not None and arguments.server is None and arguments.dc is None:
        arguments.fail("--auth-key-file goes with --server or --dc: the embedded server forgets its keys")
    function = _function(arguments.method)
    request = from_json_value(api.SCHEMA, _json(arguments.json), function)
    try:
        answer = asyncio.run(_call(arguments, request))
    except RpcError as error:
        raise CommandError(f"{arguments.method}: {rpc_error_text(function, error)}", 1) from None
    print(json.dumps(to_json_value(answer)))
    return 0


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: an address, the RSA keys to trust there, the data centre's number."""

    host: str
    port: int
    keys: tuple[mtproto.PublicKey, ...]
    dc: int = 2


def target(arguments: argparse.Namespace) -> Target | None:
    """What ``--dc``, ``--server`` and ``--key`` name; None for the embedded server."""
    if arguments.dc is not None:
        datacenter = DATACENTERS[arguments.dc]
        host, port = arguments.server or (datacenter.ipv4, datacenter.port)
        return Target(host, port, datacenter.keys, datacenter.dc)
    if arguments.server is None:
        return None
    host, port = arguments.server
    return Target(host, port, (_key(arguments.key),))


async def _call(arguments: argparse.Namespace, request: Any) -> object:
    to = target(arguments)
    if to is not None:
        return await _invoke(arguments, request, to)
    async with testing.serve(mtproxy_secret=arguments.mtproxy_secret) as server:
        return await _invoke(arguments, request, Target(server.host, server.port, (server.public_key,)))


async def _invoke(arguments: argparse.Namespace, request: Any, to: Target) -> object:
    way = Way.of(arguments)
    file = None if arguments.auth_key_file is None else Path(arguments.auth_key_file)
    kept = mtproto.Credentials.load(file) if file is not None and file.exists() else None
    with Recording.of(arguments).recorder(way.mtproxy_secret) as recorder:
        connecting = mtproto.connect(
            to.host,
            to.port,
            keys=to.keys,
            dc=to.dc,
            credentials=kept,
            api_id=arguments.api_id,
            reconnect=None,
            on_connection=None if recorder is None else recorder.client,
            **way.options,
        )
        try:
            async with connecting as client:
                if file is not None and kept is None:
                    client.credentials.save(file)
                answer: object = await client.invoke(request)
                return answer
        except AuthKeyLost as error:
            if kept is None:
                raise
            raise CommandError(f"{file}: {error}; without the file, another key is agreed on") from None


def _function(name: str) -> Any:
    """The class of a function; where there is none, say which names are near."""
    known = api.SCHEMA.by_name
    if hasattr(known.get(name), "RESULT"):
        return known[name]
    if name in known:
        raise CommandError(f"{name} is a constructor of {known[name].TYPE}, expected a function")
    functions = [n for n, cls in known.items() if hasattr(cls, "RESULT")]
    by_lower = {n.lower(): n for n in functions} | {n.rpartition(".")[2].lower(): n for n in functions}
    near = difflib.get_close_matches(name.lower(), by_lower, 5, 0.5)
    names = list(dict.fromkeys(by_lower[n] for n in near)) or sorted(functions)[:10]
    raise CommandError(f"unknown method {name!r} in layer {api.LAYER}; did you mean {', '.join(names)}?")


def _json(text: str) -> object:
    try:
        return parse_json(sys.stdin.buffer.read() if text == "-" else text)
    except tl.JSONValueError as error:
        raise CommandError(f"JSON: {error.message}") from None


def _key(path: str) -> mtproto.PublicKey:
    try:
        return mtproto.PublicKey.from_pem(Path(path).read_bytes())
    except ValueError as error:
        raise CommandError(f"{path}: {error}") from None
