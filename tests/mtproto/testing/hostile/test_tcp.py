"""Hostile peers on sockets: a server that listens, a client that connects, and all conversations in a row."""

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
from mtproto.errors import HandshakeFailed, LocalProtocolError, MTProtoError
from mtproto.side import Side
from mtproto.testing import hostile
from mtproto.testing.hostile import (
    CLIENT_CONVERSATIONS,
    SERVER_CONVERSATIONS,
    Answer,
    AnyOf,
    Conversation,
    ConversationFailed,
    Expect,
    ExpectClose,
    KeyExchange,
    Refuses,
    Repeat,
    ResPQ,
    Send,
    Serve,
    Silence,
)
from mtproto.transport import FRAMINGS
from tests.mtproto.helpers import TEST_KEY, seeded

WAYS = [(name, False) for name in FRAMINGS] + [(n, True) for n in FRAMINGS if n != "full"]
EACH = pytest.mark.parametrize(("transport", "obfuscated"), WAYS)
QUICK: dict[str, Any] = {"quiet": 0.05}
NONCE = Conversation(
    [KeyExchange(before="resPQ"), ResPQ(nonce=bytes(16)), Refuses()], name="nonce", check="H1"
)
# What comes at once is not waited for, so that silence may be long.
REFUSED = AnyOf(ExpectClose(), Silence(30))
TRUSTING = Conversation(
    [KeyExchange(before="resPQ"), ResPQ(), REFUSED], name="trusting", check="H0", right="no"
)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def watched() -> None:
        async with asyncio.timeout(60):
            await scenario()

    asyncio.run(watched())


def named(conversations: tuple[Conversation, ...], *names: str) -> list[Conversation]:
    found = [c for c in conversations if c.name in names]
    assert len(found) == len(names)
    return found


async def our_client(host: str, port: int, key: PublicKey, **options: Any) -> api.Config:
    """What `examine_client` runs."""
    async with mtproto.connect(host, port, keys=[key], reconnect=None, **options) as client:
        config = await client.invoke(api.help.GetConfig())
        assert isinstance(config, api.Config)
        return config


@EACH
def test_a_hostile_server_over_each_transport(transport: str, obfuscated: bool) -> None:
    async def scenario() -> None:
        options = {"transport": transport, "obfuscated": obfuscated}
        sane = CLIENT_CONVERSATIONS[0]
        async with hostile.listen(sane, key=TEST_KEY, **QUICK) as server:
            assert (await our_client(server.host, server.port, server.public_key, **options)).this_dc == 2
            play = await server.result()
            assert play.stage.wire.name == ("obfuscated " if obfuscated else "") + transport
        async with hostile.listen(NONCE, key=TEST_KEY, **QUICK) as server:
            with pytest.raises(HandshakeFailed) as caught:
                await our_client(server.host, server.port, server.public_key, **options)
            assert caught.value.check == "H1"
            await server.result()

    run(scenario)


@EACH
def test_a_hostile_client_over_each_transport(transport: str, obfuscated: bool) -> None:
    async def scenario() -> None:
        async with testing.serve(key=TEST_KEY) as server:
            where: dict[str, Any] = {
                "key": server.public_key,
                "transport": transport,
                "obfuscated": obfuscated,
            }
            for seed, conversation in enumerate(
                [
                    SERVER_CONVERSATIONS[0],
                    *named(SERVER_CONVERSATIONS, "a wrong salt", "g_b = 1", "a frame of no bytes"),
                ]
            ):
                await hostile.call(server.host, server.port, conversation, seed=seed, **where, **QUICK)

    run(scenario)


def test_a_session_with_a_ready_key() -> None:
    async def scenario() -> None:
        auth_key = AuthKey(seeded(7)(256))
        conversation = Conversation([Expect("request"), Send(Answer()), Silence()])
        async with hostile.listen(conversation, auth_key=auth_key, server_salt=5, **QUICK) as server:
            where: dict[str, Any] = {
                "keys": [server.public_key],
                "credentials": mtproto.Credentials(auth_key, 2, 5),
            }
            async with mtproto.connect(server.host, server.port, **where) as client:
                await client.invoke(api.help.GetConfig())
                await server.result()

    run(scenario)


def test_answers_of_ones_own() -> None:
    async def scenario() -> None:
        answer = bytes(api.auth.SentCode(type=api.auth.SentCodeTypeSms(length=5), phone_code_hash="0123"))
        conversation = Conversation([KeyExchange(), Serve(1)])
        async with hostile.listen(
            conversation, key=TEST_KEY, answer=lambda request: answer, **QUICK
        ) as server:
            async with mtproto.connect(server.host, server.port, keys=[server.public_key]) as client:
                request = api.account.SendVerifyPhoneCode(phone_number="+1", settings=api.CodeSettings())
                assert bytes(await client.invoke(request)) == answer
            await server.result()

    run(scenario)


def test_each_connection_has_a_conversation_of_its_own() -> None:
    async def scenario() -> None:
        async with hostile.listen(CLIENT_CONVERSATIONS[0], key=TEST_KEY, **QUICK) as server:
            where = server.host, server.port, server.public_key
            await asyncio.gather(our_client(*where), our_client(*where))
            assert len({play.stage.known_key().key_id for play in server.plays}) == 2

    run(scenario)


def test_a_failure_on_a_socket() -> None:
    async def scenario() -> None:
        async with hostile.listen(TRUSTING, key=TEST_KEY, seed=9, **QUICK) as server:
            with pytest.raises(MTProtoError):
                await our_client(server.host, server.port, server.public_key)
            with pytest.raises(ConversationFailed) as caught:
                await server.result()
            assert caught.value.got.startswith("req_DH_params(")
            assert caught.value.seed == 9

    run(scenario)


def test_whoever_says_nothing_does_not_count() -> None:
    async def scenario() -> None:
        async with hostile.listen(CLIENT_CONVERSATIONS[0], key=TEST_KEY, **QUICK) as server:
            _, writer = await asyncio.open_connection(server.host, server.port)
            writer.close()
            await writer.wait_closed()
            await our_client(server.host, server.port, server.public_key)
            await server.result()
            assert len(server.plays) == 2

    run(scenario)


def test_a_script_that_is_wrong_is_heard_of() -> None:
    async def scenario() -> None:
        wrong = Conversation([Repeat(2, Expect("req_pq_multi"), Send("pong"))], examines=Side.CLIENT)
        async with hostile.listen(wrong, key=TEST_KEY, **QUICK) as server:
            with pytest.raises(MTProtoError):
                await our_client(server.host, server.port, server.public_key)
            with pytest.raises(LocalProtocolError, match="there is no auth_key to encrypt with"):
                await server.result()

    run(scenario)


EMPTY: dict[str, Any] = {}


@pytest.mark.parametrize(
    ("wrong", "node", "why"),
    [
        (Send("pong", salt=lambda salt: EMPTY["x"]), "2: → pong, salt given", "KeyError: 'x'"),
        (Send(lambda stage: EMPTY["x"]), "2: → a message", "KeyError: 'x'"),
        (Expect("request", where=lambda heard: 1 // 0), "2: ← request", "ZeroDivisionError"),
    ],
)
def test_a_function_that_raises_is_heard_of(wrong: hostile.Node, node: str, why: str) -> None:
    """Whatever the client does next: it may well connect once more, and go on."""

    async def scenario() -> None:
        async def stubborn(host: str, port: int, key: PublicKey) -> None:
            backoff = Backoff(first=0.01, longest=0.02, attempts=5)
            async with mtproto.connect(host, port, keys=[key], reconnect=backoff) as client:
                await client.invoke(api.help.GetConfig())

        script = Conversation([KeyExchange(), wrong], name="ours", examines=Side.CLIENT)
        with pytest.raises(LocalProtocolError, match=f"^'ours' is wrong at node {node}.*: {why}") as caught:
            await hostile.examine_client(stubborn, key=TEST_KEY, conversations=[script], quiet=0.1)
        assert isinstance(caught.value.__cause__, KeyError | ZeroDivisionError)

    run(scenario)


def test_a_script_that_is_wrong_at_once_is_heard_of() -> None:
    async def scenario() -> None:
        wrong = Conversation([Send("pong")], examines=Side.CLIENT)
        with pytest.raises(LocalProtocolError, match="there is no auth_key to encrypt with"):
            await hostile.examine_client(our_client, key=TEST_KEY, conversations=[wrong], quiet=0.1)

    run(scenario)


def test_the_other_side_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="examines servers: use call"):
        hostile.listen(SERVER_CONVERSATIONS[0])
    with pytest.raises(LocalProtocolError, match="examines clients: use listen"):
        asyncio.run(hostile.call("127.0.0.1", 1, CLIENT_CONVERSATIONS[0], key=TEST_KEY.public))
    with pytest.raises(LocalProtocolError, match="expected conversations for a client"):
        asyncio.run(hostile.examine_client(our_client, conversations=SERVER_CONVERSATIONS))


# All in a row


def test_examine_a_client() -> None:
    async def scenario() -> None:
        chosen = [
            CLIENT_CONVERSATIONS[0],
            *named(CLIENT_CONVERSATIONS, "g_a = 1", "4 bytes of padding"),
            TRUSTING,
            CLIENT_CONVERSATIONS[-1],
        ]
        told: list[hostile.Result] = []
        results = await hostile.examine_client(
            our_client, key=TEST_KEY, conversations=chosen, tell=told.append, quiet=0.3
        )
        assert [r.passed for r in results] == [True, True, True, False, True]
        assert list(results) == told
        assert results[0].ending == "returned"
        assert results[1].ending.startswith("raised HandshakeFailed: g_a is degenerate")
        assert results.table.splitlines()[1:4] == [
            "ok      H8   g_a = 1           ",
            "ok      C7   4 bytes of padding",
            "FAILED  H0   trusting            right: no",
        ]
        assert "4 of 5 conversations went as they should\n\ntrusting fails [H0], seed=0" in str(results)

    run(scenario)


def test_a_client_that_does_not_come() -> None:
    async def scenario() -> None:
        async def absent(host: str, port: int, key: PublicKey) -> None:
            raise ValueError("not today")

        (result,) = await hostile.examine_client(absent, key=TEST_KEY, conversations=CLIENT_CONVERSATIONS[:1])
        assert str(result.failure).startswith("sanity, first: the client did not connect to 127.0.0.1:")
        assert result.ending == "raised ValueError: not today"

    run(scenario)


def test_examine_a_server() -> None:
    async def scenario() -> None:
        late = Expect("pong", within=0.1)
        wrong = Conversation([KeyExchange(), late], name="wrong", examines=Side.SERVER)
        chosen = [
            SERVER_CONVERSATIONS[0],
            *named(SERVER_CONVERSATIONS, "g_b = 1", "length -4", "a wrong salt"),
            wrong,
        ]
        async with testing.serve(key=TEST_KEY) as server:
            results = await hostile.examine_server(
                server.host, server.port, server.public_key, conversations=chosen, **QUICK
            )
        assert [r.passed for r in results] == [True, True, True, True, False]
        (failed,) = results.failed
        assert isinstance(failed.failure, ConversationFailed)
        assert failed.failure.seed == 4

    run(scenario)


def test_a_server_that_is_not_there() -> None:
    async def scenario() -> None:
        async with testing.serve(key=TEST_KEY) as server:
            port = server.port
        (result,) = await hostile.examine_server(
            "127.0.0.1", port, TEST_KEY.public, conversations=SERVER_CONVERSATIONS[:1]
        )
        assert isinstance(result.failure, OSError)

    run(scenario)


def test_a_server_that_says_nothing_is_one_failure() -> None:
    async def scenario() -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            (result,) = await hostile.examine_server("127.0.0.1", port, TEST_KEY.public, patience=0.05)
        assert isinstance(result.failure, hostile.NobodyCame)
        told = f"sanity, first: 127.0.0.1:{port} took the connection, and said nothing"
        assert str(result.failure) == told

    run(scenario)


def test_no_conversations_are_no_examination() -> None:
    with pytest.raises(LocalProtocolError, match="there are no conversations to examine with"):
        asyncio.run(hostile.examine_client(our_client, conversations=[]))
    with pytest.raises(LocalProtocolError, match="there are no conversations to examine with"):
        asyncio.run(hostile.examine_server("127.0.0.1", 1, TEST_KEY.public, conversations=[]))


def test_temporary_keys_and_reconnections_do_not_disturb() -> None:
    """A client that comes back gets another conversation; the first one counts."""

    async def scenario() -> None:
        async def stubborn(host: str, port: int, key: PublicKey) -> None:
            backoff = Backoff(first=0.01, longest=0.02, attempts=5)
            async with mtproto.connect(host, port, keys=[key], reconnect=backoff) as client:
                await client.invoke(api.help.GetConfig())

        (result,) = await hostile.examine_client(
            stubborn, key=TEST_KEY, conversations=named(CLIENT_CONVERSATIONS, "no encrypted data"), quiet=0.3
        )
        assert result.passed

    run(scenario)
