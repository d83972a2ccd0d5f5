"""What the commands have in common about transports: their arguments, and a client's stream taken apart."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypedDict

from mtproto.side import Side
from mtproto.transport import (
    DEFAULT,
    FRAMINGS,
    Frame,
    Obfuscated,
    PaddedIntermediate,
    ProxySecret,
    ServerFraming,
    framing,
    read_init,
)

__all__ = ["Opened", "Way", "add_restriction", "add_secret", "add_way", "frames_of", "opened"]


class WayOptions(TypedDict):
    """The keywords of `mtproto.connect` that a `Way` stands for."""

    transport: str | None
    obfuscated: bool
    mtproxy_secret: str | None


@dataclass(frozen=True, slots=True)
class Way:
    """How a client is to speak: the name of a framing or None, whether obfuscated, a proxy's secret."""

    transport: str | None = None
    obfuscated: bool = False
    mtproxy_secret: str | None = None

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Way:
        """What `add_way` has read."""
        return cls(arguments.transport, arguments.obfuscated, arguments.mtproxy_secret)

    @property
    def options(self) -> WayOptions:
        """The same for `mtproto.connect`."""
        return {
            "transport": self.transport,
            "obfuscated": self.obfuscated,
            "mtproxy_secret": self.mtproxy_secret,
        }


def add_way(command: argparse.ArgumentParser) -> None:
    """The arguments of a command that connects."""
    command.add_argument(
        "--transport",
        choices=sorted(FRAMINGS),
        help=f"how frames are cut (default: {DEFAULT}; {PaddedIntermediate.name} with a secret of dd...)",
    )
    command.add_argument(
        "--obfuscated", action="store_true", help="make the stream look random; not with full"
    )
    add_secret(command, "the secret of the MTProxy to speak to: 16 bytes, or dd and 16; implies --obfuscated")


def add_restriction(command: argparse.ArgumentParser) -> None:
    """The arguments of a command that is connected to."""
    command.add_argument(
        "--transport",
        choices=sorted(FRAMINGS),
        help="take only clients that cut frames like this (default: whatever the client speaks)",
    )
    command.add_argument("--obfuscated", action="store_true", help="take only obfuscated connections")


def add_secret(command: argparse.ArgumentParser, meaning: str) -> None:
    """The argument with the secret of a proxy."""
    command.add_argument("--mtproxy-secret", metavar="HEX", help=meaning)


@dataclass(frozen=True, slots=True)
class Opened:
    """A client's stream from its first byte: `prefix` is what belongs to no frame, `data` the bare frames."""

    name: str
    framing: str
    prefix: bytes
    data: bytes


def opened(stream: bytes, secret: str | None = None) -> Opened:
    """The stream as its server reads it; raise FramingError where that can't."""
    proxy_secret = None if secret is None else ProxySecret.read(secret)
    server = ServerFraming(secret=proxy_secret)
    server.receive_data(stream)
    found = server.framing
    if isinstance(found, Obfuscated):
        init = read_init(stream[:64], secret=proxy_secret)
        return Opened(found.name, found.inner.name, init.wire, init.to_server(stream[64:]))
    prefix = b"" if found is None else found.prefix
    return Opened(server.name, server.name, prefix, stream[len(prefix) :])


def frames_of(bare: Opened) -> Iterator[tuple[Frame, bytes]]:
    """Each frame with all of its bytes, found by reading them one by one."""
    reader, start = framing(bare.framing, Side.SERVER), 0
    for end in range(1, len(bare.data) + 1):
        for event in reader.receive_data(bare.data[end - 1 : end]):
            if isinstance(event, Frame):
                yield event, bare.data[start:end]
            start = end
