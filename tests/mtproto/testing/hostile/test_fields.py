"""Each field that is given appears on the wire as it was given, and what is computed stays right around it."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from hashlib import sha1, sha256
from typing import Any

import pytest

import tl
from mtproto import service
from mtproto.crypto.auth_key import AuthKey
from mtproto.side import Side
from mtproto.testing.hostile import (
    Answer,
    Code,
    Container,
    DhGen,
    Expect,
    Gzip,
    KeyExchange,
    Node,
    Part,
    Plain,
    Raw,
    ReqDHParams,
    ReqPq,
    Request,
    ResPQ,
    Send,
    ServerDHParams,
    Service,
    SetClientDHParams,
)
from mtproto.testing.hostile.honest import USUAL
from tests.mtproto.by_hand import (
    NEW_NONCE,
    NONCE,
    PRIME,
    SERVER_NONCE,
    B,
    HandClient,
    HandServer,
    as_256,
    new_nonce_hash,
    open_by_hand,
    open_rsa_pad,
    tmp_aes_by_hand,
)
from tests.mtproto.helpers import TEST_KEY, oracle_ige
from tests.mtproto.testing.hostile.wire import KEY, Wire, opened, sealed

CLIENT, SERVER = HandClient(), HandServer()
OTHER_16, OTHER_32 = bytes(range(16)), bytes(range(32))
MSG_ID = (1_700_000_000 << 32) + 4


# The key exchange, a server's half


def after_res_pq(step: Node, **res_pq: Any) -> Wire:
    """A script that has come to `step`, in an exchange with the constants' nonces."""
    wire = Wire(
        [
            KeyExchange(before="resPQ"),
            ResPQ(**{"server_nonce": SERVER_NONCE, **res_pq}),
            *([Expect("req_DH_params")] if isinstance(step, ServerDHParams) else []),
            step,
        ]
    )
    wire.say(CLIENT.req_pq())
    if isinstance(step, ServerDHParams):
        wire.say(CLIENT.req_dh())
    return wire


def until_dh_gen(step: DhGen, *before: DhGen) -> tuple[Wire, bytes]:
    """A script that has come to dh_gen, and the auth_key by hand."""
    gen: list[Node] = [node for step in before for node in (step, Expect("set_client_DH_params"))]
    wire = Wire(
        [
            KeyExchange(before="resPQ"),
            ResPQ(server_nonce=SERVER_NONCE),
            Expect("req_DH_params"),
            ServerDHParams(),
            Expect("set_client_DH_params"),
            *gen,
            step,
        ]
    )
    wire.say(CLIENT.req_pq(), CLIENT.req_dh())
    inner, _ = open_by_hand(wire.last_object().encrypted_answer, service.ServerDHInnerData)
    wire.say(*[CLIENT.set_dh()] * (1 + len(before)))
    return wire, as_256(pow(int.from_bytes(inner.g_a), B, PRIME))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nonce", OTHER_16),
        ("server_nonce", OTHER_16),
        ("pq", b"\x0f"),
        ("server_public_key_fingerprints", [1, 2, 3]),
    ],
)
def test_res_pq(name: str, value: Any) -> None:
    told = after_res_pq(Expect("any"), **{name: value}).last_object()
    honest = {"nonce": NONCE, "server_nonce": SERVER_NONCE}
    honest["server_public_key_fingerprints"] = [TEST_KEY.public.fingerprint]  # type: ignore[assignment]
    assert getattr(told, name) == value
    assert {n: getattr(told, n) for n in honest if n != name} == {
        n: v for n, v in honest.items() if n != name
    }


def test_res_pq_by_a_function_of_what_was_computed() -> None:
    told = after_res_pq(Expect("any"), nonce=lambda nonce: nonce[::-1]).last_object()
    assert told.nonce == NONCE[::-1]


@pytest.mark.parametrize(
    ("field", "value", "read"),
    [
        ("auth_key_id", b"hostile!", lambda m: m[0]),
        ("msg_id", 12345, lambda m: m[1]),
        ("length", 17, lambda m: m[2]),
        ("trailing", b"tail", lambda m: m[3][-4:]),
        ("payload", b"anything at all.", lambda m: m[0] + struct.pack("<q", m[1])),
    ],
)
def test_a_plain_envelope(field: str, value: Any, read: Callable[[Any], Any]) -> None:
    if field == "payload":
        value += bytes(8)
        assert after_res_pq(Expect("any"), payload=value).payloads()[-1] == value
        return
    message = after_res_pq(Expect("any"), **{field: value}).last()
    assert read(message) == value
    if field != "length":
        assert message[2] == len(message[3])


def test_a_frame() -> None:
    assert after_res_pq(Expect("any"), frame=lambda frame: frame[:7]).raw()[4:] == bytes(3)


INNER = {
    "nonce": OTHER_16,
    "server_nonce": OTHER_16,
    "g": 5,
    "dh_prime": as_256(PRIME - 2),
    "g_a": b"\1",
    "server_time": -1,
}


@pytest.mark.parametrize("name", list(INNER))
def test_server_dh_inner_data(name: str) -> None:
    answer = after_res_pq(ServerDHParams(inner={name: INNER[name]})).last_object()
    inner, padding = open_by_hand(answer.encrypted_answer, service.ServerDHInnerData)
    assert getattr(inner, name) == INNER[name]
    honest = {"nonce": NONCE, "server_nonce": SERVER_NONCE, "g": 3, "dh_prime": as_256(PRIME)}
    assert all(getattr(inner, n) == v for n, v in honest.items() if n != name)
    assert len(padding) < 16
    if name in ("g", "dh_prime"):  # the group that was given is the one that g_a is in
        assert inner.g_a != after_res_pq(ServerDHParams()).play.stage.server_exchange.g_a().to_bytes(256)


@pytest.mark.parametrize("name", ["nonce", "server_nonce"])
def test_server_dh_params(name: str) -> None:
    fields: dict[str, Any] = {name: OTHER_16}
    answer = after_res_pq(ServerDHParams(**fields)).last_object()
    assert getattr(answer, name) == OTHER_16
    open_by_hand(answer.encrypted_answer, service.ServerDHInnerData)


def test_server_dh_params_around_the_inner_data() -> None:
    def plaintext(**fields: Any) -> bytes:
        answer = after_res_pq(ServerDHParams(**fields)).last_object()
        return oracle_ige(answer.encrypted_answer, *tmp_aes_by_hand(), encrypt=False)

    assert plaintext(answer_hash=b"h" * 20)[:20] == b"h" * 20
    assert plaintext(padding=b"p" * 24)[-24:] == b"p" * 24
    assert plaintext(inner=b"anything", padding=bytes(4)) == sha1(b"anything").digest() + b"anything" + bytes(
        4
    )
    answer = after_res_pq(ServerDHParams(encrypted_answer=b"no block")).last_object()
    assert answer.encrypted_answer == b"no block"


def test_server_dh_params_fail() -> None:
    assert after_res_pq(ServerDHParams("fail")).last_object().new_nonce_hash == sha1(NEW_NONCE).digest()[4:]
    answer = after_res_pq(ServerDHParams("fail", new_nonce_hash=OTHER_16)).last_object()
    assert (type(answer), answer.new_nonce_hash) == (service.ServerDHParamsFail, OTHER_16)


@pytest.mark.parametrize(("kind", "number"), [("ok", 1), ("retry", 2), ("fail", 3)])
def test_dh_gen(kind: str, number: int) -> None:
    wire, key = until_dh_gen(DhGen(kind))
    answer = wire.last_object()
    assert f"dh_gen_{kind}" == answer.TL_NAME
    assert getattr(answer, f"new_nonce_hash{number}") == new_nonce_hash(number, key)
    answer = until_dh_gen(DhGen(kind, new_nonce_hash=OTHER_16, nonce=OTHER_16))[0].last_object()
    assert (answer.nonce, getattr(answer, f"new_nonce_hash{number}")) == (OTHER_16, OTHER_16)
    assert answer.server_nonce == SERVER_NONCE


def test_dh_gen_again() -> None:
    wire, key = until_dh_gen(DhGen("ok"), DhGen("retry"), DhGen("retry"))
    assert wire.last_object().new_nonce_hash1 == new_nonce_hash(1, key)
    assert wire.play.stage.known_key().data == key
    assert wire.play.is_over


# A client's half


def after_req_pq(step: Node, **req_pq: Any) -> Wire:
    wire = Wire([ReqPq(**{"nonce": NONCE, **req_pq}), Expect("resPQ"), step])
    wire.say(SERVER.res_pq())
    return wire


def after_req_dh(step: Node) -> Wire:
    wire = Wire(
        [
            ReqPq(nonce=NONCE),
            Expect("resPQ"),
            ReqDHParams(inner={"new_nonce": NEW_NONCE}),
            Expect("server_DH_params_ok"),
            step,
        ]
    )
    wire.say(SERVER.res_pq(), SERVER.dh_params())
    return wire


def test_req_pq() -> None:
    wire = Wire([ReqPq(nonce=OTHER_16), Expect("any")])
    assert wire.last_object().nonce == OTHER_16
    assert wire.play.data_to_send() == b""
    assert Wire([ReqPq("req_pq"), Expect("any")]).last_object().TL_NAME == "req_pq"


QUERY = {
    "nonce": OTHER_16,
    "server_nonce": OTHER_16,
    "p": b"\3",
    "q": b"\5",
    "public_key_fingerprint": 42,
    "encrypted_data": b"none",
}


@pytest.mark.parametrize("name", list(QUERY))
def test_req_dh_params(name: str) -> None:
    fields: dict[str, Any] = {name: QUERY[name]}
    query = after_req_pq(ReqDHParams(**fields)).last_object()
    honest = {
        "nonce": NONCE,
        "server_nonce": SERVER_NONCE,
        "p": CLIENT.p,
        "q": CLIENT.q,
        "public_key_fingerprint": TEST_KEY.public.fingerprint,
    }
    assert getattr(query, name) == QUERY[name]
    assert all(getattr(query, n) == v for n, v in honest.items() if n != name)


def pq_inner(data: bytes) -> Any:
    return tl.decode_prefix(service.SCHEMA, data, service.TypePQInnerData)[0]


PQ_INNER = {
    "pq": b"\x0f",
    "p": b"\3",
    "q": b"\5",
    "nonce": OTHER_16,
    "server_nonce": OTHER_16,
    "new_nonce": OTHER_32,
    "dc": -7,
    "expires_in": 0,
}


@pytest.mark.parametrize("name", list(PQ_INNER))
def test_p_q_inner_data(name: str) -> None:
    form = "temp_dc" if name == "expires_in" else "dc"
    query = after_req_pq(ReqDHParams(form=form, inner={name: PQ_INNER[name]})).last_object()
    inner = pq_inner(open_rsa_pad(query.encrypted_data))
    assert getattr(inner, name) == PQ_INNER[name]
    honest = {
        "pq": CLIENT.pq,
        "p": CLIENT.p,
        "q": CLIENT.q,
        "nonce": NONCE,
        "server_nonce": SERVER_NONCE,
        "dc": 2,
    }
    assert all(getattr(inner, n) == v for n, v in honest.items() if n != name)


def test_forms_of_inner_data() -> None:
    for form, name in {"plain": "p_q_inner_data", "temp": "p_q_inner_data_temp"}.items():
        query = after_req_pq(ReqDHParams(form=form)).last_object()
        assert name == pq_inner(open_rsa_pad(query.encrypted_data)).TL_NAME


def rsa_block(query: service.ReqDHParams) -> bytes:
    number = int.from_bytes(query.encrypted_data)
    return as_256(pow(number, TEST_KEY.d, TEST_KEY.n))


def test_rsa_pad_around_the_inner_data() -> None:
    def parts(**fields: Any) -> tuple[bytes, bytes, bytes]:
        """temp_key, data_with_padding and the hash."""
        block = rsa_block(after_req_pq(ReqDHParams(inner=b"1234", **fields)).last_object())
        temp_key = bytes(a ^ b for a, b in zip(block[:32], sha256(block[32:]).digest(), strict=True))
        with_hash = oracle_ige(block[32:], temp_key, bytes(32), encrypt=False)
        return temp_key, with_hash[:192][::-1], with_hash[192:]

    temp_key, padded, digest = parts()
    assert padded[:4] == b"1234"
    assert digest == sha256(temp_key + padded).digest()
    assert parts(temp_key=OTHER_32)[0] == OTHER_32
    assert parts(data_hash=OTHER_32)[2] == OTHER_32
    assert parts(data_padding=bytes(188))[1] == b"1234" + bytes(188)


def test_the_older_scheme_around_the_inner_data() -> None:
    def block(**fields: Any) -> bytes:
        return rsa_block(after_req_pq(ReqDHParams(inner=b"1234", scheme="sha1", **fields)).last_object())

    assert block()[:25] == b"\0" + sha1(b"1234").digest() + b"1234"
    assert block(data_hash=b"h" * 20)[1:21] == b"h" * 20
    assert block(data_padding=b"p" * 231)[25:] == b"p" * 231


DH_INNER = {"nonce": OTHER_16, "server_nonce": OTHER_16, "retry_id": -5, "g_b": b"\2"}


@pytest.mark.parametrize("name", list(DH_INNER))
def test_client_dh_inner_data(name: str) -> None:
    query = after_req_dh(SetClientDHParams(inner={name: DH_INNER[name]})).last_object()
    inner, padding = open_by_hand(query.encrypted_data, service.ClientDHInnerData)
    assert getattr(inner, name) == DH_INNER[name]
    honest = {"nonce": NONCE, "server_nonce": SERVER_NONCE, "retry_id": 0}
    assert all(getattr(inner, n) == v for n, v in honest.items() if n != name)
    assert len(padding) < 16


def test_set_client_dh_params() -> None:
    def plaintext(**fields: Any) -> bytes:
        query = after_req_dh(SetClientDHParams(inner=b"anything", **fields)).last_object()
        return oracle_ige(query.encrypted_data, *tmp_aes_by_hand(), encrypt=False)

    assert plaintext(data_hash=b"h" * 20)[:20] == b"h" * 20
    assert plaintext(padding=b"p" * 20)[-20:] == b"p" * 20
    for name, value in {"nonce": OTHER_16, "server_nonce": OTHER_16, "encrypted_data": b"none"}.items():
        assert getattr(after_req_dh(SetClientDHParams(**{name: value})).last_object(), name) == value


def test_the_key_that_a_client_agrees_on() -> None:
    wire = after_req_dh(KeyExchange(before="req_pq_multi"))  # nothing more
    assert wire.play.is_over
    told, ours = SERVER.inner_dh(), wire.play.stage.client_exchange
    key = pow(int.from_bytes(told.g_a), ours.secret, PRIME)
    assert ours.agreed().data == as_256(key)


# Encrypted messages


def said(body: Any, examines: Side = Side.CLIENT, **fields: Any) -> bytes:
    if examines is Side.SERVER:
        return Wire([Send(body, **fields), Expect("any")], ready=True, examines=examines).payloads()[-1]
    wire = Wire([Expect("ping"), Send(body, **fields), Expect("any")], ready=True, examines=examines)
    wire.send(sealed(bytes(service.Ping(ping_id=6)), MSG_ID, x=0))
    return wire.payloads()[-1]


ENVELOPE = {
    "salt": 0x1234,
    "session_id": -9,
    "msg_id": 1 << 40,
    "seq_no": 1001,
    "length": -4,
    "auth_key_id": b"hostile!",
}


@pytest.mark.parametrize("examines", list(Side))
@pytest.mark.parametrize("name", list(ENVELOPE))
def test_an_envelope(name: str, examines: Side) -> None:
    body = service.Pong(msg_id=1, ping_id=2)
    message = opened(said(body, examines, **{name: ENVELOPE[name]}), examines.peer.x)
    assert getattr(message, name) == ENVELOPE[name]
    assert message.msg_key == message.right_key
    assert message.rest[:20] == bytes(body)
    honest = {"salt": 77, "seq_no": 0, "length": 20, "auth_key_id": KEY.key_id}
    if examines is Side.CLIENT:
        honest["session_id"] = 5
    assert {n: getattr(message, n) for n in honest if n != name} == {
        n: v for n, v in honest.items() if n != name
    }
    assert 12 <= len(message.rest) - 20 < 28


@pytest.mark.parametrize("examines", list(Side))
def test_padding_and_msg_key(examines: Side) -> None:
    body, x = bytes(service.Pong(msg_id=1, ping_id=2)), examines.peer.x
    message = opened(said(body, examines, padding=b"p" * 12), x)
    assert (message.rest, message.msg_key) == (body + b"p" * 12, message.right_key)
    assert len(opened(said(body, examines, padding=1036), x).rest) == 20 + 1036
    message = opened(said(body, examines, msg_key=OTHER_16), x)
    assert (message.msg_key, message.rest[:20]) == (OTHER_16, body)
    flipped = opened(said(body, examines, msg_key=lambda k: bytes([k[0] ^ 1]) + k[1:]), x)
    assert flipped.msg_key[1:] == flipped.right_key[1:]
    assert flipped.msg_key[0] ^ 1 == flipped.right_key[0]


def test_another_key_another_direction_another_payload() -> None:
    body = service.Pong(msg_id=1, ping_id=2)
    other = AuthKey(OTHER_32 * 8)
    message = opened(said(body, auth_key=other), 8, other.data)
    assert (message.auth_key_id, message.msg_key) == (other.key_id, message.right_key)
    message = opened(said(body, direction=Side.CLIENT), 0)
    assert message.msg_key == message.right_key
    assert said(body, payload=lambda payload: payload[:24]) == KEY.key_id + said(body)[8:24]
    assert said(body, payload=b"1234" * 6) == b"1234" * 6


def test_what_a_client_asks_of_the_transport() -> None:
    wire = Wire([Send("ping", quick_ack=True), Expect("any")], ready=True, examines=Side.SERVER)
    assert wire.raw()[3] == 0x80
    wire = Wire(
        [Send("ping", frame=lambda f: f[:5]), Raw(b"raw"), Expect("any")], ready=True, examines=Side.SERVER
    )
    assert wire.raw()[5:] == b"raw"


def test_a_transport_error() -> None:
    wire = Wire([Expect("ping"), Code(-429), Expect("any")], ready=True)
    wire.send(sealed(bytes(service.Ping(ping_id=6)), MSG_ID, x=0))
    assert wire.payloads() == [struct.pack("<i", -429)]


# Bodies


def body_said(body: Any, examines: Side = Side.CLIENT) -> bytes:
    message = opened(said(body, examines), examines.peer.x)
    return message.rest[: message.length]


def test_a_service_message() -> None:
    assert body_said("pong") == bytes(service.Pong(msg_id=MSG_ID, ping_id=6))
    assert body_said(Service("pong", ping_id=8)) == bytes(service.Pong(msg_id=MSG_ID, ping_id=8))
    assert body_said(Service("pong", msg_id=lambda i: i + 4)) == bytes(
        service.Pong(msg_id=MSG_ID + 4, ping_id=6)
    )


def test_every_service_message_has_usual_fields() -> None:
    for name, make in USUAL.items():
        wire = Wire([Expect("ping"), Expect("any")], ready=True, examines=Side.CLIENT)
        wire.send(sealed(bytes(service.Ping(ping_id=6)), MSG_ID, x=0))
        made = make(wire.play.stage)
        assert name == made.TL_NAME
        assert service.decode(bytes(made)) == made


def test_a_request_and_an_answer() -> None:
    assert body_said(Request(), Side.SERVER) == bytes(service.Ping(ping_id=9))
    wire = Wire(
        [Expect("request"), Send(Answer(b"1234")), Send(Answer(b"1234", req_msg_id=4)), Expect("any")],
        ready=True,
    )
    wire.send(sealed(b"\xde\xad\xbe\xef", MSG_ID, x=0))
    results = [opened(p, 8).rest[:16] for p in wire.payloads()]
    head = struct.pack("<I", 0xF35C6D01)
    assert results == [head + struct.pack("<q", MSG_ID) + b"1234", head + struct.pack("<q", 4) + b"1234"]


def test_a_container() -> None:
    parts = (Part(b"1234", msg_id=7, seq_no=9, length=11), b"5678")
    body = body_said(Container(*parts, count=5, trailing=b"tail"))
    assert body[:4] == struct.pack("<I", 0x73F1F8DC)
    assert struct.unpack_from("<iqii", body, 4) == (5, 7, 9, 11)
    assert (body[24:28], body[-8:]) == (b"1234", b"5678tail")
    msg_id, seq_no, length = struct.unpack_from("<qii", body, 28)
    assert (msg_id & 3, seq_no, length) == (3, 3, 4)  # the first has to be acknowledged, too
    honest = body_said(Container("pong", "msgs_ack"))
    assert struct.unpack_from("<i", honest, 4) == (2,)


def test_gzip_packed() -> None:
    packed = service.decode(body_said(Gzip(b"1234")), service.GzipPacked).packed_data
    assert gzip.decompress(packed) == b"1234"
    assert (
        service.decode(body_said(Gzip(b"1234", packed_data=b"none")), service.GzipPacked).packed_data
        == b"none"
    )


def test_a_plain_message() -> None:
    wire = Wire([Plain("ping", msg_id=5), Expect("any")], examines=Side.SERVER)
    key_id, msg_id, _, body = wire.last()
    assert (key_id, msg_id, body[:4]) == (bytes(8), 5, struct.pack("<I", 0x7ABE77EC))
