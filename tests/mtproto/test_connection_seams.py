"""Where tests step into a connection: between sealing and framing on the way out, before opening on the way in."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mtproto import api
from mtproto.connection import ClientConnection, ServerConnection, ServerState
from mtproto.envelope import Cipher
from mtproto.errors import LocalProtocolError
from mtproto.events import RequestReceived, TransportErrorReceived
from mtproto.side import Side
from mtproto.transport import FRAMINGS
from tests.mtproto.helpers import TEST_KEY
from tests.mtproto.pair import Pair, agreed_pair

REQUEST = bytes(api.help.GetConfig())


def requests(pair: Pair) -> list[RequestReceived]:
    return [event for event in pair.server_events if isinstance(event, RequestReceived)]


@pytest.mark.parametrize("transport", FRAMINGS)
def test_what_goes_out_may_be_swallowed_repeated_and_sent_later(transport: str) -> None:
    pair = agreed_pair(transport)
    seen: list[bytes] = []

    def swallow(payload: bytes, frame: Callable[[bytes], bytes]) -> bytes:
        seen.append(payload)
        return b""

    def repeat(payload: bytes, frame: Callable[[bytes], bytes]) -> bytes:
        return frame(payload) + frame(payload)

    pair.client.send_request(REQUEST)
    pair.client.outgoing = swallow
    pair.run()
    assert len(seen) == 1
    assert not pair.server_events

    pair.client.outgoing = repeat
    pair.client.send_request(REQUEST)
    pair.run()
    assert len(requests(pair)) == 1
    pair.client.send_payload(seen[0])
    pair.run()
    assert len(requests(pair)) == 2, "frames stay in order, whatever was swallowed before"


@pytest.mark.parametrize("transport", FRAMINGS)
def test_what_comes_in_may_be_swallowed_and_repeated(transport: str) -> None:
    pair = agreed_pair(transport)
    pair.server.incoming = lambda payload: ()
    pair.client.send_request(REQUEST)
    pair.run()
    assert not pair.server_events
    pair.server.incoming = lambda payload: (payload, payload)
    pair.client.send_request(REQUEST)
    pair.run()
    assert len(requests(pair)) == 1
    assert [event.check for event in pair.dropped(Side.SERVER)] == ["S7"]


@pytest.mark.parametrize("transport", FRAMINGS)
def test_a_server_may_say_anything(transport: str) -> None:
    pair = agreed_pair(transport)
    pair.client.ping(1)
    pair.run()
    pair.server.send_payload((-429).to_bytes(4, "little", signed=True))
    pair.run()
    assert TransportErrorReceived(-429) in pair.client_events
    with pytest.raises(LocalProtocolError, match="closed"):
        pair.client.send_payload(REQUEST)


def test_the_key_exchange_passes_there_too() -> None:
    pair = Pair()
    out: list[bytes] = []
    came: list[bytes] = []

    def note(payload: bytes, frame: Callable[[bytes], bytes]) -> bytes:
        out.append(payload)
        return frame(payload)

    def take(payload: bytes) -> tuple[bytes]:
        came.append(payload)
        return (payload,)

    pair.client.outgoing, pair.client.incoming = note, take
    pair.run()
    assert len(out) == 2, "req_DH_params and set_client_DH_params; req_pq_multi was queued before"
    assert len(came) == 3
    assert pair.client.is_ready


def test_what_is_shown_is_sealed() -> None:
    pair = agreed_pair()
    shown: list[bytes] = []

    def note(payload: bytes, frame: Callable[[bytes], bytes]) -> bytes:
        shown.append(payload)
        return frame(payload)

    pair.client.outgoing = note
    pair.client.send_request(REQUEST)
    pair.run()
    (key,) = pair.state.keys.values()
    assert Cipher(key, Side.SERVER).open(shown[0]).body == REQUEST


@pytest.mark.parametrize("transport", FRAMINGS)
def test_a_quick_ack_that_nobody_waits_for_is_ignored(transport: str) -> None:
    pair = agreed_pair(transport)
    token = bytes.fromhex("0badacfc")
    pair.client.send_request(REQUEST)
    pair.run()
    before = len(pair.client_events)
    if transport == "full":
        with pytest.raises(LocalProtocolError, match="has no quick acks"):
            pair.server.send_quick_ack(token)
        return
    pair.server.send_quick_ack(token)
    pair.run()
    assert len(pair.client_events) == before
    pair.server.close()
    with pytest.raises(LocalProtocolError, match="the connection is closed"):
        pair.server.send_quick_ack(token)


def test_a_connection_has_begun_with_its_first_byte_in_either_direction() -> None:
    client = ClientConnection([TEST_KEY.public])
    server = ServerConnection([TEST_KEY], ServerState())
    assert not server.receive_data(b"")
    assert not server.data_to_send()
    assert [client.has_begun, server.has_begun] == [False, False]
    server.receive_data(client.data_to_send()[:1])
    assert [client.has_begun, server.has_begun] == [True, True]
