"""What the steps of both ends of a key exchange share: a plain message with any field given."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha1
from typing import TYPE_CHECKING, Any

import tl
from mtproto.crypto.aes import ige_encrypt
from mtproto.crypto.kdf import tmp_aes
from mtproto.crypto.randomness import draw
from mtproto.errors import LocalProtocolError
from mtproto.testing.hostile.fields import bent, check_names, check_values, given, names_of
from mtproto.testing.hostile.nodes import Listening, Node, with_fields
from mtproto.testing.hostile.sealing import PLAIN

if TYPE_CHECKING:
    from mtproto.testing.hostile.exchange import Exchange
    from mtproto.testing.hostile.stage import Stage

__all__ = ["ExchangeStep", "inner_of", "one_of", "sealed_inner"]


_INNER = (type(None), Mapping, tl.TLObject, bytes)
_EXPECTED = "a mapping of its fields, a TL object, bytes, or a function"


class ExchangeStep(Node):
    """Send one message of the key exchange; its fields, those of the plain envelope, and `extra` may be given.

    Raise LocalProtocolError for a field that does not exist.
    """

    exchanges_keys = True
    extra: tuple[str, ...] = ()

    def __init__(self, cls: type[tl.TLObject], fields: Mapping[str, Any]) -> None:
        self.cls = cls
        check_names(cls.TL_NAME, fields, (*names_of(cls), *self.extra, *PLAIN))
        check_values(cls.TL_NAME, {n: v for n, v in fields.items() if n not in names_of(cls)})
        if not isinstance(fields.get("inner"), _INNER) and not callable(fields.get("inner")):
            raise LocalProtocolError(
                f"{cls.TL_NAME}: inner: got {fields['inner']!r:.60}, expected {_EXPECTED}"
            )
        self.fields = dict(fields)

    def computed(self, stage: Stage) -> tl.TLObject:
        """The honest message, but for what is given inside it."""
        raise NotImplementedError

    def sent(self, message: tl.TLObject, stage: Stage) -> None:
        """This was sent, which the script goes by from now on."""

    def play(self, stage: Stage) -> Listening:
        message = bent(self.computed(stage), self.fields, stage)
        wire = {name: self.fields.get(name) for name in PLAIN}
        stage.send_plain(message, wire, given({n: v for n, v in self.fields.items() if n not in PLAIN}))
        self.sent(message, stage)
        yield from ()

    def __str__(self) -> str:
        names = []
        for name in given(self.fields):
            value = self.fields[name]
            names += [f"{name}.{n}" for n in value] if isinstance(value, Mapping) else [name]
        return with_fields(str(self.cls.TL_NAME), names)


def inner_of(computed: tl.TLObject, inner: Any, stage: Stage) -> tl.TLObject | bytes:
    """The inner data: what was computed, with the fields of a mapping, or something else in place of it."""
    if inner is None:
        return computed
    if isinstance(inner, Mapping):
        check_names(computed.TL_NAME, inner, names_of(type(computed)))
        return bent(computed, inner, stage)
    result: tl.TLObject | bytes = inner(computed) if callable(inner) else inner
    if not isinstance(result, tl.TLObject | bytes):
        raise LocalProtocolError(f"{computed.TL_NAME}: got {result!r:.60}, expected {_EXPECTED}")
    return result


def one_of(what: str, kind: Any, kinds: Mapping[str, Any]) -> Any:
    """What a kind stands for; LocalProtocolError where there is none of that name."""
    if not isinstance(kind, str) or kind not in kinds:
        raise LocalProtocolError(f"{what}: got the kind {kind!r}, expected {' or '.join(kinds)}")
    return kinds[kind]


def sealed_inner(data: bytes, exchange: Exchange, digest: Any, padding: Any) -> bytes:
    """AES-IGE of SHA1, inner data and padding under the temporary key; what is None is computed."""
    head = sha1(data).digest() if digest is None else digest
    tail = draw(exchange.rng, -(len(head) + len(data)) % 16) if padding is None else padding
    if (len(head) + len(data) + len(tail)) % 16:
        raise LocalProtocolError(
            f"{len(head)} bytes of hash, {len(data)} of inner data and {len(tail)} of padding can't be encrypted:"
            " together they have to be a multiple of 16"
        )
    return ige_encrypt(head + data + tail, *tmp_aes(exchange.new_nonce, exchange.server_nonce))
