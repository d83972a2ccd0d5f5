"""Replays: the example's server for a live client, its client for a live server, and what does not fit."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable

import pytest

import mtproto
from mtproto import api, service, testing
from mtproto.connection import ClientConnection
from mtproto.crypto.auth_key import AuthKey
from mtproto.errors import ConnectionClosed, RemoteProtocolError
from mtproto.events import (
    AnswerReceived,
    MessageReceived,
    PongReceived,
    RequestFailed,
    RequestReceived,
    SessionCreated,
)
from mtproto.side import Side
from mtproto.testing.transcript import (
    ClientReplay,
    Dissector,
    Entry,
    KeyLog,
    Recorder,
    ReplayMismatch,
    ReplayServer,
    Said,
    Sealed,
    ServerReplay,
    Transcript,
    TranscriptError,
    replay_client,
    replay_server,
    run_client,
)
from tests.mtproto.helpers import TEST_KEY, ManualClock, seeded
from tests.mtproto.testing.transcript.example import (
    CODE,
    CONFIG_WANTED,
    NUMBER_INVALID,
    TRANSCRIPT,
    Talk,
    verify,
)

EXAMPLE = Transcript.load(TRANSCRIPT)
GOOD, BAD = verify("+12025550123"), verify("some string here")
NEWS = bytes(api.UserEmpty(id=7))


class Live:
    """A live client, and the replay of a server."""

    def __init__(self, transcript: Transcript = EXAMPLE, **options: object) -> None:
        self.clock = ManualClock(1_800_000_000.0)
        self.server = replay_server(transcript, [TEST_KEY], clock=self.clock, rng=seeded(11))
        self.client = ClientConnection([TEST_KEY.public], clock=self.clock, rng=seeded(12), **options)  # type: ignore[arg-type]
        self.parts: list[tuple[Side, bytes]] = []
        self.events: list[object] = []

    def run(self) -> None:
        while self.exchange():
            pass

    def exchange(self) -> bool:
        """What either has to say now; whether that was anything."""
        self.clock.advance(0.001)
        out = self.client.data_to_send()
        self.parts.append((Side.CLIENT, out))
        self.server.receive_data(out)
        back = self.server.data_to_send()
        self.parts.append((Side.SERVER, back))
        self.events += self.client.receive_data(back)
        return bool(out or back)

    def answers(self) -> list[object]:
        return [
            event.body if isinstance(event, AnswerReceived) else str(event.error)
            for event in self.events
            if isinstance(event, AnswerReceived | RequestFailed)
        ]

    def news(self) -> list[bytes]:
        return [event.body for event in self.events if isinstance(event, MessageReceived)]


def hold(live: Live) -> None:
    live.run()
    live.client.send_request(GOOD)
    live.run()
    live.client.ping(99)
    live.client.send_request(BAD)
    live.run()


@pytest.mark.parametrize("transport", ["abridged", "intermediate", "padded", "full"])
def test_a_live_client_gets_the_recorded_answers(transport: str) -> None:
    live = Live(transport=transport)
    hold(live)
    assert live.answers() == [CODE, "400 PHONE_NUMBER_INVALID"]
    assert [e.ping_id for e in live.events if isinstance(e, PongReceived)] == [99]
    assert len([e for e in live.events if isinstance(e, SessionCreated)]) == 1
    assert live.server.is_done


def test_everything_around_the_answers_is_made_anew() -> None:
    """Also the wrong salt: the recorded server refused a message for it, and so does the replay."""
    live = Live()
    hold(live)
    keys = KeyLog(live.server.auth_keys)
    dissector = Dissector(keys)
    records = [record for side, data in live.parts for record in dissector.feed(0.0, side, data)]
    assert not [record.findings for record in records if record.findings]
    then = [e.record for e in EXAMPLE.entries]
    names = [r.name for r in records if isinstance(r, Said) and r.side is Side.SERVER and r.kind != "inner"]
    assert {"bad_server_salt", "pong", "new_session_created", "rpc_error", "auth.sentCode"} <= set(names)
    now, before = ([r for r in rs if isinstance(r, Sealed)] for rs in (records, then))
    for field in ("auth_key_id", "session_id", "salt", "msg_key", "msg_id"):
        assert not {getattr(r, field) for r in now} & {getattr(r, field) for r in before}, field
    asked = {r.msg_id for r in records if isinstance(r, Said) and r.side is Side.CLIENT}
    answered = [r.answers for r in records if isinstance(r, Said) and r.side is Side.SERVER and r.answers]
    assert len(answered) >= 5
    assert asked >= set(answered)


def test_requests_may_come_in_another_order_and_in_wrappers() -> None:
    live = Live()
    live.run()
    live.client.send_request(BAD)
    live.run()
    live.client.send_request(
        bytes(api.InvokeWithLayer(layer=228, query=api.decode(GOOD, api.account.SendVerifyPhoneCode)))
    )
    live.run()
    assert live.answers() == ["400 PHONE_NUMBER_INVALID", CODE]


def test_what_answers_nothing_comes_when_all_has_come_that_was_before_it() -> None:
    talk, file = Talk(), io.StringIO()
    with Recorder(file, clock=talk.clock) as recorder:
        recorder.client(talk.client)
        talk.run()
        talk.ask(GOOD)
        (session,) = talk.state.sessions
        talk.state.notify(session, NEWS)
        talk.run()
        talk.ask(BAD)
    live = Live(Transcript.parse(file.getvalue().splitlines()))
    live.run()
    live.client.ping(1)
    live.run()
    assert not live.news()
    live.client.send_request(GOOD)
    live.run()
    assert live.news() == [NEWS]


def test_who_asks_for_something_else_is_told_what_was_asked_then() -> None:
    live = Live()
    live.run()
    live.client.send_request(CONFIG_WANTED)
    with pytest.raises(ReplayMismatch) as caught:
        live.run()
    assert str(caught.value) == (
        "the client asks for help.getConfig; in the transcript come account.sendVerifyPhoneCode"
    )


def test_pings_and_salts_that_were_not_recorded_are_answered_all_the_same() -> None:
    live = Live()
    live.run()
    live.client.send_request(GOOD)
    live.run()
    for ping_id in (1, 2, 3):
        live.client.ping(ping_id)
        live.run()
    live.clock.advance(61)
    live.client.handle_timer()  # now it asks for salts
    live.run()
    assert [e.ping_id for e in live.events if isinstance(e, PongReceived)] == [1, 2, 3]
    assert live.client.salts


def test_a_client_with_a_key_of_its_own() -> None:
    key = AuthKey(seeded(5)(256))
    server = replay_server(EXAMPLE, [TEST_KEY], auth_keys={key.key_id: key})
    client = ClientConnection(auth_key=key, server_salt=7)
    client.send_request(GOOD)
    server.receive_data(client.data_to_send())
    (answer,) = [e for e in client.receive_data(server.data_to_send()) if isinstance(e, AnswerReceived)]
    assert answer.body == CODE
    stranger = ClientConnection(auth_key=AuthKey(seeded(6)(256)))
    stranger.send_request(GOOD)
    server = replay_server(EXAMPLE, [TEST_KEY])
    with pytest.raises(RemoteProtocolError, match="S1"):
        server.receive_data(stranger.data_to_send())


def replayed(client: ClientReplay, talk: Talk) -> None:
    """The replay of a client, and a live server in memory."""
    while exchange(client, talk):
        pass


def exchange(client: ClientReplay, talk: Talk) -> bool:
    """What either has to say now; whether that was anything."""
    out = client.data_to_send()
    for event in talk.server.receive_data(out):
        if isinstance(event, RequestReceived):
            talk.server.answer(event.session, event.msg_id, talk._answer(event))
    back = talk.server.data_to_send()
    client.receive_data(back)
    return bool(out or back)


@pytest.mark.parametrize("obfuscated", [False, True])
def test_a_live_server_hears_the_recorded_client(obfuscated: bool) -> None:
    talk = Talk(seed=5)
    client = replay_client(
        EXAMPLE, [TEST_KEY.public], obfuscated=obfuscated, clock=talk.clock, rng=seeded(13)
    )
    replayed(client, talk)
    assert client.is_done
    assert [(a.request, a.recorded, a.live) for a in client.answers] == [
        ("account.sendVerifyPhoneCode", CODE, CODE),
        ("account.sendVerifyPhoneCode", NUMBER_INVALID, NUMBER_INVALID),
    ]


def test_a_replayed_client_takes_another_salt() -> None:
    key = AuthKey(seeded(5)(256))
    talk = Talk()
    talk.state.add_key(key, 1234)
    client = replay_client(EXAMPLE, auth_key=key, server_salt=99, clock=talk.clock, rng=seeded(13))
    replayed(client, talk)
    assert client.is_done
    assert [a.live for a in client.answers] == [CODE, NUMBER_INVALID]


def test_what_was_refused_in_a_container_is_sent_again_and_nothing_else() -> None:
    talk, file = Talk(), io.StringIO()
    with Recorder(file, clock=talk.clock) as recorder:
        recorder.client(talk.client)
        talk.run()
        talk.ask(CONFIG_WANTED)
        talk.ask(GOOD, BAD)
    recorded = Transcript.parse(file.getvalue().splitlines())
    live = Talk(seed=9)
    client = replay_client(recorded, [TEST_KEY.public], clock=live.clock, rng=seeded(13))
    while len(client.answers) < 1:
        exchange(client, live)
    for key_id in live.state.salts:
        live.state.rotate_salt(key_id, keep_previous=False)
    replayed(client, live)
    assert client.is_done
    assert [answer.live for answer in client.answers[1:]] == [CODE, NUMBER_INVALID]


def test_a_replayed_client_waits_for_the_answers_that_it_waited_for_then() -> None:
    talk = Talk()
    client = replay_client(EXAMPLE, [TEST_KEY.public], clock=talk.clock, rng=seeded(13))
    heard: list[RequestReceived] = []
    while not client.is_done:
        for event in talk.server.receive_data(client.data_to_send()):
            heard += [event] if isinstance(event, RequestReceived) else []
        if heard and not client.is_done:
            assert len(heard) == 1 + len(client.answers)
            talk.server.answer(heard[-1].session, heard[-1].msg_id, talk._answer(heard[-1]))
        client.receive_data(talk.server.data_to_send())
    assert [event.body for event in heard] == [GOOD, BAD]


def test_a_replay_of_a_replay_says_the_same() -> None:
    """What was replayed can be recorded, and replayed again."""
    live = Live()
    hold(live)
    dissector = Dissector(KeyLog(live.server.auth_keys))
    records = [record for side, data in live.parts for record in dissector.feed(0.0, side, data)]
    again = Live(Transcript(tuple(Entry(0, record) for record in records)))
    hold(again)
    assert again.answers() == live.answers()
    assert again.server.is_done


# What does not fit


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.again(), "messages can't be decrypted"),
        (lambda t: Transcript(()), "there is no connection 0, of 0"),
        (lambda t: Transcript(t.entries[:8]), "nothing was said in connection 0"),
    ],
    ids=["no keys", "empty", "key exchange only"],
)
@pytest.mark.parametrize("make", [replay_server, replay_client])
def test_transcripts_that_do_not_fit(
    make: Callable[..., ServerReplay | ClientReplay], change: Callable[[Transcript], Transcript], said: str
) -> None:
    with pytest.raises(TranscriptError, match=said):
        make(change(EXAMPLE), [TEST_KEY])


def test_a_transcript_that_lost_a_part_of_a_message() -> None:
    kept = tuple(e for e in EXAMPLE.entries if getattr(e.record, "name", "") != "auth.sentCode")
    with pytest.raises(TranscriptError, match="message 13, of 56 bytes, is not all in"):
        replay_server(Transcript(kept), [TEST_KEY])


# Over TCP


def test_over_tcp_in_both_directions() -> None:
    async def server_side() -> None:
        async with ReplayServer(EXAMPLE) as server:
            for _ in range(2):  # each connection gets it from its beginning
                async with mtproto.connect(server.host, server.port, keys=[server.public_key]) as client:
                    assert await client.invoke_raw(GOOD) == CODE
                    with pytest.raises(mtproto.RpcError, match="400 PHONE_NUMBER_INVALID"):
                        await client.invoke_raw(BAD)
            assert not server.errors
            connecting = mtproto.connect(server.host, server.port, keys=[server.public_key], reconnect=None)
            async with connecting as client:
                with pytest.raises(ConnectionClosed):
                    await client.invoke(api.help.GetConfig())
            (error,) = server.errors
            assert isinstance(error, ReplayMismatch)

    async def client_side() -> None:
        async with testing.serve(phone_code_hash="abc") as server:
            replay = replay_client(EXAMPLE, [server.public_key])
            good, bad = await run_client(replay, server.host, server.port)
        assert good.recorded == CODE
        assert api.decode(good.live, api.auth.SentCode).phone_code_hash == "abc"
        assert service.decode(bad.live) == service.decode(bad.recorded)

    asyncio.run(server_side())
    asyncio.run(client_side())
