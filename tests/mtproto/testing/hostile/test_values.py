"""Values of a wrong type are refused where they are written, or else where functions make them: nothing is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from mtproto.errors import LocalProtocolError
from mtproto.side import Side
from mtproto.testing import hostile
from mtproto.testing.hostile import (
    Answer,
    Code,
    Container,
    Conversation,
    Expect,
    Gzip,
    KeyExchange,
    Node,
    Part,
    Plain,
    QuickAck,
    Raw,
    ReqDHParams,
    ResPQ,
    Send,
    ServerDHParams,
    Service,
    SetClientDHParams,
    rehearse,
)
from tests.mtproto.helpers import TEST_KEY

WRONG: dict[str, list[Any]] = {
    **{name: ["x", 2**63, 1.5, True, b"12345678"] for name in ("salt", "session_id", "msg_id")},
    **{name: ["x", 2**31, []] for name in ("seq_no", "length")},
    "padding": ["x", -1, 1.5, 2**40],
    **{name: ["x", 5, []] for name in ("msg_key", "auth_key_id", "payload", "frame")},
    "auth_key": ["x", bytes(256)],
    "direction": ["x", 5],
    "quick_ack": ["x", 5],
}
FIELDS = [(name, value) for name, values in WRONG.items() for value in values]
ANY: Any = None  # what is written below is wrong on purpose


def in_session(*nodes: Node) -> None:
    rehearse(Conversation([Expect("request"), *nodes], examines=Side.CLIENT), key=TEST_KEY)


def in_exchange(*nodes: Node) -> None:
    rehearse(Conversation([KeyExchange(before="resPQ"), *nodes], name="ours"), key=TEST_KEY)


def refusal(make: Callable[[], object]) -> str:
    with pytest.raises(LocalProtocolError) as caught:
        make()
    return str(caught.value)


@pytest.mark.parametrize(("name", "value"), FIELDS)
def test_envelopes(name: str, value: Any) -> None:
    shown = type(value).__name__ if name == "auth_key" else repr(value)
    told = f"an encrypted message: {name}: got {shown}, expected "
    assert refusal(lambda: Send(Service("pong"), **{name: value})).startswith(told)
    if name not in ("quick_ack", "frame"):  # which are looked at elsewhere
        made = Send(Service("pong"), **{name: lambda computed: value})
        assert refusal(lambda: in_session(made)).startswith(told)


def wrong(node: Callable[..., object], *arguments: Any, **fields: Any) -> Callable[[], object]:
    """A call with arguments of wrong types."""
    return lambda: node(*arguments, **fields)


CASES: list[tuple[Callable[[], object], str]] = [
    (wrong(Plain, b"1234", trailing=5), "a plain message: trailing: got 5, expected bytes"),
    (wrong(ResPQ, msg_id="x"), "resPQ: msg_id: got 'x', expected an int of 64 bits"),
    (wrong(ResPQ, length=2**31), "resPQ: length: got 2147483648, expected an int of 32 bits"),
    (wrong(ServerDHParams, inner=5), "server_DH_params_ok: inner: got 5, expected a mapping"),
    (wrong(ServerDHParams, inner=[]), "server_DH_params_ok: inner: got [], expected a mapping"),
    (wrong(ServerDHParams, answer_hash="x"), "server_DH_params_ok: answer_hash: got 'x', expected bytes"),
    (wrong(SetClientDHParams, inner="x"), "set_client_DH_params: inner: got 'x', expected a mapping"),
    (wrong(ReqDHParams, temp_key=5), "req_DH_params: temp_key: got 5, expected bytes"),
    (wrong(ServerDHParams, []), "ServerDHParams: got the kind [], expected ok or fail"),
    (wrong(KeyExchange, before=[]), "KeyExchange: got before=[], expected"),
    (wrong(KeyExchange, form=["dc"]), "ReqDHParams: got the kind ['dc']"),
    (wrong(Code, "x"), "Code: code: got 'x', expected an int of 32 bits"),
    (wrong(Code, 2**31), "Code: code: got 2147483648"),
    (wrong(Raw, "x"), "Raw: data: got 'x', expected bytes"),
    (wrong(Raw, 5), "Raw: data: got 5, expected bytes"),
    (wrong(Raw, None), "Raw: data: got None, expected bytes"),
    (wrong(QuickAck, "x"), "QuickAck: token: got 'x', expected bytes"),
    (wrong(Send, 5), "got 5 for a body, expected a TL object"),
    (wrong(Send, None), "got None for a body"),
    (wrong(Container, 5), "got 5 for a body"),
    (wrong(Container, "pong", count="x"), "Container: count: got 'x'"),
    (wrong(Container, "pong", trailing=5), "Container: trailing: got 5"),
    (wrong(Part, "pong", length="x"), "Part: length: got 'x'"),
    (wrong(Gzip, 5), "got 5 for a body"),
    (wrong(Gzip, "pong", packed_data=5), "Gzip: packed_data: got 5"),
    (wrong(Answer, 5), "got 5 for a body"),
    (wrong(Answer, req_msg_id="x"), "Answer: msg_id: got 'x'"),
    (lambda: in_session(Send(lambda stage: ANY)), "got None of a function for a body"),
    (lambda: in_session(Send(Answer(lambda result: 5))), "got 5 of a function for a body"),
    (lambda: in_session(Raw(lambda stage: ANY)), "Raw: data: got None"),
    (lambda: in_session(Send("pong", frame=lambda frame: 5)), "a message: frame: got 5, expected bytes"),
    (
        lambda: in_exchange(ResPQ(), Expect("req_DH_params"), ServerDHParams(inner={"g": "x"})),
        "'ours' is wrong at node 4: → server_DH_params_ok, inner.g given: TypeError",
    ),
    (
        lambda: in_exchange(ResPQ(nonce=5)),
        "'ours' is wrong at node 2: → resPQ, nonce given: EncodeError: nonce",
    ),
    (
        lambda: in_exchange(ResPQ(), Expect("req_DH_params"), ServerDHParams(inner=lambda inner: 5)),
        "server_DH_inner_data: got 5, expected a mapping",
    ),
    (wrong(rehearse, Conversation([ResPQ()]), key="x"), "got str for a key, expected a PrivateKey"),
    (
        wrong(rehearse, Conversation([Expect("request")]), start="x"),
        "start: got 'x' seconds, expected a number from 0 to",
    ),
    (wrong(Conversation, [Code(1)], examines="client"), "'a conversation': got examines='client'"),
    (
        lambda: asyncio.run(hostile.examine_client("program")),  # type: ignore[arg-type]
        "got 'program' for a client, expected an async function or a Program",
    ),
]


@pytest.mark.parametrize(("make", "named"), CASES, ids=[named for _, named in CASES])
def test_others(make: Callable[[], object], named: str) -> None:
    assert refusal(make).startswith(named)


@pytest.mark.parametrize(
    ("step", "named"),
    [
        (ReqDHParams(data_padding=bytes(80)), "RSA_PAD of "),
        (ReqDHParams(data_hash=b"x"), "RSA_PAD of "),
        (ReqDHParams(temp_key=bytes(31)), "RSA_PAD of "),
        (ReqDHParams(scheme="sha1", data_padding=bytes(200)), " bytes that are no number below n"),
    ],
)
def test_what_rsa_can_not_encrypt(step: Node, named: str) -> None:
    conversation = Conversation([KeyExchange(before="req_DH_params"), step])
    assert named in refusal(lambda: rehearse(conversation, key=TEST_KEY))


def test_a_temp_key_that_leads_above_n_is_not_reduced() -> None:
    refused = []
    for number in range(16):
        given = ReqDHParams(temp_key=bytes([number]) * 32)
        conversation = Conversation([KeyExchange(before="req_DH_params"), given])
        try:
            rehearse(conversation, key=TEST_KEY)
        except LocalProtocolError as error:
            refused.append(str(error))
    assert 0 < len(refused) < 16
    assert all(e.startswith("256 bytes that are no number below n of the RSA key") for e in refused)
