"""What a client asks for, by names, as a framing ready for use."""

from __future__ import annotations

import os

from mtproto.crypto.randomness import Rng
from mtproto.side import Side
from mtproto.transport.framing import Framing
from mtproto.transport.obfuscation import Obfuscated, obfuscated_client
from mtproto.transport.padded import PaddedIntermediate
from mtproto.transport.secret import ProxySecret
from mtproto.transport.table import DEFAULT, framing

__all__ = ["client_framing"]


def client_framing(
    name: str | None = None,
    *,
    obfuscated: bool = False,
    mtproxy_secret: ProxySecret | str | bytes | None = None,
    dc: int | None = None,
    rng: Rng = os.urandom,
) -> Framing | Obfuscated:
    """A client's framing by its name; None is intermediate, or padded with a secret that begins with dd.

    `mtproxy_secret` (see `ProxySecret.read`) is for a proxy, and implies `obfuscated`; `dc` is the data
    centre to ask it for.  LocalProtocolError for what there is not, or what does not go together.
    """
    secret = None if mtproxy_secret is None else ProxySecret.read(mtproxy_secret)
    if name is None:
        name = PaddedIntermediate.name if secret and secret.padded_only else DEFAULT
    inner = framing(name, Side.CLIENT, rng=rng)
    if not obfuscated and secret is None:
        return inner
    return obfuscated_client(inner, secret=secret, dc=dc, rng=rng)
