"""What is said in a connection: bodies, taken apart as far as they carry others, with what answers what.

Containers, gzip_packed, rpc_result and the inner data of the key exchange are opened here, within limits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from struct import Struct
from typing import Any, Final, TypeVar

import tl
from mtproto import service
from mtproto.crypto.rsa import PrivateKey, decrypt_inner_data
from mtproto.errors import HandshakeFailed, RemoteProtocolError
from mtproto.handshake.inner import open_inner
from mtproto.message import MAX_MESSAGES, constructor_id, unpack_gzip
from mtproto.side import Side
from mtproto.testing.transcript.key_log import Secrets
from mtproto.testing.transcript.reading import Asked, Meaning, Schemas, asked
from mtproto.testing.transcript.records import Kind, Said
from tl.raw import Raw

__all__ = ["ABOUT", "Bodies"]

MAX_DEPTH: Final = 4
"""rpc_result in a container holds gzip_packed, which holds an answer: nothing has to be deeper."""
MAX_REMEMBERED: Final = 16_384
"""How many messages are remembered for what answers them, and how many secrets."""

ABOUT: Final = {
    cls.CONSTRUCTOR_ID: name
    for cls, name in (
        (service.RpcResult, "req_msg_id"),
        (service.Pong, "msg_id"),
        (service.FutureSalts, "req_msg_id"),
        (service.MsgsStateInfo, "req_msg_id"),
        (service.BadMsgNotification, "bad_msg_id"),
        (service.BadServerSalt, "bad_msg_id"),
        (service.MsgDetailedInfo, "msg_id"),
        (service.NewSessionCreated, "first_msg_id"),
    )
}
"""The field with the msg_id of what a message is about."""
_CONTAINER: Final = service.MsgContainer.CONSTRUCTOR_ID
_GZIP: Final = service.GzipPacked.CONSTRUCTOR_ID
_RESULT: Final = service.RpcResult.CONSTRUCTOR_ID
_CONTAINER_HEAD: Final = Struct("<Ii")
_MESSAGE_HEAD: Final = Struct("<qii")
_RESULT_HEAD: Final = Struct("<Iq")
_LIMITS: Final = tl.Limits()

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a body is: the numbers of its message, what it is in, and what it has to answer if that is known."""

    time: float
    side: Side
    msg_id: int
    seq_no: int
    kind: Kind
    inside: int | None = None
    depth: int = 0
    answered: Asked | None = None
    findings: tuple[str, ...] = ()

    def within(self, said: Said, kind: Kind, answered: Asked | None = None) -> _Place:
        """The place of what is in `said`, which is here."""
        return replace(
            self,
            kind=kind,
            inside=said.number,
            depth=self.depth + 1,
            answered=answered or self.answered,
            findings=(),
        )


class Bodies:
    """The bodies of one connection; `secrets` and `rsa_keys` open what is encrypted within the key exchange.

    `new_nonces` are those found in it, by server_nonce.
    """

    def __init__(self, schemas: Schemas, secrets: Secrets, rsa_keys: Sequence[PrivateKey] = ()) -> None:
        self.new_nonces: dict[bytes, bytes] = {}
        self._schemas = schemas
        self._secrets = secrets
        self._rsa_keys = {key.public.fingerprint: key for key in rsa_keys}
        self._asked: dict[tuple[Side, int], Asked] = {}
        self._number = 0

    def plain(self, time: float, side: Side, msg_id: int, body: bytes) -> Iterator[Said]:
        """A body of the key exchange, and the inner data in it as far as that can be opened."""
        meaning = self._schemas.meaning(body)
        said = self._said(time, side, "message", body, meaning, msg_id=msg_id)
        findings: tuple[str, ...] = ()
        try:
            inner = self._inner(meaning.found)
        except HandshakeFailed as error:
            inner, findings = None, (str(error),)
        yield _with(said, findings)
        if inner is not None:
            yield self._said(time, side, "inner", inner, self._schemas.meaning(inner), inside=said.number)

    def message(self, time: float, side: Side, msg_id: int, seq_no: int, body: bytes) -> Iterator[Said]:
        """A body that came encrypted, and all that is in it."""
        budget = _LIMITS.budget()
        yield from self._take(_Place(time, side, msg_id, seq_no, "message"), body, budget)

    # What carries others

    def _take(self, place: _Place, body: bytes, budget: tl.Budget) -> Iterator[Said]:
        number = constructor_id(body)
        if place.depth < MAX_DEPTH:
            if number == _CONTAINER and place.kind == "message":
                yield from self._container(place, body, budget)
                return
            if number == _GZIP:
                yield from self._gzip(place, body, budget)
                return
            if number == _RESULT and len(body) >= _RESULT_HEAD.size + 4:
                yield from self._result(place, body, budget)
                return
        yield self._leaf(place, body)

    def _leaf(self, place: _Place, body: bytes) -> Said:
        meaning = self._schemas.meaning(body, place.answered)
        findings = place.findings
        if constructor_id(body) == _CONTAINER:
            findings += ("a container inside of something [C17]",)
        self._remember(place, asked(meaning))
        about = _about(meaning)
        request = self._request(place.side, about)
        said = self._place(place, body, meaning, len(body), findings)
        return said if about is None else _answering(said, about, request)

    def _container(self, place: _Place, body: bytes, budget: tl.Budget) -> Iterator[Said]:
        count = _CONTAINER_HEAD.unpack_from(body)[1] if len(body) >= _CONTAINER_HEAD.size else 0
        parts, finding = _split(body, count)
        findings = place.findings + ((finding,) if finding else ())
        meaning = Meaning("msg_container", service.SCHEMA.name)
        said = self._place(place, body[: _CONTAINER_HEAD.size], meaning, len(body), findings)
        yield said
        for msg_id, seq_no, part in parts:
            later = () if msg_id < place.msg_id else ("not older than its container [C17]",)
            inner = _Place(
                place.time, place.side, msg_id, seq_no, "contained", said.number, place.depth + 1, None, later
            )
            yield from self._take(inner, part, budget)

    def _gzip(self, place: _Place, body: bytes, budget: tl.Budget) -> Iterator[Said]:
        meaning = self._schemas.meaning(body)
        finding: tuple[str, ...] = ()
        try:
            unpacked: bytes | None = unpack_gzip(body, budget)
        except RemoteProtocolError as error:
            unpacked, finding = None, (str(error),)
        said = self._place(place, body, meaning, len(body), place.findings + finding)
        yield said
        if unpacked is not None:
            yield from self._take(place.within(said, "unpacked"), unpacked, budget)

    def _result(self, place: _Place, body: bytes, budget: tl.Budget) -> Iterator[Said]:
        about = _RESULT_HEAD.unpack_from(body)[1]
        answered = self._asked.get((place.side.peer, about))
        request = "" if answered is None else answered.name
        head = body[: _RESULT_HEAD.size]
        meaning = Meaning("rpc_result", service.SCHEMA.name)
        said = self._place(place, head, meaning, len(body), place.findings)
        yield _answering(said, about, request)
        inner = place.within(said, "result", answered)
        yield from self._take(inner, body[_RESULT_HEAD.size :], budget)

    # What answers what

    def _remember(self, place: _Place, what: Asked) -> None:
        if place.kind != "result" and what.name:
            _keep(self._asked, (place.side, place.msg_id), what)

    def _request(self, side: Side, about: int | None) -> str:
        found = None if about is None else self._asked.get((side.peer, about))
        return "" if found is None else found.name

    # The key exchange

    def _inner(self, query: Any) -> bytes | None:
        """The inner data of a query or an answer; None where there is none, or no way to open it.

        Raise HandshakeFailed where what is there is none.
        """
        if not _is_read(query):
            return None
        if isinstance(query, service.ReqDHParams):
            return self._rsa_inner(query)
        if isinstance(query, service.ServerDHParamsOk):
            return self._aes_inner(query.server_nonce, query.encrypted_answer, service.ServerDHInnerData)
        if isinstance(query, service.SetClientDHParams):
            return self._aes_inner(query.server_nonce, query.encrypted_data, service.ClientDHInnerData)
        return None

    def _rsa_inner(self, query: service.ReqDHParams) -> bytes | None:
        key = self._rsa_keys.get(query.public_key_fingerprint)
        if key is None:
            return None
        opened = decrypt_inner_data(query.encrypted_data, key, _measure)
        if opened is None:
            raise HandshakeFailed("encrypted_data that is neither RSA_PAD nor SHA1-padded", check="S9")
        inner: service.TypePQInnerData = service.decode(opened.data, service.TypePQInnerData)
        _keep(self.new_nonces, query.server_nonce, inner.new_nonce)
        return opened.data

    def _aes_inner(self, server_nonce: bytes, encrypted: bytes, as_type: type[tl.TLObject]) -> bytes | None:
        new_nonce = self.new_nonces.get(server_nonce) or self._secrets.new_nonce(server_nonce)
        if new_nonce is None or len(new_nonce) != 32 or len(server_nonce) != 16:
            return None
        inner = open_inner(encrypted, new_nonce, server_nonce, as_type, check="H5")
        _keep(self.new_nonces, server_nonce, new_nonce)
        return bytes(inner)

    # Records

    def _place(
        self, place: _Place, body: bytes, meaning: Meaning, size: int, findings: tuple[str, ...]
    ) -> Said:
        is_message = place.kind in ("message", "contained")
        return self._said(
            place.time,
            place.side,
            place.kind,
            body,
            meaning,
            size=size,
            inside=place.inside,
            msg_id=place.msg_id if is_message else None,
            seq_no=place.seq_no if is_message else None,
            findings=findings + (_parity(place.side, place.msg_id) if is_message else ()),
        )

    def _said(
        self,
        time: float,
        side: Side,
        kind: Kind,
        body: bytes,
        meaning: Meaning,
        *,
        size: int | None = None,
        inside: int | None = None,
        msg_id: int | None = None,
        seq_no: int | None = None,
        findings: tuple[str, ...] = (),
    ) -> Said:
        self._number += 1
        return Said(
            time=time,
            side=side,
            number=self._number,
            kind=kind,
            body=body,
            size=len(body) if size is None else size,
            inside=inside,
            msg_id=msg_id,
            seq_no=seq_no,
            name=meaning.name,
            schema=meaning.schema,
            as_type=meaning.as_type,
            value=meaning.value,
            findings=findings + meaning.findings,
        )


def _split(body: bytes, count: int) -> tuple[list[tuple[int, int, bytes]], str]:
    """msg_id, seq_no and body of each message in a container, as far as it goes, and what is wrong with it."""
    parts: list[tuple[int, int, bytes]] = []
    if len(body) < _CONTAINER_HEAD.size or not 0 <= count <= MAX_MESSAGES:
        return parts, f"msg_container: a count of {count}, expected 0..{MAX_MESSAGES} [C17]"
    position = _CONTAINER_HEAD.size
    for index in range(count):
        if len(body) - position < _MESSAGE_HEAD.size:
            return parts, f"msg_container: it ends inside message {index} of {count} [C17]"
        msg_id, seq_no, length = _MESSAGE_HEAD.unpack_from(body, position)
        position += _MESSAGE_HEAD.size
        if length < 4 or length % 4:
            return parts, f"msg_container: message {index} has a length of {length} [C17]"
        if length > len(body) - position:
            left = len(body) - position
            return parts, f"msg_container: message {index} of {length} bytes has {left} left [C17]"
        parts.append((msg_id, seq_no, body[position : position + length]))
        position += length
    left = len(body) - position
    return parts, f"msg_container: {left} bytes are left over [C17]" if left else ""


def _about(meaning: Meaning) -> int | None:
    """The msg_id of the message that this one is about, if it is about one."""
    field = ABOUT.get(getattr(meaning.found, "CONSTRUCTOR_ID", 0))
    about = None if field is None else getattr(meaning.found, field, None)
    return about if isinstance(about, int) else None


def _is_read(found: Any) -> bool:
    """Whether an object has all its fields: a lenient reading leaves `tl.Raw` in the place of what is cut off."""
    fields = getattr(type(found), "FIELDS", None)
    return fields is not None and not any(isinstance(getattr(found, f.name, None), Raw) for f in fields)


def _parity(side: Side, msg_id: int) -> tuple[str, ...]:
    residue = msg_id & 3
    if (residue == 0) if side is Side.CLIENT else (residue & 1):
        return ()
    return (f"msg_id is {residue} modulo 4, which is not the {side.name.lower()}'s [C9]",)


def _with(said: Said, findings: tuple[str, ...]) -> Said:
    return replace(said, findings=said.findings + findings) if findings else said


def _answering(said: Said, about: int, request: str) -> Said:
    return replace(said, answers=about, request=request)


def _measure(data: bytes) -> int | None:
    """The length of the P_Q_inner_data at the start, None where there is none."""
    try:
        return tl.decode_prefix(service.SCHEMA, data, service.TypePQInnerData)[1]
    except tl.DecodeError:
        return None


def _keep(kept: dict[K, V], key: K, value: V) -> None:
    """Remember it; the oldest makes room."""
    kept[key] = value
    if len(kept) > MAX_REMEMBERED:
        del kept[next(iter(kept))]
