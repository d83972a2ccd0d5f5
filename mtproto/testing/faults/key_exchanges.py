"""What goes wrong in key exchanges, of which a Pair has none unless it has an RSA `key`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from mtproto import service
from mtproto.envelope import PlainMessage, decode_plain, encode_plain
from mtproto.errors import ConnectionClosed, HandshakeFailed, LocalProtocolError, MTProtoError
from mtproto.side import Side
from mtproto.testing.faults.base import (
    Fault,
    Item,
    MessageFault,
    Passing,
    Scene,
    Tamper,
    one_of,
    turns,
    whole,
)
from mtproto.testing.hostile.exchange import ServerExchange
from mtproto.testing.hostile.exchanging import ExchangeStep
from mtproto.testing.hostile.fields import bent, takes_two
from mtproto.testing.hostile.library import CLIENT_CONVERSATIONS
from mtproto.testing.hostile.sealing import PLAIN

__all__ = ["BadKeyExchange", "DhGenFail", "DhGenRetry"]

_ERRORS = (HandshakeFailed, ConnectionClosed)


def _no_exchange(scene: Scene) -> str | None:
    if not scene.exchanges_keys:
        return "without a key= there is no key exchange in a Pair"
    pair = scene.pair
    if pair is not None and pair.client.is_ready and not pair.renews_keys:
        return "the key exchange of this Pair is over"
    return None


@dataclass(frozen=True, slots=True)
class _Verdict(Fault):
    """What the server says of a key: of the one with number `nth`, and of so many `times` in a row."""

    nth: int = whole(0, least=0)
    times: int = whole(1, least=1)
    errors: ClassVar[tuple[type[MTProtoError], ...]] = _ERRORS

    def refusal(self, scene: Scene) -> str | None:
        return _no_exchange(scene)


@dataclass(frozen=True, slots=True)
class DhGenRetry(_Verdict):
    """In place of dh_gen_ok comes dh_gen_retry.

    Right: the client tries another secret, five times in an exchange; then the exchange has failed (H11).
    """

    def begin(self, scene: Scene) -> Tamper | None:
        scene.retries.append(turns(self.nth, self.times))
        return None


@dataclass(frozen=True, slots=True)
class DhGenFail(_Verdict):
    """In place of dh_gen_ok comes dh_gen_fail.

    Right: the exchange has failed (H11), and nothing of its key is used; in another connection another begins.
    """

    def begin(self, scene: Scene) -> Tamper | None:
        scene.failures.append(turns(self.nth, self.times))
        return None


_ANSWERS = (service.ResPQ, service.ServerDHParamsOk, service.ServerDHParamsFail, service.DhGenOk)


def _is_self_contained(step: object) -> bool:
    """Whether the step is made of the message that it takes the place of, and of nothing that comes later."""
    return (
        isinstance(step, ExchangeStep)
        and step.cls in _ANSWERS
        and (step.fields or step.cls is service.ServerDHParamsFail)
        and not set(step.fields) & set(PLAIN)
        and not any(callable(value) and takes_two(value) for value in step.fields.values())
    )


_BAD = {c.name: c for c in CLIENT_CONVERSATIONS if len(c.nodes) == 3 and _is_self_contained(c.nodes[1])}


def _step(kind: str) -> Any:
    return _BAD[kind].nodes[1]


@dataclass(frozen=True, slots=True)
class BadKeyExchange(MessageFault):
    """An answer of the server's in a key exchange is wrong, in cryptography that is right.

    `KINDS` are named as the conversations of `mtproto.testing.hostile.CLIENT_CONVERSATIONS` that are made of them.

    Right: the exchange has failed (HandshakeFailed, whose check is that of the conversation), and nothing is sent
    after that; in another connection another begins.
    """

    kind: str = "pq that is a prime"
    KINDS: ClassVar[tuple[str, ...]] = tuple(_BAD)
    errors: ClassVar[tuple[type[MTProtoError], ...]] = _ERRORS

    def __post_init__(self) -> None:
        MessageFault.__post_init__(self)
        one_of(self, self.kind, self.KINDS)

    @property
    def check(self) -> str:
        """The id of the client's check that finds it."""
        return _BAD[self.kind].check

    def refusal(self, scene: Scene) -> str | None:
        return _no_exchange(scene)

    def concerns(self, passing: Passing) -> bool:
        step = _step(self.kind).cls
        expected = service.ServerDHParamsOk if step is service.ServerDHParamsFail else step
        return passing.side is Side.SERVER and isinstance(passing.plain, expected)

    def instead(self, passing: Passing) -> Iterable[Item]:
        step, message = _step(self.kind), passing.plain
        if isinstance(message, service.ServerDHParamsOk):
            message = step.computed(_Backstage(passing, message))
        if message is None:
            raise LocalProtocolError("only a message of a key exchange can be changed into another")
        body = bytes(bent(message, step.fields, None))
        return (encode_plain(PlainMessage(decode_plain(passing.payload).msg_id, body)),)


_NOBODYS: Any = None  # the RSA key of an exchange in which nothing is opened


class _Backstage:
    """What `hostile.ServerDHParams` has to know of an exchange that another server has begun."""

    def __init__(self, passing: Passing, message: service.ServerDHParamsOk) -> None:
        self.clock = passing.scene.state.clock
        exchange = self.server_exchange = ServerExchange(_NOBODYS, passing.scene.state.rng)
        exchange.nonce, exchange.server_nonce = message.nonce, message.server_nonce
        exchange.new_nonce = passing.channel.new_nonce(message.server_nonce) or bytes(32)
