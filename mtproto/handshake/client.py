"""The client's half of the authorization key exchange, as numbered steps; `handshake.server` mirrors it.

    1  →  req_pq_multi                       nonce
    2  ←  resPQ, → req_DH_params             factor pq, choose a key, encrypt the inner data with it
    3  ←  server_DH_params_ok,               check the group and g_a, choose b
       →  set_client_DH_params
    4  ←  dh_gen_ok | retry | fail           check the hash: the key is agreed, or step 3 again with a new b

Each step is a function of the state before, the server's message and fresh randomness; it returns the next
state and what to send.  All checks are those of the client in the checklist, H1 to H13.

Specification: core.telegram.org/mtproto/auth_key; core.telegram.org/mtproto/security_guidelines.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tl
from mtproto import service
from mtproto.crypto.auth_key import AuthKey, dh_params_fail_hash, initial_salt
from mtproto.crypto.dh import check_group, check_public, power, read_public, to_256_bytes
from mtproto.crypto.primes import factorize, minimal_bytes
from mtproto.crypto.rsa import PublicKey, rsa_pad_encrypt
from mtproto.errors import HandshakeFailed, LocalProtocolError
from mtproto.handshake.inner import open_inner, seal_inner

__all__ = ["MAX_ANSWER", "MAX_FINGERPRINTS", "MAX_RETRIES", "ClientHandshake", "Finished"]

MAX_RETRIES = 5
"""How many times dh_gen_retry is followed; the specification gives no bound (H11)."""
MAX_ANSWER = 16 * 1024
"""The longest answer that is looked at, in bytes: some twenty times what any of them takes."""
MAX_FINGERPRINTS = 64
"""The most key fingerprints looked at in one resPQ (H3)."""
_MAX_SECRETS = 8


@dataclass(frozen=True, slots=True)
class Finished:
    """An agreed key: with the first server_salt, and by how many seconds the server's clock is ahead."""

    auth_key: AuthKey
    server_salt: int
    time_offset: float


@dataclass(frozen=True, slots=True)
class _Context:
    keys: tuple[PublicKey, ...]
    dc: int
    clock: Callable[[], float]
    rng: Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class _AwaitingResPQ:
    nonce: bytes


@dataclass(frozen=True, slots=True)
class _AwaitingDHParams:
    nonce: bytes
    server_nonce: bytes
    new_nonce: bytes


@dataclass(frozen=True, slots=True)
class _AwaitingDHGen:
    nonce: bytes
    server_nonce: bytes
    new_nonce: bytes
    g: int
    prime: int
    g_a: int
    auth_key: AuthKey
    time_offset: float
    retries: int = 0


_State = _AwaitingResPQ | _AwaitingDHParams | _AwaitingDHGen | Finished


def _step1(context: _Context) -> tuple[_State, tl.TLObject]:
    nonce = context.rng(16)
    return _AwaitingResPQ(nonce), service.ReqPqMulti(nonce=nonce)


def _step2(state: _AwaitingResPQ, answer: tl.TLObject, context: _Context) -> tuple[_State, tl.TLObject]:
    if not isinstance(answer, service.ResPQ):
        raise _unexpected(answer, "resPQ")
    _same("nonce", answer.nonce, state.nonce)
    p, q = (minimal_bytes(n) for n in factorize(answer.pq))
    key = _choose_key(answer.server_public_key_fingerprints, context.keys)
    new_nonce = context.rng(32)
    inner = service.PQInnerDataDc(
        pq=answer.pq,
        p=p,
        q=q,
        nonce=state.nonce,
        server_nonce=answer.server_nonce,
        new_nonce=new_nonce,
        dc=context.dc,
    )
    query = service.ReqDHParams(
        nonce=state.nonce,
        server_nonce=answer.server_nonce,
        p=p,
        q=q,
        public_key_fingerprint=key.fingerprint,
        encrypted_data=rsa_pad_encrypt(bytes(inner), key, context.rng),
    )
    return _AwaitingDHParams(state.nonce, answer.server_nonce, new_nonce), query


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


def _step3(state: _AwaitingDHParams, answer: tl.TLObject, context: _Context) -> tuple[_State, tl.TLObject]:
    if not isinstance(answer, service.ServerDHParamsOk | service.ServerDHParamsFail):
        raise _unexpected(answer, "server_DH_params_ok")
    _same("nonce", answer.nonce, state.nonce)
    _same("server_nonce", answer.server_nonce, state.server_nonce)
    if isinstance(answer, service.ServerDHParamsFail):
        _same("new_nonce_hash", answer.new_nonce_hash, dh_params_fail_hash(state.new_nonce), "H10")
        raise HandshakeFailed("the server refused: server_DH_params_fail", check="H10")
    inner = open_inner(
        answer.encrypted_answer, state.new_nonce, state.server_nonce, service.ServerDHInnerData, check="H5"
    )
    _same("nonce", inner.nonce, state.nonce)
    _same("server_nonce", inner.server_nonce, state.server_nonce)
    prime = check_group(inner.g, inner.dh_prime)
    g_a = read_public(inner.g_a, prime, "g_a")
    time_offset = inner.server_time - context.clock()
    return _choose_b(state, inner.g, prime, g_a, time_offset, context)


def _choose_secret(g: int, prime: int, rng: Callable[[int], bytes]) -> tuple[int, int]:
    """b and g_b; another b where g_b is too near the ends, as one in 2**63 is (H8, H9)."""
    for _ in range(_MAX_SECRETS):
        b = int.from_bytes(rng(256))
        g_b = power(g, b, prime)
        try:
            check_public(g_b, prime, "g_b")
        except HandshakeFailed:
            continue
        return b, g_b
    raise LocalProtocolError(f"{_MAX_SECRETS} secrets in a row gave no good g_b: the rng is broken")


def _choose_b(
    state: _AwaitingDHParams | _AwaitingDHGen,
    g: int,
    prime: int,
    g_a: int,
    time_offset: float,
    context: _Context,
    *,
    retry_id: int = 0,
    retries: int = 0,
) -> tuple[_State, tl.TLObject]:
    b, g_b = _choose_secret(g, prime, context.rng)
    auth_key = AuthKey(to_256_bytes(power(g_a, b, prime)))
    inner = service.ClientDHInnerData(
        nonce=state.nonce, server_nonce=state.server_nonce, retry_id=retry_id, g_b=to_256_bytes(g_b)
    )
    query = service.SetClientDHParams(
        nonce=state.nonce,
        server_nonce=state.server_nonce,
        encrypted_data=seal_inner(inner, state.new_nonce, state.server_nonce, context.rng),
    )
    waiting = _AwaitingDHGen(
        state.nonce, state.server_nonce, state.new_nonce, g, prime, g_a, auth_key, time_offset, retries
    )
    return waiting, query


def _step4(
    state: _AwaitingDHGen, answer: tl.TLObject, context: _Context
) -> tuple[_State, tl.TLObject | None]:
    if not isinstance(answer, service.DhGenOk | service.DhGenRetry | service.DhGenFail):
        raise _unexpected(answer, "dh_gen_ok")
    _same("nonce", answer.nonce, state.nonce)
    _same("server_nonce", answer.server_nonce, state.server_nonce)
    key = state.auth_key
    if isinstance(answer, service.DhGenOk):
        _same("new_nonce_hash1", answer.new_nonce_hash1, key.new_nonce_hash(state.new_nonce, 1), "H10")
        salt = initial_salt(state.new_nonce, state.server_nonce)
        return Finished(key, salt, state.time_offset), None
    if isinstance(answer, service.DhGenFail):
        _same("new_nonce_hash3", answer.new_nonce_hash3, key.new_nonce_hash(state.new_nonce, 3), "H10")
        raise HandshakeFailed("the server refused: dh_gen_fail", check="H11")
    _same("new_nonce_hash2", answer.new_nonce_hash2, key.new_nonce_hash(state.new_nonce, 2), "H10")
    if state.retries >= MAX_RETRIES:
        raise HandshakeFailed(f"the server asked for more than {MAX_RETRIES} retries", check="H11")
    return _choose_b(
        state,
        state.g,
        state.prime,
        state.g_a,
        state.time_offset,
        context,
        retry_id=int.from_bytes(key.aux_hash, "little", signed=True),
        retries=state.retries + 1,
    )


def _same(what: str, got: bytes, expected: bytes, check: str = "H1") -> None:
    if not hmac.compare_digest(got, expected):
        raise HandshakeFailed(f"{what} differs", check=check, got=got.hex(), expected=expected.hex())


def _unexpected(answer: tl.TLObject, expected: str) -> HandshakeFailed:
    return HandshakeFailed("not the answer to our query", check="H13", got=answer.TL_NAME, expected=expected)


class ClientHandshake:
    """The exchange as one object: `start` gives the first query, `receive` each next one.

    `keys` are the RSA keys we trust, in our order of preference; `dc` is the number of the data centre (plus
    10000 for test ones, negative for media).  `clock` is unix time in seconds, `rng` gives random bytes.
    Both methods deal in message bodies; `result` is there when the exchange is complete.
    """

    def __init__(
        self,
        keys: Sequence[PublicKey],
        *,
        dc: int,
        clock: Callable[[], float],
        rng: Callable[[int], bytes],
    ) -> None:
        if not keys:
            raise LocalProtocolError("a key exchange needs at least one RSA key to trust")
        if not -(2**31) <= dc < 2**31:
            raise LocalProtocolError(f"dc {dc} is no 32-bit number")
        self._context = _Context(tuple(keys), dc, clock, rng)
        self._state: _State | None = None

    @property
    def result(self) -> Finished | None:
        """The agreed key, once there is one."""
        return self._state if isinstance(self._state, Finished) else None

    def start(self) -> bytes:
        """The first query; a second call starts all over."""
        self._state, query = _step1(self._context)
        return bytes(query)

    def receive(self, body: bytes) -> bytes | None:
        """The query that follows the server's message `body`, or None when there is nothing left to send.

        Raise HandshakeFailed where a check fails; only `start` is possible then.  A message after the last
        one is refused too, but does not take the `result` away.
        """
        if self._state is None or isinstance(self._state, Finished):
            raise HandshakeFailed("a message although no query is open", check="H13")
        state, self._state = self._state, None
        if len(body) > MAX_ANSWER:
            raise HandshakeFailed(
                "an answer too long to be one",
                check="H13",
                got=f"{len(body)} bytes",
                expected=f"<= {MAX_ANSWER}",
            )
        # The published example has bytes behind the object in the server's three answers.
        try:
            answer, _ = tl.decode_prefix(service.SCHEMA, body)
        except tl.DecodeError as error:
            raise HandshakeFailed(f"an answer that can't be read: {error}", check="H13") from None
        query: tl.TLObject | None
        match state:
            case _AwaitingResPQ():
                self._state, query = _step2(state, answer, self._context)
            case _AwaitingDHParams():
                self._state, query = _step3(state, answer, self._context)
            case _AwaitingDHGen():
                self._state, query = _step4(state, answer, self._context)
        return None if query is None else bytes(query)
