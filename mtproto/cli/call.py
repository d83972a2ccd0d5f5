"""``mtproto call``: one request of the API, JSON in and JSON out (`tl.json_values`).

Without ``--server`` it goes to an embedded loopback server, over TCP all the same.
"""

from __future__ import annotations

import argparse
import asyncio
import difflib
import json
import sys
from pathlib import Path
from typing import Any

import mtproto
import tl
from mtproto import api, testing
from mtproto.cli.wording import CommandError, rpc_error_text
from mtproto.errors import RpcError
from tl.json_text import parse_json
from tl.json_values import from_json_value, to_json_value

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Send the request and print its answer; 1 where the answer is an rpc_error."""
    if (arguments.server is None) != (arguments.key is None):
        arguments.fail("--server and --key go together: give both or none")
    function = _function(arguments.method)
    request = from_json_value(api.SCHEMA, _json(arguments.json), function)
    try:
        answer = asyncio.run(_call(arguments, request))
    except RpcError as error:
        raise CommandError(f"{arguments.method}: {rpc_error_text(function, error)}", 1) from None
    print(json.dumps(to_json_value(answer)))
    return 0


async def _call(arguments: argparse.Namespace, request: Any) -> object:
    if arguments.server is None:
        async with testing.serve() as server:
            return await _invoke(arguments, request, server.host, server.port, server.public_key)
    host, port = arguments.server
    return await _invoke(arguments, request, host, port, _key(arguments.key))


async def _invoke(
    arguments: argparse.Namespace, request: Any, host: str, port: int, key: mtproto.PublicKey
) -> object:
    connecting = mtproto.connect(
        host, port, keys=[key], transport=arguments.transport, api_id=arguments.api_id
    )
    async with connecting as client:
        answer: object = await client.invoke(request)
        return answer


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
