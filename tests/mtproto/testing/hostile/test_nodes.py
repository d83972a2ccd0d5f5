"""How conversations go: alternatives, repetitions, silence; what is said when they fail; what makes no sense."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import repeat
from typing import Any

import pytest

from mtproto import api, service
from mtproto.errors import LocalProtocolError
from mtproto.side import Side
from mtproto.testing import hostile
from mtproto.testing.hostile import (
    Answer,
    AnyOf,
    Close,
    Conversation,
    ConversationFailed,
    DhGen,
    End,
    Expect,
    ExpectClose,
    ExpectCode,
    ExpectQuickAck,
    Heard,
    KeyExchange,
    NeverEnds,
    Node,
    Optional,
    Peer,
    Raw,
    Reconnect,
    Refuses,
    Rejects,
    Repeat,
    ReqDHParams,
    Request,
    ResPQ,
    Send,
    Serve,
    ServerDHParams,
    Service,
    Setting,
    Silence,
    Wait,
    our_client,
    rehearse,
)
from tests.mtproto.helpers import TEST_KEY


def with_client(*nodes: Node) -> str:
    """A conversation that begins in a session of our client; its transcript."""
    return rehearse(Conversation(nodes, examines=Side.CLIENT)).transcript


def with_server(*nodes: Node, **options: Any) -> str:
    return rehearse(Conversation(nodes, examines=Side.SERVER), **options).transcript


def failure(*nodes: Node, examines: Side = Side.CLIENT, **options: Any) -> ConversationFailed:
    with pytest.raises(ConversationFailed) as caught:
        rehearse(Conversation(nodes, examines=examines, name="ours", check="C0"), **options)
    return caught.value


ANSWERED = (Expect("request"), Send(Answer()))


# What there is


def test_any_of_takes_the_one_that_comes() -> None:
    close = [ExpectClose(), End()]
    for choices in (
        [close, [Expect("request"), Send(Answer())]],
        [[Expect("request"), Send(Answer())], close],
    ):
        assert "→ rpc_result" in with_client(AnyOf(*choices), Silence())


def test_an_alternative_may_be_silence() -> None:
    assert with_client(*ANSWERED, AnyOf(Expect("request"), ExpectClose(), [Silence(), Close()])).endswith(
        "→ the end of the connection"
    )


def test_optional() -> None:
    with_client(Optional(Expect("request"), Send(Answer())), Silence())
    with_client(Optional(ExpectClose()), Expect("request"))  # what comes instead is not lost
    with_client(Expect("request"), Optional(Expect("request")), Send(Answer()), Silence())


def test_repeat() -> None:
    said = with_server(Repeat(3, Send("ping"), Expect("pong")))
    assert said.count("→ ping") == said.count("← pong") == 3


def test_wait_keeps_what_comes() -> None:
    said = with_client(Wait(5), Expect("request"), Send(Answer()), Wait(2.5), Silence(0.5))
    assert said.splitlines()[0].startswith("   0.000  ← help.getConfig()")
    assert "   5.000  → rpc_result" in said


def test_end_is_the_end() -> None:
    with_client(Expect("request"), End(), ExpectClose())


def test_close() -> None:
    rehearsal = rehearse(Conversation([Expect("request"), Close()]))
    assert rehearsal.peer.connection.closed
    assert rehearsal.error is None


def test_raw_bytes() -> None:
    rehearsal = rehearse(Conversation([Expect("request"), Raw(bytes(4)), ExpectClose()]))
    assert rehearsal.error is not None
    assert rehearsal.error.check == "X2"


def test_chatter_is_passed_over_and_answered() -> None:
    def pinging(setting: Setting) -> Peer:
        peer = our_client(setting)
        peer.connection.ping(77)  # type: ignore[attr-defined]
        return peer

    conversation = Conversation([Expect("request"), Send(Answer()), Silence(3)])
    said = rehearse(conversation, pinging).transcript
    assert "← ping(ping_id=77)" in said
    assert "ping_id=77)" in said.split("→ pong(")[1]
    assert "← msgs_ack" in said


def test_chatter_can_be_expected_or_forbidden() -> None:
    with_client(*ANSWERED, Expect("msgs_ack"))
    error = failure(*ANSWERED, Silence(2, but=["msgs_ack"]))
    assert error.got.startswith("msgs_ack(")
    assert error.expected == ("silence for 2 s, and no msgs_ack",)
    failure(*ANSWERED, Silence(2, never=lambda heard: heard.name == "msgs_ack"))


def test_expect_looks_at_fields() -> None:
    with_server(Send("ping"), Expect("pong", ping_id=lambda i: i > 0))
    error = failure(Send("ping"), Expect("pong", ping_id=5), examines=Side.SERVER)
    assert error.expected == ("← pong with ping_id 5",)
    with_server(Send("ping"), Expect("pong", where=lambda heard: heard.seq_no == 2))
    failure(Send("ping"), Expect("pong", where=lambda heard, stage: heard.msg_id == 0), examines=Side.SERVER)


def test_a_client_learns_salts() -> None:
    said = with_server(Send(Request(), salt=0), Expect("bad_server_salt"), Send("ping"), Expect("pong"))
    assert "given: salt" in said


def test_serve() -> None:
    with_client(Serve(1))
    assert failure(Serve(2), patience=3).got == "nothing within 3 s"


@pytest.mark.parametrize("transport", ["abridged", "intermediate", "padded"])
def test_frames_are_changed_below_the_obfuscation(transport: str) -> None:
    """Were it above, the key stream would be out of step, and the next message could not be read."""
    bad = Send("ping", frame=lambda frame: frame)
    conversation = Conversation([bad, Expect("pong"), bad, Expect("pong")], examines=Side.SERVER)
    rehearse(conversation, transport=transport, obfuscated=True)


# What it looks like


def test_a_conversation_is_a_specification() -> None:
    conversation = Conversation(
        [
            KeyExchange(before="server_DH_params_ok"),
            ServerDHParams(inner={"g": 2}, padding=bytes(24)),
            AnyOf(ExpectClose(), [Silence(3), Repeat(2, Send("pong", ping_id=5, salt=6))]),
        ],
        name="a bad g",
        check="H7",
        right="closes",
    )
    assert (
        str(conversation)
        == """\
a bad g [H7]
  right: closes
  1     the key exchange up to server_DH_params_ok
  2     → server_DH_params_ok, padding, inner.g given
  3     one of
  3a.1  ← the end of the connection
  3b.1  silence for 3 s
  3b.2  2 times
  3b.2.1→ pong, ping_id, salt given"""
    )


def test_a_specification_has_all_alternatives() -> None:
    choices = [Expect("ping", ping_id=number) for number in range(30)]
    lines = str(Conversation([AnyOf(*choices)], examines=Side.CLIENT)).splitlines()
    assert [line.split()[0] for line in lines[-6:]] == ["1y.1", "1z.1", "1aa.1", "1ab.1", "1ac.1", "1ad.1"]
    assert len(lines) == 32


def test_a_failure_says_all() -> None:
    choices = AnyOf([ExpectClose()], [Expect("msgs_ack", within=4)])
    error = failure(Expect("request"), choices, seed=5)
    assert (error.name, error.check, error.seed, error.node) == ("ours", "C0", 5, "2: one of")
    assert error.expected == ("← the end of the connection", "← msgs_ack")
    assert error.got == "nothing within 10 s"
    text = str(error).splitlines()
    assert text[:6] == [
        "ours fails [C0], seed=5",
        "  at node   2: one of",
        "  expected  ← the end of the connection",
        "         or ← msgs_ack",
        "  got       nothing within 10 s",
        "  so far:",
    ]
    assert "← help.getConfig()  [msg_id " in text[6]


def test_a_failure_names_the_node_inside_others() -> None:
    error = failure(*ANSWERED, Repeat(2, Send("ping"), Repeat(2, Send("ping"), Expect("request"))))
    assert error.node == "3.2.2: ← request"


def test_what_can_not_be_read_is_told() -> None:
    error = failure(Send("ping", payload=lambda p: p), Expect("pong"), examines=Side.SERVER, peer=_garbling)
    assert error.got.startswith("something unreadable: ")


class Stranger:
    """A connection that says the same whatever it hears."""

    closed = False

    def __init__(self, out: bytes) -> None:
        self.out = out

    def receive_data(self, data: bytes) -> list[Any]:
        return []

    def receive_eof(self) -> None:
        self.closed = True

    def data_to_send(self) -> bytes:
        out, self.out = self.out, b""
        return out

    def next_timer(self) -> None:
        return None

    def handle_timer(self) -> list[Any]:
        return []


def _garbling(setting: Setting) -> Peer:
    return Peer(Stranger(b"\0" * 4 + b"\1" * 60))


def test_the_seed_replays() -> None:
    def said(seed: int) -> str:
        return rehearse(Conversation([KeyExchange(), Serve(1)]), key=TEST_KEY, seed=seed).transcript

    assert said(1) == said(1)
    assert said(1) != said(2)


def test_a_change_of_one_field_changes_nothing_else() -> None:
    """Secrets and padding are drawn in the same order, whatever is given."""
    plain = rehearse(Conversation([KeyExchange(), Serve(1)]), key=TEST_KEY).transcript.splitlines()
    steps = [KeyExchange(before="resPQ"), ResPQ(nonce=lambda n: n), Expect("req_DH_params"), End()]
    other = rehearse(Conversation(steps, examines=Side.CLIENT), key=TEST_KEY).transcript.splitlines()
    assert other[1] == f"{plain[1]}  given: nonce"
    assert other[2] == plain[2]


# What makes no sense


def test_fields_that_do_not_exist() -> None:
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: ResPQ(nonse=b""), "resPQ has no field 'nonse'; it has: nonce, server_nonce, pq,"),
        (lambda: ServerDHParams(inner={"h": 1}), "server_DH_inner_data has no field 'h'"),
        (lambda: ServerDHParams("fail", inner={}), "server_DH_params_fail has no field 'inner'"),
        (lambda: DhGen("ok", new_nonce_hash2=b""), "dh_gen_ok has no field 'new_nonce_hash2'"),
        (lambda: ReqDHParams(inner={"expires_in": 1}), "p_q_inner_data_dc has no field 'expires_in'"),
        (lambda: Send("pong", ping=1), "an encrypted message has no field 'ping'"),
        (lambda: Service("pong", pingid=1), "pong has no field 'pingid'; it has: msg_id, ping_id"),
        (lambda: Service("pongg"), "no service message is called 'pongg'"),
        (lambda: Expect("pongg"), "Expect: no message is called 'pongg'"),
        (lambda: Expect("msgs_ack", mgs_ids=[1]), "Expect: msgs_ack has no field 'mgs_ids'; it has: msg_ids"),
        (lambda: Expect("any", "ping", msg_id=1), "Expect: ping has no field 'msg_id'; it has: ping_id"),
        (lambda: Expect(["ping"]), "Expect: no message is called ['ping']"),  # type: ignore[arg-type]
        (lambda: Expect("ping", where=5), "Expect: where: got 5, expected a function"),  # type: ignore[arg-type]
        (lambda: Silence(but=["msg_acks"]), "Silence: no message is called 'msg_acks'"),
        (lambda: Silence(but="msgs_ack"), "Silence: got 'msgs_ack' for but, expected a list of names"),
        (lambda: Silence(but=5), "Silence: got 5 for but"),  # type: ignore[arg-type]
        (lambda: Silence(never=5), "Silence: never: got 5, expected a function"),  # type: ignore[arg-type]
        (lambda: Refuses("msg_acks"), "Silence: no message is called 'msg_acks'"),
        (lambda: Serve(never="x"), "Serve: never: got 'x', expected a function"),  # type: ignore[arg-type]
        (lambda: Serve("x"), "Serve: got least='x'"),  # type: ignore[arg-type]
        (lambda: ExpectCode("-404"), "ExpectCode: got '-404', expected an int"),  # type: ignore[arg-type]
        (lambda: ExpectQuickAck(b"abc"), "ExpectQuickAck: got b'abc' for a token, expected 4 bytes"),
        (lambda: Send("pong", msg_id=1), "msg_id is a field of pong and of its envelope"),
        (lambda: DhGen("maybe"), "DhGen: got the kind 'maybe', expected ok or retry or fail"),
        (lambda: KeyExchange(before="dh_gen"), "KeyExchange: got before='dh_gen'"),
    ]
    for make, named in cases:
        with pytest.raises(LocalProtocolError) as caught:
            make()
        assert str(caught.value).startswith(named)


def test_what_the_api_says_may_lack_a_field() -> None:
    """It is another message then, whatever the value would have to be."""
    config = Expect("request", what="", date=lambda date: True)
    assert failure(config).got.startswith("help.getConfig()")
    asked = Expect("any", ping_id=None)
    assert failure(asked).got.startswith("help.getConfig()")


def test_scripts_that_never_end() -> None:
    cases: list[tuple[Callable[[], object], str]] = [
        (
            lambda: Conversation(repeat(Expect("request"))),
            "'a conversation' never ends: it has more than 1000",
        ),
        (
            lambda: Repeat(10**9, Expect("request")),
            "Repeat: got 1000000000 times, expected an int from 1 to 2000",
        ),
        (lambda: Repeat(0, Expect("request")), "Repeat: got 0 times"),
        (lambda: Repeat(True, Expect("request")), "Repeat: got True times"),
        (lambda: Wait(float("inf")), "Wait: got inf seconds"),
        (lambda: Silence(-1), "Silence: got -1 seconds"),
        (
            lambda: Wait(10**6),
            "Wait: got 1000000 seconds, expected a number from 0 to 86400: a script has to end",
        ),
        (lambda: Expect("pong", within=float("nan")), "Expect: got nan seconds"),
        (lambda: Optional(Expect("pong"), within=10**9), "Optional: got 1000000000 seconds"),
        (lambda: Reconnect(within=10**9), "Reconnect: got 1000000000 seconds"),
        (lambda: AnyOf(repeat(ExpectClose())), "alternative 1 of AnyOf never ends: it has more than 1000"),  # type: ignore[arg-type]
        (lambda: Repeat(2, *repeat(ExpectClose(), 1001)), "Repeat never ends: it has more than 1000"),
        (lambda: with_server(Silence(), patience=float("inf")), "patience: got inf seconds"),
        (lambda: with_server(Silence(), quiet="long"), "quiet: got 'long' seconds"),
    ]
    for make, named in cases:
        with pytest.raises(LocalProtocolError) as caught:
            make()
        assert str(caught.value).startswith(named)


def endless(name: str, *nodes: Node, **options: Any) -> NeverEnds:
    with pytest.raises(NeverEnds) as caught:
        rehearse(Conversation(nodes, name=name, examines=Side.SERVER), **options)
    return caught.value


@pytest.mark.parametrize(
    ("body", "node"),
    [
        ([Send("msgs_ack")], "1.1.1: → msgs_ack"),
        ([Wait(0)], "1.1.1: wait 0 s"),
        ([AnyOf(Silence(0), Expect("pong"))], "1.1.1: one of"),
        ([Optional(Expect("pong"), within=0)], "1.1.1: if that comes"),
        ([Send("ping"), Expect("pong")], "1.1.1: → ping"),
    ],
    ids=["send", "wait", "alternatives", "optional", "exchange"],
)
def test_loops_that_never_end(body: list[Node], node: str) -> None:
    error = endless("round and round", Repeat(2000, Repeat(2000, *body)))
    assert (
        str(error) == f"'round and round' never ends: it took more than 10000 steps, the last at node {node}"
    )
    assert error.node == node


def test_what_closes_again_and_again_ends() -> None:
    error = endless("over", Close(), Repeat(2000, Repeat(2000, ExpectClose())))
    assert error.node == "2.1.1: ← the end of the connection"


def test_waits_that_never_end() -> None:
    error = endless("sleep", Repeat(2000, Wait(86_400)), peer=lambda setting: Peer(Stranger(b"")))
    assert str(error) == "'sleep' never ends: 172800 s have passed, the last at node 1.1: wait 86400 s"


def test_a_peer_that_talks_for_ever_ends_the_script() -> None:
    def eager(setting: Setting) -> Peer:
        peer = our_client(setting)
        connection: Any = peer.connection

        def heard(events: list[Any]) -> None:
            if events:
                connection.send_request(bytes(api.help.GetConfig()))

        return Peer(connection, heard)

    with pytest.raises(
        NeverEnds, match=r"'a conversation' never ends: .*, the last at node 1: requests are answered"
    ):
        rehearse(Conversation([Serve()]), eager)


@pytest.mark.parametrize("seed", ["1", 1.0, True, None, b"1"])
def test_a_seed_is_a_number(seed: Any) -> None:
    conversation = Conversation([Expect("request")])
    server = Conversation([Send(Request())])
    for use in (
        lambda: rehearse(conversation, seed=seed),
        lambda: hostile.listen(conversation, seed=seed),
        lambda: asyncio.run(hostile.call("127.0.0.1", 1, server, key=TEST_KEY.public, seed=seed)),
        lambda: asyncio.run(hostile.examine_client(None, key=TEST_KEY, seed=seed)),  # type: ignore[arg-type]
        lambda: asyncio.run(hostile.examine_server("127.0.0.1", 1, TEST_KEY.public, seed=seed)),
    ):
        with pytest.raises(LocalProtocolError) as caught:
            use()
        assert str(caught.value) == f"got {seed!r} for a seed, expected an int"


def test_conversations_that_make_no_sense() -> None:
    request = Expect("request")
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: Conversation([]), "'a conversation' has no nodes"),
        (lambda: Conversation([request, "pong"]), "'a conversation': got 'pong' as node 2"),  # type: ignore[list-item]
        (
            lambda: Conversation([ResPQ(), Send(Request())]),
            "'a conversation': some nodes are a client's, others a server's",
        ),
        (lambda: Conversation([Send("ping")]), "'a conversation': either side could say this"),
        (lambda: AnyOf(), "AnyOf has no alternatives"),
        (
            lambda: AnyOf([Send("ping"), request]),
            "an alternative has to begin with something that is expected",
        ),
        (lambda: AnyOf(Rejects()), "Rejects is no alternative"),
        (lambda: Optional(Send("ping")), "an alternative has to begin with something that is expected"),
        (lambda: Expect(), "Expect: got no names"),
        (lambda: rehearse(Conversation([KeyExchange(), request])), "'a conversation' has a key exchange"),
        (lambda: rehearse("sanity"), "got 'sanity', expected a Conversation"),  # type: ignore[arg-type]
    ]
    for make, named in cases:
        with pytest.raises(LocalProtocolError) as caught:
            make()
        assert str(caught.value).startswith(named)


def test_steps_that_come_too_early() -> None:
    cases: list[tuple[list[Node], str]] = [
        ([Send(Answer())], "no request was heard yet to refer to"),
        ([Expect("req_pq_multi"), DhGen("ok")], "there is no auth_key yet"),
        ([Send("ping", padding=5)], "a body of 12 bytes with 5 of padding can't be encrypted"),
        (
            [Expect("req_pq_multi"), ServerDHParams(padding=b"1")],
            "20 bytes of hash, 564 of inner data and 1 of padding",
        ),
    ]
    for nodes, named in cases:
        conversation = Conversation(nodes, examines=Side.CLIENT)
        with pytest.raises(LocalProtocolError) as caught:
            rehearse(conversation, key=TEST_KEY)
        assert str(caught.value).startswith(named)


def test_a_plain_refusal_is_no_rejection() -> None:
    """A server that goes on has not rejected."""
    error = failure(Send("ping"), Rejects(), examines=Side.SERVER)
    assert error.got.startswith("pong(")
    resent = Send("bad_server_salt", new_server_salt=5)
    assert failure(Expect("request"), resent, Refuses()).got.startswith("help.getConfig(")


def test_services_are_heard_with_their_values() -> None:
    conversation = Conversation([Send("ping"), Expect("pong"), ExpectCode()], examines=Side.SERVER)
    with pytest.raises(ConversationFailed) as caught:
        rehearse(conversation)
    pong = [line for line in caught.value.transcript if "← pong" in line]
    assert len(pong) == 1
    assert service.Pong.TL_NAME in pong[0]


def test_what_must_not_come_is_said_to_be_that() -> None:
    def has_no_salt(heard: Heard) -> bool:
        return heard.name == "msgs_ack"

    error = failure(*ANSWERED, Silence(2, never=has_no_salt))
    assert error.got.endswith("], which must not come: has no salt")
    assert failure(*ANSWERED, Serve(never=has_no_salt), quiet=3).got == error.got
    assert failure(*ANSWERED, Silence(2, but=["msgs_ack"])).got.endswith("], which must not come")
