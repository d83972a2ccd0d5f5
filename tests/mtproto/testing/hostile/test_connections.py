"""Conversations over several connections, of some transports only; messages again, and quick acks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import mtproto
from mtproto import api, testing
from mtproto.client import Backoff
from mtproto.crypto.auth_key import AuthKey
from mtproto.crypto.rsa import PublicKey
from mtproto.errors import LocalProtocolError
from mtproto.side import Side
from mtproto.testing import hostile
from mtproto.testing.hostile import (
    Again,
    Answer,
    AnyOf,
    Close,
    Conversation,
    ConversationFailed,
    Expect,
    ExpectClose,
    ExpectQuickAck,
    KeyExchange,
    Node,
    Over,
    QuickAck,
    Raw,
    Reconnect,
    ReqPq,
    Request,
    Send,
    Silence,
    rehearse,
)
from mtproto.testing.hostile.tcp import drive
from mtproto.transport import FRAMINGS
from tests.mtproto.helpers import TEST_KEY

QUICK: dict[str, Any] = {"quiet": 0.05}
ASKS = AnyOf(Expect("request"), [Expect("msgs_state_req"), Send("msgs_state_info")])
OVER = AnyOf(ExpectClose(), Silence())
RETURNS = Conversation([KeyExchange(), Expect("request"), Reconnect(), ASKS, Send(Answer()), OVER])


def with_client(*nodes: Node, **options: Any) -> hostile.Rehearsal:
    return rehearse(Conversation(nodes, examines=Side.CLIENT), **options)


def with_server(*nodes: Node, **options: Any) -> hostile.Rehearsal:
    return rehearse(Conversation(nodes, examines=Side.SERVER), key=TEST_KEY, **options)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def watched() -> None:
        async with asyncio.timeout(60):
            await scenario()

    asyncio.run(watched())


# In memory


def test_a_client_comes_back_with_its_session_and_its_request() -> None:
    rehearsal = with_client(Expect("request"), Reconnect(), ASKS, Send(Answer()), Silence())
    assert rehearsal.play.connections == 2
    stage = rehearsal.play.stage
    assert len(stage.session_ids) == 1
    assert [h.name for h in stage.heard[:2]] == ["request", "msgs_state_req"]
    assert "→ the end of the connection" in rehearsal.transcript
    assert "← a new connection" in rehearsal.transcript
    assert any(type(event).__name__ == "AnswerReceived" for event in rehearsal.events)


def test_a_client_that_has_closed_by_itself_comes_back() -> None:
    bad = Send(bytes(3), length=-4, padding=13)  # whoever is told this closes
    rehearsal = with_client(Expect("request"), bad, ExpectClose(), Reconnect(), ASKS)
    assert rehearsal.play.connections == 2
    assert rehearsal.transcript.count("the end of the connection") == 1


def test_several_connections_over_each_transport() -> None:
    ways = [(name, False) for name in FRAMINGS] + [(n, True) for n in FRAMINGS if n != "full"]
    for transport, obfuscated in ways:
        way: dict[str, Any] = {"transport": transport, "obfuscated": obfuscated}
        with_client(Expect("request"), *[Reconnect(), Expect("msgs_state_req")] * 3, **way)
        again = [Reconnect(), Send("ping"), Expect("pong")]
        assert with_server(Send("ping"), Expect("pong"), *again * 3, **way).play.connections == 4


def test_a_peer_that_does_not_come_back() -> None:
    def once(setting: hostile.Setting) -> hostile.Peer:
        return hostile.Peer(hostile.our_client(setting).connection)

    with pytest.raises(ConversationFailed) as caught:
        with_client(Expect("request"), Reconnect(), peer=once)
    assert (caught.value.expected, caught.value.got) == (("← a new connection",), "none")
    optional = with_client(Expect("request"), Reconnect(optional=True), Expect("ping"), peer=once)
    assert optional.transcript.endswith("nobody comes back")


def test_a_server_keeps_the_session_and_begins_another() -> None:
    begun = [Send(Request()), Expect("new_session_created"), Expect("rpc_result"), Send("msgs_ack")]
    rehearsal = with_server(*begun, Reconnect(), Send("ping"), Expect("pong"))
    assert len(set(rehearsal.play.stage.session_ids)) == 1
    rehearsal = with_server(*begun, Reconnect(new_session=True), *begun)
    assert len(set(rehearsal.play.stage.session_ids)) == 2


def test_what_was_under_way_is_lost_with_the_connection() -> None:
    """An answer that came before the hang-up is not heard after it."""
    rehearsal = with_server(Send("ping"), Reconnect(), Send("ping"), Expect("pong"))
    assert rehearsal.transcript.count("← pong") == 1


def test_a_message_again_has_the_same_bytes() -> None:
    rehearsal = with_server(Send("ping"), Expect("pong"), Send("msgs_ack"), Again(0), Again(-2), Silence())
    assert len(rehearsal.play.stage.payloads) == 2
    assert [type(e).__name__ for e in rehearsal.events].count("MessageDropped") == 2
    assert "→ the encrypted message 0 again, to the letter" in rehearsal.transcript
    for index in (0, -1):
        with pytest.raises(LocalProtocolError, match=f"the index {index}: 0 were sent so far"):
            with_server(Again(index))


def test_only_over_some_transports() -> None:
    nodes = (Expect("request"), Over("padded", "obfuscated"), Expect("pong"))
    assert with_client(*nodes, transport="full").transcript.endswith("there is no more to it")
    for way in ({"transport": "padded"}, {"transport": "abridged", "obfuscated": True}):
        with pytest.raises(ConversationFailed):
            with_client(*nodes, **way)


def test_quick_acks_of_either_side() -> None:
    quick = [Send("ping", quick_ack=True), ExpectQuickAck()]
    with_server(*quick, Expect("pong"), transport="abridged")
    with pytest.raises(ConversationFailed):
        with_server(Send("ping"), ExpectQuickAck(), transport="abridged")
    wrong = ExpectQuickAck(bytes(4))
    with pytest.raises(ConversationFailed):
        with_server(quick[0], wrong, transport="abridged")

    def asking(setting: hostile.Setting) -> hostile.Peer:
        peer = hostile.our_client(setting)
        peer.connection.send_request(bytes(api.help.GetConfig()), quick_ack=True)  # type: ignore[attr-defined]
        return peer

    forged = QuickAck(bytes.fromhex("12345687"))
    rehearsal = with_client(Expect("request"), Expect("request"), forged, QuickAck(), Silence(), peer=asking)
    told = [event for event in rehearsal.events if type(event).__name__ == "QuickAckReceived"]
    assert len(told) == 1
    assert "→ quick ack 12345687" in rehearsal.transcript
    assert "quick ack" not in with_client(Expect("request"), QuickAck(), transport="full").transcript


def test_raw_bytes_take_the_place_of_a_transport() -> None:
    def connect(stage: hostile.Stage) -> bytes:
        return b"GET / HTTP/1.1\r\n\r\n"

    rehearsal = with_server(Raw(connect), ExpectClose())
    assert rehearsal.error is not None
    assert rehearsal.error.check == "X11"
    assert with_server(ReqPq(), Expect("resPQ")).play.stage.openings[0][:4] == b"\xee" * 4


def test_nodes_that_make_no_sense() -> None:
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: Over(), "Over: got no transports"),
        (lambda: Over("tcp"), "Over: got 'tcp', expected abridged, intermediate, padded, full or obfuscated"),
        (lambda: Again("0"), "Again: got '0' for an index, expected an int"),  # type: ignore[arg-type]
        (lambda: QuickAck(b"123"), "QuickAck: got a token of 3 bytes, expected 4"),
        (lambda: with_client(QuickAck()), "nothing encrypted was said yet that a quick ack could be about"),
        (
            lambda: KeyExchange(before="resPQ", form="temp"),
            "KeyExchange: a form of inner data is for a client",
        ),
        (lambda: KeyExchange(form="temporary"), "ReqDHParams: got the kind 'temporary', expected dc or"),
    ]
    for make, named in cases:
        with pytest.raises(LocalProtocolError) as caught:
            make()
        assert str(caught.value).startswith(named)
    play = with_client(Expect("request"), Close()).play
    with pytest.raises(LocalProtocolError, match="does not wait for another connection"):
        play.connect()


# Over TCP


async def stubborn(host: str, port: int, key: PublicKey) -> None:
    backoff = Backoff(first=0.01, longest=0.02, attempts=5)
    async with mtproto.connect(host, port, keys=[key], reconnect=backoff) as client:
        await client.invoke(api.help.GetConfig())


async def easily_put_off(host: str, port: int, key: PublicKey) -> None:
    async with mtproto.connect(host, port, keys=[key], reconnect=None) as client:
        await client.invoke(api.help.GetConfig())


def test_a_client_comes_back_over_tcp() -> None:
    async def scenario() -> None:
        async with hostile.listen(RETURNS, key=TEST_KEY, **QUICK) as server:
            await stubborn(server.host, server.port, server.public_key)
            play = await server.result()
        assert play.connections == 2
        assert server.plays == [play]

    run(scenario)


def test_a_client_that_does_not_come_back_over_tcp() -> None:
    async def scenario() -> None:
        optional = Conversation([KeyExchange(), Expect("request"), Reconnect(optional=True), Expect("ping")])
        where: dict[str, Any] = {"key": TEST_KEY, "conversations": [optional, RETURNS]}
        results = await hostile.examine_client(easily_put_off, **where, **QUICK)
        assert [r.passed for r in results] == [True, False]
        assert "\n  got       none\n" in str(results[1].failure)
        (late,) = await hostile.examine_client(
            stubborn_in_vain, key=TEST_KEY, conversations=[RETURNS], patience=0.5, **QUICK
        )
        assert "\n  got       none\n" in str(late.failure)

    run(scenario)


async def stubborn_in_vain(host: str, port: int, key: PublicKey) -> None:
    with pytest.raises(mtproto.errors.MTProtoError):
        await easily_put_off(host, port, key)
    await asyncio.Event().wait()


def test_our_own_client_connects_again_over_tcp() -> None:
    async def scenario() -> None:
        conversation = Conversation(
            [KeyExchange(), Send("ping"), Expect("pong"), *[Reconnect(), Send("ping"), Expect("pong")] * 2],
            examines=Side.SERVER,
        )
        async with testing.serve(key=TEST_KEY) as server:
            where = server.host, server.port
            play = await hostile.call(*where, conversation, key=server.public_key, obfuscated=True, **QUICK)
        assert play.connections == 3

    run(scenario)


def test_a_client_that_is_back_before_its_old_socket_is_closed() -> None:
    """The end of the old connection is not taken for that of the new one."""

    class Writer:
        transport = property(lambda self: self)

        def write(self, data: bytes) -> None: ...
        def close(self) -> None: ...
        def abort(self) -> None: ...
        async def wait_closed(self) -> None:
            play.connect()

    conversation = Conversation([Reconnect(), Expect("request")])
    play = hostile.Play(
        conversation, TEST_KEY, clock=lambda: 0.0, rng=bytes, request=b"", auth_key=AuthKey(bytes(256))
    )

    async def scenario() -> None:
        writer: Any = Writer()
        await drive(play, asyncio.StreamReader(), writer)

    run(scenario)
    assert (play.connections, play.closes) == (2, False)
