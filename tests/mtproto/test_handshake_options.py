"""The key exchange with all options: temporary keys, data centres, a server that refuses, time and sizes."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

import pytest

from mtproto import service
from mtproto.errors import HandshakeFailed, LocalProtocolError
from mtproto.handshake import ClientHandshake, ServerHandshake
from mtproto.handshake.client import MAX_ANSWER
from tests.mtproto.by_hand import (
    NOW,
    PAIR,
    PRIMES,
    SERVER_NONCE,
    B,
    HandClient,
    HandServer,
    client_of,
    server_of,
)
from tests.mtproto.helpers import TEST_KEY, ManualClock, seeded


def agreed(client: ClientHandshake, server: ServerHandshake) -> None:
    body: bytes | None = client.start()
    while body is not None:
        body = client.receive(server.receive(body))


@pytest.mark.parametrize("expires_in", [1, 86400, 2**31 - 1])
def test_temporary_key_has_an_end_on_both_sides(expires_in: int) -> None:
    ours, theirs = ManualClock(NOW + 100), ManualClock(NOW)
    client = ClientHandshake([TEST_KEY.public], dc=2, clock=ours, rng=seeded(1), expires_in=expires_in)
    server = ServerHandshake([TEST_KEY], clock=theirs, rng=seeded(2))
    agreed(client, server)
    assert client.result is not None
    assert server.result is not None
    assert client.result.expires_at == NOW + 100 + expires_in
    assert server.result.expires_at == NOW + expires_in
    assert client.result.time_offset == -100
    assert client.result.auth_key == server.result.auth_key


@pytest.mark.parametrize("expires_in", [0, -1, 2**31, 1.5, True, "60"])
def test_lifetime_that_can_not_be(expires_in: Any) -> None:
    with pytest.raises(LocalProtocolError, match="expires_in"):
        ClientHandshake([TEST_KEY.public], dc=2, clock=float, rng=seeded(1), expires_in=expires_in)


@pytest.mark.parametrize("size", [16, 32, 256])
def test_rng_that_gives_too_little_is_found_out(size: int) -> None:
    """nonce, new_nonce and b of a client, server_nonce and a of a server (H9)."""
    client = ClientHandshake([TEST_KEY.public], dc=2, clock=float, rng=short_of(size))
    with pytest.raises(ValueError, match=f"rng gave {size - 1} bytes, expected {size}"):
        agreed(client, ServerHandshake([TEST_KEY], clock=float, rng=seeded(2)))
    if size != 32:
        server = ServerHandshake([TEST_KEY], clock=float, rng=short_of(size))
        with pytest.raises(ValueError, match=f"rng gave {size - 1} bytes, expected {size}"):
            agreed(ClientHandshake([TEST_KEY.public], dc=2, clock=float, rng=seeded(1)), server)


def short_of(size: int) -> Callable[[int], bytes]:
    """An rng that gives a byte too little where `size` are asked for."""
    rng = seeded(3)
    return lambda count: rng(count - (count == size))


@pytest.mark.parametrize("expires_in", [None, 60])
@pytest.mark.parametrize(("server_dc", "dc"), [(2, 2), (2, -2), (10002, 10002), (10002, -10002), (None, 77)])
def test_client_of_this_data_centre(server_dc: int | None, dc: int, expires_in: int | None) -> None:
    client = ClientHandshake([TEST_KEY.public], dc=dc, clock=float, rng=seeded(1), expires_in=expires_in)
    agreed(client, ServerHandshake([TEST_KEY], clock=float, rng=seeded(2), dc=server_dc))
    assert client.result is not None


@pytest.mark.parametrize("expires_in", [None, 60])
@pytest.mark.parametrize(("server_dc", "dc"), [(2, 1), (2, 10002), (10002, 2), (2, -10002), (-2, 4)])
def test_client_of_another_data_centre(server_dc: int, dc: int, expires_in: int | None) -> None:
    client = ClientHandshake([TEST_KEY.public], dc=dc, clock=float, rng=seeded(1), expires_in=expires_in)
    server = ServerHandshake([TEST_KEY], clock=float, rng=seeded(2), dc=server_dc)
    with pytest.raises(HandshakeFailed) as caught:
        agreed(client, server)
    assert (caught.value.check, caught.value.reply, caught.value.got) == ("H16", -444, dc)


def test_older_forms_do_not_name_a_data_centre() -> None:
    hand = HandClient()
    inner = service.PQInnerData(
        **{name: getattr(hand.inner_data(), name) for name in service.PQInnerData.__slots__}
    )
    server = ServerHandshake(
        [TEST_KEY], clock=float, rng=lambda n: SERVER_NONCE[:n], dc=5, primes=PRIMES, pair=PAIR
    )
    server.receive(bytes(hand.req_pq()))
    assert isinstance(service.decode(server.receive(bytes(hand.req_dh(inner)))), service.ServerDHParamsOk)


def test_server_that_gives_up_says_so() -> None:
    server = ServerHandshake([TEST_KEY], clock=float, rng=seeded(2), is_refused=lambda _: True)
    client = client_of(B)
    with pytest.raises(HandshakeFailed, match="the server refused: dh_gen_fail") as caught:
        agreed(client, server)
    assert caught.value.check == "H11"
    assert (client.result, server.result) == (None, None)
    with pytest.raises(HandshakeFailed, match="not the query that is due"):
        server.receive(bytes(HandClient().set_dh()))


@pytest.mark.parametrize("step", [1, 2, 3])
def test_client_waits_a_minute_at_most(step: int) -> None:
    clock = ManualClock(NOW)
    client = ClientHandshake([TEST_KEY.public], dc=2, clock=clock, rng=seeded(1))
    server = ServerHandshake([TEST_KEY], clock=clock, rng=seeded(2))
    body: bytes | None = client.start()
    for _ in range(step - 1):
        body = client.receive(server.receive(body or b""))
    assert client.deadline == NOW + 60
    clock.advance(59)
    late = server.receive(body or b"")
    copy(client).receive(late)
    clock.advance(1)
    with pytest.raises(HandshakeFailed, match="took too long") as caught:
        client.receive(late)
    assert caught.value.check == "H14"
    client.start()
    assert client.deadline == NOW + 120


@pytest.mark.parametrize("size", [4097, 2**20])
def test_query_too_long_to_be_one(size: int) -> None:
    with pytest.raises(HandshakeFailed, match="too long to be one") as caught:
        server_of().receive(bytes(HandClient().req_pq()) + bytes(size))
    assert caught.value.reply == -404


@pytest.mark.parametrize(
    ("step", "refused"), [(2, "dh_params_fail"), (3, "dh_gen_retry"), (3, "dh_gen_fail")]
)
def test_nothing_may_follow_the_other_answers(step: int, refused: str) -> None:
    hand = HandServer()
    client = client_of(B)
    client.start()
    for good in [hand.res_pq(), hand.dh_params()][: step - 1]:
        client.receive(bytes(good))
    with pytest.raises(HandshakeFailed, match="bytes behind") as caught:
        client.receive(bytes(getattr(hand, refused)()) + bytes(4))
    assert caught.value.check == "H13"


def test_answer_too_long_to_be_one() -> None:
    """What may follow an answer is bounded as well."""
    answer = bytes(HandServer().res_pq())
    client = client_of(B)
    client.start()
    assert copy(client).receive(answer + bytes(MAX_ANSWER - len(answer))) is not None
    with pytest.raises(HandshakeFailed, match="too long to be one") as caught:
        client.receive(answer + bytes(MAX_ANSWER + 1 - len(answer)))
    assert caught.value.check == "H13"
