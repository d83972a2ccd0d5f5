"""What a peer sees of a refusal, and what is left of an exchange: connections and handshakes as wholes."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator

import pytest

from mtproto import service
from mtproto.connection import ClientConnection, ServerConnection, ServerState
from mtproto.crypto.auth_key import AuthKey
from mtproto.envelope import Cipher, Envelope
from mtproto.errors import RemoteProtocolError
from mtproto.events import AnswerReceived, RequestReceived, TransportErrorReceived
from mtproto.handshake import ClientHandshake, ServerHandshake
from mtproto.side import Side
from tests.mtproto.by_hand import HandClient
from tests.mtproto.helpers import TEST_KEY, ManualClock, seeded
from tests.mtproto.pair import agreed_pair

NOT_FOUND = b"\4\0\0\0" + (-404).to_bytes(4, "little", signed=True)
KEY = AuthKey(seeded(7)(256))
HAND = HandClient()


def server_of(*, dc: int | None = None, state: ServerState | None = None) -> ServerConnection:
    """A server that knows `KEY`, to which a client has said that it speaks intermediate."""
    state = state or ServerState(clock=ManualClock(), rng=seeded(1))
    state.add_key(KEY, 1)
    server = ServerConnection([TEST_KEY], state, dc=dc)
    server.receive_data(b"\xee" * 4)
    return server


def frame(payload: bytes) -> bytes:
    return len(payload).to_bytes(4, "little") + payload


def plain(body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return bytes(8) + b"\0\0\0\0\1\0\0\0" + size.to_bytes(4, "little", signed=True) + body


def sealed(*, length: int | None = None, padding: int = 16, msg_key: bytes | None = None) -> bytes:
    """A message of 16 bytes under `KEY`, a ping: with this length, this much padding, this msg_key."""
    envelope = Envelope(1, 2, 1_700_000_000 << 32, 0, bytes(service.Ping(ping_id=1)) + bytes(4))
    return Cipher(KEY, Side.CLIENT).seal(
        envelope, seeded(2), length=length, padding=bytes(padding), msg_key_=msg_key
    )


MESSAGES = {
    "C1: no key id": (bytes(4), "C1"),
    "S1: another key": (b"\1" * 8 + sealed()[8:], "S1"),
    "C2: nothing encrypted": (sealed()[:24], "C2"),
    "C2: a block missing its end": (sealed()[:-4], "C2"),
    "C3: msg_key": (sealed(msg_key=bytes(16)), "C3"),
    "C3: the last bit": (sealed()[:-1] + bytes([sealed()[-1] ^ 1]), "C3"),
    "C5: length below zero": (sealed(length=-4), "C5"),
    "C5: length beyond the end": (sealed(length=2**31 - 4), "C5"),
    "C6: length of 15": (sealed(length=15), "C6"),
    "C7: no padding": (sealed(padding=0), "C7"),
    "C7: padding of 1040": (sealed(padding=1040), "C7"),
    "H13: a plain message cut off": (plain(b"")[:16], "H13"),
    "H13: a plain message of another length": (plain(bytes(8), 4), "H13"),
}


@pytest.mark.parametrize(("payload", "check"), MESSAGES.values(), ids=MESSAGES)
def test_every_message_that_is_refused_gets_404_and_the_end(payload: bytes, check: str) -> None:
    server = server_of()
    with pytest.raises(RemoteProtocolError) as caught:
        server.receive_data(frame(payload))
    assert caught.value.check == check
    assert server.data_to_send() == NOT_FOUND
    assert server.closed
    with pytest.raises(RemoteProtocolError):
        server.receive_data(frame(sealed()))
    assert server.data_to_send() == b""


def test_a_message_that_is_right_is_taken() -> None:
    """Or else nothing above would mean anything."""
    server = server_of()
    server.receive_data(frame(sealed()))
    assert not server.closed
    assert server.data_to_send() not in {b"", NOT_FOUND}


QUERIES = {
    "nothing": b"",
    "no query": b"\xff" * 40,
    "too long": bytes(HAND.req_pq()) + bytes(5000),
    "something behind": bytes(HAND.req_pq()) + bytes(4),
    "not due": bytes(HAND.set_dh()),
    "an exchange of another connection": bytes(HAND.req_dh()),
}


@pytest.mark.parametrize("body", QUERIES.values(), ids=QUERIES)
@pytest.mark.parametrize("has_begun", [False, True])
def test_every_query_that_is_refused_gets_404_and_the_end(body: bytes, has_begun: bool) -> None:
    server = server_of()
    if has_begun:
        server.receive_data(frame(plain(bytes(HAND.req_pq()))))
        assert server.data_to_send()
    with pytest.raises(RemoteProtocolError):
        server.receive_data(frame(plain(body)))
    assert server.data_to_send() == NOT_FOUND
    assert server.closed


def test_an_exchange_belongs_to_its_connection() -> None:
    """Begun in one, it can't go on in another of the same server; where it was begun it can."""
    clock = ManualClock()
    state = ServerState(clock=clock, rng=seeded(1))
    first, second = server_of(state=state), server_of(state=state)
    client = ClientConnection([TEST_KEY.public], clock=clock, rng=seeded(2))
    first.receive_data(client.data_to_send()[4:])
    client.receive_data(first.data_to_send())
    query = client.data_to_send()
    with pytest.raises(RemoteProtocolError, match="not the query that is due"):
        second.receive_data(query)
    first.receive_data(query)
    assert first.data_to_send() not in {b"", NOT_FOUND}


def test_a_client_of_another_data_centre_hears_of_it() -> None:
    clock = ManualClock()
    server = ServerConnection([TEST_KEY], ServerState(clock=clock, rng=seeded(1)), dc=1)
    client = ClientConnection([TEST_KEY.public], dc=2, clock=clock, rng=seeded(2))
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    with pytest.raises(RemoteProtocolError) as caught:
        server.receive_data(client.data_to_send())
    assert caught.value.check == "H16"
    assert client.receive_data(server.data_to_send()) == [TransportErrorReceived(-444)]
    assert client.closed


def test_a_message_that_is_replayed_does_not_take_the_answers_along() -> None:
    """Whoever has recorded it sends it in a connection of his own; the session stays where its client is."""
    pair = agreed_pair()
    pair.client.send_request(b"\1" * 4)
    wire = pair.client.data_to_send()
    (request,) = [e for e in pair.server.receive_data(wire) if isinstance(e, RequestReceived)]
    other = ServerConnection([TEST_KEY], pair.state)
    other.receive_data(wire)
    other.data_to_send()
    pair.server.answer(request.session, request.msg_id, b"\2" * 4)
    assert other.data_to_send() == b""
    events = pair.client.receive_data(pair.server.data_to_send())
    assert [e.body for e in events if isinstance(e, AnswerReceived)] == [b"\2" * 4]


def test_a_session_goes_where_its_client_goes() -> None:
    """With a new message at once, with one that was there before where its connection has ended."""
    pair = agreed_pair()
    pair.client.send_request(b"\1" * 4)
    wire = pair.client.data_to_send()
    (request,) = [e for e in pair.server.receive_data(wire) if isinstance(e, RequestReceived)]
    pair.client.send_request(b"\3" * 4)
    second = ServerConnection([TEST_KEY], pair.state)
    second.receive_data(b"\xee" * 4 + pair.client.data_to_send())
    assert set(second.sessions) == {request.session}
    second.close()
    third = ServerConnection([TEST_KEY], pair.state)
    third.receive_data(wire)
    assert set(third.sessions) == {request.session}


# What is kept


def recording(rng: Callable[[int], bytes], drawn: list[bytes]) -> Callable[[int], bytes]:
    def draw(count: int) -> bytes:
        drawn.append(rng(count))
        return drawn[-1]

    return draw


def kept(holder: object) -> Iterator[bytes]:
    """All bytes, and numbers of 256 bytes as such, that `holder` leads to, but for code and classes."""
    seen, todo = set(), [holder]
    while todo:
        item = todo.pop()
        if id(item) in seen or isinstance(item, type) or hasattr(item, "__code__"):
            continue
        seen.add(id(item))
        if isinstance(item, bytes):
            yield item
        elif isinstance(item, int) and item.bit_length() > 1000:
            yield item.to_bytes(512, "big").lstrip(b"\0")
        todo += gc.get_referents(item)


def test_nothing_is_kept_of_an_exchange_that_is_over() -> None:
    """On either side: neither the nonce that only both know, nor the secret exponents."""
    ours: list[bytes] = []
    theirs: list[bytes] = []
    client = ClientHandshake([TEST_KEY.public], dc=2, clock=float, rng=recording(seeded(1), ours))
    server = ServerHandshake([TEST_KEY], clock=float, rng=recording(seeded(2), theirs))
    query: bytes | None = client.start()
    steps = 0
    while query is not None:
        steps += 1
        query = client.receive(server.receive(query))
        held = {bytes(data) for side in (client._state, server._state) for data in kept(side)}
        if steps == 2:
            assert ours[1] in held  # new_nonce; or else this could see nothing
    assert steps == 3
    secret = {ours[1], *(data for data in (*ours, *theirs) if len(data) == 256)}
    assert len(secret) == 3
    for side in (client, server):
        assert not secret & set(kept({k: v for k, v in vars(side).items() if k != "_context"}))
