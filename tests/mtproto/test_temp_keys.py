"""The binding of temporary keys: the message under the permanent key, byte by byte, and all that may be wrong."""

from __future__ import annotations

from hashlib import sha1
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtproto import api, service
from mtproto.crypto.auth_key import AuthKey
from mtproto.errors import RpcError
from mtproto.temp_keys import Binding, Bindings, bind_request, open_binding, renewal_time, seal_binding
from tests.mtproto.by_hand import changed
from tests.mtproto.helpers import ManualClock, oracle_ige, replay, seeded

PERMANENT, TEMPORARY, OTHER = (AuthKey(seeded(seed)(256)) for seed in (1, 2, 3))
MSG_ID, SESSION_ID, NOW = 0x5A5A5A5A00000004, -77, 1_700_000_000
ENDS = NOW + 3600


def long(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


INNER = service.BindAuthKeyInner(
    nonce=long(b"nonce..."),
    temp_auth_key_id=long(TEMPORARY.key_id),
    perm_auth_key_id=long(PERMANENT.key_id),
    temp_session_id=SESSION_ID,
    expires_at=ENDS,
)


def sealed_by_hand(
    inner: bytes = bytes(INNER),
    *,
    msg_id: int = MSG_ID,
    seq_no: int = 0,
    length: int = 40,
    key: AuthKey = PERMANENT,
    padding: bytes = bytes(8),
) -> bytes:
    """encrypted_message, by hashlib and `oracle_ige`; the derivation is spelt out as description_v1 has it."""
    plaintext = b"r" * 16 + msg_id.to_bytes(8, "little") + seq_no.to_bytes(4, "little")
    plaintext += length.to_bytes(4, "little") + inner
    msg_key, k = sha1(plaintext).digest()[-16:], key.data
    a = sha1(msg_key + k[0:32]).digest()
    b = sha1(k[32:48] + msg_key + k[48:64]).digest()
    c = sha1(k[64:96] + msg_key).digest()
    d = sha1(msg_key + k[96:128]).digest()
    aes_key, iv = a[0:8] + b[8:20] + c[4:16], a[8:20] + b[0:8] + c[16:20] + d[0:8]
    return sha1(k).digest()[-8:] + msg_key + oracle_ige(plaintext + padding, aes_key, iv, encrypt=True)


def test_sealed_message_byte_by_byte() -> None:
    rng = replay(b"r" * 16, bytes(8))
    assert seal_binding(INNER, PERMANENT, MSG_ID, rng) == sealed_by_hand()
    assert len(sealed_by_hand()) == 104


def test_opened_message() -> None:
    assert open_binding(sealed_by_hand(), PERMANENT) == (MSG_ID, INNER)
    assert open_binding(sealed_by_hand(padding=b"anything"), PERMANENT) == (MSG_ID, INNER)


@pytest.mark.parametrize(
    "encrypted",
    [
        b"",
        sealed_by_hand()[:-1],
        sealed_by_hand()[:-16],
        sealed_by_hand() + bytes(16),
        sealed_by_hand(key=OTHER),
        PERMANENT.key_id + sealed_by_hand(key=OTHER)[8:],
        sealed_by_hand(seq_no=1),
        sealed_by_hand(length=36),
        sealed_by_hand(length=44),
        sealed_by_hand(bytes(service.Pong(msg_id=1, ping_id=2)) + bytes(20)),
        sealed_by_hand(bytes(40)),
        sealed_by_hand(
            bytes(service.RpcError(error_code=400, error_message="29 bytes of some other object"))
        ),
        OTHER.key_id + sealed_by_hand()[8:],
        seal_binding(INNER, PERMANENT, MSG_ID, seeded(4), msg_key=bytes(16)),
    ],
)
def test_message_that_does_not_open(encrypted: bytes) -> None:
    assert open_binding(encrypted, PERMANENT) is None


def test_any_flipped_bit_is_seen() -> None:
    good = sealed_by_hand()
    for bit in range(8 * 104):
        bad = (int.from_bytes(good, "little") ^ 1 << bit).to_bytes(104, "little")
        assert open_binding(bad, PERMANENT) is None, bit


@given(st.binary(max_size=120))
@settings(max_examples=100)
def test_any_bytes_open_to_nothing(data: bytes) -> None:
    assert open_binding(data, PERMANENT) is None
    assert open_binding(PERMANENT.key_id + data, PERMANENT) is None


def request(**fields: Any) -> api.auth.BindTempAuthKey:
    """The request of an honest client, with other values in some fields."""
    good = bind_request(
        MSG_ID,
        temporary=TEMPORARY,
        permanent=PERMANENT,
        session_id=SESSION_ID,
        expires_at=ENDS,
        rng=seeded(5),
    )
    return changed(api.decode(good, api.auth.BindTempAuthKey), **fields)


def test_request() -> None:
    asked = request()
    assert (asked.perm_auth_key_id, asked.expires_at) == (long(PERMANENT.key_id), ENDS)
    assert open_binding(asked.encrypted_message, PERMANENT) == (MSG_ID, changed(INNER, nonce=asked.nonce))


class Server:
    """Bindings of a server, with what `bind` is told by an honest connection."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOW)
        self.bindings = Bindings(self.clock)

    def bind(self, asked: api.auth.BindTempAuthKey, **changes: Any) -> Binding:
        told: dict[str, Any] = {
            "temporary": TEMPORARY,
            "expires_at": float(ENDS),
            "session_id": SESSION_ID,
            "msg_id": MSG_ID,
            "permanent": PERMANENT,
        }
        return self.bindings.bind(asked, **(told | changes))

    def refusal(self, asked: api.auth.BindTempAuthKey, **changes: Any) -> str:
        with pytest.raises(RpcError) as caught:
            self.bind(asked, **changes)
        assert caught.value.code == 400
        assert self.bindings[TEMPORARY.key_id] is None
        return caught.value.message


def test_binding() -> None:
    server = Server()
    assert server.bind(request()) == Binding(PERMANENT.key_id, ENDS) == server.bindings[TEMPORARY.key_id]
    assert server.bindings.temporary_of(PERMANENT.key_id) == TEMPORARY.key_id
    assert server.bind(request()) == Binding(PERMANENT.key_id, ENDS)


@pytest.mark.parametrize(
    "asked",
    [
        request(nonce=1),
        request(perm_auth_key_id=1),
        request(expires_at=ENDS - 1),
        request(encrypted_message=b""),
        *(
            request(
                encrypted_message=sealed_by_hand(
                    bytes(changed(INNER, **({"nonce": request().nonce} | wrong)))
                )
            )
            for wrong in (
                {"nonce": 1},
                {"temp_auth_key_id": 1},
                {"perm_auth_key_id": 1},
                {"temp_session_id": 1},
                {"expires_at": ENDS + 1},
            )
        ),
    ],
)
def test_message_that_does_not_fit_the_request(asked: api.auth.BindTempAuthKey) -> None:
    assert Server().refusal(asked) == "ENCRYPTED_MESSAGE_INVALID"


@pytest.mark.parametrize(
    "changes",
    [
        {"temporary": OTHER},
        {"session_id": 1},
        {"msg_id": MSG_ID + 4},
        {"permanent": OTHER},
        {"permanent": None},
    ],
)
def test_request_in_another_place(changes: dict[str, Any]) -> None:
    assert Server().refusal(request(), **changes) == "ENCRYPTED_MESSAGE_INVALID"


def test_request_under_a_permanent_key() -> None:
    assert Server().refusal(request(), expires_at=None) == "TEMP_AUTH_KEY_EMPTY"


def test_expiry_that_can_not_be() -> None:
    server = Server()
    server.clock.advance(3600)
    assert server.refusal(request()) == "EXPIRES_AT_INVALID"
    assert Server().refusal(request(), expires_at=ENDS - 61.0) == "EXPIRES_AT_INVALID"


def test_the_earlier_end_counts() -> None:
    assert Server().bind(request(), expires_at=ENDS - 60.0).expires_at == ENDS - 60
    assert Server().bind(request(), expires_at=ENDS + 1000.0).expires_at == ENDS


def test_binding_ends_with_the_key() -> None:
    server = Server()
    server.bind(request())
    server.clock.advance(3599)
    assert server.bindings[TEMPORARY.key_id] is not None
    server.clock.advance(1)
    assert server.bindings[TEMPORARY.key_id] is None
    assert server.bindings.temporary_of(PERMANENT.key_id) is None


def asked_by(temporary: AuthKey, permanent: AuthKey) -> api.auth.BindTempAuthKey:
    body = bind_request(
        MSG_ID,
        temporary=temporary,
        permanent=permanent,
        session_id=SESSION_ID,
        expires_at=ENDS,
        rng=seeded(6),
    )
    return api.decode(body, api.auth.BindTempAuthKey)


def test_a_new_temporary_key_takes_the_place_of_the_old_one() -> None:
    server = Server()
    server.bind(request())
    server.bind(asked_by(OTHER, PERMANENT), temporary=OTHER)
    assert server.bindings[TEMPORARY.key_id] is None
    assert server.bindings[OTHER.key_id] == Binding(PERMANENT.key_id, ENDS)
    assert server.bindings.temporary_of(PERMANENT.key_id) == OTHER.key_id


def test_a_temporary_key_is_bound_once() -> None:
    server = Server()
    server.bind(request())
    with pytest.raises(RpcError, match="TEMP_AUTH_KEY_ALREADY_BOUND"):
        server.bind(asked_by(TEMPORARY, OTHER), permanent=OTHER)
    assert server.bindings[TEMPORARY.key_id] == Binding(PERMANENT.key_id, ENDS)


@pytest.mark.parametrize("key", [TEMPORARY, PERMANENT])
def test_forgetting_either_key_forgets_the_binding(key: AuthKey) -> None:
    server = Server()
    server.bind(request())
    server.bindings.forget(key.key_id)
    server.bindings.forget(key.key_id)
    assert server.bindings[TEMPORARY.key_id] is None
    assert server.bindings.temporary_of(PERMANENT.key_id) is None


@pytest.mark.parametrize(
    ("lives", "before"), [(55.0, 20.0), (1000.0, 100.0), (3000.0, 300.0), (86400.0, 300.0)]
)
def test_renewal_time(lives: float, before: float) -> None:
    assert renewal_time(NOW, NOW + lives) == NOW + lives - before
