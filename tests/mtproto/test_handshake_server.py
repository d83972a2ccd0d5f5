"""The server against a client that is not what it should be: all of it ends in one and the same refusal."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import cache, partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tl
from mtproto import service
from mtproto.crypto.telegram_keys import PRODUCTION_KEYS
from mtproto.errors import HandshakeFailed
from mtproto.handshake import ServerHandshake
from mtproto.handshake.server import LIFETIME
from tests.mtproto.by_hand import (
    AUTH_KEY,
    G_B,
    NONCE,
    NOW,
    PRIME,
    B,
    HandClient,
    HandServer,
    as_256,
    changed,
    client_of,
    rsa_pad_by_hand,
    seal_by_hand,
    server_of,
    sha1_padded_by_hand,
)
from tests.mtproto.helpers import TEST_KEY, ManualClock, seeded
from tests.vectors import load

DH = load("dh")
HAND = HandClient()
WRONG = bytes(16)
QUERIES: tuple[tl.TLObject, ...] = (HAND.req_pq(), HAND.req_dh(), HAND.set_dh())


def fresh(step: int, clock: Callable[[], float] = lambda: NOW) -> ServerHandshake:
    """A server that waits for the query of `step`, 1 to 3."""
    server = server_of(clock=clock)
    for query in QUERIES[: step - 1]:
        server.receive(bytes(query))
    return server


waiting = cache(fresh)


def refuse(server: ServerHandshake, query: bytes | tl.TLObject) -> HandshakeFailed:
    """How `server` refuses this; nothing but a new beginning helps then."""
    with pytest.raises(HandshakeFailed) as caught:
        server.receive(bytes(query))
    assert caught.value.reply == -404
    assert server.result is None
    return caught.value


def refusal(step: int, query: bytes | tl.TLObject) -> HandshakeFailed:
    """The same by a server that waits for the query of `step`."""
    server = copy(waiting(step))
    error = refuse(server, query)
    for later in (query, *QUERIES[1:]):
        refuse(server, later)
    return error


def req_dh(**fields: Any) -> service.ReqDHParams:
    """req_DH_params with other values in its inner data."""
    return HAND.req_dh(changed(HAND.inner_data(), **fields))


def set_dh(**fields: Any) -> service.SetClientDHParams:
    """set_client_DH_params with other values in its inner data."""
    return HAND.set_dh(seal_by_hand(bytes(changed(HAND.inner_dh(), **fields))))


def is_dh_gen_ok(answer: bytes) -> bool:
    return isinstance(service.decode(answer), service.DhGenOk)


def test_honest_queries_are_answered() -> None:
    """Or else nothing below would mean anything."""
    server = fresh(3)
    assert server.receive(bytes(QUERIES[2])) == bytes(HandServer().dh_gen_ok())
    assert server.result is not None
    assert server.result.auth_key.data == AUTH_KEY


# req_DH_params

OUTER = {
    "nonce": changed(HAND.req_dh(), nonce=WRONG),
    "server_nonce": changed(HAND.req_dh(), server_nonce=WRONG),
    "p": changed(HAND.req_dh(), p=b"\3"),
    "p empty": changed(HAND.req_dh(), p=b""),
    "p with a leading zero": changed(HAND.req_dh(), p=b"\0" + HAND.p),
    "p and q exchanged": changed(HAND.req_dh(), p=HAND.q, q=HAND.p),
    "q": changed(HAND.req_dh(), q=HAND.p),
    "q with a leading zero": changed(HAND.req_dh(), q=b"\0" + HAND.q),
    "1 and pq": changed(HAND.req_dh(), p=b"\1", q=HAND.pq),
    "fingerprint": changed(HAND.req_dh(), public_key_fingerprint=1),
    "fingerprint of another's key": changed(
        HAND.req_dh(), public_key_fingerprint=PRODUCTION_KEYS[0].fingerprint
    ),
}
BOTH = {
    "p and q exchanged": changed(req_dh(p=HAND.q, q=HAND.p), p=HAND.q, q=HAND.p),
    "1 and pq": changed(req_dh(p=b"\1", q=HAND.pq), p=b"\1", q=HAND.pq),
    "p": changed(req_dh(p=b"\3"), p=b"\3"),
    "q": changed(req_dh(q=b"\3"), q=b"\3"),
    "p with a leading zero": changed(req_dh(p=b"\0" + HAND.p), p=b"\0" + HAND.p),
    "q with a leading zero": changed(req_dh(q=b"\0" + HAND.q), q=b"\0" + HAND.q),
}
INNER = {
    "pq": req_dh(pq=(3 * 5).to_bytes(1, "big")),
    "pq with a leading zero": req_dh(pq=b"\0" + HAND.pq),
    "p": req_dh(p=b"\3"),
    "q": req_dh(q=b"\5"),
    "p and q exchanged": req_dh(p=HAND.q, q=HAND.p),
    "nonce": req_dh(nonce=WRONG),
    "server_nonce": req_dh(server_nonce=WRONG),
    "another object": HAND.req_dh(HAND.inner_dh(), sha1_padded_by_hand),
    "an object of no use": HAND.req_dh(service.Pong(msg_id=1, ping_id=2)),
}


def encrypted(data: bytes) -> service.ReqDHParams:
    return changed(HAND.req_dh(), encrypted_data=data)


DATA = bytes(HAND.inner_data())
CIPHERTEXT = {
    "empty": encrypted(b""),
    "one byte": encrypted(b"\1"),
    "a byte missing": encrypted(rsa_pad_by_hand(DATA)[:-1]),
    "a byte missing in front": encrypted(rsa_pad_by_hand(DATA)[1:]),
    "a byte more": encrypted(rsa_pad_by_hand(DATA) + b"\0"),
    "a zero more in front": encrypted(b"\0" + rsa_pad_by_hand(DATA)),
    "twice": encrypted(rsa_pad_by_hand(DATA) * 2),
    "zeros": encrypted(bytes(256)),
    "one": encrypted(as_256(1)),
    "ones": encrypted(b"\xff" * 256),
    "n": encrypted(as_256(TEST_KEY.n)),
    "n - 1": encrypted(as_256(TEST_KEY.n - 1)),
    "random": encrypted(seeded(1)(256)),
    "a bit flipped": encrypted(as_256(int.from_bytes(rsa_pad_by_hand(DATA), "big") ^ 1)),
    "to another key": encrypted(rsa_pad_by_hand(DATA, PRODUCTION_KEYS[0])),
    "in the clear": encrypted(DATA + bytes(256 - len(DATA))),
    "no object, RSA_PAD": encrypted(rsa_pad_by_hand(bytes(100))),
    "no object, SHA1": encrypted(sha1_padded_by_hand(bytes(100))),
    "wrong SHA1": encrypted(sha1_padded_by_hand(DATA, digest=bytes(20))),
}


@pytest.mark.parametrize("query", OUTER.values(), ids=OUTER)
def test_wrong_req_dh_params(query: tl.TLObject) -> None:
    assert refusal(2, query).check == "S9"


@pytest.mark.parametrize("query", BOTH.values(), ids=BOTH)
def test_wrong_factors_inside_and_outside(query: tl.TLObject) -> None:
    assert refusal(2, query).check == "S9"


@pytest.mark.parametrize("query", INNER.values(), ids=INNER)
def test_wrong_inner_data(query: tl.TLObject) -> None:
    assert refusal(2, query).check == "S9"


@pytest.mark.parametrize("query", CIPHERTEXT.values(), ids=CIPHERTEXT)
def test_wrong_encrypted_data(query: tl.TLObject) -> None:
    assert refusal(2, query).message == "encrypted_data that is neither RSA_PAD nor SHA1-padded"


def test_decrypt_may_not_give_nonsense() -> None:
    server = ServerHandshake([], clock=float, rng=seeded(1), fingerprints=[1], decrypt=lambda *_: b"nonsense")
    res_pq = service.decode(server.receive(bytes(HAND.req_pq())), service.ResPQ)
    assert res_pq.server_public_key_fingerprints == [1]
    client = client_of(B)
    client.start()
    res_pq = changed(res_pq, server_public_key_fingerprints=[TEST_KEY.public.fingerprint])
    query = service.decode(client.receive(bytes(res_pq)) or b"", service.ReqDHParams)
    assert refuse(server, changed(query, public_key_fingerprint=1)).check == "S9"


def test_key_that_is_offered_but_not_there() -> None:
    server = ServerHandshake([TEST_KEY], clock=float, rng=seeded(1), fingerprints=[1])
    res_pq = service.decode(server.receive(bytes(HAND.req_pq())), service.ResPQ)
    client = client_of(B)
    client.start()
    res_pq = changed(res_pq, server_public_key_fingerprints=[TEST_KEY.public.fingerprint])
    query = service.decode(client.receive(bytes(res_pq)) or b"", service.ReqDHParams)
    assert refuse(copy(server), query).check == "S9"
    assert refuse(server, changed(query, public_key_fingerprint=1)).check == "S9"


# set_client_DH_params

SET_DH = {
    "nonce": changed(HAND.set_dh(), nonce=WRONG),
    "server_nonce": changed(HAND.set_dh(), server_nonce=WRONG),
    "inner nonce": set_dh(nonce=WRONG),
    "inner server_nonce": set_dh(server_nonce=WRONG),
    "retry_id": set_dh(retry_id=1),
    "g_b empty": set_dh(g_b=b""),
    "g_b too long": set_dh(g_b=b"\0" + as_256(G_B)),
    "g_b much too long": set_dh(g_b=bytes(1000)),
    "g_b the prime": set_dh(g_b=as_256(PRIME)),
    "empty": HAND.set_dh(b""),
    "one block": HAND.set_dh(bytes(16)),
    "a byte missing": HAND.set_dh(seal_by_hand(bytes(HAND.inner_dh()))[:-1]),
    "a block missing": HAND.set_dh(seal_by_hand(bytes(HAND.inner_dh()))[:-16]),
    "a block more": HAND.set_dh(seal_by_hand(bytes(HAND.inner_dh())) + bytes(16)),
    "random": HAND.set_dh(seeded(2)(336)),
    "wrong SHA1": HAND.set_dh(seal_by_hand(bytes(HAND.inner_dh()), digest=bytes(20))),
    "too much padding": HAND.set_dh(seal_by_hand(bytes(HAND.inner_dh()), padding=bytes(28))),
    "SHA1 of the padding too": HAND.set_dh(seal_by_hand(bytes(HAND.inner_dh()) + bytes(12))),
    "another object": HAND.set_dh(seal_by_hand(bytes(HandServer().inner_dh()))),
    "no object": HAND.set_dh(seal_by_hand(bytes(300))),
    "in the clear": HAND.set_dh(bytes(HAND.inner_dh()) + bytes(-len(bytes(HAND.inner_dh())) % 16)),
}


@pytest.mark.parametrize("query", SET_DH.values(), ids=SET_DH)
def test_wrong_set_client_dh_params(query: tl.TLObject) -> None:
    refusal(3, query)


@pytest.mark.parametrize("case", DH["g_a_cases_for_current_prime"], ids=lambda c: c["name"])
def test_limits_of_g_b(case: dict[str, Any]) -> None:
    query = set_dh(g_b=bytes.fromhex(case["g_a"]))
    if case["accept"]:
        assert is_dh_gen_ok(copy(waiting(3)).receive(bytes(query)))
    elif case["accept"] is False:
        refusal(3, query)


def test_g_b_without_its_leading_zeros_is_accepted() -> None:
    secret, public = (int(DH["exponentiation"][1][name], 16) for name in ("b", "g_b"))
    assert public < 2**2040
    server = fresh(3)
    assert server.receive(bytes(set_dh(g_b=public.to_bytes(255, "big"))))
    shared = pow(int(HandServer().inner_dh().g_a.hex(), 16), secret, PRIME)
    assert server.result is not None
    assert server.result.auth_key.data == as_256(shared)


# Order and shape

OTHERS = [
    *QUERIES[1:],
    HandServer().res_pq(),
    HandServer().dh_params(),
    HandServer().dh_gen_ok(),
    HAND.inner_data(),
    HAND.inner_dh(),
    service.Ping(ping_id=1),
    service.MsgsAck(msg_ids=[1]),
    service.DestroyAuthKey(),
]


@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("query", OTHERS, ids=lambda query: query.TL_NAME)
def test_query_that_is_not_due(step: int, query: tl.TLObject) -> None:
    if query is not QUERIES[step - 1]:
        server = fresh(step)
        if step > 1 and query == QUERIES[step - 2]:
            server.receive(bytes(query))  # repeated, see below
        else:
            assert refuse(server, query).check == "S9"


@pytest.mark.parametrize("step", [1, 2, 3])
def test_query_that_is_none(step: int) -> None:
    good = bytes(QUERIES[step - 1])
    for garbage in (b"", b"\0", bytes(40), b"\xff" * 40, good[:-1], good[:-4], good[:4], good[4:]):
        assert refusal(step, garbage).check == "S9"


@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("more", [b"\0", bytes(4), bytes(100)])
def test_nothing_may_follow_a_query(step: int, more: bytes) -> None:
    assert refusal(step, bytes(QUERIES[step - 1]) + more).check == "S9"


def test_every_refusal_is_the_same_to_the_peer() -> None:
    """-404 and nothing else: the error that differs is for our own eyes."""
    errors = [refusal(2, query) for query in [*OUTER.values(), *INNER.values(), *CIPHERTEXT.values()]]
    errors += [refusal(3, query) for query in SET_DH.values()]
    errors += [refusal(step, b"") for step in (1, 2, 3)]
    assert {error.reply for error in errors} == {-404}


# Repetition, beginning again, time


def test_repeated_query_gets_the_same_answer() -> None:
    server = server_of()
    for step, query in enumerate(QUERIES, 1):
        answer = server.receive(bytes(query))
        result = server.result
        for _ in range(3):
            assert server.receive(bytes(query)) == answer
        assert server.result is result
        assert (result is not None) == (step == 3)


def test_repetition_is_told_by_every_byte() -> None:
    """With another padding it is not the same query, though it says the same."""
    inner = bytes(HAND.inner_dh())
    server = fresh(3)
    server.receive(bytes(HAND.set_dh(seal_by_hand(inner, padding=bytes(12)))))
    refuse(server, HAND.set_dh(seal_by_hand(inner, padding=b"\1" * 12)))


def test_older_query_is_not_repeated() -> None:
    server = fresh(3)
    server.receive(bytes(QUERIES[2]))
    refuse(server, QUERIES[1])


@pytest.mark.parametrize("step", [1, 2, 3, 4])
@pytest.mark.parametrize("first", [service.ReqPq, service.ReqPqMulti])
def test_exchange_may_begin_again_at_any_time(
    step: int, first: type[service.ReqPq] | type[service.ReqPqMulti]
) -> None:
    server = fresh(step)
    answer = server.receive(bytes(first(nonce=b"n" * 16)))
    assert service.decode(answer, service.ResPQ).nonce == b"n" * 16
    assert server.result is None
    refuse(copy(server), QUERIES[1])
    for query in QUERIES:
        answer = server.receive(bytes(query))
    assert answer == bytes(HandServer().dh_gen_ok())
    assert server.result is not None


@pytest.mark.parametrize("step", [1, 2, 3])
def test_exchange_may_begin_again_after_a_refusal(step: int) -> None:
    server = fresh(step)
    refuse(server, b"")
    for query in QUERIES:
        answer = server.receive(bytes(query))
    assert answer == bytes(HandServer().dh_gen_ok())


def test_nonces_and_primes_of_a_new_beginning_are_new() -> None:
    server = ServerHandshake([TEST_KEY], clock=float, rng=seeded(3))
    one, other = (
        service.decode(server.receive(bytes(service.ReqPqMulti(nonce=nonce))), service.ResPQ)
        for nonce in (NONCE, WRONG)
    )
    assert one.server_nonce != other.server_nonce
    assert one.pq != other.pq


@pytest.mark.parametrize("step", [2, 3])
def test_exchange_takes_ten_minutes_at_most(step: int) -> None:
    assert LIFETIME == 600
    clock = ManualClock(NOW)
    server = fresh(step, clock)
    clock.advance(600)
    assert copy(server).receive(bytes(QUERIES[step - 1]))
    assert copy(server).receive(bytes(QUERIES[step - 2]))
    clock.advance(1)
    assert "too long" in str(refuse(copy(server), QUERIES[step - 1]))
    if step == 3:
        refuse(copy(server), QUERIES[1])
    assert server.receive(bytes(QUERIES[0]))


def test_last_answer_is_not_repeated_after_ten_minutes() -> None:
    clock = ManualClock(NOW)
    server = fresh(4, clock)
    clock.advance(601)
    refuse(server, QUERIES[2])


def test_ten_minutes_are_counted_from_the_last_beginning() -> None:
    clock = ManualClock(NOW)
    server = fresh(2, clock)
    clock.advance(599)
    server.receive(bytes(service.ReqPqMulti(nonce=WRONG)))
    server.receive(bytes(QUERIES[0]))
    clock.advance(599)
    assert server.receive(bytes(QUERIES[1]))


def test_temporary_key_expires_from_the_time_of_its_query() -> None:
    clock = ManualClock(NOW)
    server = fresh(2, clock)
    clock.advance(100)
    inner = HAND.inner_data()
    temporary = service.PQInnerDataTempDc(
        **{name: getattr(inner, name) for name in ("pq", "p", "q", "nonce", "server_nonce", "new_nonce")},
        dc=2,
        expires_in=3600,
    )
    server.receive(bytes(HAND.req_dh(temporary)))
    clock.advance(50)
    server.receive(bytes(QUERIES[2]))
    assert server.result is not None
    assert server.result.expires_at == NOW + 100 + 3600


@pytest.mark.parametrize("expires_in", [0, -1, -(2**31)])
def test_temporary_key_that_is_over_before_it_begins_is_refused(expires_in: int) -> None:
    inner = HAND.inner_data()
    temporary = service.PQInnerDataTemp(
        **{name: getattr(inner, name) for name in ("pq", "p", "q", "nonce", "server_nonce", "new_nonce")},
        expires_in=expires_in,
    )
    refuse(fresh(2), HAND.req_dh(temporary))


# Anything at all


@given(st.sampled_from([1, 2, 3]), st.binary(max_size=120))
@settings(max_examples=100)
def test_any_bytes_are_refused(step: int, data: bytes) -> None:
    refusal(step, data)


@given(st.sampled_from([1, 2, 3]), st.integers(0, 2**16), st.sampled_from([1, 16, 128, 255]))
@settings(max_examples=100)
def test_any_changed_byte_is_refused(step: int, at: int, change: int) -> None:
    """In all but the nonce of the first query, which is the client's own."""
    query = bytearray(bytes(QUERIES[step - 1]))
    at %= len(query)
    query[at] ^= change
    if step == 1 and at >= 4:
        assert copy(waiting(step)).receive(bytes(query))
    else:
        refusal(step, bytes(query))


@given(st.sampled_from([1, 2, 3]), st.integers(0, 2**16), st.binary(max_size=9), st.integers(0, 9))
@settings(max_examples=100)
def test_any_replaced_piece_is_refused(step: int, at: int, piece: bytes, length: int) -> None:
    good = bytes(QUERIES[step - 1])
    at %= len(good)
    bad = good[:at] + piece + good[at + length :]
    if bad == good or (step == 1 and len(bad) == len(good) and bad[:4] == good[:4]):
        assert copy(waiting(step)).receive(bad)
    else:
        refusal(step, bad)


@given(st.integers(0, 2**16), st.integers(1, 255), st.booleans())
@settings(max_examples=60)
def test_any_changed_byte_inside_the_encryption_is_refused(at: int, change: int, honest_digest: bool) -> None:
    data = bytearray(bytes(HAND.inner_dh()))
    at %= len(data)
    data[at] ^= change
    seal = partial(seal_by_hand, digest=None if honest_digest else bytes(20))
    query = HAND.set_dh(seal(bytes(data)))
    is_another_g_b = at >= len(data) - 256
    if honest_digest and is_another_g_b and 2**1984 <= int.from_bytes(data[-256:]) <= PRIME - 2**1984:
        assert is_dh_gen_ok(copy(waiting(3)).receive(bytes(query)))
    else:
        refusal(3, query)
