"""The server's half of the authorization key exchange, as numbered steps; `handshake.client` mirrors it.

    1  ←  req_pq_multi | req_pq, → resPQ                  a product of two primes, our keys' fingerprints
    2  ←  req_DH_params,         → server_DH_params_ok    decrypt and check the inner data, choose a
    3  ←  set_client_DH_params,  → dh_gen_ok | retry      check g_b: the key is agreed

Every refusal is a HandshakeFailed whose `reply` is -404: what went wrong is for our own log, the peer sees one
and the same answer for every cause (S1, S9).  A query that is repeated to the letter gets the same answer
again; a new req_pq starts all over at any time.

Specification: core.telegram.org/mtproto/auth_key; core.telegram.org/mtproto/security_guidelines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tl
from mtproto import service
from mtproto.crypto.auth_key import AuthKey, initial_salt
from mtproto.crypto.dh import TELEGRAM_DH_PRIME, check_public, power, read_public, to_256_bytes
from mtproto.crypto.primes import minimal_bytes, random_semiprime
from mtproto.crypto.rsa import PrivateKey, decrypt_inner_data
from mtproto.errors import HandshakeFailed, LocalProtocolError
from mtproto.handshake.inner import open_inner, seal_inner

__all__ = ["LIFETIME", "KeyPair", "ServerFinished", "ServerHandshake"]

LIFETIME = 600
"""Seconds that an unfinished exchange is remembered."""
REFUSAL = -404

_MAX_SECRETS = 8


@dataclass(frozen=True, slots=True)
class ServerFinished:
    """An agreed key, its first server_salt, and for a temporary key when it expires (unix time)."""

    auth_key: AuthKey
    server_salt: int
    expires_at: float | None = None


class KeyPair:
    """One Diffie-Hellman secret `a` in a group: `public` is g_a, `shared` gives g_ab."""

    def __init__(self, g: int, prime: int, secret: int) -> None:
        self.g = g
        self.prime = prime
        self._secret = secret
        self.public = power(g, secret, prime)

    def shared(self, peer: int) -> int:
        """The number that both sides know, from the peer's public one."""
        return power(peer, self._secret, self.prime)


@dataclass(frozen=True, slots=True)
class _AwaitingReqDH:
    nonce: bytes
    server_nonce: bytes
    p: int
    q: int


@dataclass(frozen=True, slots=True)
class _AwaitingSetClientDH:
    nonce: bytes
    server_nonce: bytes
    new_nonce: bytes
    pair: KeyPair
    expires_at: float | None
    retry_id: int = 0


_State = _AwaitingReqDH | _AwaitingSetClientDH | ServerFinished


def _refused(message: str, got: object = None, expected: object = None) -> HandshakeFailed:
    return HandshakeFailed(message, check="S9", got=got, expected=expected, reply=REFUSAL)


def _same(what: str, got: object, expected: object) -> None:
    if got != expected:
        raise _refused(f"{what} differs", got, expected)


class ServerHandshake:
    """The exchange as one object: `receive` takes a query's body and gives the answer's.

    `keys` are our RSA keys; `is_taken` says whether an auth_key_id is in use already, which makes the client
    try again.  `clock` is unix time in seconds, `rng` gives random bytes.  `result` is there when the exchange
    is complete.

    What is None is computed.  `primes` and `pair` are made from `rng`, the latter with `g`, which must suit
    the prime.  `fingerprints`, those offered in resPQ, are those of `keys`.  `decrypt` gets a query's
    encrypted_data and the fingerprint it is for, and gives the P_Q_inner_data in it, exactly, or None where
    there is none; the key of that fingerprint does it.
    """

    def __init__(
        self,
        keys: Sequence[PrivateKey],
        *,
        clock: Callable[[], float],
        rng: Callable[[int], bytes],
        is_taken: Callable[[bytes], bool] = lambda key_id: False,
        primes: tuple[int, int] | None = None,
        pair: KeyPair | None = None,
        g: int = 3,
        fingerprints: Sequence[int] | None = None,
        decrypt: Callable[[bytes, int], bytes | None] | None = None,
    ) -> None:
        if not keys and decrypt is None:
            raise LocalProtocolError("a key exchange needs at least one RSA key")
        self._keys = {key.public.fingerprint: key for key in keys}
        self._fingerprints = list(self._keys) if fingerprints is None else list(fingerprints)
        self._decrypt = decrypt or self._decrypt_with_key
        self._clock = clock
        self._rng = rng
        self._is_taken = is_taken
        self._primes = primes
        self._pair = pair
        self._g = g
        self._state: _State | None = None
        self._started = 0.0
        self._last: tuple[bytes, bytes] | None = None

    @property
    def result(self) -> ServerFinished | None:
        """The agreed key, once there is one."""
        return self._state if isinstance(self._state, ServerFinished) else None

    def receive(self, body: bytes) -> bytes:
        """The answer to the query `body`; raise HandshakeFailed, with reply -404, for all that is not right."""
        if self._last and body == self._last[0] and self._clock() - self._started <= LIFETIME:
            return self._last[1]
        state, self._state, self._last = self._state, None, None
        try:
            query = service.decode(body)
        except tl.DecodeError as error:
            raise _refused(f"a query that can't be read: {error}") from None
        try:
            self._state, answer = self._step(state, query)
        except HandshakeFailed as error:
            error.reply = REFUSAL  # whichever check it was, the peer can't tell them apart
            raise
        self._last = body, bytes(answer)
        return bytes(answer)

    def _step(self, state: _State | None, query: tl.TLObject) -> tuple[_State, tl.TLObject]:
        if isinstance(query, service.ReqPqMulti | service.ReqPq):
            self._started = self._clock()
            return self._step1(query)
        if state is not None and self._clock() - self._started > LIFETIME:
            raise _refused("the exchange took too long", f"> {LIFETIME} s")
        if isinstance(state, _AwaitingReqDH) and isinstance(query, service.ReqDHParams):
            return self._step2(state, query)
        if isinstance(state, _AwaitingSetClientDH) and isinstance(query, service.SetClientDHParams):
            return self._step3(state, query)
        raise _refused("not the query that is due", query.TL_NAME)

    def _step1(self, query: service.ReqPqMulti | service.ReqPq) -> tuple[_State, tl.TLObject]:
        server_nonce = self._rng(16)
        p, q = self._primes or random_semiprime(self._rng)
        answer = service.ResPQ(
            nonce=query.nonce,
            server_nonce=server_nonce,
            pq=minimal_bytes(p * q),
            server_public_key_fingerprints=self._fingerprints,
        )
        return _AwaitingReqDH(query.nonce, server_nonce, p, q), answer

    def _step2(self, state: _AwaitingReqDH, query: service.ReqDHParams) -> tuple[_State, tl.TLObject]:
        _same("nonce", query.nonce, state.nonce)
        _same("server_nonce", query.server_nonce, state.server_nonce)
        _same("p", query.p, minimal_bytes(state.p))
        _same("q", query.q, minimal_bytes(state.q))
        if query.public_key_fingerprint not in self._fingerprints:
            raise _refused("a fingerprint of none of our keys", query.public_key_fingerprint)
        inner = self._inner_data(query)
        _same("inner pq", inner.pq, minimal_bytes(state.p * state.q))
        _same("inner p", inner.p, query.p)
        _same("inner q", inner.q, query.q)
        _same("inner nonce", inner.nonce, state.nonce)
        _same("inner server_nonce", inner.server_nonce, state.server_nonce)
        expires_at = None
        if isinstance(inner, service.PQInnerDataTemp | service.PQInnerDataTempDc):
            if inner.expires_in <= 0:
                raise _refused(
                    "a temporary key that expires before it begins", inner.expires_in, "> 0 seconds"
                )
            expires_at = self._clock() + inner.expires_in
        pair = self._pair or self._new_pair()
        return (
            _AwaitingSetClientDH(state.nonce, state.server_nonce, inner.new_nonce, pair, expires_at),
            self._dh_params(state, inner.new_nonce, pair),
        )

    def _inner_data(self, query: service.ReqDHParams) -> service.TypePQInnerData:
        data = self._decrypt(query.encrypted_data, query.public_key_fingerprint)
        if data is None:
            raise _refused(
                "encrypted_data that is neither RSA_PAD nor SHA1-padded", f"{len(query.encrypted_data)} bytes"
            )
        try:
            inner: service.TypePQInnerData = service.decode(data, service.TypePQInnerData)
        except tl.DecodeError as error:
            raise _refused(f"inner data that can't be read: {error}") from None
        return inner

    def _decrypt_with_key(self, encrypted: bytes, fingerprint: int) -> bytes | None:
        key = self._keys.get(fingerprint)
        decrypted = decrypt_inner_data(encrypted, key, _measure) if key else None
        return decrypted.data if decrypted else None

    def _new_pair(self) -> KeyPair:
        for _ in range(_MAX_SECRETS):
            pair = KeyPair(self._g, TELEGRAM_DH_PRIME, int.from_bytes(self._rng(256)))
            try:
                check_public(pair.public, pair.prime, "g_a")
            except HandshakeFailed:  # one secret in 2**63 gives a number too near the ends
                continue
            return pair
        raise LocalProtocolError(f"{_MAX_SECRETS} secrets in a row gave no good g_a: the rng is broken")

    def _dh_params(self, state: _AwaitingReqDH, new_nonce: bytes, pair: KeyPair) -> tl.TLObject:
        inner = service.ServerDHInnerData(
            nonce=state.nonce,
            server_nonce=state.server_nonce,
            g=pair.g,
            dh_prime=to_256_bytes(pair.prime),
            g_a=to_256_bytes(pair.public),
            server_time=int(self._clock()),
        )
        return service.ServerDHParamsOk(
            nonce=state.nonce,
            server_nonce=state.server_nonce,
            encrypted_answer=seal_inner(inner, new_nonce, state.server_nonce, self._rng),
        )

    def _step3(
        self, state: _AwaitingSetClientDH, query: service.SetClientDHParams
    ) -> tuple[_State, tl.TLObject]:
        _same("nonce", query.nonce, state.nonce)
        _same("server_nonce", query.server_nonce, state.server_nonce)
        g_b = self._g_b(state, query)
        key = AuthKey(to_256_bytes(state.pair.shared(g_b)))
        if self._is_taken(key.key_id):
            retry_id = int.from_bytes(key.aux_hash, "little", signed=True)
            again = _AwaitingSetClientDH(
                state.nonce, state.server_nonce, state.new_nonce, state.pair, state.expires_at, retry_id
            )
            return again, service.DhGenRetry(
                nonce=state.nonce,
                server_nonce=state.server_nonce,
                new_nonce_hash2=key.new_nonce_hash(state.new_nonce, 2),
            )
        salt = initial_salt(state.new_nonce, state.server_nonce)
        return ServerFinished(key, salt, state.expires_at), service.DhGenOk(
            nonce=state.nonce,
            server_nonce=state.server_nonce,
            new_nonce_hash1=key.new_nonce_hash(state.new_nonce, 1),
        )

    def _g_b(self, state: _AwaitingSetClientDH, query: service.SetClientDHParams) -> int:
        inner = open_inner(
            query.encrypted_data, state.new_nonce, state.server_nonce, service.ClientDHInnerData, check="S9"
        )
        _same("inner nonce", inner.nonce, state.nonce)
        _same("inner server_nonce", inner.server_nonce, state.server_nonce)
        _same("retry_id", inner.retry_id, state.retry_id)
        return read_public(inner.g_b, state.pair.prime, "g_b")


def _measure(data: bytes) -> int | None:
    """The length of the P_Q_inner_data at the start of `data`, or None where there is none."""
    try:
        return tl.decode_prefix(service.SCHEMA, data, service.TypePQInnerData)[1]
    except tl.DecodeError:
        return None
