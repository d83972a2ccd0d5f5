"""What either end of a key exchange knows, and what it would honestly say next: the steps bend that.

Specification: core.telegram.org/mtproto/auth_key.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha1, sha256
from typing import Any

import tl
from mtproto import service
from mtproto.crypto import AuthKey, PrivateKey, PublicKey, factorize, initial_salt
from mtproto.crypto.aes import ige_encrypt
from mtproto.crypto.auth_key import dh_params_fail_hash
from mtproto.crypto.dh import TELEGRAM_DH_PRIME, power, to_256_bytes
from mtproto.crypto.primes import minimal_bytes, random_semiprime
from mtproto.crypto.randomness import Rng, draw
from mtproto.crypto.rsa import RsaScheme, decrypt_inner_data
from mtproto.errors import HandshakeFailed, LocalProtocolError
from mtproto.handshake.inner import open_inner
from mtproto.handshake.server_steps import REFUSAL

__all__ = ["ClientExchange", "Exchange", "ServerExchange", "rsa_encrypted"]

_RSA_SIZE = 256


class Exchange:
    """What both ends come to know; what is empty is not known yet."""

    def __init__(self, rng: Rng) -> None:
        self.rng = rng
        self.nonce = bytes(16)
        self.server_nonce = bytes(16)
        self.new_nonce = bytes(32)
        self.pq = b""
        self.p = b""
        self.q = b""
        self.auth_key: AuthKey | None = None

    @property
    def salt(self) -> int:
        """The first server_salt."""
        return initial_salt(self.new_nonce, self.server_nonce)

    def agreed(self) -> AuthKey:
        """The key that was agreed on; LocalProtocolError where that has not come yet."""
        if self.auth_key is None:
            raise LocalProtocolError(
                "there is no auth_key yet: this step comes after set_client_DH_params in a key exchange"
            )
        return self.auth_key

    def hear(self, message: tl.TLObject) -> None:
        """The peer has said this."""


class ServerExchange(Exchange):
    """The server's end, with the RSA `key`."""

    def __init__(self, key: PrivateKey, rng: Rng) -> None:
        super().__init__(rng)
        self.key = key
        self.g = 3
        self.prime = TELEGRAM_DH_PRIME
        self.secret = int.from_bytes(draw(rng, 256))
        self.client_inner: service.TypePQInnerData | None = None
        self.client_dh: service.ClientDHInnerData | None = None
        self.scheme: RsaScheme | None = None
        self.g_bs: list[bytes] = []
        """All that the client has told."""
        self.retry_id = 0
        """What the client has to name: after dh_gen_retry the aux_hash of the key that was refused."""

    def begin(self) -> None:
        """Draw what is new in each exchange."""
        p, q = random_semiprime(self.rng)
        self.p, self.q, self.pq = minimal_bytes(p), minimal_bytes(q), minimal_bytes(p * q)
        self.server_nonce = draw(self.rng, 16)
        self.retry_id = 0

    def g_a(self) -> int:
        """g to the power of our secret, in the group that the client was told; 2 where that is none."""
        try:
            return power(self.g, self.secret, self.prime)
        except ValueError:
            return 2

    def hear(self, message: tl.TLObject) -> None:
        """Take what a query says; raise HandshakeFailed where its encrypted part can't be read."""
        if isinstance(message, service.ReqPqMulti | service.ReqPq):
            self.nonce = message.nonce
        elif isinstance(message, service.ReqDHParams):
            self._open_inner(message.encrypted_data)
        elif isinstance(message, service.SetClientDHParams):
            self._open_dh(message.encrypted_data)

    def _open_inner(self, encrypted: bytes) -> None:
        found = decrypt_inner_data(encrypted, self.key, _measure)
        if found is None:
            raise HandshakeFailed("encrypted_data that is not for our RSA key", check="S9", reply=REFUSAL)
        inner: service.TypePQInnerData = service.decode(found.data, service.TypePQInnerData)
        self.client_inner, self.new_nonce, self.scheme = inner, inner.new_nonce, found.scheme

    def _open_dh(self, encrypted: bytes) -> None:
        self.client_dh = open_inner(
            encrypted, self.new_nonce, self.server_nonce, service.ClientDHInnerData, check="S9"
        )
        self.g_bs.append(self.client_dh.g_b)
        g_b = int.from_bytes(self.client_dh.g_b)
        self.auth_key = AuthKey(to_256_bytes(power(g_b, self.secret, self.prime)))

    def hash_of(self, number: int) -> bytes:
        """new_nonce_hash1, 2 or 3."""
        return self.agreed().new_nonce_hash(self.new_nonce, number)

    def fail_hash(self) -> bytes:
        """new_nonce_hash of server_DH_params_fail."""
        return dh_params_fail_hash(self.new_nonce)


class ClientExchange(Exchange):
    """The client's end: `keys` are the RSA keys of the server, the first that it offers is used."""

    def __init__(self, key: PublicKey, dc: int, rng: Rng) -> None:
        super().__init__(rng)
        self.key = key
        self.dc = dc
        self.secret = int.from_bytes(draw(rng, 256))
        self.server_dh: service.ServerDHInnerData | None = None
        self.retry_id = 0

    def begin(self) -> None:
        """Draw what is new in each exchange."""
        self.nonce, self.new_nonce, self.retry_id = draw(self.rng, 16), draw(self.rng, 32), 0

    def hear(self, message: tl.TLObject) -> None:
        """Take what an answer says; raise HandshakeFailed where its encrypted part can't be read."""
        if isinstance(message, service.ResPQ):
            self.server_nonce, self.pq = message.server_nonce, message.pq
            self.p, self.q = map(minimal_bytes, factorize(message.pq))
        elif isinstance(message, service.ServerDHParamsOk):
            self.server_dh = open_inner(
                message.encrypted_answer,
                self.new_nonce,
                self.server_nonce,
                service.ServerDHInnerData,
                check="H5",
            )
            self._agree()
        elif isinstance(message, service.DhGenRetry):
            self.retry_id = int.from_bytes(self.agreed().aux_hash, "little", signed=True)
            self.secret = int.from_bytes(draw(self.rng, 256))
            self._agree()

    def _agree(self) -> None:
        told = self.group()
        g_a = int.from_bytes(told.g_a)
        self.auth_key = AuthKey(to_256_bytes(power(g_a, self.secret, int.from_bytes(told.dh_prime))))

    def group(self) -> service.ServerDHInnerData:
        """What the server has said of the group; LocalProtocolError where it has not."""
        if self.server_dh is None:
            raise LocalProtocolError(
                "the group is not known yet: this step comes after server_DH_params_ok in a key exchange"
            )
        return self.server_dh

    def g_b(self) -> int:
        """g to the power of our secret."""
        told = self.group()
        return power(told.g, self.secret, int.from_bytes(told.dh_prime))


def rsa_encrypted(data: bytes, key: PublicKey, rng: Rng, scheme: str, fields: Mapping[str, Any]) -> bytes:
    """`data` as encrypted_data, "rsa_pad" or "sha1"; `fields` may say data_hash, padding, and temp_key."""
    padding, digest, temp_key = fields.get("padding"), fields.get("data_hash"), fields.get("temp_key")
    if scheme == "sha1":
        block = (sha1(data).digest() if digest is None else digest) + data
        block += draw(rng, 255 - len(block)) if padding is None else padding
        return _power(block, key)
    padded = data + (draw(rng, 192 - len(data)) if padding is None else padding)
    while True:
        secret = draw(rng, 32) if temp_key is None else temp_key
        with_hash = padded[::-1] + (sha256(secret + padded).digest() if digest is None else digest)
        if len(with_hash) != _RSA_SIZE - 32 or len(secret) != 32:
            raise LocalProtocolError(
                f"RSA_PAD of {len(data)} bytes of inner data, {len(padded) - len(data)} of padding,"
                f" {len(with_hash) - len(padded)} of hash, a temp_key of {len(secret)}: expected"
                " 192 for the first two together, 32 for each of the others"
            )
        encrypted = ige_encrypt(with_hash, secret, bytes(32))
        masked = bytes(a ^ b for a, b in zip(secret, sha256(encrypted).digest(), strict=True))
        if temp_key is not None or int.from_bytes(masked + encrypted) < key.n:
            return _power(masked + encrypted, key)


def _power(block: bytes, key: PublicKey) -> bytes:
    number = int.from_bytes(block)
    if number >= key.n:
        raise LocalProtocolError(
            f"{len(block)} bytes that are no number below n of the RSA key: less padding, or another temp_key"
        )
    return key.power(number).to_bytes(_RSA_SIZE)


def _measure(data: bytes) -> int | None:
    try:
        return tl.decode_prefix(service.SCHEMA, data, service.TypePQInnerData)[1]
    except tl.DecodeError:
        return None
