"""Both sides of the key exchange by hand, to say what no peer of ours would: any field of any message changed.

The cryptography here is that of hashlib, `pow` and `oracle_ige`, so that it agrees with the package's only if
both are right.  All secrets are constants, and so is the key that two honest sides agree on.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from hashlib import sha1, sha256
from random import Random
from typing import Any, TypeVar

import tl
from mtproto import service
from mtproto.crypto.rsa import PrivateKey, PublicKey
from mtproto.handshake import ClientHandshake, KeyPair, ServerHandshake
from tests.mtproto.helpers import TEST_KEY, oracle_ige, seeded
from tests.vectors import load

__all__ = [
    "AUTH_KEY",
    "G_A",
    "G_B",
    "NEW_NONCE",
    "NONCE",
    "NOW",
    "PAIR",
    "PRIME",
    "PRIMES",
    "SERVER_NONCE",
    "A",
    "B",
    "HandClient",
    "HandServer",
    "as_256",
    "changed",
    "client_of",
    "new_nonce_hash",
    "open_by_hand",
    "open_rsa_pad",
    "rsa_pad_by_hand",
    "seal_by_hand",
    "server_of",
    "sha1_padded_by_hand",
    "tmp_aes_by_hand",
]

T = TypeVar("T", bound=tl.TLObject)

_PQ = load("pq")["cases"][1]
_RANDOM = Random(2024)

NOW = 1_700_000_000.0
PRIME = int(load("dh")["good_primes"][0]["p"], 16)
PRIMES = (int(_PQ["p"]), int(_PQ["q"]))
NONCE, SERVER_NONCE, NEW_NONCE = _RANDOM.randbytes(16), _RANDOM.randbytes(16), _RANDOM.randbytes(32)
A, B = _RANDOM.getrandbits(2048), _RANDOM.getrandbits(2048)
G_A, G_B = pow(3, A, PRIME), pow(3, B, PRIME)
AUTH_KEY = pow(G_A, B, PRIME).to_bytes(256, "big")
PAIR = KeyPair(3, PRIME, A)


def changed(value: T, **fields: Any) -> T:
    """A copy of a TL object with other values in some fields."""
    other = copy(value)
    for name, field in fields.items():
        assert hasattr(other, name)
        setattr(other, name, field)
    return other


def as_256(number: int) -> bytes:
    return number.to_bytes(256, "big")


def new_nonce_hash(number: int, auth_key: bytes = AUTH_KEY, new_nonce: bytes = NEW_NONCE) -> bytes:
    return sha1(new_nonce + bytes([number]) + sha1(auth_key).digest()[:8]).digest()[4:20]


def tmp_aes_by_hand(new_nonce: bytes = NEW_NONCE, server_nonce: bytes = SERVER_NONCE) -> tuple[bytes, bytes]:
    one = sha1(new_nonce + server_nonce).digest()
    two = sha1(server_nonce + new_nonce).digest()
    three = sha1(new_nonce + new_nonce).digest()
    return one + two[:12], two[12:20] + three + new_nonce[:4]


def seal_by_hand(data: bytes, *, digest: bytes | None = None, padding: bytes | None = None) -> bytes:
    """encrypted_answer or encrypted_data of the second half, under the temporary key of the constants."""
    plaintext = (sha1(data).digest() if digest is None else digest) + data
    plaintext += bytes(-len(plaintext) % 16) if padding is None else padding
    key, iv = tmp_aes_by_hand()
    return oracle_ige(plaintext, key, iv, encrypt=True)


def open_by_hand(encrypted: bytes, as_type: type[T]) -> tuple[T, bytes]:
    """The object within, its SHA-1 compared, and the padding behind it."""
    key, iv = tmp_aes_by_hand()
    plaintext = oracle_ige(encrypted, key, iv, encrypt=False)
    inner, size = tl.decode_prefix(service.SCHEMA, plaintext[20:], as_type)
    assert sha1(plaintext[20 : 20 + size]).digest() == plaintext[:20]
    found: T = inner
    return found, plaintext[20 + size :]


def rsa_pad_by_hand(data: bytes, key: PublicKey = TEST_KEY.public) -> bytes:
    padded = data + bytes(192 - len(data))
    for attempt in range(256):
        temp_key = bytes([attempt]) * 32
        with_hash = padded[::-1] + sha256(temp_key + padded).digest()
        encrypted = oracle_ige(with_hash, temp_key, bytes(32), encrypt=True)
        masked = bytes(a ^ b for a, b in zip(temp_key, sha256(encrypted).digest(), strict=True))
        number = int.from_bytes(masked + encrypted, "big")
        if number < key.n:
            return as_256(pow(number, key.e, key.n))
    raise AssertionError("no temp_key fits")


def open_rsa_pad(encrypted: bytes, key: PrivateKey = TEST_KEY) -> bytes:
    """The 192 bytes of data_with_padding, its SHA-256 compared."""
    block = as_256(pow(int.from_bytes(encrypted, "big"), key.d, key.n))
    temp_key = bytes(a ^ b for a, b in zip(block[:32], sha256(block[32:]).digest(), strict=True))
    with_hash = oracle_ige(block[32:], temp_key, bytes(32), encrypt=False)
    padded = with_hash[:192][::-1]
    assert sha256(temp_key + padded).digest() == with_hash[192:]
    return padded


def sha1_padded_by_hand(
    data: bytes, key: PublicKey = TEST_KEY.public, *, digest: bytes | None = None
) -> bytes:
    block = (sha1(data).digest() if digest is None else digest) + data
    block += b"\x5a" * (255 - len(block))
    return as_256(pow(int.from_bytes(block, "big"), key.e, key.n))


class HandClient:
    """What an honest client with the constants' secrets sends; `server_nonce` is learnt from the server."""

    def __init__(self) -> None:
        self.p, self.q = (prime.to_bytes(4, "big") for prime in PRIMES)
        self.pq = (PRIMES[0] * PRIMES[1]).to_bytes(8, "big")

    def req_pq(self) -> service.ReqPqMulti:
        return service.ReqPqMulti(nonce=NONCE)

    def inner_data(self) -> service.PQInnerDataDc:
        return service.PQInnerDataDc(
            pq=self.pq,
            p=self.p,
            q=self.q,
            nonce=NONCE,
            server_nonce=SERVER_NONCE,
            new_nonce=NEW_NONCE,
            dc=2,
        )

    def req_dh(
        self,
        inner: tl.TLObject | None = None,
        encrypt: Callable[[bytes], bytes] = rsa_pad_by_hand,
    ) -> service.ReqDHParams:
        return service.ReqDHParams(
            nonce=NONCE,
            server_nonce=SERVER_NONCE,
            p=self.p,
            q=self.q,
            public_key_fingerprint=TEST_KEY.public.fingerprint,
            encrypted_data=encrypt(bytes(inner or self.inner_data())),
        )

    def inner_dh(self) -> service.ClientDHInnerData:
        return service.ClientDHInnerData(nonce=NONCE, server_nonce=SERVER_NONCE, retry_id=0, g_b=as_256(G_B))

    def set_dh(self, encrypted: bytes | None = None) -> service.SetClientDHParams:
        if encrypted is None:
            encrypted = seal_by_hand(bytes(self.inner_dh()))
        return service.SetClientDHParams(nonce=NONCE, server_nonce=SERVER_NONCE, encrypted_data=encrypted)


class HandServer:
    """What an honest server with the constants' secrets answers."""

    def res_pq(self) -> service.ResPQ:
        return service.ResPQ(
            nonce=NONCE,
            server_nonce=SERVER_NONCE,
            pq=(PRIMES[0] * PRIMES[1]).to_bytes(8, "big"),
            server_public_key_fingerprints=[TEST_KEY.public.fingerprint],
        )

    def inner_dh(self) -> service.ServerDHInnerData:
        return service.ServerDHInnerData(
            nonce=NONCE,
            server_nonce=SERVER_NONCE,
            g=3,
            dh_prime=as_256(PRIME),
            g_a=as_256(G_A),
            server_time=int(NOW),
        )

    def dh_params(self, encrypted: bytes | None = None) -> service.ServerDHParamsOk:
        if encrypted is None:
            encrypted = seal_by_hand(bytes(self.inner_dh()))
        return service.ServerDHParamsOk(nonce=NONCE, server_nonce=SERVER_NONCE, encrypted_answer=encrypted)

    def dh_params_fail(self) -> service.ServerDHParamsFail:
        digest = sha1(NEW_NONCE).digest()[4:20]
        return service.ServerDHParamsFail(nonce=NONCE, server_nonce=SERVER_NONCE, new_nonce_hash=digest)

    def dh_gen_ok(self, auth_key: bytes = AUTH_KEY) -> service.DhGenOk:
        digest = new_nonce_hash(1, auth_key)
        return service.DhGenOk(nonce=NONCE, server_nonce=SERVER_NONCE, new_nonce_hash1=digest)

    def dh_gen_retry(self, auth_key: bytes = AUTH_KEY) -> service.DhGenRetry:
        digest = new_nonce_hash(2, auth_key)
        return service.DhGenRetry(nonce=NONCE, server_nonce=SERVER_NONCE, new_nonce_hash2=digest)

    def dh_gen_fail(self, auth_key: bytes = AUTH_KEY) -> service.DhGenFail:
        digest = new_nonce_hash(3, auth_key)
        return service.DhGenFail(nonce=NONCE, server_nonce=SERVER_NONCE, new_nonce_hash3=digest)


def client_of(*secrets: int) -> ClientHandshake:
    """A client of the package's with the constants' nonces, whose secrets b are these, then random ones."""
    others = seeded(5)
    left = {16: [NONCE], 32: [NEW_NONCE], 256: [as_256(b) for b in secrets]}

    def rng(count: int) -> bytes:
        return left[count].pop(0) if left.get(count) else others(count)

    return ClientHandshake([TEST_KEY.public], dc=2, clock=lambda: NOW, rng=rng)


def server_of(
    *, clock: Callable[[], float] = lambda: NOW, is_taken: Callable[[bytes], bool] = lambda _: False
) -> ServerHandshake:
    """A server of the package's with the constants' server_nonce, primes and secret."""

    def rng(count: int) -> bytes:
        return SERVER_NONCE if count == 16 else bytes(range(count))

    return ServerHandshake([TEST_KEY], clock=clock, rng=rng, primes=PRIMES, pair=PAIR, is_taken=is_taken)
