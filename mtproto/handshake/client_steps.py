"""The client's half of the authorization key exchange, as numbered steps; `server_steps` mirrors it.

    1  →  req_pq_multi                       nonce
    2  ←  resPQ, → req_DH_params             factor pq, choose a key, encrypt the inner data with it
    3  ←  server_DH_params_ok,               check the group and g_a, choose b
       →  set_client_DH_params
    4  ←  dh_gen_ok | retry | fail           check the hash: the key is agreed, or step 3 again with a new b

Each step is a function of the state before, the server's message and fresh randomness; it returns the next
state and what to send.  `STEPS` is the table of them.

Specification: core.telegram.org/mtproto/auth_key; core.telegram.org/mtproto/security_guidelines.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import tl
from mtproto import service
from mtproto.crypto.auth_key import AuthKey, dh_params_fail_hash, initial_salt
from mtproto.crypto.dh import check_group, check_public, power, read_public, to_256_bytes
from mtproto.crypto.factoring import advance, begin
from mtproto.crypto.primes import minimal_bytes
from mtproto.crypto.randomness import draw
from mtproto.crypto.rsa import PublicKey, rsa_pad_encrypt
from mtproto.errors import HandshakeFailed, LocalProtocolError
from mtproto.handshake.inner import open_inner, seal_inner
from mtproto.handshake.steps import Step
from mtproto.handshake.work import Steps, do
from mtproto.message_id import MAX_SERVER_TIME

__all__ = [
    "MAX_FINGERPRINTS",
    "MAX_RETRIES",
    "STEPS",
    "AwaitingDHGen",
    "AwaitingDHParams",
    "AwaitingResPQ",
    "ClientContext",
    "Finished",
]

MAX_RETRIES = 5
"""How many times dh_gen_retry is followed; the specification gives no bound (H11)."""
MAX_FINGERPRINTS = 64
"""The most key fingerprints looked at in one resPQ (H3)."""
_MAX_SECRETS = 8


@dataclass(frozen=True, slots=True)
class ClientContext:
    """What all steps know: see `ClientHandshake`."""

    keys: tuple[PublicKey, ...]
    dc: int
    expires_in: int | None
    clock: Callable[[], float]
    rng: Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class AwaitingResPQ:
    """After step 1."""

    nonce: bytes


@dataclass(frozen=True, slots=True)
class AwaitingDHParams:
    """After step 2, whose query was made at `sent_at`; a temporary key will expire at `expires_at`.

    Both are unix time by our own clock.
    """

    nonce: bytes
    server_nonce: bytes
    new_nonce: bytes = field(repr=False)
    sent_at: float
    expires_at: float | None


@dataclass(frozen=True, slots=True)
class AwaitingDHGen:
    """After step 3, and after a retry in step 4."""

    before: AwaitingDHParams
    g: int
    prime: int
    g_a: int
    time_offset: float
    round_trip: float
    auth_key: AuthKey
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """An agreed key: with the first server_salt, and by how many seconds the server's clock is ahead.

    The clock was told in an answer that came `round_trip` seconds after its query, in whole seconds: it may be
    that much further ahead, and one second.  A temporary key has an end, `expires_at`: unix time by our own clock.
    """

    auth_key: AuthKey
    server_salt: int
    time_offset: float
    expires_at: float | None = None
    round_trip: float = 0.0


def _step1(state: None, message: None, context: ClientContext) -> Steps[tuple[AwaitingResPQ, tl.TLObject]]:
    nonce = draw(context.rng, 16)
    yield from ()  # nothing here is heavy
    return AwaitingResPQ(nonce), service.ReqPqMulti(nonce=nonce)


def _step2(
    state: AwaitingResPQ, answer: service.ResPQ, context: ClientContext
) -> Steps[tuple[AwaitingDHParams, tl.TLObject]]:
    _same("nonce", answer.nonce, state.nonce)
    key = _choose_key(answer.server_public_key_fingerprints, context.keys)  # before the work
    p, q = map(minimal_bytes, (yield from _factorize(answer.pq)))
    new_nonce = draw(context.rng, 32)
    inner = _inner_data(answer, p, q, new_nonce, context)
    query = service.ReqDHParams(
        nonce=state.nonce,
        server_nonce=answer.server_nonce,
        p=p,
        q=q,
        public_key_fingerprint=key.fingerprint,
        encrypted_data=rsa_pad_encrypt(bytes(inner), key, context.rng),
    )
    sent_at = context.clock()
    expires_at = None if context.expires_in is None else sent_at + context.expires_in
    return AwaitingDHParams(state.nonce, answer.server_nonce, new_nonce, sent_at, expires_at), query


def _factorize(pq: bytes) -> Steps[tuple[int, int]]:
    search = begin(pq)
    while search.factors is None:
        search = yield from do(advance, search)
    return search.factors


def _choose_key(offered: list[int], keys: tuple[PublicKey, ...]) -> PublicKey:
    """The first of our own keys, in our own order of preference, that the server has too (H3)."""
    known = set(offered[:MAX_FINGERPRINTS])
    for key in keys:
        if key.fingerprint in known:
            return key
    ours = ", ".join(f"{k.fingerprint & (1 << 64) - 1:016x}" for k in keys) or "none"
    shown = ", ".join(f"{f & (1 << 64) - 1:016x}" for f in offered[:4])
    raise HandshakeFailed(
        "the server has none of our RSA keys",
        check="H3",
        got=f"fingerprints {shown or 'none'}",
        expected=ours,
    )


def _inner_data(
    answer: service.ResPQ, p: bytes, q: bytes, new_nonce: bytes, context: ClientContext
) -> service.PQInnerDataDc | service.PQInnerDataTempDc:
    """The inner data of a permanent or of a temporary key; always the form that names the data centre."""
    if context.expires_in is None:
        return service.PQInnerDataDc(
            pq=answer.pq,
            p=p,
            q=q,
            nonce=answer.nonce,
            server_nonce=answer.server_nonce,
            new_nonce=new_nonce,
            dc=context.dc,
        )
    return service.PQInnerDataTempDc(
        pq=answer.pq,
        p=p,
        q=q,
        nonce=answer.nonce,
        server_nonce=answer.server_nonce,
        new_nonce=new_nonce,
        dc=context.dc,
        expires_in=context.expires_in,
    )


def _step3(
    state: AwaitingDHParams,
    answer: service.ServerDHParamsOk | service.ServerDHParamsFail,
    context: ClientContext,
) -> Steps[tuple[AwaitingDHGen, tl.TLObject]]:
    now = context.clock()  # before the work, which takes a while
    _same_nonces(answer, state)
    if isinstance(answer, service.ServerDHParamsFail):
        _same("new_nonce_hash", answer.new_nonce_hash, dh_params_fail_hash(state.new_nonce), "H10")
        raise HandshakeFailed("the server refused: server_DH_params_fail", check="H10")
    inner = open_inner(
        answer.encrypted_answer, state.new_nonce, state.server_nonce, service.ServerDHInnerData, check="H5"
    )
    _same_nonces(inner, state)
    _check_server_time(inner.server_time)
    prime = yield from do(check_group, inner.g, inner.dh_prime)
    g_a = read_public(inner.g_a, prime, "g_a")
    b, g_b = yield from _choose_secret(inner.g, prime, context.rng)
    auth_key = yield from do(_auth_key, g_a, b, prime)
    offset, round_trip = inner.server_time - now, max(0.0, now - state.sent_at)  # a clock may be turned back
    waiting = AwaitingDHGen(state, inner.g, prime, g_a, offset, round_trip, auth_key)
    return waiting, _set_dh_params(state, g_b, 0, context)


def _check_server_time(server_time: int) -> None:
    """Whether our messages and temporary keys can tell this time, and a year on (H12)."""
    if not 0 <= server_time < MAX_SERVER_TIME:
        raise HandshakeFailed(
            "a server_time that can't be",
            check="H12",
            got=server_time,
            expected=f"unix time from 0 to {MAX_SERVER_TIME - 1}",
        )


def _choose_secret(g: int, prime: int, rng: Callable[[int], bytes]) -> Steps[tuple[int, int]]:
    """b and g_b; another b where g_b is too near the ends, as one in 2**63 is (H8, H9)."""
    for _ in range(_MAX_SECRETS):
        b = int.from_bytes(draw(rng, 256))
        g_b = yield from do(power, g, b, prime)
        try:
            check_public(g_b, prime, "g_b")
        except HandshakeFailed:
            continue
        return b, g_b
    raise LocalProtocolError(f"{_MAX_SECRETS} secrets in a row gave no good g_b: the rng is broken")


def _auth_key(g_a: int, b: int, prime: int) -> AuthKey:
    return AuthKey(to_256_bytes(power(g_a, b, prime)))


def _set_dh_params(
    state: AwaitingDHParams, g_b: int, retry_id: int, context: ClientContext
) -> service.SetClientDHParams:
    inner = service.ClientDHInnerData(
        nonce=state.nonce, server_nonce=state.server_nonce, retry_id=retry_id, g_b=to_256_bytes(g_b)
    )
    return service.SetClientDHParams(
        nonce=state.nonce,
        server_nonce=state.server_nonce,
        encrypted_data=seal_inner(inner, state.new_nonce, state.server_nonce, context.rng),
    )


def _step4(
    state: AwaitingDHGen,
    answer: service.DhGenOk | service.DhGenRetry | service.DhGenFail,
    context: ClientContext,
) -> Steps[tuple[AwaitingDHGen | Finished, tl.TLObject | None]]:
    before, key = state.before, state.auth_key
    new_nonce = before.new_nonce
    _same_nonces(answer, before)
    if isinstance(answer, service.DhGenOk):
        _same("new_nonce_hash1", answer.new_nonce_hash1, key.new_nonce_hash(new_nonce, 1), "H10")
        salt = initial_salt(new_nonce, before.server_nonce)
        return Finished(key, salt, state.time_offset, before.expires_at, state.round_trip), None
    if isinstance(answer, service.DhGenFail):
        _same("new_nonce_hash3", answer.new_nonce_hash3, key.new_nonce_hash(new_nonce, 3), "H10")
        raise HandshakeFailed("the server refused: dh_gen_fail", check="H11")
    _same("new_nonce_hash2", answer.new_nonce_hash2, key.new_nonce_hash(new_nonce, 2), "H10")
    if state.retries >= MAX_RETRIES:
        raise HandshakeFailed(f"the server asked for more than {MAX_RETRIES} retries", check="H11")
    b, g_b = yield from _choose_secret(state.g, state.prime, context.rng)
    other = yield from do(_auth_key, state.g_a, b, state.prime)
    retry_id = int.from_bytes(key.aux_hash, "little", signed=True)
    waiting = replace(state, auth_key=other, retries=state.retries + 1)
    return waiting, _set_dh_params(before, g_b, retry_id, context)


def _same_nonces(
    answer: service.TypeServerDHParams | service.ServerDHInnerData | service.TypeSetClientDHParamsAnswer,
    state: AwaitingDHParams,
) -> None:
    _same("nonce", answer.nonce, state.nonce)
    _same("server_nonce", answer.server_nonce, state.server_nonce)


def _same(what: str, got: bytes, expected: bytes, check: str = "H1") -> None:
    if not hmac.compare_digest(got, expected):
        raise HandshakeFailed(f"{what} differs", check=check, got=got.hex(), expected=expected.hex())


STEPS = (
    Step(1, None, (), _step1, (), (service.ReqPqMulti,), (AwaitingResPQ,)),
    Step(
        2,
        AwaitingResPQ,
        (service.ResPQ,),
        _step2,
        ("H1", "H2", "H3", "H4"),
        (service.ReqDHParams,),
        (AwaitingDHParams,),
        may_trail=(service.ResPQ,),
    ),
    Step(
        3,
        AwaitingDHParams,
        (service.ServerDHParamsOk, service.ServerDHParamsFail),
        _step3,
        ("H1", "H5", "H6", "H7", "H8", "H9", "H10", "H12"),
        (service.SetClientDHParams,),
        (AwaitingDHGen,),
        may_trail=(service.ServerDHParamsOk,),
    ),
    Step(
        4,
        AwaitingDHGen,
        (service.DhGenOk, service.DhGenRetry, service.DhGenFail),
        _step4,
        ("H1", "H10", "H11", "H12"),
        (service.SetClientDHParams,),
        (AwaitingDHGen, Finished),
        may_trail=(service.DhGenOk,),
    ),
)
"""The client's steps.  The published example has bytes behind the object in three of the server's answers."""
