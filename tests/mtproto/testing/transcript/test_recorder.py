"""Recorders: on connections without I/O and those that go on from them, on asyncio clients and servers."""

from __future__ import annotations

import asyncio
import gc
import io
import weakref
from pathlib import Path
from typing import Any

import pytest

import mtproto
from mtproto import api, testing
from mtproto.connection import ServerConnection
from mtproto.crypto.rsa import PrivateKey
from mtproto.side import Side
from mtproto.testing.transcript import Cut, Ended, KeyLog, Opening, Recorder, Said, Transcript
from tests.mtproto.helpers import TEST_KEY
from tests.mtproto.testing.transcript.example import CONFIG_WANTED, FOR_EVER, Talk, verify

REQUEST = api.account.SendVerifyPhoneCode(phone_number="+12025550123", settings=api.CodeSettings())


def names(transcript: Transcript, stream: int = 0) -> list[str]:
    return [r.name for r in transcript.streams()[stream] if isinstance(r, Said)]


def recorded(talk: Talk, how: str, **options: Any) -> tuple[Transcript, KeyLog]:
    file, keys = io.StringIO(), io.StringIO()
    with Recorder(file, key_log=keys, clock=talk.clock, **options) as recorder:
        getattr(recorder, how)(getattr(talk, how))
        talk.run()
        talk.ask(CONFIG_WANTED)
    return Transcript.parse(file.getvalue().splitlines()), KeyLog.parse(keys.getvalue())


EXCHANGE = ["req_pq_multi", "resPQ", "req_DH_params"]
AGREED = [
    "server_DH_params_ok",
    "server_DH_inner_data",
    "set_client_DH_params",
    "client_DH_inner_data",
    "dh_gen_ok",
]
TALK = ["help.getConfig", "msg_container", "new_session_created", "rpc_result", "config"]


@pytest.mark.parametrize("how", ["client", "server"])
def test_either_side_knows_enough_to_record_everything(how: str) -> None:
    talk = Talk()
    transcript, keys = recorded(talk, how)
    assert names(transcript) == [*EXCHANGE, *AGREED, *TALK]
    assert keys.auth_keys == talk.state.keys
    assert len(keys.new_nonces) == 1
    with_rsa, _ = recorded(Talk(), how, rsa_keys=[TEST_KEY])
    assert names(with_rsa) == [*EXCHANGE, "p_q_inner_data_dc", *AGREED, *TALK]


def test_temporary_keys_are_recorded_too() -> None:
    talk = Talk(temp_key_lifetime=86_400)
    transcript, keys = recorded(talk, "client")
    # The permanent key seals nothing here: it is the temporary one that the traffic is under.
    assert keys.auth_keys.items() <= talk.state.keys.items()
    assert len(keys.auth_keys) == 1
    assert len(keys.new_nonces) == 2
    assert names(transcript).count("auth.bindTempAuthKey") == 1
    assert not [e for e in transcript.entries if e.record.findings]


def test_a_connection_that_goes_on_from_another_is_a_stream_of_its_own() -> None:
    talk, file = Talk(), io.StringIO()
    recorder = Recorder(file, clock=talk.clock)
    recorder.client(talk.client)
    talk.run()
    talk.ask(CONFIG_WANTED)
    talk.client.receive_eof()
    talk.client = talk.client.successor()
    talk.server = ServerConnection([TEST_KEY], talk.state, deadlines=FOR_EVER)
    talk.ask(verify("+12025550123"))
    recorder.close()
    transcript = Transcript.parse(file.getvalue().splitlines())
    assert sorted(transcript.streams()) == [0, 1]
    assert isinstance(transcript.streams()[0][-1], Ended)
    assert isinstance(transcript.streams()[1][0], Opening)
    assert "account.sendVerifyPhoneCode" in names(transcript, 1)


def test_an_end_from_either_side_is_recorded_behind_the_last_bytes() -> None:
    talk, ours, theirs = Talk(), io.StringIO(), io.StringIO()
    with Recorder(ours, clock=talk.clock) as client, Recorder(theirs, clock=talk.clock) as server:
        client.client(talk.client)
        server.server(talk.server)
        talk.run()
        talk.ask(CONFIG_WANTED)
        talk.client.ping(1)  # the acknowledgement goes with it
        talk.client.close()
        talk.server.receive_data(talk.client.data_to_send())
        talk.server.receive_eof()
        talk.client.data_to_send()
    for file in (ours, theirs):
        *_, before, last = [e.record for e in Transcript.parse(file.getvalue().splitlines()).entries]
        assert isinstance(before, Said)
        assert (before.name, type(last), last.side) == ("msgs_ack", Ended, Side.CLIENT)


def test_what_was_seen_is_in_the_files_at_once(tmp_path: Path) -> None:
    talk = Talk()
    with Recorder.open(tmp_path / "talk", key_log=tmp_path / "keys", clock=talk.clock) as recorder:
        recorder.client(talk.client)
        talk.server.receive_data(talk.client.data_to_send())
        assert names(Transcript.load(tmp_path / "talk")) == ["req_pq_multi"]
        talk.run()
        assert len(KeyLog.load(tmp_path / "keys").new_nonces) == 1


def test_half_a_frame_is_written_when_the_recorder_is_closed() -> None:
    file = io.StringIO()
    with Recorder(file, clock=lambda: 5.0) as recorder:
        tap = recorder.tap()
        tap("out", b"\xee\xee\xee\xee\x10\0")
    lines = file.getvalue().splitlines()
    assert lines[-1] == (
        '{"event": "unread", "stream": 0, "time": 5.0, "from": "client", "offset": 0, "data": "1000"}'
    )


def test_a_connection_that_is_over_is_not_kept() -> None:
    """A server has many, and one recorder."""
    recorder = Recorder(io.StringIO())
    connections = [Talk(seed=seed).client for seed in range(3)]
    for connection in connections:
        recorder.client(connection)
        connection.data_to_send()
    gone = [weakref.ref(connection) for connection in connections]
    del connection, connections
    gc.collect()
    assert [reference() for reference in gone] == [None] * 3
    recorder.close()


def test_over_tcp(tmp_path: Path) -> None:
    asyncio.run(over_tcp(tmp_path))


async def over_tcp(tmp_path: Path) -> None:
    key = PrivateKey.generate()
    ours, theirs = Recorder.open(tmp_path / "client"), Recorder.open(tmp_path / "server", rsa_keys=[key])
    tapped = Recorder.open(tmp_path / "tap")
    with ours, theirs, tapped:
        async with testing.serve(key=key, on_connection=theirs.server) as server:
            connecting = mtproto.connect(
                server.host,
                server.port,
                keys=[server.public_key],
                obfuscated=True,
                on_connection=ours.client,
                tap=tapped.tap(KeyLog(server.state.keys)),
            )
            async with connecting as client:
                await client.invoke(REQUEST)
    frames = []
    for name in ("client", "server", "tap"):
        transcript = Transcript.load(tmp_path / name)
        assert "account.sendVerifyPhoneCode" in names(transcript)
        assert "auth.sentCode" in names(transcript)
        streams = transcript.streams()[0]
        frames.append([[c.data for c in streams if isinstance(c, Cut) and c.side is side] for side in Side])
        assert not [record for record in streams if record.findings]
    assert frames[0][0] == frames[2][0]
    assert frames[0][0][: len(frames[1][0])] == frames[1][0]  # the server may close before the last of it


def test_a_client_that_comes_back_is_recorded_in_another_stream(tmp_path: Path) -> None:
    async def talk() -> None:
        with Recorder.open(tmp_path / "talk") as recorder:
            async with testing.serve() as server:
                connecting = mtproto.connect(
                    server.host,
                    server.port,
                    keys=[server.public_key],
                    on_connection=recorder.client,
                    sleep=lambda seconds: asyncio.sleep(0),
                )
                async with connecting as client:
                    await client.invoke(REQUEST)
                    await server.restart(keep_sessions=True)
                    await client.invoke(REQUEST)

    asyncio.run(talk())
    transcript = Transcript.load(tmp_path / "talk")
    assert sorted(transcript.streams()) == [0, 1]
    for stream in (0, 1):
        assert "account.sendVerifyPhoneCode" in names(transcript, stream)
    assert "req_pq_multi" not in names(transcript, 1)
