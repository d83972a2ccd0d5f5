"""The client's end of the key exchange as one object: bodies in, bodies out, over the table of `client_steps`.

Specification: core.telegram.org/mtproto/auth_key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tl
from mtproto import service
from mtproto.crypto.rsa import PublicKey
from mtproto.errors import HandshakeFailed, LocalProtocolError
from mtproto.handshake.client_steps import (
    MAX_FINGERPRINTS,
    MAX_RETRIES,
    STEPS,
    AwaitingDHGen,
    AwaitingDHParams,
    AwaitingResPQ,
    ClientContext,
    Finished,
)
from mtproto.handshake.steps import Step
from mtproto.handshake.work import Steps, run
from mtproto.message_id import MAX_SERVER_TIME

__all__ = [
    "LIFETIME",
    "MAX_ANSWER",
    "MAX_FINGERPRINTS",
    "MAX_RETRIES",
    "MAX_SERVER_TIME",
    "ClientHandshake",
    "Finished",
]

MAX_ANSWER = 16 * 1024
"""The longest answer that is looked at, in bytes: some twenty times what any of them takes."""
LIFETIME = 60.0
"""Seconds that the exchange may take from `start` to its end (H14)."""

_State = AwaitingResPQ | AwaitingDHParams | AwaitingDHGen | Finished


class ClientHandshake:
    """The exchange as one object: `start` gives the first query, `receive` each next one.

    `keys` are the RSA keys we trust, in our order of preference; `dc` is the number of the data centre (plus
    10000 for test ones, negative for media).  With `expires_in`, whole seconds from 1 to 2**31 - 1, the key is a
    temporary one.  `clock` is unix time in seconds, `rng` gives random bytes.  Both methods deal in message
    bodies; `result` is there when the exchange is complete, which has to be by `deadline`.
    """

    def __init__(
        self,
        keys: Sequence[PublicKey],
        *,
        dc: int,
        clock: Callable[[], float],
        rng: Callable[[int], bytes],
        expires_in: int | None = None,
        lifetime: float = LIFETIME,
    ) -> None:
        if not keys:
            raise LocalProtocolError("a key exchange needs at least one RSA key to trust")
        if not -(2**31) <= dc < 2**31:
            raise LocalProtocolError(f"dc {dc} is no 32-bit number")
        if expires_in is not None and not (type(expires_in) is int and 0 < expires_in < 2**31):
            raise LocalProtocolError(
                f"expires_in {expires_in!r:.60}, expected whole seconds from 1 to 2**31 - 1"
            )
        self._context = ClientContext(tuple(keys), dc, expires_in, clock, rng)
        self._lifetime = lifetime
        self._started = 0.0
        self._state: _State | None = None

    @property
    def result(self) -> Finished | None:
        """The agreed key, once there is one."""
        return self._state if isinstance(self._state, Finished) else None

    def new_nonce(self, server_nonce: bytes) -> bytes | None:
        """The secret nonce, 32 bytes, while an exchange with this `server_nonce` is under way: for key logs."""
        state = self._state.before if isinstance(self._state, AwaitingDHGen) else self._state
        if isinstance(state, AwaitingDHParams) and state.server_nonce == server_nonce:
            return state.new_nonce
        return None

    @property
    def deadline(self) -> float:
        """The unix time from which no answer is accepted any more, counted from the last `start`."""
        return self._started + self._lifetime

    def start(self) -> bytes:
        """The first query; a second call starts all over."""
        self._started = self._context.clock()
        self._state, query = run(STEPS[0].function(None, None, self._context))
        return bytes(query or b"")

    def receive(self, body: bytes) -> bytes | None:
        """The query that follows the server's message `body`, or None when there is nothing left to send.

        Raise HandshakeFailed where a check fails; only `start` is possible then.  A message after the last
        one is refused too, but does not take the `result` away.
        """
        return run(self.receiving(body))

    def receiving(self, body: bytes) -> Steps[bytes | None]:
        """`receive` for who does the heavy work elsewhere: yields it, and returns the query or None."""
        if self._state is None or isinstance(self._state, Finished):
            raise HandshakeFailed("a message although no query is open", check="H13")
        state, self._state = self._state, None
        self.check_time()
        step = next(step for step in STEPS if step.state is type(state))
        answer = _read(body, step)
        self._state, query = yield from step.function(state, answer, self._context)
        return None if query is None else bytes(query)

    def check_time(self) -> None:
        """Raise HandshakeFailed (H14) when the exchange has taken too long."""
        now = self._context.clock()
        if now >= self.deadline:
            raise HandshakeFailed(
                "the key exchange took too long",
                check="H14",
                got=f"{now - self._started:.0f} s",
                expected=f"< {self._lifetime:.0f} s",
            )


def _read(body: bytes, step: Step) -> tl.TLObject:
    """The answer that `step` waits for; raise HandshakeFailed (H13) for anything else."""
    if len(body) > MAX_ANSWER:
        raise _unfit("an answer too long to be one", f"{len(body)} bytes", f"<= {MAX_ANSWER}")
    try:
        answer, size = tl.decode_prefix(service.SCHEMA, body)
    except tl.DecodeError as error:
        raise _unfit(f"an answer that can't be read: {error}") from None
    if not isinstance(answer, step.expects):
        raise _unfit(
            "not the answer to our query", answer.TL_NAME, " or ".join(cls.TL_NAME for cls in step.expects)
        )
    if size != len(body) and not isinstance(answer, step.may_trail):
        raise _unfit(f"bytes behind {answer.TL_NAME}", f"{len(body) - size} bytes", "none")
    return answer


def _unfit(message: str, got: object = None, expected: object = None) -> HandshakeFailed:
    return HandshakeFailed(message, check="H13", got=got, expected=expected)
