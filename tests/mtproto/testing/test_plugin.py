"""The fixtures of the plugin, used as anyone would; what becomes of failures is for `test_plugin_reports`."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

import tl
from mtproto import api
from mtproto.connection import KeepAlive
from mtproto.crypto.rsa import PrivateKey
from mtproto.errors import LocalProtocolError
from mtproto.side import Side
from mtproto.testing import BlockingClient, Handlers, KeyExchange, Network, Pair, ThreadedServer, faults
from mtproto.testing.plugin.marks import Settings, Wire
from mtproto.testing.plugin.recording import Recording
from mtproto.testing.plugin.watching import WATCHED, _file_name, _shortened
from mtproto.testing.transcript import Said
from mtproto.transport import FRAMINGS
from tests.mtproto.helpers import TEST_KEY

SECRET = "dd000102030405060708090a0b0c0d0e0f"
ALL = [*FRAMINGS, *(f"obfuscated {name}" for name in FRAMINGS if name != "full")]


def spoken(wire: Wire) -> str:
    return ("obfuscated " if wire.obfuscated else "") + (wire.transport or "intermediate")


# A pair


@pytest.mark.mtproto(transports="all")
def test_all_transports(mtproto_pair: Pair, mtproto_transport: Wire) -> None:
    call = mtproto_pair.invoke(api.help.GetConfig())
    mtproto_pair.run()
    assert call.result().this_dc == 2
    assert mtproto_pair.client.transport == spoken(mtproto_transport)


@pytest.mark.mtproto(transports=["full", "obfuscated padded", "full"], obfuscated=False)
def test_some_transports(mtproto_pair: Pair, mtproto_transport: Wire, request: pytest.FixtureRequest) -> None:
    assert str(mtproto_transport) in ("full", "obfuscated-padded")
    assert request.node.name == f"test_some_transports[{mtproto_transport}]"
    assert mtproto_pair.client.transport == spoken(mtproto_transport)


@pytest.mark.mtproto(transports="all", obfuscated=True)
def test_all_that_can_be_obfuscated(mtproto_pair: Pair) -> None:
    assert mtproto_pair.client.transport in ALL[len(FRAMINGS) :]


@pytest.mark.mtproto(mtproxy_secret=SECRET, obfuscated=True)
def test_a_proxy(mtproto_pair: Pair) -> None:
    assert mtproto_pair.client.transport == "obfuscated padded"


@pytest.mark.mtproto(
    network=Network(latency=0.05, duplication=0.5),
    faults=[faults.DropAnswer(), faults.KeyLoss(nth=3)],
    keep_alive=KeepAlive(),
    skew=100.0,
    strict=True,
    seed=1,
)
def test_what_a_mark_says_of_a_pair(mtproto_pair: Pair) -> None:
    """The check after the test takes AuthKeyLost, which is what KeyLoss leads to."""
    assert mtproto_pair.network.latency == 0.05
    assert mtproto_pair.state.strict
    assert mtproto_pair.skew == 100.0
    for _ in range(8):
        mtproto_pair.invoke(api.help.GetConfig())
        mtproto_pair.run()
    assert {call.outcome for call in mtproto_pair.calls} == {"answered", "AuthKeyLost"}


LOSSY = Network(latency=0.05, loss=0.3)


def outcomes(pair: Pair) -> list[str]:
    calls = [pair.invoke(api.help.GetConfig()) for _ in range(3)]
    pair.run()
    return [call.outcome for call in calls]


@pytest.mark.mtproto(network=LOSSY, seed=10)
def test_what_a_network_brings_about_is_allowed(mtproto_pair: Pair) -> None:
    """The check after the test takes FateUnknown."""
    assert outcomes(mtproto_pair) == ["FateUnknown"] * 3


@pytest.mark.mtproto(network=LOSSY, seed=10, begun=True, faults=[faults.DropRequest()])
def test_a_session_that_begins_before_anything_goes_wrong(
    mtproto_pair: Pair, request: pytest.FixtureRequest
) -> None:
    (recording,) = request.node.stash[WATCHED].recordings
    names = [e.record.name for e in recording.transcript().entries if isinstance(e.record, Said)]
    assert names == ["ping", "msg_container", "new_session_created", "pong"]
    assert mtproto_pair.network == LOSSY
    other = Pair(network=LOSSY, seed=10, begun=True, faults=[faults.DropRequest()])
    assert outcomes(mtproto_pair) == outcomes(other) == ["answered"] * 3
    assert mtproto_pair.wire == other.wire


@pytest.mark.mtproto(seed=1)
class TestMarksOfAClassAndOfATest:
    def test_that_of_the_class(self, mtproto_seed: int) -> None:
        assert mtproto_seed == 1

    @pytest.mark.mtproto(seed=2)
    def test_that_of_the_test(self, mtproto_pair: Pair, mtproto_seed: int) -> None:
        assert mtproto_pair.seed == mtproto_seed == 2

    @pytest.mark.mtproto(strict=True)
    def test_both(self, mtproto_pair: Pair) -> None:
        assert (mtproto_pair.seed, mtproto_pair.state.strict) == (1, True)


def test_without_a_seed_it_is_that_of_the_run(mtproto_seed: int, request: pytest.FixtureRequest) -> None:
    assert mtproto_seed == request.config.option.mtproto_seed


@pytest.mark.mtproto(seed=5)
@pytest.mark.parametrize("time", ["first", "second"])
def test_the_same_seed_gives_the_same_bytes(mtproto_pair: Pair, time: str) -> None:
    other = Pair(seed=5)
    for pair in (mtproto_pair, other):
        pair.invoke(api.help.GetConfig())
        pair.run()
    digests = {sha256(repr(pair.wire).encode()).hexdigest() for pair in (mtproto_pair, other)}
    assert len(digests) == 1


@pytest.mark.mtproto(check=False)
def test_nobody_looks_at_what_is_left_where_that_is_not_wanted(mtproto_pair: Pair) -> None:
    mtproto_pair.invoke(api.help.GetConfig())
    mtproto_pair.restart()
    mtproto_pair.run(for_=0.0001)


# A server, and clients


@pytest.mark.mtproto(transports=["padded", "obfuscated abridged"])
def test_a_server_and_a_client(
    mtproto_server: ThreadedServer, mtproto_client: BlockingClient, mtproto_transport: Wire
) -> None:
    assert mtproto_client.invoke(api.help.GetConfig()).this_dc == 2
    assert [log.method for log in mtproto_server.requests] == ["help.getConfig"]
    assert mtproto_client.client.transport == spoken(mtproto_transport)


def test_a_server_and_an_async_client(mtproto_server: ThreadedServer) -> None:
    async def scenario() -> None:
        async with mtproto_server.connect() as client:
            assert (await client.invoke(api.help.GetConfig())).this_dc == 2

    asyncio.run(scenario())


def test_a_server_in_another_process_s_eyes(mtproto_server: ThreadedServer) -> None:
    code = """
import asyncio, sys, mtproto
async def main():
    async with mtproto.connect("127.0.0.1", int(sys.argv[1]), keys=[sys.argv[2]]) as client:
        print((await client.invoke(mtproto.api.help.GetConfig())).this_dc)
asyncio.run(main())
"""
    arguments = [str(mtproto_server.port), mtproto_server.public_key.to_pem()]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "2\n"


@pytest.mark.mtproto(
    faults=[faults.Duplicate(side=Side.SERVER)],
    key_exchange=KeyExchange(retries=2),
    temp_key_lifetime=86400,
    phone_code_hash="0123",
)
def test_what_a_mark_says_of_a_server_and_a_client(mtproto_client: BlockingClient) -> None:
    request = api.auth.SendCode(
        phone_number="+12025550123", api_id=1, api_hash="", settings=api.CodeSettings()
    )
    answer = mtproto_client.invoke(request)
    assert isinstance(answer, api.auth.SentCode)
    assert answer.phone_code_hash == "0123"


@pytest.mark.mtproto(transports=["padded"], mtproxy_secret=SECRET)
def test_a_server_behind_a_proxy(mtproto_client: BlockingClient) -> None:
    assert mtproto_client.ping() > 0
    assert mtproto_client.client.transport == "obfuscated padded"


def test_a_server_that_nobody_uses(mtproto_server: ThreadedServer) -> None:
    with socket.create_connection((mtproto_server.host, mtproto_server.port)):
        assert not mtproto_server.sessions


def test_a_client_that_nobody_uses(mtproto_client: BlockingClient) -> None:
    assert "closed" in repr(mtproto_client)


@pytest.mark.mtproto(seed=3)
def test_the_same_seed_gives_the_same_choices(
    mtproto_server: ThreadedServer, mtproto_client: BlockingClient
) -> None:
    """Of a client, too; what is made of them depends on the clock."""
    assert mtproto_client.options["rng"](16) == Random("3/client").randbytes(16)
    assert mtproto_server.server.state.rng(16) == Random("3/server").randbytes(16)


class TestHandlersOfOnesOwn:
    @pytest.fixture
    def mtproto_handlers(self) -> Handlers:
        return {api.users.GetUsers: lambda request: [api.UserEmpty(id=len(request.id))]}

    def test_a_pair_has_them(self, mtproto_pair: Pair) -> None:
        call = mtproto_pair.invoke(api.users.GetUsers(id=[]))
        mtproto_pair.run()
        assert call.result() == [api.UserEmpty(id=0)]

    def test_a_server_has_them(self, mtproto_client: BlockingClient) -> None:
        assert mtproto_client.invoke(api.users.GetUsers(id=[])) == [api.UserEmpty(id=0)]


class TestAServerOfOnesOwn:
    @pytest.fixture
    def mtproto_server(self) -> Iterator[Any]:
        with ThreadedServer(key=TEST_KEY) as server:
            yield SimpleNamespace(host=server.host, port=server.port, public_key=server.public_key.to_pem())

    def test_the_client_is_one_of_it(self, mtproto_client: BlockingClient) -> None:
        assert mtproto_client.invoke(api.help.GetConfig()).this_dc == 2


# Recordings


def said(recording: Recording) -> list[str]:
    """Its lines of JSON."""
    recording.close()
    return list(recording.transcript().lines())


@pytest.mark.parametrize("key", [None, TEST_KEY], ids=["a key that is there", "a key that is agreed on"])
def test_a_recording_that_is_read_later_is_the_same(key: PrivateKey | None) -> None:
    def conversation(record: Callable[[Pair], Recording]) -> list[str]:
        pair = Pair(seed=1, key=key)
        recording = record(pair)
        pair.invoke(api.help.GetConfig())
        pair.run()
        pair.break_line()
        pair.invoke(api.help.GetConfig())
        pair.run()
        return said(recording)

    def at_once(pair: Pair) -> Recording:
        recording = Recording("pair", clock=pair.clock)
        pair.client.observer = recording.recorder.observer(pair.client, Side.CLIENT)
        pair.client.observer.sent(pair.wire[0][2])
        return recording

    lines = conversation(Recording.of_pair)
    assert lines == conversation(at_once)
    assert {json.loads(line)["stream"] for line in lines[1:]} == {0, 1}
    assert sum('"help.getConfig"' in line for line in lines) >= 2


def test_whatever_text_was_said_is_read_again() -> None:
    pair = Pair(seed=1)
    recording = Recording.of_pair(pair)
    text = "\u2028 \x85 \r\n"
    pair.invoke(api.account.SendVerifyPhoneCode(phone_number=text, settings=api.CodeSettings()))
    pair.run()
    assert any(
        text in str(entry.record) or "u2028" in str(entry.record) for entry in recording.transcript().entries
    )
    assert any("account.sendVerifyPhoneCode" in line for line in recording.lines(80))


def test_a_schema_of_ones_own_is_read_by_its_handlers() -> None:
    shop = tl.load("order id:long = Order; ---functions--- getOrder id:long = Order;")
    handlers = {shop.GetOrder: lambda request: shop.Order(id=request.id)}
    pair = Pair(handlers)
    recording = Recording.of_pair(pair, handlers=handlers)
    pair.invoke(shop.GetOrder(id=7))
    pair.run()
    text = "\n".join(recording.lines(80))
    assert "getOrder  seq 1" in text
    assert "order  id=7" in text
    assert "nothing was said" in "\n".join(Recording("server").lines(80))


# Small things


def test_what_all_transports_are(pytestconfig: pytest.Config) -> None:
    assert [spoken(wire) for wire in Settings({"transports": "all"}).wires() or ()] == ALL


def test_names_of_files() -> None:
    assert _file_name("tests/test_a.py::TestB::test_c[full-2.5]") == "tests-test_a.py-TestB-test_c-full-2.5"
    long = [_file_name("a" * 200 + end) for end in "bc"]
    assert len({*long}) == 2
    assert {len(name) for name in long} == {129}


def test_no_two_tests_have_files_of_one_name() -> None:
    values = ("a b", "a-b", "a/b", "a", "a-", "A", "a]", "\u00e9", "e\u0301", "a::b")
    ids = [f"test_a.py::test[{value}]" for value in values]
    ids += ["tests/b.py::test", "tests-b.py::test", "test_a.py::test::a"]
    names = {_file_name(node_id).lower() for node_id in ids}
    assert len(names) == len(ids) - 1, "test::a and test[a] are no two tests of one file"
    assert all(re.fullmatch(r"[\w.-]+", name) for name in names)


def test_long_transcripts_are_shortened() -> None:
    lines = [str(number) for number in range(1000)]
    assert _shortened(lines[:201]) == lines[:201]
    short = _shortened(lines)
    assert (len(short), short[0], short[-1]) == (201, "0", "999")
    assert short[60] == "… 800 lines, which --mtproto-transcript=DIR would write …"
    assert short[59:62:2] == ["59", "860"]


def test_importing_mtproto_costs_nothing_before_it_is_used() -> None:
    code = (
        "import sys, mtproto.testing.plugin as p; "
        "print([m for m in sys.modules if m.split('.')[0] in ('mtproto', 'tl', 'cryptg', 'gmpy2', 'cryptography')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    plugin = "mtproto.testing.plugin"
    assert done.stdout.strip() == str(
        ["mtproto", "mtproto.testing", f"{plugin}.marks", f"{plugin}.watching", plugin]
    )


def test_mtproto_testing_needs_no_pytest() -> None:
    code = "import sys; sys.modules['pytest'] = None\nfrom mtproto.testing import *; Pair().run()"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_a_pair_refuses_what_its_mark_is_checked_for_too() -> None:
    with pytest.raises(LocalProtocolError, match="expected an int"):
        Pair(seed="1")  # type: ignore[arg-type]
