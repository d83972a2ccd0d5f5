"""A connection looked at from outside: the bytes of both streams come in, records of what was said go out.

    bytes ─▶ opening ─▶ (obfuscation undone) ─▶ frames ─▶ envelopes ─▶ bodies
             detection                          Cutter    Secrets      Schemas

It takes part in nothing, knows no connection's insides, and refuses nothing: what is wrong is a finding, what it
can't read stays bytes.  Nothing that it keeps grows with what a peer sends, but for one frame.

Specification: as of `mtproto.transport`, `mtproto.envelope`, `mtproto.message`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Final

from mtproto.crypto.aes import ige_decrypt
from mtproto.crypto.auth_key import AuthKey
from mtproto.crypto.ctr import KeyStream
from mtproto.crypto.kdf import MessageKdf, quick_ack_token
from mtproto.crypto.rsa import PrivateKey
from mtproto.envelope import MAX_PADDING, MIN_PADDING, PLAIN_AUTH_KEY_ID
from mtproto.errors import FramingError
from mtproto.side import Side
from mtproto.testing.transcript.bodies import Bodies
from mtproto.testing.transcript.cutting import Cutter, Piece
from mtproto.testing.transcript.key_log import NoSecrets, Secrets
from mtproto.testing.transcript.reading import API, Schemas
from mtproto.testing.transcript.records import Cut, Ended, Lost, Opening, Plain, Record, Sealed, Unread
from mtproto.transport import (
    FRAMINGS,
    Frame,
    Obfuscated,
    ProxySecret,
    QuickAck,
    TransportCode,
    detect,
    read_init,
)
from mtproto.transport.obfuscation import INIT_SIZE, TAGS

__all__ = ["Dissector"]

_BLOCK: Final = 4096
"""Bytes that can't be read are told in pieces of this size, so that it does not matter how they came."""
_MOST_WAITING: Final = 1 << 20
"""How many bytes of a server's are kept until its client has told its transport."""
_MAX_TOKENS: Final = 1024
_PLAIN: Final = Struct("<8sqi")
_HEADER: Final = Struct("<qqqii")
_UNKNOWN: Final = "neither a framing nor an obfuscated connection that this secret opens"


class _Stream:
    """What one side sends: cut into frames, or, where that is impossible, into blocks."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.time = 0.0
        self.decrypt: KeyStream | None = None
        self.cutter: Cutter | None = None
        self.offset = 0
        self.unread = bytearray()
        self.waiting = bytearray()
        self.is_ended = False


class Dissector:
    """The records of one connection.

    `secrets` are asked for keys as they are needed, `mtproxy_secret` undoes the obfuscation of a proxy's clients,
    `rsa_keys`, those of the server, open p_q_inner_data and all inner data behind it.  `schemas` say what bodies
    mean: generated packages, what `tl.load` gives, or their registries.
    """

    def __init__(
        self,
        secrets: Secrets | None = None,
        *,
        mtproxy_secret: ProxySecret | str | bytes | None = None,
        rsa_keys: Sequence[PrivateKey] = (),
        schemas: Sequence[object] = API,
    ) -> None:
        self._secrets = NoSecrets() if secrets is None else secrets
        self._proxy = None if mtproxy_secret is None else ProxySecret.read(mtproxy_secret)
        self._bodies = Bodies(Schemas(schemas), self._secrets, rsa_keys)
        self._streams = {side: _Stream(side) for side in Side}
        self._start = bytearray()
        self._opening: Opening | None = None
        self._tokens: dict[bytes, int] = {}
        self._kdfs: dict[tuple[bytes, Side], MessageKdf] = {}

    @property
    def new_nonces(self) -> dict[bytes, bytes]:
        """The new_nonces by which inner data was opened, by server_nonce; for a key log."""
        return self._bodies.new_nonces

    def feed(self, time: float, side: Side, data: bytes) -> list[Record]:
        """The records that the next bytes of what `side` sends complete; they carry this `time`."""
        return list(self._feed(time, side, data))

    def end(self, time: float, side: Side) -> list[Record]:
        """The stream from `side` ends: what is left of it, and that it ends."""
        return list(self._end(time, self._streams[side]))

    def opened(self, opening: Opening) -> None:
        """Go on behind this opening, whose obfuscation is undone: for frames that were cut before."""
        self._set_framing(opening.transport.removeprefix("obfuscated "))
        self._opening = opening

    def lost(self, time: float, side: Side, payload: bytes, how: str) -> list[Record]:
        """What `side` has sealed, although it is in no stream."""
        return [Lost(time, side, payload, how), *self._payload(time, side, payload, False)]

    def said(self, time: float, side: Side, msg_id: int, seq_no: int, body: bytes) -> list[Record]:
        """What is said in the body of an envelope that somebody else has opened."""
        return list(self._bodies.message(time, side, msg_id, seq_no, body))

    def rest(self, time: float) -> list[Record]:
        """What has come and was not told, because it is no whole frame; for who stops here."""
        records: list[Record] = []
        if self._opening is None and self._start:
            records += self._not_opened(time, "too little to tell the transport", Side.CLIENT)
        for stream in self._streams.values():
            if stream.cutter is not None and not stream.cutter.is_broken():
                stream.offset = stream.cutter.offset
                stream.unread += stream.cutter.take_rest()
            stream.unread += stream.waiting
            stream.waiting.clear()
            while stream.unread:
                records += self._unread(time, stream, _BLOCK)
        return records

    # Streams

    def _feed(self, time: float, side: Side, data: bytes) -> Iterator[Record]:
        if not data:
            return
        stream = self._streams[side]
        yield from self._other_side(self._streams[side.peer])
        stream.time = time
        if self._opening is not None:
            yield from self._read(time, stream, data)
            return
        if side is Side.SERVER:
            stream.waiting += data
            if len(stream.waiting) > _MOST_WAITING:
                yield from self._not_opened(time, "a server that speaks before its client does", side)
            return
        self._start += data
        try:
            found = self._detect()
        except FramingError as error:
            yield from self._not_opened(time, str(error), side)
            return
        if found is not None:
            yield from self._begin(time, *found)

    def _other_side(self, stream: _Stream) -> Iterator[Record]:
        """What could not be read of what the other side had said so far: it was before this."""
        while stream.unread:
            yield from self._unread(stream.time, stream, _BLOCK)

    def _detect(self) -> tuple[str, int, int | None] | None:
        """What the client speaks, how many bytes it has opened with, the dc; None if it takes more to tell."""
        found = detect(self._start)
        if found is None:
            return None
        if not issubclass(found, Obfuscated):
            return found.name, len(found.prefix), None
        if len(self._start) < INIT_SIZE:
            return None
        init = read_init(bytes(self._start[:INIT_SIZE]), secret=self._proxy)
        inner = TAGS.get(init.tag)
        if inner is None:
            raise FramingError(_UNKNOWN, check="X7")
        self._streams[Side.CLIENT].decrypt = init.to_server
        self._streams[Side.SERVER].decrypt = init.to_client
        return f"obfuscated {inner.name}", INIT_SIZE, init.dc if self._proxy else None

    def _begin(self, time: float, transport: str, size: int, dc: int | None) -> Iterator[Record]:
        opening = Opening(time, Side.CLIENT, transport, bytes(self._start[:size]), dc)
        rest = bytes(self._start[size:])
        self._start.clear()
        self.opened(opening)
        yield opening
        yield from self._waiting(time)
        yield from self._read(time, self._streams[Side.CLIENT], rest)

    def _not_opened(self, time: float, finding: str, speaker: Side) -> Iterator[Record]:
        """Nothing can be told of either stream; what has come of them is unread, that of the `speaker` last."""
        self._opening = Opening(time, Side.CLIENT, "", b"", None, (finding,))
        yield self._opening
        start = bytes(self._start)
        self._start.clear()
        client = self._streams[Side.CLIENT]
        if speaker is Side.CLIENT:
            yield from self._waiting(time)
            yield from self._read(time, client, start)
        else:
            yield from self._read(time, client, start)
            yield from self._other_side(client)
            yield from self._waiting(time, is_over=False)

    def _waiting(self, time: float, *, is_over: bool = True) -> Iterator[Record]:
        """What the server has said before its client had told its transport; now the client speaks if `is_over`."""
        stream = self._streams[Side.SERVER]
        data, stream.waiting = bytes(stream.waiting), bytearray()
        yield from self._read(time, stream, data)
        if is_over:
            yield from self._other_side(stream)

    def _set_framing(self, name: str) -> None:
        if name in FRAMINGS:
            for side, stream in self._streams.items():
                stream.cutter = Cutter(name, side)

    def _read(self, time: float, stream: _Stream, data: bytes) -> Iterator[Record]:
        if stream.decrypt is not None:
            data = stream.decrypt(data)
        cutter = stream.cutter
        if cutter is not None and not cutter.is_broken():
            for piece in cutter.feed(data):
                yield from self._piece(time, stream.side, piece)
            if not cutter.is_broken():
                return
            stream.offset = cutter.offset
            yield Unread(time, stream.side, cutter.offset, b"", (str(cutter.failure),))
            data = cutter.take_rest()
        stream.unread += data
        while len(stream.unread) >= _BLOCK:
            yield from self._unread(time, stream, _BLOCK)

    def _unread(self, time: float, stream: _Stream, size: int) -> Iterator[Record]:
        data = bytes(stream.unread[:size])
        del stream.unread[:size]
        if data:
            yield Unread(time, stream.side, stream.offset, data)
            stream.offset += len(data)

    def _end(self, time: float, stream: _Stream) -> Iterator[Record]:
        if stream.is_ended:
            return
        stream.is_ended = True
        if self._opening is None and self._start and stream.side is Side.CLIENT:
            finding = "the stream ends before it tells its transport [X11]"
            yield from self._not_opened(time, finding, stream.side)
        findings: tuple[str, ...] = ()
        cutter = stream.cutter
        if cutter is not None and not cutter.is_broken():
            cutter.eof()
            stream.offset = cutter.offset
            stream.unread += cutter.take_rest()
            findings = () if cutter.failure is None else (str(cutter.failure),)
        stream.unread += stream.waiting
        stream.waiting.clear()
        while stream.unread:
            yield from self._unread(time, stream, _BLOCK)
        yield Ended(time, stream.side, findings)

    # Frames

    def _piece(self, time: float, side: Side, piece: Piece) -> Iterator[Record]:
        event = piece.event
        if isinstance(event, Frame):
            payload = piece.data[piece.start : piece.end]
            yield Cut(time, side, piece.offset, piece.data, piece.start, piece.end, event.quick_ack)
            yield from self._payload(time, side, payload, event.quick_ack)
            return
        token = event.token if isinstance(event, QuickAck) else None
        yield Cut(
            time,
            side,
            piece.offset,
            piece.data,
            0,
            0,
            token=token,
            acknowledges=None if token is None else self._tokens.get(token),
            code=event.code if isinstance(event, TransportCode) else None,
        )

    def _payload(self, time: float, side: Side, payload: bytes, quick_ack: bool) -> Iterator[Record]:
        if payload[:8] == PLAIN_AUTH_KEY_ID and len(payload) >= _PLAIN.size:
            yield from self._plain(time, side, payload)
        elif len(payload) < 24:
            finding = f"a message of {len(payload)} bytes, expected at least 24 [C1]"
            yield Sealed(time, side, payload[:8], payload[8:], False, findings=(finding,))
        else:
            yield from self._sealed(time, side, payload, quick_ack)

    def _plain(self, time: float, side: Side, payload: bytes) -> Iterator[Record]:
        _, msg_id, length = _PLAIN.unpack_from(payload)
        body = payload[_PLAIN.size :]
        findings: tuple[str, ...] = ()
        if length != len(body):
            findings = (f"a length of {length}, expected {len(body)} [H13]",)
        yield Plain(time, side, msg_id, len(body), findings)
        yield from self._bodies.plain(time, side, msg_id, body)

    def _sealed(self, time: float, side: Side, payload: bytes, quick_ack: bool) -> Iterator[Record]:
        key_id, msg_key, data = payload[:8], payload[8:24], payload[24:]
        auth_key = self._secrets.auth_key(key_id)
        if auth_key is None:
            yield Sealed(time, side, key_id, msg_key, False)
            return
        if len(data) < _HEADER.size or len(data) % 16:
            finding = f"{len(data)} bytes of encrypted data, expected a multiple of 16 [C2]"
            yield Sealed(time, side, key_id, msg_key, True, findings=(finding,))
            return
        kdf = self._kdf(auth_key, side)
        plaintext = ige_decrypt(data, *kdf.derive(msg_key))
        large = kdf.msg_key_large(plaintext)
        if large[8:24] != msg_key:
            finding = f"msg_key is not that of the plaintext: got {msg_key.hex()} [C3]"
            yield Sealed(time, side, key_id, msg_key, True, findings=(finding,))
            return
        salt, session_id, msg_id, seq_no, length = _HEADER.unpack_from(plaintext)
        if quick_ack:
            self._tokens[quick_ack_token(large)] = msg_id
            if len(self._tokens) > _MAX_TOKENS:
                del self._tokens[next(iter(self._tokens))]
        rest = plaintext[_HEADER.size :]
        findings = tuple(_wrong_sizes(length, len(rest)))
        end = length if 0 <= length <= len(rest) else len(rest)
        yield Sealed(
            time, side, key_id, msg_key, True, salt, session_id, msg_id, seq_no, length, rest[end:], findings
        )
        yield from self._bodies.message(time, side, msg_id, seq_no, rest[:end])

    def _kdf(self, auth_key: AuthKey, side: Side) -> MessageKdf:
        place = auth_key.key_id, side
        kdf = self._kdfs.get(place)
        if kdf is None:
            if len(self._kdfs) >= 8:
                self._kdfs.clear()
            kdf = self._kdfs[place] = MessageKdf(auth_key.data, side.x)
        return kdf


def _wrong_sizes(length: int, room: int) -> Iterator[str]:
    if not 0 <= length <= room:
        yield f"a body of {length} bytes, expected 0..{room} [C5]"
        return
    if length % 4:
        yield f"a body of {length} bytes, expected a multiple of 4 [C6]"
    padding = room - length
    if not MIN_PADDING <= padding <= MAX_PADDING:
        yield f"{padding} bytes of padding, expected {MIN_PADDING}..{MAX_PADDING} [C7]"
