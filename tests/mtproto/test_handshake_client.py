"""The client against a server that is not what it should be: every check of the key exchange, one by one."""

from __future__ import annotations

from contextlib import suppress
from copy import copy
from functools import cache
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tl
from mtproto import service
from mtproto.errors import HandshakeFailed
from mtproto.handshake import ClientHandshake
from mtproto.handshake.client import MAX_FINGERPRINTS, MAX_SERVER_TIME
from tests.mtproto.by_hand import (
    AUTH_KEY,
    G_A,
    NOW,
    PRIME,
    B,
    HandServer,
    as_256,
    changed,
    client_of,
    new_nonce_hash,
    seal_by_hand,
)
from tests.mtproto.helpers import TEST_KEY
from tests.vectors import load

DH = load("dh")
PQ = load("pq")
HAND = HandServer()
WRONG = bytes(16)
ANSWERS: tuple[tl.TLObject, ...] = (HAND.res_pq(), HAND.dh_params(), HAND.dh_gen_ok())


def fresh(step: int) -> ClientHandshake:
    """A client that waits for the answer of `step`, 1 to 3."""
    client = client_of(B)
    client.start()
    for answer in ANSWERS[: step - 1]:
        assert client.receive(bytes(answer)) is not None
    return client


waiting = cache(fresh)


def failure(step: int, answer: bytes | tl.TLObject) -> HandshakeFailed:
    """How the client that waits for the answer of `step` refuses this one; it is of no more use then."""
    client = copy(waiting(step))
    with pytest.raises(HandshakeFailed) as caught:
        client.receive(bytes(answer))
    assert client.result is None
    for later in (*ANSWERS, answer):
        with pytest.raises(HandshakeFailed, match="no query is open"):
            client.receive(bytes(later))
    assert f"[{caught.value.check}]" in str(caught.value)
    return caught.value


def dh_params(**fields: Any) -> service.ServerDHParamsOk:
    """server_DH_params_ok with other values in its inner data."""
    return HAND.dh_params(seal_by_hand(bytes(changed(HAND.inner_dh(), **fields))))


def test_honest_answers_are_accepted() -> None:
    """Or else nothing below would mean anything."""
    client = fresh(3)
    assert client.receive(bytes(ANSWERS[2])) is None
    assert client.result is not None
    assert client.result.auth_key.data == AUTH_KEY


# H1: nonces


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        (1, changed(HAND.res_pq(), nonce=WRONG)),
        (2, changed(HAND.dh_params(), nonce=WRONG)),
        (2, changed(HAND.dh_params(), server_nonce=WRONG)),
        (2, changed(HAND.dh_params_fail(), nonce=WRONG)),
        (2, changed(HAND.dh_params_fail(), server_nonce=WRONG)),
        (2, dh_params(nonce=WRONG)),
        (2, dh_params(server_nonce=WRONG)),
        (3, changed(HAND.dh_gen_ok(), nonce=WRONG)),
        (3, changed(HAND.dh_gen_ok(), server_nonce=WRONG)),
        (3, changed(HAND.dh_gen_retry(), nonce=WRONG)),
        (3, changed(HAND.dh_gen_retry(), server_nonce=WRONG)),
        (3, changed(HAND.dh_gen_fail(), nonce=WRONG)),
        (3, changed(HAND.dh_gen_fail(), server_nonce=WRONG)),
    ],
)
def test_wrong_nonce(step: int, answer: tl.TLObject) -> None:
    assert failure(step, answer).check == "H1"


def test_nonces_are_compared_whole() -> None:
    for bit in range(128):
        for name in ("nonce", "server_nonce"):
            right = int.from_bytes(getattr(HAND.dh_gen_ok(), name), "big")
            answer = changed(HAND.dh_gen_ok(), **{name: (right ^ 1 << bit).to_bytes(16, "big")})
            assert failure(3, answer).check == "H1"


# H2: pq


BAD_PQ = {case["why"].split(" (")[0]: bytes.fromhex(case["pq_bytes"]) for case in PQ["bad"]} | {
    "leading zero": b"\0" + bytes.fromhex(PQ["cases"][0]["pq_bytes"]),
    "two": b"\2",
    "three": b"\3",
    "four": b"\4",
    "2**63": (2**63).to_bytes(8, "big"),
    "largest prime below 2**63": (2**63 - 25).to_bytes(8, "big"),
    "square of a 31-bit prime": ((2**31 - 1) ** 2).to_bytes(8, "big"),
    "cube": (1009**3).to_bytes(4, "big"),
    "three large primes": (2097143 * 2097133 * 2097131).to_bytes(8, "big"),
    "256 bytes": b"\7" * 256,
}


@pytest.mark.parametrize("pq", BAD_PQ.values(), ids=BAD_PQ)
def test_bad_pq(pq: bytes) -> None:
    answer = changed(HAND.res_pq(), pq=pq)
    assert failure(1, answer).check == "H2"
    assert quickest(answer) < 0.1


def quickest(answer: tl.TLObject) -> float:
    """Seconds for the client's answer to resPQ, the best of three."""
    times = []
    for _ in range(3):
        client, begun = copy(waiting(1)), process_time()
        with suppress(HandshakeFailed):
            client.receive(bytes(answer))
        times.append(process_time() - begun)
    return min(times)


@pytest.mark.parametrize("case", PQ["cases"], ids=lambda case: case["pq"])
def test_good_pq(case: dict[str, str]) -> None:
    answer = changed(HAND.res_pq(), pq=bytes.fromhex(case["pq_bytes"]))
    query = copy(waiting(1)).receive(bytes(answer))
    sent = service.decode(query or b"", service.ReqDHParams)
    assert (sent.p.hex(), sent.q.hex()) == (case["p_bytes"], case["q_bytes"])
    assert quickest(answer) < 0.1


# H3: RSA keys


@pytest.mark.parametrize(
    "fingerprints",
    [
        [],
        [TEST_KEY.public.fingerprint + 1],
        [1, 2, 3, -(2**63), 2**63 - 1],
        [*range(MAX_FINGERPRINTS), TEST_KEY.public.fingerprint],
    ],
    ids=["none", "another", "others", "ours behind too many"],
)
def test_no_key_of_ours(fingerprints: list[int]) -> None:
    answer = changed(HAND.res_pq(), server_public_key_fingerprints=fingerprints)
    error = failure(1, answer)
    assert error.check == "H3"
    assert error.expected == f"{TEST_KEY.public.fingerprint % 2**64:016x}"


def test_no_work_is_done_for_a_server_with_none_of_our_keys() -> None:
    answer = changed(HAND.res_pq(), server_public_key_fingerprints=[1])
    with pytest.raises(HandshakeFailed, match="H3"):
        next(copy(waiting(1)).receiving(bytes(answer)))


def test_our_key_among_others() -> None:
    ours = TEST_KEY.public.fingerprint
    fingerprints = [*range(MAX_FINGERPRINTS - 1), ours]
    answer = changed(HAND.res_pq(), server_public_key_fingerprints=fingerprints)
    query = copy(waiting(1)).receive(bytes(answer))
    assert service.decode(query or b"", service.ReqDHParams).public_key_fingerprint == ours


# H5: the encryption of server_DH_inner_data

INNER = bytes(HAND.inner_dh())  # 564 bytes, which need 8 of padding
SHORT = bytes(changed(HAND.inner_dh(), g_a=as_256(G_A)[:248]))  # 556 bytes, no padding

UNSOUND = {
    "empty": b"",
    "one block": bytes(16),
    "half a block more": seal_by_hand(INNER) + bytes(8),
    "a byte missing": seal_by_hand(INNER)[:-1],
    "a block missing": seal_by_hand(INNER)[:-16],
    "two blocks of zeros": bytes(32),
    "SHA1 of zeros": seal_by_hand(INNER, digest=bytes(20)),
    "SHA1 with a bit flipped": seal_by_hand(INNER[:100] + bytes([INNER[100] ^ 1]) + INNER[101:], digest=b""),
    "padding of 24": seal_by_hand(INNER, padding=bytes(24)),
    "padding of 16": seal_by_hand(SHORT, padding=bytes(16)),
    "padding of 1032": seal_by_hand(INNER, padding=bytes(1032)),
    "another object": seal_by_hand(bytes(HAND.dh_gen_ok())),
    "an object cut off": seal_by_hand(INNER[:-4]),
    "SHA1 of the padding too": seal_by_hand(INNER + bytes(8)),
    "no object": seal_by_hand(bytes(300)),
}


@pytest.mark.parametrize("encrypted", UNSOUND.values(), ids=UNSOUND)
def test_unsound_inner_data(encrypted: bytes) -> None:
    assert failure(2, HAND.dh_params(encrypted)).check == "H5"


@pytest.mark.parametrize(("size", "padding"), [(256, 8), (252, 12), (250, 0), (248, 0)])
def test_sound_inner_data_of_other_lengths(size: int, padding: int) -> None:
    """Up to 15 bytes of padding; a g_a as short as 248 bytes is too small a number."""
    encrypted = seal_by_hand(bytes(changed(HAND.inner_dh(), g_a=as_256(G_A)[:size])), padding=bytes(padding))
    if size == 248:
        assert failure(2, HAND.dh_params(encrypted)).check == "H8"
    else:
        assert copy(waiting(2)).receive(bytes(HAND.dh_params(encrypted))) is not None


def test_flipped_bits_of_the_inner_data() -> None:
    encrypted = seal_by_hand(INNER)
    for at in range(0, 8 * len(encrypted), 97):
        flipped = (int.from_bytes(encrypted, "big") ^ 1 << at).to_bytes(len(encrypted), "big")
        assert failure(2, HAND.dh_params(flipped)).check == "H5"


def test_soundness_is_checked_before_content() -> None:
    inner = bytes(changed(HAND.inner_dh(), nonce=WRONG, g=0, dh_prime=b"", g_a=b""))
    assert failure(2, HAND.dh_params(seal_by_hand(inner, digest=bytes(20)))).check == "H5"


# H6 to H8: the group and g_a


@pytest.mark.parametrize("case", DH["bad_primes"], ids=lambda case: case["name"])
def test_bad_prime(case: dict[str, str]) -> None:
    """Before anything is done with it, so whatever g and g_a are."""
    assert failure(2, dh_params(dh_prime=bytes.fromhex(case["p"]))).check == "H6"
    assert failure(2, dh_params(dh_prime=bytes.fromhex(case["p"]), g=0, g_a=b"")).check == "H6"


@pytest.mark.parametrize("prime", [as_256(PRIME)[1:], b"\0" + as_256(PRIME), as_256(PRIME)[::-1]])
def test_prime_in_another_form(prime: bytes) -> None:
    assert failure(2, dh_params(dh_prime=prime)).check == "H6"


@pytest.mark.parametrize("g", [*DH["good_primes"][0]["bad_g"], *DH["bad_g_values"], -(2**31)])
def test_bad_g(g: int) -> None:
    assert failure(2, dh_params(g=g)).check == "H7"


@pytest.mark.parametrize("g", DH["good_primes"][0]["good_g"])
def test_good_g(g: int) -> None:
    assert fresh(2).receive(bytes(dh_params(g=g))) is not None


def test_another_safe_prime_is_accepted() -> None:
    """RFC 3526, group 14: not Telegram's, but nothing is wrong with it."""
    prime = bytes.fromhex(DH["good_primes"][1]["p"])
    assert fresh(2).receive(bytes(dh_params(dh_prime=prime, g=2))) is not None


@pytest.mark.parametrize(
    "case", [c for c in DH["g_a_cases_for_current_prime"] if c["accept"] is not None], ids=lambda c: c["name"]
)
def test_limits_of_g_a(case: dict[str, Any]) -> None:
    answer = dh_params(g_a=bytes.fromhex(case["g_a"]))
    if case["accept"]:
        assert copy(waiting(2)).receive(bytes(answer)) is not None
    else:
        assert failure(2, answer).check == "H8"


@pytest.mark.parametrize("g_a", [b"", b"\0" * 256, b"\0" + as_256(G_A), as_256(G_A) + b"\0", bytes(1000)])
def test_g_a_of_a_wrong_length(g_a: bytes) -> None:
    assert failure(2, dh_params(g_a=g_a)).check == "H8"


def test_g_a_without_its_leading_zeros_is_accepted() -> None:
    secret, public = (int(DH["exponentiation"][1][name], 16) for name in ("b", "g_b"))
    assert public < 2**2040
    client = fresh(2)
    client.receive(bytes(dh_params(g_a=public.to_bytes(255, "big"))))
    auth_key = as_256(pow(pow(3, B, PRIME), secret, PRIME))
    assert client.receive(bytes(HAND.dh_gen_ok(auth_key))) is None
    assert client.result is not None
    assert client.result.auth_key.data == auth_key


# H12: the server's clock


@pytest.mark.parametrize("server_time", [-(2**31), -1, MAX_SERVER_TIME, 2**31 - 10, 2**31 - 1])
def test_server_time_that_can_not_be(server_time: int) -> None:
    error = failure(2, dh_params(server_time=server_time))
    assert (error.check, error.got) == ("H12", server_time)


@pytest.mark.parametrize("server_time", [0, int(NOW) + 10**8, MAX_SERVER_TIME - 1])
def test_server_time_that_can_be(server_time: int) -> None:
    client = fresh(2)
    assert client.receive(bytes(dh_params(server_time=server_time))) is not None


# H10, H11: the last answer, and refusals


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        (2, changed(HAND.dh_params_fail(), new_nonce_hash=WRONG)),
        (2, changed(HAND.dh_params_fail(), new_nonce_hash=new_nonce_hash(1))),
        (3, changed(HAND.dh_gen_ok(), new_nonce_hash1=WRONG)),
        (3, changed(HAND.dh_gen_ok(), new_nonce_hash1=new_nonce_hash(2))),
        (3, changed(HAND.dh_gen_ok(), new_nonce_hash1=new_nonce_hash(3))),
        (3, HAND.dh_gen_ok(bytes(256))),
        (3, changed(HAND.dh_gen_retry(), new_nonce_hash2=WRONG)),
        (3, changed(HAND.dh_gen_retry(), new_nonce_hash2=new_nonce_hash(1))),
        (3, HAND.dh_gen_retry(bytes(256))),
        (3, changed(HAND.dh_gen_fail(), new_nonce_hash3=WRONG)),
        (3, changed(HAND.dh_gen_fail(), new_nonce_hash3=new_nonce_hash(1))),
        (3, HAND.dh_gen_fail(bytes(256))),
    ],
)
def test_wrong_hash_of_new_nonce(step: int, answer: tl.TLObject) -> None:
    error = failure(step, answer)
    assert (error.check, error.message.startswith("new_nonce_hash")) == ("H10", True)


def test_server_refuses_the_parameters() -> None:
    error = failure(2, HAND.dh_params_fail())
    assert (error.check, error.message) == ("H10", "the server refused: server_DH_params_fail")


def test_server_gives_up() -> None:
    error = failure(3, HAND.dh_gen_fail())
    assert (error.check, error.message) == ("H11", "the server refused: dh_gen_fail")


# H13: what is no answer to the query

OTHERS = [
    HAND.res_pq(),
    HAND.dh_params(),
    HAND.dh_params_fail(),
    HAND.dh_gen_ok(),
    HAND.dh_gen_retry(),
    HAND.dh_gen_fail(),
    HAND.inner_dh(),
    service.ReqPqMulti(nonce=WRONG),
    service.Pong(msg_id=1, ping_id=2),
    service.RpcError(error_code=500, error_message="INTERNAL"),
]
DUE: dict[int, tuple[type[tl.TLObject], ...]] = {
    1: (service.ResPQ,),
    2: (service.ServerDHParamsOk, service.ServerDHParamsFail),
    3: (service.DhGenOk, service.DhGenRetry, service.DhGenFail),
}


@pytest.mark.parametrize("step", DUE)
@pytest.mark.parametrize("answer", OTHERS, ids=lambda answer: answer.TL_NAME)
def test_answer_to_another_query(step: int, answer: tl.TLObject) -> None:
    if not isinstance(answer, DUE[step]):
        error = failure(step, answer)
        assert (error.check, error.got) == ("H13", answer.TL_NAME)


@pytest.mark.parametrize("step", DUE)
def test_answer_that_is_none(step: int) -> None:
    good = bytes(ANSWERS[step - 1])
    for size in (0, 3, 4, 19, len(good) // 2, len(good) - 1):
        assert failure(step, good[:size]).check == "H13"
    for garbage in (bytes(400), b"\xff" * 400, good[1:], good[4:]):
        assert failure(step, garbage).check == "H13"


@pytest.mark.parametrize("more", [b"\0", bytes(4), bytes(104), bytes(ANSWERS[2])])
def test_bytes_behind_the_three_answers_are_let_through(more: bytes) -> None:
    """So the published example has it."""
    client = client_of(B)
    client.start()
    for answer in ANSWERS:
        client.receive(bytes(answer) + more)
    assert client.result is not None
    assert client.result.auth_key.data == AUTH_KEY


def test_fingerprint_count_is_not_believed() -> None:
    good = bytes(HAND.res_pq())
    at = len(good) - 12
    assert good[at : at + 4] == b"\1\0\0\0"
    for count in (2, 2**31 - 1, -1, -(2**31)):
        bad = good[:at] + count.to_bytes(4, "little", signed=True) + good[at + 4 :]
        assert failure(1, bad).check == "H13"


# The state machine


def test_nothing_is_received_before_the_start() -> None:
    client = client_of(B)
    for answer in ANSWERS:
        with pytest.raises(HandshakeFailed, match="no query is open"):
            client.receive(bytes(answer))


def test_what_comes_after_the_end_takes_nothing_away() -> None:
    client = fresh(3)
    client.receive(bytes(ANSWERS[2]))
    result = client.result
    for answer in (bytes(ANSWERS[2]), b"", bytes(ANSWERS[0])):
        with pytest.raises(HandshakeFailed) as caught:
            client.receive(answer)
        assert caught.value.check == "H13"
    assert client.result is result is not None


@pytest.mark.parametrize("step", DUE)
def test_start_begins_all_over(step: int) -> None:
    client = fresh(step)
    with pytest.raises(HandshakeFailed):
        client.receive(b"")
    query = service.decode(client.start(), service.ReqPqMulti)
    assert query.nonce != HAND.res_pq().nonce
    answer = client.receive(bytes(changed(HAND.res_pq(), nonce=query.nonce)))
    assert service.decode(answer or b"", service.ReqDHParams).nonce == query.nonce


def test_time_offset_is_the_servers_time_less_ours() -> None:
    client = fresh(2)
    client.receive(bytes(dh_params(server_time=int(NOW) - 77)))
    client.receive(bytes(ANSWERS[2]))
    assert client.result is not None
    assert client.result.time_offset == -77.0


# Anything at all

mutations = st.tuples(
    st.sampled_from(["flip", "cut", "insert", "splice"]),
    st.integers(0, 2**16),
    st.binary(min_size=1, max_size=8),
)


def mutated(data: bytes, kind: str, at: int, piece: bytes) -> bytes:
    at %= len(data)
    match kind:
        case "flip":
            return data[:at] + bytes([data[at] ^ (piece[0] or 1)]) + data[at + 1 :]
        case "cut":
            return data[:at]
        case "insert":
            return data[:at] + piece + data[at:]
        case _:
            return data[:at] + piece + data[at + len(piece) :]


@given(st.sampled_from([1, 2, 3]), st.binary(max_size=120))
@settings(max_examples=100)
def test_any_bytes_fail_as_a_handshake(step: int, data: bytes) -> None:
    failure(step, data)


@given(
    st.sampled_from(
        [
            (1, ANSWERS[0]),
            (2, ANSWERS[1]),
            (2, HAND.dh_params_fail()),
            (3, ANSWERS[2]),
            (3, HAND.dh_gen_retry()),
        ]
    ),
    st.lists(mutations, min_size=1, max_size=3),
)
@settings(max_examples=120)
def test_any_damage_fails_as_a_handshake_or_does_no_harm(
    where: tuple[int, tl.TLObject], damage: list[tuple[str, int, bytes]]
) -> None:
    step, answer = where
    data = bytes(answer)
    for kind, at, piece in damage:
        data = mutated(data, kind, at, piece) or b"\0"
    client = copy(waiting(step))
    try:
        client.receive(data)
    except HandshakeFailed:
        failure(step, data)
    if client.result is not None:
        assert data.startswith(bytes(answer))
        assert client.result.auth_key.data == AUTH_KEY


@given(st.lists(mutations, min_size=1, max_size=2), st.booleans())
@settings(max_examples=60)
def test_any_damage_inside_the_encryption_fails_or_does_no_harm(
    damage: list[tuple[str, int, bytes]], honest_digest: bool
) -> None:
    """By a server that knows new_nonce, as only one with the RSA key can."""
    data = INNER
    for kind, at, piece in damage:
        data = mutated(data, kind, at, piece) or b"\0"
    size = -(20 + len(data)) % 16
    encrypted = seal_by_hand(data, digest=None if honest_digest else bytes(20), padding=bytes(size))
    answer = HAND.dh_params(encrypted)
    try:
        copy(waiting(2)).receive(bytes(answer))
    except HandshakeFailed:
        assert failure(2, answer).check in {"H1", "H5", "H6", "H7", "H8"}
    else:
        assert honest_digest
        # Only another g that suits the prime, another g_a and another time can't be told to be wrong.
        assert (data[:36], data[40:300]) == (INNER[:36], INNER[40:300])
        assert data[36] in DH["good_primes"][0]["good_g"]
