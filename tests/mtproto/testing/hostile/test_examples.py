"""What others write to examine their own client, and their own server: under twenty lines each, and they run."""

from __future__ import annotations

import subprocess
import sys

from tests.mtproto.cli.processes import ROOT

CLIENT = """
import asyncio, mtproto
from mtproto import api
from mtproto.testing import hostile


async def run_client(host, port, key):  # yours: it connects, and makes a request
    async with mtproto.connect(host, port, keys=[key], reconnect=None) as client:
        await client.invoke(api.help.GetConfig())


async def main():
    results = await hostile.examine_client(run_client)
    print(results)
    assert not results.failed


asyncio.run(main())
"""

SERVER = """
import asyncio
from mtproto import testing
from mtproto.testing import hostile


async def main():
    async with testing.serve() as server:  # yours: its address and its RSA key
        results = await hostile.examine_server(server.host, server.port, server.public_key)
    print(results)
    assert not results.failed


asyncio.run(main())
"""

OWN = """
from mtproto import PrivateKey
from mtproto.testing.hostile import *

conversation = Conversation(
    [
        KeyExchange(before="server_DH_params_ok"),
        ServerDHParams(inner={"g": 2}),
        AnyOf(ExpectClose(), Silence()),
    ],
    name="a g that does not suit dh_prime",
    check="H7",
    right="closes, or says nothing more",
)
print(conversation)
print(rehearse(conversation, key=PrivateKey.generate(), seed=5).transcript)
"""


def run(example: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def few(example: str, side: str) -> str:
    """The same with the first conversations only, and the last."""
    names = f"{side}_CONVERSATIONS"
    few = f"hostile.{names}[:3] + hostile.{names}[-1:]"
    changed = example.replace("run_client)", f"run_client, conversations={few}, quiet=0.3)")
    return changed.replace("server.public_key)", f"server.public_key, conversations={few}, quiet=0.3)")


def test_your_client() -> None:
    assert len(CLIENT.strip().splitlines()) < 20
    assert "4 of 4 conversations went as they should" in run(few(CLIENT, "CLIENT"))


def test_your_server() -> None:
    assert len(SERVER.strip().splitlines()) < 20
    assert "4 of 4 conversations went as they should" in run(few(SERVER, "SERVER"))


def test_a_conversation_of_your_own() -> None:
    assert len(OWN.strip().splitlines()) < 20
    out = run(OWN)
    assert "2     → server_DH_params_ok, inner.g given" in out
    assert out.rstrip().endswith("← the end of the connection")
