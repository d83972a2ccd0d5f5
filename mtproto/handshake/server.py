"""The server's end of the key exchange as one object: bodies in, bodies out, over the table of `server_steps`.

Every refusal is a HandshakeFailed whose `reply` is -404: what went wrong is for our own log, the peer sees one
and the same answer for every cause (S1, S9).  (A client of another data centre gets -444, where that is
checked.)  A query that is repeated to the letter gets the same answer again; a new req_pq starts all over at
any time.

Specification: core.telegram.org/mtproto/auth_key; core.telegram.org/mtproto/security_guidelines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tl
from mtproto import service
from mtproto.crypto.rsa import PrivateKey
from mtproto.errors import HandshakeFailed, LocalProtocolError
from mtproto.handshake.server_steps import (
    REFUSAL,
    STEPS,
    AwaitingReqDH,
    AwaitingSetClientDH,
    KeyPair,
    ServerContext,
    ServerFinished,
    refused,
)
from mtproto.handshake.work import Steps, run

__all__ = ["LIFETIME", "MAX_QUERY", "KeyPair", "ServerFinished", "ServerHandshake"]

LIFETIME = 600
"""Seconds that an unfinished exchange is remembered."""
MAX_QUERY = 4 * 1024
"""The longest query that is looked at, in bytes: some ten times what any of them takes."""

_State = AwaitingReqDH | AwaitingSetClientDH | ServerFinished


def _never(key_id: bytes) -> bool:
    return False


class ServerHandshake:
    """The exchange as one object: `receive` takes a query's body and gives the answer's.

    `keys` are our RSA keys; `is_taken` says whether an auth_key_id is in use already, which makes the client
    try again (dh_gen_retry), `is_refused` whether to end with dh_gen_fail.  With a `dc`, clients that name
    another one are turned away.  `clock` is unix time in seconds, `rng` gives random bytes.  `result` is there
    when the exchange is complete.

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
        is_taken: Callable[[bytes], bool] = _never,
        is_refused: Callable[[bytes], bool] = _never,
        dc: int | None = None,
        primes: tuple[int, int] | None = None,
        pair: KeyPair | None = None,
        g: int = 3,
        fingerprints: Sequence[int] | None = None,
        decrypt: Callable[[bytes, int], bytes | None] | None = None,
    ) -> None:
        if not keys and decrypt is None:
            raise LocalProtocolError("a key exchange needs at least one RSA key")
        by_fingerprint = {key.public.fingerprint: key for key in keys}
        offered = tuple(by_fingerprint if fingerprints is None else fingerprints)
        self._context = ServerContext(
            by_fingerprint, offered, decrypt, clock, rng, is_taken, is_refused, primes, pair, g, dc
        )
        self._state: _State | None = None
        self._started = 0.0
        self._last: tuple[bytes, bytes] | None = None

    @property
    def result(self) -> ServerFinished | None:
        """The agreed key, once there is one."""
        return self._state if isinstance(self._state, ServerFinished) else None

    def new_nonce(self, server_nonce: bytes) -> bytes | None:
        """The secret nonce, 32 bytes, while an exchange with this `server_nonce` is under way: for key logs."""
        state = self._state
        if isinstance(state, AwaitingSetClientDH) and state.server_nonce == server_nonce:
            return state.new_nonce
        return None

    def receive(self, body: bytes) -> bytes:
        """The answer to the query `body`; raise HandshakeFailed, with reply -404, for all that is not right."""
        return run(self.receiving(body))

    def receiving(self, body: bytes) -> Steps[bytes]:
        """`receive` for who does the heavy work elsewhere: yields it, and returns the answer."""
        if self._last and body == self._last[0] and not self._is_over():
            return self._last[1]
        state, self._state, self._last = self._state, None, None
        try:
            self._state, answer = yield from self._step(state, _read(body))
        except HandshakeFailed as error:
            if error.reply is None:
                error.reply = REFUSAL  # whichever check it was, the peer can't tell them apart
            raise
        self._last = body, bytes(answer)
        return self._last[1]

    def _is_over(self) -> bool:
        return self._context.clock() - self._started > LIFETIME

    def _step(self, state: _State | None, query: tl.TLObject) -> Steps[tuple[Any, Any]]:
        step = next((step for step in STEPS if isinstance(query, step.expects)), None)
        if step is None or (step.state is not None and step.state is not type(state)):
            raise refused("not the query that is due", query.TL_NAME)
        if step.state is None:
            self._started = self._context.clock()
        elif self._is_over():
            raise refused("the exchange took too long", f"> {LIFETIME} s")
        return (yield from step.function(state, query, self._context))


def _read(body: bytes) -> tl.TLObject:
    if len(body) > MAX_QUERY:
        raise refused("a query too long to be one", f"{len(body)} bytes", f"<= {MAX_QUERY}")
    try:
        return service.decode(body)
    except tl.DecodeError as error:
        raise refused(f"a query that can't be read: {error}") from None
