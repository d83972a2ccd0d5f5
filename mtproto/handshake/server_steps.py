"""The server's half of the authorization key exchange, as numbered steps; `client_steps` mirrors it.

    1  ←  req_pq_multi | req_pq, → resPQ                  a product of two primes, our keys' fingerprints
    2  ←  req_DH_params,         → server_DH_params_ok    decrypt and check the inner data, choose a
    3  ←  set_client_DH_params,  → dh_gen_ok | retry      check g_b: the key is agreed
                                     | dh_gen_fail

Each step is a function of the state before, the client's query and fresh randomness; it returns the next
state and the answer.  `STEPS` is the table of them.

Specification: core.telegram.org/mtproto/auth_key; core.telegram.org/mtproto/security_guidelines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import tl
from mtproto import service
from mtproto.crypto.auth_key import AuthKey, initial_salt
from mtproto.crypto.dh import TELEGRAM_DH_PRIME, check_public, power, read_public, to_256_bytes
from mtproto.crypto.primes import minimal_bytes, random_semiprime
from mtproto.crypto.randomness import draw
from mtproto.crypto.rsa import PrivateKey, decrypt_inner_data
from mtproto.errors import HandshakeFailed, LocalProtocolError
from mtproto.handshake.inner import open_inner, seal_inner
from mtproto.handshake.steps import Step
from mtproto.handshake.work import Steps, do

__all__ = [
    "REFUSAL",
    "STEPS",
    "WRONG_DC",
    "AwaitingReqDH",
    "AwaitingSetClientDH",
    "KeyPair",
    "ServerContext",
    "ServerFinished",
    "refused",
]

REFUSAL = -404
"""The transport error that answers everything that is not right (S1)."""
WRONG_DC = -444
"""The transport error for a data centre that is not this one (H16); it follows on inner data that is right."""

_MAX_SECRETS = 8


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
class ServerContext:
    """What all steps know: see `ServerHandshake`."""

    keys: Mapping[int, PrivateKey]
    fingerprints: tuple[int, ...]
    decrypt: Callable[[bytes, int], bytes | None] | None
    clock: Callable[[], float]
    rng: Callable[[int], bytes]
    is_taken: Callable[[bytes], bool]
    is_refused: Callable[[bytes], bool]
    primes: tuple[int, int] | None
    pair: KeyPair | None
    g: int
    dc: int | None


@dataclass(frozen=True, slots=True)
class AwaitingReqDH:
    """After step 1."""

    nonce: bytes
    server_nonce: bytes
    p: int
    q: int


@dataclass(frozen=True, slots=True)
class AwaitingSetClientDH:
    """After step 2, and after a retry in step 3, which then has to carry this `retry_id`."""

    nonce: bytes
    server_nonce: bytes
    new_nonce: bytes = field(repr=False)
    pair: KeyPair
    expires_at: float | None
    retry_id: int = 0


@dataclass(frozen=True, slots=True)
class ServerFinished:
    """An agreed key, its first server_salt, and for a temporary key when it expires (unix time)."""

    auth_key: AuthKey
    server_salt: int
    expires_at: float | None = None


def refused(
    message: str, got: object = None, expected: object = None, *, check: str = "S9", reply: int = REFUSAL
) -> HandshakeFailed:
    """What is raised for a query that is not right."""
    return HandshakeFailed(message, check=check, got=got, expected=expected, reply=reply)


def _same(what: str, got: object, expected: object) -> None:
    if got != expected:
        raise refused(f"{what} differs", got, expected)


def _step1(
    state: object, query: service.ReqPqMulti | service.ReqPq, context: ServerContext
) -> Steps[tuple[AwaitingReqDH, tl.TLObject]]:
    yield from ()  # nothing here is heavy
    server_nonce = draw(context.rng, 16)
    p, q = context.primes or random_semiprime(context.rng)
    answer = service.ResPQ(
        nonce=query.nonce,
        server_nonce=server_nonce,
        pq=minimal_bytes(p * q),
        server_public_key_fingerprints=list(context.fingerprints),
    )
    return AwaitingReqDH(query.nonce, server_nonce, p, q), answer


def _step2(
    state: AwaitingReqDH, query: service.ReqDHParams, context: ServerContext
) -> Steps[tuple[AwaitingSetClientDH, tl.TLObject]]:
    now = context.clock()  # before the work, which takes a while
    _same("nonce", query.nonce, state.nonce)
    _same("server_nonce", query.server_nonce, state.server_nonce)
    _same("p", query.p, minimal_bytes(state.p))
    _same("q", query.q, minimal_bytes(state.q))
    if query.public_key_fingerprint not in context.fingerprints:
        raise refused("a fingerprint of none of our keys", query.public_key_fingerprint)
    inner = yield from _inner_data(query, context)
    _same("inner pq", inner.pq, minimal_bytes(state.p * state.q))
    _same("inner p", inner.p, query.p)
    _same("inner q", inner.q, query.q)
    _same("inner nonce", inner.nonce, state.nonce)
    _same("inner server_nonce", inner.server_nonce, state.server_nonce)
    expires_at = _expiry(inner, now)
    _check_dc(inner, context.dc)
    pair = context.pair or (yield from _new_pair(context))
    waiting = AwaitingSetClientDH(state.nonce, state.server_nonce, inner.new_nonce, pair, expires_at)
    return waiting, _dh_params(waiting, context)


def _inner_data(query: service.ReqDHParams, context: ServerContext) -> Steps[service.TypePQInnerData]:
    encrypted, fingerprint = query.encrypted_data, query.public_key_fingerprint
    if context.decrypt is None:
        data = yield from do(_decrypt, encrypted, context.keys.get(fingerprint))
    else:
        data = yield from do(context.decrypt, encrypted, fingerprint)
    if data is None:
        raise refused("encrypted_data that is neither RSA_PAD nor SHA1-padded", f"{len(encrypted)} bytes")
    try:
        inner: service.TypePQInnerData = service.decode(data, service.TypePQInnerData)
    except tl.DecodeError as error:
        raise refused(f"inner data that can't be read: {error}") from None
    return inner


def _decrypt(encrypted: bytes, key: PrivateKey | None) -> bytes | None:
    decrypted = decrypt_inner_data(encrypted, key, _measure) if key else None
    return decrypted.data if decrypted else None


def _measure(data: bytes) -> int | None:
    """The length of the P_Q_inner_data at the start of `data`, or None where there is none."""
    try:
        return tl.decode_prefix(service.SCHEMA, data, service.TypePQInnerData)[1]
    except tl.DecodeError:
        return None


def _expiry(inner: service.TypePQInnerData, now: float) -> float | None:
    if not isinstance(inner, service.PQInnerDataTemp | service.PQInnerDataTempDc):
        return None
    if inner.expires_in <= 0:
        raise refused("a temporary key that expires before it begins", inner.expires_in, "> 0 seconds")
    return now + inner.expires_in


def _check_dc(inner: service.TypePQInnerData, dc: int | None) -> None:
    """Whether the client means this data centre, or its media half; the older forms do not say (H16)."""
    if dc is None or not isinstance(inner, service.PQInnerDataDc | service.PQInnerDataTempDc):
        return
    if abs(inner.dc) != abs(dc):
        raise refused("a client of another data centre", inner.dc, f"{dc}", check="H16", reply=WRONG_DC)


def _new_pair(context: ServerContext) -> Steps[KeyPair]:
    for _ in range(_MAX_SECRETS):
        secret = int.from_bytes(draw(context.rng, 256))
        pair = yield from do(KeyPair, context.g, TELEGRAM_DH_PRIME, secret)
        try:
            check_public(pair.public, pair.prime, "g_a")
        except HandshakeFailed:  # one secret in 2**63 gives a number too near the ends
            continue
        return pair
    raise LocalProtocolError(f"{_MAX_SECRETS} secrets in a row gave no good g_a: the rng is broken")


def _dh_params(state: AwaitingSetClientDH, context: ServerContext) -> service.ServerDHParamsOk:
    inner = service.ServerDHInnerData(
        nonce=state.nonce,
        server_nonce=state.server_nonce,
        g=state.pair.g,
        dh_prime=to_256_bytes(state.pair.prime),
        g_a=to_256_bytes(state.pair.public),
        server_time=int(context.clock()),
    )
    return service.ServerDHParamsOk(
        nonce=state.nonce,
        server_nonce=state.server_nonce,
        encrypted_answer=seal_inner(inner, state.new_nonce, state.server_nonce, context.rng),
    )


def _step3(
    state: AwaitingSetClientDH, query: service.SetClientDHParams, context: ServerContext
) -> Steps[tuple[ServerFinished | AwaitingSetClientDH | None, tl.TLObject]]:
    _same("nonce", query.nonce, state.nonce)
    _same("server_nonce", query.server_nonce, state.server_nonce)
    g_b = _g_b(state, query)
    key = AuthKey(to_256_bytes((yield from do(state.pair.shared, g_b))))
    nonces = {"nonce": state.nonce, "server_nonce": state.server_nonce}
    if context.is_refused(key.key_id):
        return None, service.DhGenFail(**nonces, new_nonce_hash3=key.new_nonce_hash(state.new_nonce, 3))
    if context.is_taken(key.key_id):
        retry_id = int.from_bytes(key.aux_hash, "little", signed=True)
        again = AwaitingSetClientDH(
            state.nonce, state.server_nonce, state.new_nonce, state.pair, state.expires_at, retry_id
        )
        return again, service.DhGenRetry(**nonces, new_nonce_hash2=key.new_nonce_hash(state.new_nonce, 2))
    salt = initial_salt(state.new_nonce, state.server_nonce)
    answer = service.DhGenOk(**nonces, new_nonce_hash1=key.new_nonce_hash(state.new_nonce, 1))
    return ServerFinished(key, salt, state.expires_at), answer


def _g_b(state: AwaitingSetClientDH, query: service.SetClientDHParams) -> int:
    inner = open_inner(
        query.encrypted_data, state.new_nonce, state.server_nonce, service.ClientDHInnerData, check="S9"
    )
    _same("inner nonce", inner.nonce, state.nonce)
    _same("inner server_nonce", inner.server_nonce, state.server_nonce)
    _same("retry_id", inner.retry_id, state.retry_id)
    return read_public(inner.g_b, state.pair.prime, "g_b")


STEPS = (
    Step(1, None, (service.ReqPqMulti, service.ReqPq), _step1, ("S9",), (service.ResPQ,), (AwaitingReqDH,)),
    Step(
        2,
        AwaitingReqDH,
        (service.ReqDHParams,),
        _step2,
        ("S1", "S9", "H16"),
        (service.ServerDHParamsOk,),
        (AwaitingSetClientDH,),
    ),
    Step(
        3,
        AwaitingSetClientDH,
        (service.SetClientDHParams,),
        _step3,
        ("S1", "S9", "H8"),
        (service.DhGenOk, service.DhGenRetry, service.DhGenFail),
        (ServerFinished, AwaitingSetClientDH, type(None)),
    ),
)
"""The server's steps."""
