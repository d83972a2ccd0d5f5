"""Bodies that can't be read, or would cost too much: as an answer, as an update, as a request.

gzip_packed   bombs, packed twice and twelve times, cut off, with a wrong checksum, with two members
TL            arrays in arrays, a vector and a string that promise more than there is
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from struct import pack
from typing import ClassVar

from mtproto import api, service
from mtproto.errors import MTProtoError, RemoteProtocolError
from mtproto.events import SessionId
from mtproto.message import Message, constructor_id
from mtproto.side import Side
from mtproto.testing.faults.base import Item, MessageFault, Passing, Scene, one_of
from mtproto.testing.faults.forgeries import UNKNOWN, Forgery

__all__ = ["BadAnswer", "BadRequest", "BadUpdate"]

_VECTOR = 0x1CB5C415
_MIB = 1024 * 1024


def _packed(data: bytes) -> bytes:
    return bytes(service.GzipPacked(packed_data=data))


def _bomb(size: int) -> bytes:
    """So many MiB of zeros, in one gzip member: the same piece of deflate over and over."""
    deflate = zlib.compressobj(9, wbits=-15)
    piece = deflate.compress(bytes(_MIB)) + deflate.flush(zlib.Z_FULL_FLUSH)
    checksum = 0
    for _ in range(size):
        checksum = zlib.crc32(bytes(_MIB), checksum)
    head, tail = gzip.compress(b"", mtime=0)[:10], pack("<II", checksum, size * _MIB)
    return _packed(head + piece * size + deflate.flush() + tail)


def _nested(times: int) -> bytes:
    body = UNKNOWN
    for _ in range(times):
        body = _packed(gzip.compress(body, mtime=0))
    return body


def _arrays(depth: int) -> bytes:
    """A JSON array in an array, and so on."""
    return pack("<III", api.JsonArray.CONSTRUCTOR_ID, _VECTOR, 1) * depth + bytes(api.JsonNull())


_GZIPPED = gzip.compress(UNKNOWN, mtime=0)
_BODIES: dict[str, Callable[[], bytes]] = {
    "bomb": partial(_bomb, 64),
    "bomb of 1 MiB": partial(_bomb, 1),
    "bomb of 10 MiB": partial(_bomb, 10),
    "bomb of 200 MiB": partial(_bomb, 200),
    "nested": partial(_nested, 2),
    "nested 12 times": partial(_nested, 12),
    "truncated": lambda: _packed(_GZIPPED[:-6]),
    "bad crc": lambda: _packed(_GZIPPED[:-8] + bytes(8)),
    "two members": lambda: _packed(_GZIPPED * 2),
    "unknown": lambda: UNKNOWN,
    **{f"arrays {10**power} deep": partial(_arrays, 10**power) for power in range(2, 6)},
    "long vector": lambda: pack("<IIi", api.JsonArray.CONSTRUCTOR_ID, _VECTOR, 2**31 - 1),
    "long string": lambda: pack("<IB", api.JsonString.CONSTRUCTOR_ID, 254) + b"\xff\xff\xff",
}
_ANSWERS: dict[str, Callable[[], bytes]] = {
    **_BODIES,
    "bad error": lambda: pack("<Ii", service.RpcError.CONSTRUCTOR_ID, 400),
}


@cache
def _made(kind: str) -> bytes:
    return _ANSWERS[kind]()


@dataclass(frozen=True, slots=True)
class _Replacing(MessageFault):
    """A fault in which bodies of messages of one side are replaced."""

    side: ClassVar[Side] = Side.SERVER
    name: ClassVar[str] = "rpc_result"
    kind: str = "bomb"
    KINDS: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        MessageFault.__post_init__(self)
        one_of(self, self.kind, self.KINDS)

    def concerns(self, passing: Passing) -> bool:
        return passing.side is self.side and passing.holds(self.name)

    def instead(self, passing: Passing) -> Iterable[Item]:
        bad, first = _made(self.kind), passing.messages[0]
        messages = [
            Message(
                said.msg_id,
                said.seq_no,
                self.replaced(said.body, bad) if said.name == self.name else said.body,
            )
            for said in passing.messages
        ]
        seal = passing.scene.seal
        return (seal(self.side, first.session, messages, first.salt, container=first.container),)

    def replaced(self, body: bytes, bad: bytes) -> bytes:
        """What stands in place of a body."""
        return bad


@dataclass(frozen=True, slots=True)
class BadAnswer(_Replacing):
    """An answer is replaced by one that can't be read (`KINDS`): a gzip_packed that is a bomb or broken, and so on.

    Right: the call fails with a typed error, in no time and with no memory; the others, and the connection, go on,
    and the message is acknowledged.  What no transport can know to be wrong is found when it is decoded.
    """

    KINDS: ClassVar[tuple[str, ...]] = tuple(_ANSWERS)
    errors: ClassVar[tuple[type[MTProtoError], ...]] = (RemoteProtocolError,)

    def replaced(self, body: bytes, bad: bytes) -> bytes:
        return body[:12] + bad


@dataclass(frozen=True, slots=True)
class BadRequest(_Replacing):
    """A request is replaced by one that can't be read (`KINDS`), as if its client had made it.

    Right: the server answers rpc_error, in no time and with no memory, and no handler hears of it; the others, and
    the connection, go on.
    """

    is_the_servers: ClassVar[bool] = True
    side: ClassVar[Side] = Side.CLIENT
    name: ClassVar[str] = "request"
    KINDS: ClassVar[tuple[str, ...]] = tuple(_BODIES)

    def replaced(self, body: bytes, bad: bytes) -> bytes:
        if constructor_id(bad) == service.GzipPacked.CONSTRUCTOR_ID or bad == UNKNOWN:
            return bad
        return _with_params(bad)


def _with_params(value: bytes) -> bytes:
    """An initConnection whose params are this, so that whoever reads requests comes to it."""
    honest = api.InitConnection(
        api_id=0,
        device_model="",
        system_version="",
        app_version="",
        system_lang_code="",
        lang_pack="",
        lang_code="",
        params=api.JsonNull(),
        query=api.help.GetConfig(),
    )
    query = bytes(api.help.GetConfig())
    return bytes(honest).removesuffix(bytes(api.JsonNull()) + query) + value + query


@dataclass(frozen=True, slots=True)
class BadUpdate(Forgery):
    """A message that nobody has asked for and that can't be read (`KINDS`) comes with one of the server's.

    Right: what gzip_packed stands for is looked at, and where it is none the client closes the connection (C18), in
    no time and with no memory.  Everything else is handed over as it is; it fails where it is decoded.
    """

    kind: str = "bomb"
    KINDS: ClassVar[tuple[str, ...]] = tuple(_BODIES)

    def __post_init__(self) -> None:
        MessageFault.__post_init__(self)
        one_of(self, self.kind, self.KINDS)

    def forged(self, scene: Scene, session: SessionId) -> Iterable[bytes]:
        return (scene.forge(session, _made(self.kind)),)
