"""A server's end of a connection: which transports it takes, its ciphers, and the end of the stream during work."""

from __future__ import annotations

import pytest

from mtproto import api
from mtproto.connection import ClientConnection, ServerConnection, ServerState
from mtproto.crypto.auth_key import AuthKey
from mtproto.envelope import Cipher, Envelope
from mtproto.errors import FramingError, LocalProtocolError
from mtproto.events import ClientEvent, KeyAgreed, RequestReceived, ServerEvent, TransportErrorReceived
from mtproto.side import Side
from mtproto.testing import serve
from mtproto.transport import framing
from tests.mtproto.helpers import TEST_KEY, ManualClock, seeded
from tests.mtproto.pair import Pair


def connections() -> tuple[ClientConnection, ServerConnection]:
    clock = ManualClock()
    client = ClientConnection([TEST_KEY.public], clock=clock, rng=seeded(1))
    return client, ServerConnection([TEST_KEY], ServerState(clock=clock, rng=seeded(2)))


def finish(connection: ClientConnection | ServerConnection) -> list[ClientEvent | ServerEvent]:
    events: list[ClientEvent | ServerEvent] = []
    while connection.work is not None:
        events += connection.finish_work(connection.work.run())
    return events


# The stream ends while there is work


def waiting_client(behind: bytes) -> ClientConnection:
    """A client with pq to be factored, and `behind` in the stream after that."""
    client, server = connections()
    client.defer_work = True
    server.receive_data(client.data_to_send())
    assert client.receive_data(server.data_to_send() + behind) == []
    assert client.work is not None
    return client


def test_frames_before_the_end_wait_for_the_work_and_are_not_lost() -> None:
    client = waiting_client(framing("intermediate", Side.SERVER).encode_code(-429))
    client.receive_eof()
    assert client.receive_data(b"more") == []  # there is nothing behind the end
    assert finish(client) == [TransportErrorReceived(-429)]
    assert client.closed
    assert client.failure is None


@pytest.mark.parametrize("code", [b"", framing("intermediate", Side.SERVER).encode_code(-429)])
def test_an_end_inside_a_frame_is_told_behind_the_frames_that_wait(code: bytes) -> None:
    client = waiting_client(code + b"\x10\0")
    client.receive_eof()
    if code:
        assert finish(client) == [TransportErrorReceived(-429)]
    else:
        with pytest.raises(FramingError, match="ends inside a frame"):
            finish(client)
    assert client.closed
    assert isinstance(client.failure, FramingError)


def test_a_server_finishes_the_key_of_a_client_that_has_left() -> None:
    client, server = connections()
    server.defer_work = True
    for _ in range(2):
        server.receive_data(client.data_to_send())
        finish(server)
        client.receive_data(server.data_to_send())
    server.receive_data(client.data_to_send())
    assert server.work is not None
    server.receive_eof()
    assert [type(event) for event in finish(server)] == [KeyAgreed]
    assert server.closed


# Ciphers


def test_a_client_with_many_keys_is_not_remembered_with_all_of_them() -> None:
    clock = ManualClock()
    state = ServerState(clock=clock, rng=seeded(2), max_keys=5)
    server = ServerConnection([TEST_KEY], state)
    wire = framing("intermediate", Side.CLIENT)
    server.receive_data(wire.prefix)
    for number in range(30):
        key = AuthKey(seeded(number)(256))
        state.add_key(key, 1)
        kept = []
        for low in (0, 4):
            msg_id = (int(clock()) << 32) + low
            envelope = Envelope(1, number + 1, msg_id, low // 2 + 1, b"\x78\x97\x46\x60" * 3)
            server.receive_data(wire.encode(Cipher(key, Side.CLIENT).seal(envelope, seeded(9))))
            kept.append(server._ciphers[key.key_id])
        assert kept[0] is kept[1]
        assert len(server._ciphers) <= 5


# A server that is started again


def test_keys_and_salts_outlive_a_restart_and_sessions_do_not() -> None:
    before = Pair()
    before.run()
    agreed = next(e for e in before.client_events if isinstance(e, KeyAgreed))
    key_id = agreed.auth_key.key_id
    salt = before.state.salts[key_id].rotate(before.clock(), keep_previous=False)
    before.client.send_request(bytes(api.help.GetConfig()))
    before.run()
    assert len(before.state.sessions) == 1

    state = before.state.restarted()
    assert (state.key(key_id), state.sessions) == (agreed.auth_key, {})
    assert state.salts[key_id].current(before.clock()) == salt
    server = ServerConnection([TEST_KEY], state)
    client = ClientConnection(
        auth_key=agreed.auth_key, server_salt=salt, time_offset=0.0, clock=before.clock, rng=seeded(3)
    )
    client.send_request(bytes(api.help.GetConfig()))
    received = server.receive_data(client.data_to_send())
    assert [type(event) for event in received] == [RequestReceived]


def test_a_loopback_server_with_a_state_keeps_its_time() -> None:
    state = ServerState(clock=ManualClock(), rng=seeded(2))
    server = serve(state=state, key=TEST_KEY)
    assert server.state is state
    config = server.default_handlers()[api.help.GetConfig](api.help.GetConfig())
    assert isinstance(config, api.Config)
    assert config.date == 1_700_000_000


# Which transports are taken


def test_a_server_may_take_one_transport_only() -> None:
    state = ServerState(clock=ManualClock(), rng=seeded(2))
    server = ServerConnection([TEST_KEY], state, transport="abridged", obfuscated=True)
    with pytest.raises(FramingError) as caught:
        server.receive_data(framing("abridged", Side.CLIENT).prefix)
    assert caught.value.check == "X11"
    assert (caught.value.got, caught.value.expected) == ("abridged", "obfuscated abridged")
    assert server.closed
    assert server.data_to_send() == b""


def test_transports_that_nobody_could_speak_are_refused_at_once() -> None:
    for transport, obfuscated, secret in (
        ("udp", False, None),
        ("full", True, None),
        ("full", False, "00" * 16),
    ):
        with pytest.raises(LocalProtocolError, match=r"no framing is called|can't be obfuscated"):
            serve(transport=transport, obfuscated=obfuscated, mtproxy_secret=secret, key=TEST_KEY)
