"""The key exchange when all goes well: the official worked example on either side, and both sides together.

What must not be accepted is in `test_handshake_client` and `test_handshake_server`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

import tl
from mtproto import service
from mtproto.crypto.auth_key import AuthKey
from mtproto.crypto.rsa import PublicKey
from mtproto.crypto.telegram_keys import PRODUCTION_KEYS
from mtproto.envelope import PlainMessage, decode_plain, encode_plain
from mtproto.errors import HandshakeFailed, LocalProtocolError
from mtproto.handshake import ClientHandshake, Finished, KeyPair, ServerFinished, ServerHandshake
from mtproto.handshake.client import MAX_RETRIES
from mtproto.handshake.inner import open_inner, seal_inner
from tests.mtproto import by_hand
from tests.mtproto.by_hand import HandClient, changed, new_nonce_hash, open_by_hand, open_rsa_pad
from tests.mtproto.helpers import TEST_KEY, ManualClock, oracle_ige, replay, seeded
from tests.vectors import load

SAMPLE = load("auth_key_sample")


def sample(name: str) -> bytes:
    return bytes.fromhex(SAMPLE[name])


def body(name: str) -> bytes:
    """The body of one of the sample's messages, to the end of what is there."""
    return sample(name)[20:]


CHOSEN = SAMPLE["chosen_fingerprint_signed"]
KEY = next(key for key in PRODUCTION_KEYS if key.fingerprint == CHOSEN)
TEMP_KEY = bytes(range(32))
SALT = int.from_bytes(sample("initial_server_salt_wire"), "little", signed=True)
FORMS = {
    "exact": ["resPQ_message_exact", "server_DH_params_ok_message_exact", "dh_gen_ok_message_exact"],
    "padded": ["resPQ_message_padded", "server_DH_params_ok_message_padded", "dh_gen_ok_message_padded"],
    "as published": [
        "resPQ_message_as_published",
        "server_DH_params_ok_message_exact",
        "dh_gen_ok_message_as_published",
    ],
}


# The official worked example


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("keys", [[KEY], [TEST_KEY.public, KEY], PRODUCTION_KEYS])
def test_client_replays_the_sample(form: str, keys: list[PublicKey]) -> None:
    """Every random value in the order of the sample, except temp_key, which is not published."""
    res_pq, dh_params, dh_gen = map(body, FORMS[form])
    rng = replay(
        sample("nonce"),
        sample("new_nonce"),
        sample("random_padding_bytes"),
        TEMP_KEY,
        sample("b"),
        sample("client_padding"),
    )
    client = ClientHandshake(keys, dc=SAMPLE["dc"], clock=lambda: SAMPLE["server_time"] - 2.5, rng=rng)
    assert client.start() == body("req_pq_multi_message")
    assert rng.left == 5

    query = client.receive(res_pq)
    assert query is not None
    assert query[:-256] == body("req_DH_params_message")[:-256]  # all but encrypted_data
    assert service.decode(query, service.ReqDHParams).public_key_fingerprint == CHOSEN
    assert (rng.left, client.result) == (2, None)

    assert client.receive(dh_params) == body("set_client_DH_params_message")
    assert (rng.left, client.result) == (0, None)

    assert client.receive(dh_gen) is None
    assert client.result == Finished(AuthKey(sample("auth_key")), SALT, 2.5)
    assert client.result.auth_key.key_id == sample("auth_key_id_wire")


def test_client_encrypts_the_inner_data_of_the_sample() -> None:
    """To a key whose private half we have, unlike Telegram's."""
    rng = replay(sample("nonce"), sample("new_nonce"), sample("random_padding_bytes"), TEMP_KEY)
    client = ClientHandshake([TEST_KEY.public], dc=SAMPLE["dc"], clock=float, rng=rng)
    client.start()
    res_pq = service.decode(body("resPQ_message_exact"), service.ResPQ)
    offered = [*SAMPLE["server_fingerprints_signed"], TEST_KEY.public.fingerprint]
    query = client.receive(bytes(changed(res_pq, server_public_key_fingerprints=offered)))
    encrypted = service.decode(query or b"", service.ReqDHParams).encrypted_data
    assert open_rsa_pad(encrypted) == sample("p_q_inner_data_dc") + sample("random_padding_bytes")


class PublishedPair(KeyPair):
    """g_a of the sample, whose secret is not published: g_ab is computed from the client's side."""

    def __init__(self) -> None:
        self.g = SAMPLE["g"]
        self.prime = int(SAMPLE["dh_prime"], 16)
        self.public = int(SAMPLE["g_a"], 16)

    def shared(self, peer: int) -> int:
        assert peer == int(SAMPLE["g_b"], 16)
        return pow(self.public, int(SAMPLE["b"], 16), self.prime)


def sample_server(rng: Callable[[int], bytes]) -> ServerHandshake:
    def decrypt(encrypted: bytes, fingerprint: int) -> bytes | None:
        assert (encrypted, fingerprint) == (sample("rsa_pad_encrypted_data"), CHOSEN)
        return sample("p_q_inner_data_dc")

    return ServerHandshake(
        [],
        clock=lambda: SAMPLE["server_time"] + 0.9,
        rng=rng,
        primes=(int(SAMPLE["p_decimal"]), int(SAMPLE["q_decimal"])),
        pair=PublishedPair(),
        fingerprints=SAMPLE["server_fingerprints_signed"],
        decrypt=decrypt,
    )


def test_server_replays_the_sample() -> None:
    rng = replay(sample("server_nonce"), sample("answer_padding"))
    server = sample_server(rng)
    assert server.receive(body("req_pq_multi_message")) == body("resPQ_message_exact")
    assert server.receive(body("req_DH_params_message")) == body("server_DH_params_ok_message_exact")
    assert (rng.left, server.result) == (0, None)
    assert server.receive(body("set_client_DH_params_message")) == body("dh_gen_ok_message_exact")
    assert server.result == ServerFinished(AuthKey(sample("auth_key")), SALT, None)


@pytest.mark.parametrize("name", ["req_pq_multi", "req_DH_params", "set_client_DH_params"])
def test_queries_of_the_sample_fill_their_messages(name: str) -> None:
    payload = sample(f"{name}_message")
    assert encode_plain(PlainMessage(decode_plain(payload).msg_id, body(f"{name}_message"))) == payload


def test_inner_data_of_the_sample() -> None:
    new_nonce, server_nonce = sample("new_nonce"), sample("server_nonce")
    answer = service.decode(sample("answer"), service.ServerDHInnerData)
    encrypted = sample("encrypted_answer")
    assert seal_inner(answer, new_nonce, server_nonce, replay(sample("answer_padding"))) == encrypted
    opened = open_inner(encrypted, new_nonce, server_nonce, service.ServerDHInnerData, check="H5")
    assert opened == answer
    assert seal_inner(
        answer, new_nonce, server_nonce, replay(), digest=bytes(20), padding=bytes(8)
    ) == oracle_ige(
        bytes(20) + sample("answer") + bytes(8),
        sample("tmp_aes_key"),
        sample("tmp_aes_iv"),
        encrypt=True,
    )


# Client and server together


def client_of(
    keys: list[PublicKey] | None = None,
    *,
    seed: int = 1,
    dc: int = 2,
    clock: Callable[[], float] = float,
    expires_in: int | None = None,
) -> ClientHandshake:
    return ClientHandshake(
        keys or [TEST_KEY.public], dc=dc, clock=clock, rng=seeded(seed), expires_in=expires_in
    )


def converse(client: ClientHandshake, server: ServerHandshake) -> int:
    """Carry queries and answers until there are no more; return how many queries there were."""
    query: bytes | None = client.start()
    for count in range(100):
        if query is None:
            return count
        query = client.receive(server.receive(query))
    raise AssertionError("it never ends")


@pytest.mark.parametrize("seed", range(4))
def test_both_sides_agree(seed: int) -> None:
    clock = ManualClock()
    server = ServerHandshake([TEST_KEY], clock=clock, rng=seeded(seed))
    client = client_of(seed=1000 + seed, clock=lambda: clock() + 3600.0)
    assert converse(client, server) == 3
    assert client.result is not None
    assert server.result is not None
    assert client.result.auth_key == server.result.auth_key
    assert client.result.server_salt == server.result.server_salt
    assert client.result.time_offset == -3600.0
    assert server.result.expires_at is None


@pytest.mark.parametrize("mine", [[TEST_KEY.public, KEY], [KEY, TEST_KEY.public]])
def test_client_decides_which_key_of_both_is_used(mine: list[PublicKey]) -> None:
    for offered in ([k.fingerprint for k in mine], [k.fingerprint for k in reversed(mine)]):
        server = ServerHandshake([TEST_KEY], clock=float, rng=seeded(1), fingerprints=[*offered, 77])
        client = client_of(mine)
        assert sent_in(client, server).public_key_fingerprint == mine[0].fingerprint


def test_auth_key_with_zeros_in_front_keeps_its_256_bytes() -> None:
    pair = KeyPair(3, by_hand.PRIME, 2**2000 + 74)
    shared = pow(int(SAMPLE["g_b"], 16), 2**2000 + 74, by_hand.PRIME)
    assert shared < 2**2040
    client = by_hand.client_of(int(SAMPLE["b"], 16))
    server = ServerHandshake([TEST_KEY], clock=float, rng=seeded(2), pair=pair)
    converse(client, server)
    assert client.result is not None
    assert server.result is not None
    assert client.result.auth_key.data == shared.to_bytes(256, "big") == server.result.auth_key.data
    assert client.result.auth_key.data[0] == 0


@pytest.mark.parametrize("dc", [1, 10002, -2, -10004])
def test_dc_is_told_to_the_server(dc: int) -> None:
    query = sent_in(client_of(dc=dc), ServerHandshake([TEST_KEY], clock=float, rng=seeded(1)))
    inner, _ = tl.decode_prefix(service.SCHEMA, open_rsa_pad(query.encrypted_data), service.PQInnerDataDc)
    assert inner.dc == dc


@pytest.mark.parametrize("dc", [1, 10002, -2, -10004])
def test_dc_is_told_with_a_temporary_key_too(dc: int) -> None:
    query = sent_in(client_of(dc=dc, expires_in=60), ServerHandshake([TEST_KEY], clock=float, rng=seeded(1)))
    inner, _ = tl.decode_prefix(service.SCHEMA, open_rsa_pad(query.encrypted_data), service.PQInnerDataTempDc)
    assert (inner.dc, inner.expires_in) == (dc, 60)


def sent_in(client: ClientHandshake, server: ServerHandshake) -> service.ReqDHParams:
    """The second query."""
    query = client.receive(server.receive(client.start()))
    return service.decode(query or b"", service.ReqDHParams)


HAND = HandClient()
FIELDS = {
    name: getattr(HAND.inner_data(), name) for name in ("pq", "p", "q", "nonce", "server_nonce", "new_nonce")
}
INNER_DATA: dict[str, tuple[service.TypePQInnerData, float | None]] = {
    "p_q_inner_data": (service.PQInnerData(**FIELDS), None),
    "p_q_inner_data_dc": (service.PQInnerDataDc(**FIELDS, dc=-3), None),
    "p_q_inner_data_temp": (service.PQInnerDataTemp(**FIELDS, expires_in=86400), by_hand.NOW + 86400),
    "p_q_inner_data_temp_dc": (
        service.PQInnerDataTempDc(**FIELDS, dc=10002, expires_in=60),
        by_hand.NOW + 60,
    ),
}


@pytest.mark.parametrize("encrypt", [by_hand.rsa_pad_by_hand, by_hand.sha1_padded_by_hand])
@pytest.mark.parametrize("first", [service.ReqPq, service.ReqPqMulti])
@pytest.mark.parametrize("form", INNER_DATA)
def test_server_takes_every_form_of_client(
    encrypt: Callable[[bytes], bytes], first: type[service.ReqPq] | type[service.ReqPqMulti], form: str
) -> None:
    """Both RSA schemes, both first queries, all four constructors of inner data; built by hand throughout."""
    inner, expires_at = INNER_DATA[form]
    rng = replay(by_hand.SERVER_NONCE, bytes(range(8)))
    server = ServerHandshake(
        [TEST_KEY], clock=lambda: by_hand.NOW, rng=rng, primes=by_hand.PRIMES, pair=by_hand.PAIR
    )
    res_pq = service.decode(server.receive(bytes(first(nonce=by_hand.NONCE))), service.ResPQ)
    assert res_pq == by_hand.HandServer().res_pq()
    dh_params = service.decode(server.receive(bytes(HAND.req_dh(inner, encrypt))), service.ServerDHParamsOk)
    assert (dh_params.nonce, dh_params.server_nonce) == (by_hand.NONCE, by_hand.SERVER_NONCE)
    answer, padding = open_by_hand(dh_params.encrypted_answer, service.ServerDHInnerData)
    assert answer == by_hand.HandServer().inner_dh()
    assert padding == bytes(range(8))
    assert server.receive(bytes(HAND.set_dh())) == bytes(by_hand.HandServer().dh_gen_ok())
    salt = bytes(a ^ b for a, b in zip(by_hand.NEW_NONCE[:8], by_hand.SERVER_NONCE[:8], strict=True))
    assert server.result == ServerFinished(
        AuthKey(by_hand.AUTH_KEY), int.from_bytes(salt, "little", signed=True), expires_at
    )


@pytest.mark.parametrize("g", [3, 4, 7])
def test_server_makes_a_pair_of_its_own_for_each_exchange(g: int) -> None:
    server, offered = ServerHandshake([TEST_KEY], clock=float, rng=seeded(3), g=g), set()
    for seed in (1, 2):
        client = client_of(seed=seed)
        converse(client, server)
        assert client.result is not None
        offered.add(client.result.auth_key.data)
    assert len(offered) == 2


def test_server_makes_primes_of_its_own_for_each_exchange() -> None:
    server, products = ServerHandshake([TEST_KEY], clock=float, rng=seeded(4)), set()
    for seed in range(5):
        products.add(service.decode(server.receive(client_of(seed=seed).start()), service.ResPQ).pq)
    assert len(products) == 5
    assert all(len(pq) <= 8 and int.from_bytes(pq, "big") < 2**63 for pq in products)


# When the server knows the key already


@pytest.mark.parametrize("taken", [1, MAX_RETRIES])
def test_client_tries_again_as_often_as_it_may(taken: int) -> None:
    key_ids: list[bytes] = []

    def is_taken(key_id: bytes) -> bool:
        key_ids.append(key_id)
        return len(key_ids) <= taken

    client = client_of()
    server = ServerHandshake([TEST_KEY], clock=float, rng=seeded(1), is_taken=is_taken)
    assert converse(client, server) == 3 + taken
    assert client.result is not None
    assert server.result is not None
    assert client.result.auth_key == server.result.auth_key
    assert key_ids[-1] == client.result.auth_key.key_id
    assert len(set(key_ids)) == taken + 1


def test_client_gives_up_after_five_retries() -> None:
    key_ids: list[bytes] = []

    def is_taken(key_id: bytes) -> bool:
        key_ids.append(key_id)
        return True

    server = ServerHandshake([TEST_KEY], clock=float, rng=seeded(1), is_taken=is_taken)
    client = client_of()
    with pytest.raises(HandshakeFailed, match="more than 5 retries") as caught:
        converse(client, server)
    assert caught.value.check == "H11"
    assert len(key_ids) == 1 + MAX_RETRIES == len(set(key_ids))
    assert (client.result, server.result) == (None, None)


def test_retry_names_the_key_that_was_refused() -> None:
    """auth_key_aux_hash in retry_id, a new b, and the same nonces."""
    client = by_hand.client_of(by_hand.B, 2**2000 + 1)
    client.start()
    client.receive(bytes(by_hand.HandServer().res_pq()))
    first = client.receive(bytes(by_hand.HandServer().dh_params()))
    assert inner_of(first) == HAND.inner_dh()
    second = client.receive(bytes(by_hand.HandServer().dh_gen_retry()))
    retry_id = int.from_bytes(AuthKey(by_hand.AUTH_KEY).aux_hash, "little", signed=True)
    g_b = pow(3, 2**2000 + 1, by_hand.PRIME)
    assert inner_of(second) == changed(HAND.inner_dh(), retry_id=retry_id, g_b=by_hand.as_256(g_b))
    auth_key = by_hand.as_256(pow(by_hand.G_A, 2**2000 + 1, by_hand.PRIME))
    assert client.receive(bytes(by_hand.HandServer().dh_gen_ok(auth_key))) is None
    assert client.result is not None
    assert client.result.auth_key.data == auth_key


def test_server_asks_for_another_key_by_hand() -> None:
    taken = [AuthKey(by_hand.AUTH_KEY).key_id]
    server = ServerHandshake(
        [TEST_KEY],
        clock=lambda: by_hand.NOW,
        rng=replay(by_hand.SERVER_NONCE, bytes(8)),
        primes=by_hand.PRIMES,
        pair=by_hand.PAIR,
        is_taken=lambda key_id: key_id in taken,
    )
    server.receive(bytes(HAND.req_pq()))
    server.receive(bytes(HAND.req_dh()))
    query = bytes(HAND.set_dh())
    retry = server.receive(query)
    assert retry == bytes(by_hand.HandServer().dh_gen_retry())
    assert (server.receive(query), server.result) == (retry, None)
    retry_id = int.from_bytes(AuthKey(by_hand.AUTH_KEY).aux_hash, "little", signed=True)
    g_b, shared = pow(3, 2**2001 + 1, by_hand.PRIME), pow(by_hand.G_A, 2**2001 + 1, by_hand.PRIME)
    again = changed(HAND.inner_dh(), retry_id=retry_id, g_b=by_hand.as_256(g_b))
    answer = server.receive(bytes(HAND.set_dh(by_hand.seal_by_hand(bytes(again)))))
    assert service.decode(answer, service.DhGenOk).new_nonce_hash1 == new_nonce_hash(
        1, by_hand.as_256(shared)
    )
    assert server.result is not None
    assert server.result.auth_key.data == by_hand.as_256(shared)


def inner_of(query: bytes | None) -> service.ClientDHInnerData:
    encrypted = service.decode(query or b"", service.SetClientDHParams).encrypted_data
    return open_by_hand(encrypted, service.ClientDHInnerData)[0]


# What is wrong on our own side


def test_secret_that_gives_a_weak_number_is_not_used() -> None:
    client = by_hand.client_of(0, 1, 5, by_hand.B)
    client.start()
    client.receive(bytes(by_hand.HandServer().res_pq()))
    assert inner_of(client.receive(bytes(by_hand.HandServer().dh_params()))) == HAND.inner_dh()


def test_server_does_not_use_such_a_secret_either() -> None:
    others, weak = seeded(6), [by_hand.as_256(0), by_hand.as_256(1)]

    def rng(count: int) -> bytes:
        return weak.pop(0) if count == 256 and weak else others(count)

    client, server = client_of(), ServerHandshake([TEST_KEY], clock=float, rng=rng)
    assert converse(client, server) == 3
    assert not weak
    assert client.result is not None


def test_broken_randomness_does_not_hang() -> None:
    client = by_hand.client_of(*[1] * 100)
    client.start()
    client.receive(bytes(by_hand.HandServer().res_pq()))
    with pytest.raises(LocalProtocolError, match="rng is broken"):
        client.receive(bytes(by_hand.HandServer().dh_params()))
    server = ServerHandshake(
        [],
        clock=float,
        rng=bytes,
        decrypt=lambda *_: bytes(zero_inner),
        primes=by_hand.PRIMES,
        fingerprints=[1],
    )
    zero_inner = changed(HAND.inner_data(), server_nonce=bytes(16))
    server.receive(bytes(HAND.req_pq()))
    with pytest.raises(LocalProtocolError, match="rng is broken"):
        server.receive(bytes(changed(HAND.req_dh(), server_nonce=bytes(16), public_key_fingerprint=1)))


def test_exchange_without_keys_is_a_local_error() -> None:
    with pytest.raises(LocalProtocolError, match="at least one RSA key"):
        ClientHandshake([], dc=2, clock=float, rng=seeded(1))
    with pytest.raises(LocalProtocolError, match="at least one RSA key"):
        ServerHandshake([], clock=float, rng=seeded(1))
