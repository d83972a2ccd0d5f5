"""The table of framings: name → class.  To add one is to add its line here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType

from mtproto.crypto.randomness import Rng
from mtproto.errors import LocalProtocolError
from mtproto.side import Side
from mtproto.transport.abridged import Abridged
from mtproto.transport.framing import MAX_PAYLOAD, Framing
from mtproto.transport.full import Full
from mtproto.transport.intermediate import Intermediate
from mtproto.transport.padded import PaddedIntermediate

__all__ = ["DEFAULT", "FRAMINGS", "framing", "framing_class"]

FRAMINGS: Mapping[str, type[Framing]] = MappingProxyType(
    {f.name: f for f in (Abridged, Intermediate, PaddedIntermediate, Full)}
)
"""Every framing by its name; a server tells them apart by their prefixes (see `detection`)."""

DEFAULT = Intermediate.name
"""The framing of who does not ask for one."""


def framing_class(name: str) -> type[Framing]:
    """A framing by its name; LocalProtocolError if there is none of that name."""
    if name not in FRAMINGS:
        raise LocalProtocolError(f"no framing is called {name!r}; known are: {', '.join(FRAMINGS)}")
    return FRAMINGS[name]


def framing(name: str, side: Side, max_payload: int = MAX_PAYLOAD, *, rng: Rng = os.urandom) -> Framing:
    """A new framing by its name, for one connection; LocalProtocolError if there is none of that name."""
    return framing_class(name)(side, max_payload, rng=rng)
