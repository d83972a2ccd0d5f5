"""A client that comes back with the auth key of another one, from memory or from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import mtproto
from mtproto import Credentials, api
from mtproto.crypto.auth_key import AuthKey
from mtproto.errors import AuthKeyLost, LocalProtocolError, RpcError
from mtproto.events import KeyAgreed
from mtproto.salts import Salt
from mtproto.testing import serve
from tests.mtproto.clients import ANSWER, REQUEST, PlainServer, Proxy, Sleeper, run
from tests.mtproto.helpers import TEST_KEY, seeded

CONFIG = bytes(api.help.GetConfig())


def connected(server: Any, **options: Any) -> Any:
    return mtproto.connect(server.host, server.port, **options)


def test_a_client_comes_back_with_the_same_key_and_no_exchange(tmp_path: Path) -> None:
    async def scenario() -> None:
        path = tmp_path / "key.json"
        async with PlainServer() as server:
            async with connected(server, keys=[TEST_KEY.public], dc=4) as client:
                await client.invoke_raw(CONFIG)
                key = client.auth_key
                client.credentials.save(path)
            sent: list[bytes] = []

            def tap(way: str, data: bytes) -> None:
                if way == "out":
                    sent.append(data)

            async with connected(server, credentials=Credentials.load(path), tap=tap) as client:
                assert client.auth_key == key
                await client.invoke_raw(CONFIG)
                assert client.credentials.auth_key == key
                assert client.credentials.dc == 4
            assert sum(isinstance(event, KeyAgreed) for event in server.events) == 1
            assert list(server.state.keys) == [key.key_id]
            assert b"".join(sent)[8:16] == key.key_id

    run(scenario)


def test_credentials_have_what_the_server_has_told() -> None:
    async def scenario() -> None:
        async with PlainServer() as server, connected(server, keys=[TEST_KEY.public]) as client:
            await client.ping()
            first = client.credentials
            assert first.server_salt == client.server_salt
            assert abs(first.time_offset or 0) < 5
            server.state.salts[client.auth_key.key_id].rotate(server.state.clock(), 4321, keep_previous=False)
            await client.ping()
            assert client.credentials.server_salt == 4321

    run(scenario)


def test_salts_and_offset_are_taken_over() -> None:
    async def scenario() -> None:
        key = AuthKey(seeded(1)(256))
        async with PlainServer() as server:
            server.state.add_key(key, 99)
            now = int(server.state.clock())
            later = (Salt(now + 100, now + 4000, 5),)
            known = Credentials(key, server_salt=99, salts=later, time_offset=0.5)
            async with connected(server, credentials=known) as client:
                assert (client.server_salt, client.time_offset) == (99, 0.5)
                assert later[0] in client.credentials.salts
                await client.invoke_raw(CONFIG)

    run(scenario)


def test_salts_and_offset_that_are_out_of_date_are_mended() -> None:
    async def scenario() -> None:
        key = AuthKey(seeded(1)(256))
        for offset in (-7200.0, -100.0, 0.0, 100.0, 7200.0):
            async with PlainServer() as server:
                server.state.add_key(key, 99)
                known = Credentials(key, server_salt=5, time_offset=offset)
                async with connected(server, credentials=known, sleep=Sleeper()) as client:
                    await client.invoke_raw(CONFIG)
                    assert client.server_salt == 99
                    for _ in range(15):
                        await client.ping(timeout=5)
                    assert len(server.requests) == 1

    run(scenario, deadline=30)


def test_a_key_that_the_server_does_not_know_is_lost_and_not_replaced() -> None:
    async def scenario() -> None:
        known = Credentials(AuthKey(seeded(1)(256)))
        sleeper = Sleeper()
        async with PlainServer() as server:
            client = await connected(server, keys=[TEST_KEY.public], credentials=known, sleep=sleeper)
            with pytest.raises(AuthKeyLost):
                await client.invoke_raw(CONFIG)
            assert client.is_closed
            assert client.auth_key == known.auth_key
            assert (server.state.keys, server.connections, sleeper.delays) == ({}, 1, [])
            await client.close()

    run(scenario)


def test_temporary_keys_under_a_key_from_before() -> None:
    async def scenario() -> None:
        async with (
            serve(key=TEST_KEY, phone_code_hash="0123456789abcdef01") as server,
            Proxy(server) as proxy,
        ):
            async with connected(proxy, keys=[TEST_KEY.public]) as client:
                await client.invoke(REQUEST)
                known = client.credentials
            options = {"keys": [TEST_KEY.public], "temp_key_lifetime": 3600, "sleep": Sleeper()}
            async with connected(proxy, credentials=known, **options) as client:
                assert bytes(await client.invoke(REQUEST)) == ANSWER
                proxy.cut()
                assert bytes(await client.invoke(REQUEST)) == ANSWER
                assert client.credentials == Credentials(
                    known.auth_key, time_offset=client.time_offset
                )  # the salts are the temporary key's
            assert len(server.state.keys) == 2

    run(scenario)


def test_temporary_keys_need_rsa_keys() -> None:
    async def scenario() -> None:
        known = Credentials(AuthKey(seeded(1)(256)))
        with pytest.raises(LocalProtocolError, match="at least one RSA key"):
            await mtproto.connect("127.0.0.1", 1, credentials=known, temp_key_lifetime=3600)
        assert RpcError is not None

    run(scenario)
