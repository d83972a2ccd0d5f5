"""Whatever a client's first bytes and the cuts, a server finds the framing they are in, or raises FramingError.

With a proxy's secret or without; what is in it then is read as the documentation says, and what the server
sends back is what the client reads.  Inits that are made as they should be are always accepted.

    byte 0     bits 0-1  the server's secret: 0 none, 1 of 16 bytes, 2 the same with dd, 3 none
               bits 2-3  what the client sends: 0 the data as it is, 1 an init made of its first 64 bytes and
                         frames, 2 the same with another secret, 3 the init a client makes, then the data
               bits 4-5  its framing: 0 abridged, 1 intermediate, 2 and 3 padded
               bit 6     pieces are memoryviews               bit 7     the client calls a second time
    …          cuts (`tests.fuzz.streams`), then the data
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from random import Random

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from mtproto.errors import LocalProtocolError
from mtproto.side import Side
from mtproto.transport import Event, Frame, ServerFraming
from mtproto.transport.obfuscation import Obfuscated, obfuscated_client, write_init
from mtproto.transport.replay import SeenInits
from mtproto.transport.secret import ProxySecret
from mtproto.transport.table import framing
from tests.fuzz.framings import NAMES
from tests.fuzz.framings import WORDS as FRAMES
from tests.fuzz.streams import Expected, pieces, play, read_stream, split_cuts
from tests.fuzz.verdicts import Broken

__all__ = ["WORDS", "target"]

_LIMIT = 1024
_SECRET = bytes(range(16))
_SECRETS = (None, ProxySecret(_SECRET), ProxySecret(_SECRET, padded_only=True), None)
_OTHER = ProxySecret(b"another's secret")
_TAGS = {b"\xef" * 4: "abridged", b"\xee" * 4: "intermediate", b"\xdd" * 4: "padded"}
_STRANGERS = (
    *(b"GET ", b"POST", b"HEAD", b"PUT ", b"OPTI", b"DELE", b"PATC", b"CONN", b"TRAC", b"PRI "),
    b"\x16\x03\x01\x02",
)
WORDS = (
    *(
        b"\xef",
        *_TAGS,
        *_STRANGERS,
        b"\x16\x03\x03",
        b"\x16\x03\x01\x00\x45\x01\x00\x00\x41",
        bytes(8),
        bytes(64),
    ),
    *FRAMES,
)
"""What first bytes are made of."""

Maker = Callable[[ProxySecret | None, SeenInits | None], ServerFraming]


def _server(secret: ProxySecret | None, seen: SeenInits | None) -> ServerFraming:
    return ServerFraming(_LIMIT, secret=secret, seen=seen, rng=bytes)


def target(raw: bytes, make: Maker = _server) -> None:
    """Raise where the server that `make` makes does not take a connection as it has to."""
    options = raw[0] if raw else 0
    secret, way = _SECRETS[options & 3], options >> 2 & 3
    name = NAMES[min(options >> 4 & 3, 2)]
    sizes, data = split_cuts(raw[1:])
    client = _client(way, name, secret, data) if way else None
    stream = data
    if client is not None:
        frames = list(_frames(data[64:])) if way < 3 else []
        stream = client.prefix + b"".join(client.encode(f.payload, quick_ack=f.quick_ack) for f in frames)
        stream += data[64:] if way == 3 else b""
    expected, found = _expected(stream, secret)
    views = bool(options & 64)
    seen = SeenInits(lambda: 0.0)
    server = make(secret, seen)
    play(server, pieces(stream, sizes), expected, max(_LIMIT, 64), views=views)
    _check_same(server.name, found)
    if len(seen) != found.startswith("obfuscated"):
        raise Broken(f"{len(seen)} inits were kept of a connection that is {found}")
    is_welcome = way != 2 and not (secret and secret.padded_only and name != "padded")
    if client is not None and is_welcome and _told(stream) == "obfuscated":
        _check_same(found, client.name)
        if way == 1:
            _check_read(expected.events, frames)
        if expected.check is None:
            _check_answers(server, client, data, sizes)
    if options & 128 and found.startswith("obfuscated"):
        _check_replays(make, secret, seen, stream)
        play(make(secret, None), pieces(stream, sizes), expected, _LIMIT, views=views)


def _check_replays(make: Maker, secret: ProxySecret | None, seen: SeenInits, stream: bytes) -> None:
    """The same init is refused, with other bytes before its keys too; another one is not."""
    for start in (stream[:8], b"\x01\x02\x03\x04\x05\x06\x07\x08"):
        play(make(secret, seen), [start + stream[8:64]], Expected([], "X7"), _LIMIT, views=False)
    other = write_init(b"\xdd" * 4, secret=secret, random=bytes(range(100, 164))).wire
    play(make(secret, seen), [other], Expected([]), _LIMIT, views=False)


# Who calls


def _client(way: int, name: str, secret: ProxySecret | None, data: bytes) -> Obfuscated | None:
    """A client of ours; None where it can't be: dd goes with padded, and some rngs are no good."""
    inner = framing(name, Side.CLIENT, _LIMIT, rng=Random(1).randbytes)
    if way == 2:
        return Obfuscated(
            inner, write_init(_tag(inner.tag), secret=_OTHER, random=data[:64].ljust(64, b"\xaa"))
        )
    if way == 1:
        return Obfuscated(
            inner, write_init(_tag(inner.tag), secret=secret, random=data[:64].ljust(64, b"\xaa"))
        )
    try:
        client = obfuscated_client(inner, secret=secret, rng=_drawing(data))
    except LocalProtocolError:
        if secret and secret.padded_only and name != "padded":
            return None
        raise
    if _told(client.prefix) != "obfuscated":
        raise Broken(f"an init that is another protocol's: {client.prefix.hex(' ', -4)}")
    return client


def _tag(tag: bytes | None) -> bytes:
    return tag or bytes(4)


def _drawing(data: bytes) -> Callable[[int], bytes]:
    """An rng that gives the data in pieces, as far as it goes."""
    others = Random(2)
    left = bytearray(data)

    def rng(count: int) -> bytes:
        drawn = bytes(left[:count])
        del left[:count]
        return drawn + others.randbytes(count - len(drawn))

    return rng


def _frames(data: bytes) -> Iterator[Frame]:
    """Frames that a client sends, one for each byte: up to 32 words, the top bit asks for a quick ack."""
    for position, byte in enumerate(data[:40]):
        words = byte % 32 + 1
        yield Frame((data[position:] * (4 * words))[: 4 * words], byte >= 0x80)


# What the server has to make of it


def _expected(stream: bytes, secret: ProxySecret | None) -> tuple[Expected, str]:
    """What there is in the stream, and what the server calls it."""
    told = _told(stream)
    if told == "refused":
        return Expected([], "X11"), "unknown"
    if told == "unknown" or (told == "obfuscated" and len(stream) < 64):
        return Expected([], None, len(stream), "X11"), "unknown"
    if told == "obfuscated":
        return _inside(stream, secret)
    if secret:
        return Expected([], "X7"), "unknown"
    prefix = {"abridged": 1, "full": 0}.get(told, 4)
    return read_stream(told, stream[prefix:], _LIMIT, is_client=False), told


def _told(stream: bytes) -> str:
    """The framing that a stream begins with, in the order of the documentation's table."""
    if stream[:1] == b"\xef":
        return "abridged"
    if stream[:4] in _TAGS:
        return _TAGS[stream[:4]]
    if stream[:4] in _STRANGERS:
        return "refused"
    if len(stream) < 8:
        return "unknown"
    lengths = int.from_bytes(stream[3:5], "big"), int.from_bytes(stream[6:9], "big") + 4
    if stream[:2] == b"\x16\x03" and len(stream) >= 9 and stream[5] == 1 and lengths[0] == lengths[1]:
        return "refused"
    if not any(stream[4:8]):
        return "full"
    return "obfuscated" if len(stream) > 8 or stream[0] != 0x16 else "unknown"


def _inside(stream: bytes, secret: ProxySecret | None) -> tuple[Expected, str]:
    key = stream[8:40] if secret is None else sha256(stream[8:40] + secret.data).digest()
    decrypted = Cipher(AES(key), CTR(stream[40:56])).decryptor().update(stream)
    name = _TAGS.get(decrypted[56:60])
    if name is None or (secret and secret.padded_only and name != "padded"):
        return Expected([], "X7"), "unknown"
    return read_stream(name, decrypted[64:], _LIMIT, is_client=False), f"obfuscated {name}"


def _check_answers(server: ServerFraming, client: Obfuscated, data: bytes, sizes: bytes) -> None:
    """What the server sends, in whatever pieces, is what the client reads."""
    answers = [Frame(frame.payload) for frame in _frames(data[64:]) if len(frame.payload) >= 20]
    sent = b"".join(server.encode(answer.payload) for answer in answers)
    received = [event for piece in pieces(sent, sizes) for event in client.receive_data(piece)]
    _check_read(received, answers)
    if client.buffered:
        raise Broken(f"{answers}\n were sent, and {client.buffered} bytes are left")


def _check_same(name: str, expected: str) -> None:
    if name != expected:
        raise Broken(f"the connection is {name}, expected {expected}")


def _check_read(received: Sequence[Event], sent: Sequence[Frame]) -> None:
    """Frames are those that were sent, but for padding."""
    pairs = zip(received, sent, strict=True)
    if not all(isinstance(got, Frame) and got.payload.startswith(want.payload) for got, want in pairs):
        raise Broken(f"{sent}\n were sent, and read as {received}")
