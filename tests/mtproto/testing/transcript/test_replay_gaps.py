"""Replays of what was not recorded whole: requests without an answer, answers without a request."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from dataclasses import replace

import pytest

import mtproto
from mtproto import api, service, testing
from mtproto.errors import FateUnknown
from mtproto.testing.transcript import (
    Cut,
    Entry,
    Record,
    Recorder,
    ReplayMismatch,
    ReplayServer,
    Said,
    Sealed,
    Transcript,
    replay_client,
    run_client,
)
from tests.mtproto.helpers import TEST_KEY, seeded
from tests.mtproto.testing.transcript.example import CODE, CONFIG_WANTED, NUMBER_INVALID, Talk
from tests.mtproto.testing.transcript.test_replay import BAD, EXAMPLE, GOOD, NEWS, Live, replayed

NO_ANSWER = "the client asks for account.sendVerifyPhoneCode, to which no answer was recorded"


def recorded(*groups: Sequence[bytes]) -> Transcript:
    """A conversation in which the requests of each group were sent together."""
    talk, file = Talk(), io.StringIO()
    with Recorder(file, clock=talk.clock) as recorder:
        recorder.client(talk.client)
        talk.run()
        for group in groups:
            talk.ask(*group)
    return Transcript.parse(file.getvalue().splitlines())


def said(transcript: Transcript, name: str) -> list[int]:
    """Where in a transcript this is said."""
    return [i for i, e in enumerate(transcript.entries) if getattr(e.record, "name", "") == name]


def frame_at(transcript: Transcript, index: int) -> int:
    """Where the frame begins in which that is said."""
    return max(i for i, e in enumerate(transcript.entries[:index]) if isinstance(e.record, Cut))


def without_frame(transcript: Transcript, index: int) -> Transcript:
    """A transcript without the frame in which that is said."""
    start = end = frame_at(transcript, index)
    while end < len(transcript.entries) and (
        end == start or isinstance(transcript.entries[end].record, Sealed | Said)
    ):
        end += 1
    return Transcript(transcript.entries[:start] + transcript.entries[end:])


TWO = recorded([GOOD], [BAD])
ASKED, ANSWERED = said(TWO, "account.sendVerifyPhoneCode")[-1], said(TWO, "rpc_result")[-1]


@pytest.mark.parametrize("end", range(ASKED + 1, ANSWERED + 1))
def test_a_transcript_that_ends_before_an_answer_says_so(end: int) -> None:
    live = Live(Transcript(TWO.entries[:end]))
    live.run()
    live.client.send_request(GOOD)
    live.run()
    assert live.answers() == [CODE]
    live.client.send_request(BAD)
    with pytest.raises(ReplayMismatch) as caught:
        live.run()
    assert str(caught.value) == NO_ANSWER


def test_what_was_answered_is_answered_before_that_is_said() -> None:
    live = Live(Transcript(TWO.entries[:ANSWERED]))
    live.run()
    live.client.send_request(GOOD)
    live.client.send_request(BAD)
    with pytest.raises(ReplayMismatch):
        live.run()
    live.events += live.client.receive_data(live.server.data_to_send())
    assert live.answers() == [CODE]


def test_a_client_hears_of_it() -> None:
    async def talk() -> None:
        async with ReplayServer(Transcript(TWO.entries[:ANSWERED])) as server:
            async with mtproto.connect(
                server.host, server.port, keys=[server.public_key], reconnect=None
            ) as client:
                assert await client.invoke_raw(GOOD) == CODE
                with pytest.raises(FateUnknown):
                    await client.invoke_raw(BAD)
            assert [str(error) for error in server.errors] == [NO_ANSWER]

    asyncio.run(asyncio.wait_for(talk(), 20))


def test_a_request_that_was_answered_when_it_was_repeated() -> None:
    """The first time it was not: news that came later don't wait for it."""
    talk, file = Talk(), io.StringIO()
    with Recorder(file, clock=talk.clock) as recorder:
        recorder.client(talk.client)
        talk.run()
        talk.ask(CONFIG_WANTED)
        talk.ask(GOOD)
        talk.ask(GOOD)
        (session,) = talk.state.sessions
        talk.state.notify(session, NEWS)
        talk.run()
    twice = Transcript.parse(file.getvalue().splitlines())
    live = Live(without_frame(twice, said(twice, "rpc_result")[1]))
    live.run()
    for body in (CONFIG_WANTED, GOOD):
        live.client.send_request(body)
        live.run()
    assert live.answers()[1:] == [CODE]
    assert live.news() == [NEWS]


def test_a_request_whose_answer_nobody_wanted_is_no_mistake() -> None:
    wanted = recorded([CONFIG_WANTED], [GOOD])
    request = wanted.entries[said(wanted, "account.sendVerifyPhoneCode")[0]].record
    assert isinstance(request, Said)
    assert request.msg_id is not None
    drop = bytes(service.RpcDropAnswer(req_msg_id=request.msg_id))
    kept = without_frame(wanted, said(wanted, "auth.sentCode")[0])
    last = request.number + 100
    dropped = replace(
        request,
        kind="message",
        inside=None,
        number=last,
        msg_id=request.msg_id + 400,
        body=drop,
        size=len(drop),
        name="rpc_drop_answer",
        schema="mtproto",
    )
    envelope = next(e.record for e in wanted.entries if isinstance(e.record, Sealed))
    frame = next(e.record for e in wanted.entries if isinstance(e.record, Cut))
    live = Live(Transcript((*kept.entries, *(Entry(0, r) for r in (frame, envelope, dropped)))))
    live.run()
    live.client.send_request(CONFIG_WANTED)
    live.run()
    live.client.send_request(GOOD)
    live.run()
    assert len(live.answers()) == 1


def doubled(transcript: Transcript, index: int) -> Transcript:
    """A transcript in which the frame in which that is said comes twice."""
    start = frame_at(transcript, index)
    rest = len(without_frame(transcript, index).entries) - start
    end = len(transcript.entries) - rest
    entries = transcript.entries
    return Transcript(entries[:end] + entries[start:end] + entries[end:])


def test_what_was_sent_twice_is_asked_for_once() -> None:
    live = Live(doubled(TWO, ASKED))
    live.run()
    for body in (GOOD, BAD):
        live.client.send_request(body)
        live.run()
    assert live.answers() == [CODE, "400 PHONE_NUMBER_INVALID"]
    talk = Talk(seed=5)
    client = replay_client(doubled(TWO, ASKED), [TEST_KEY.public], clock=talk.clock, rng=seeded(13))
    replayed(client, talk)
    assert client.is_done
    assert [answer.recorded for answer in client.answers][:1] == [CODE]
    assert len(client.answers) == 2


def test_a_replayed_client_waits_for_no_answer_to_what_was_asked_elsewhere() -> None:
    """Behind a reconnection come answers to requests of the connection before."""
    talk = Talk(seed=5)
    rest = without_frame(TWO, said(TWO, "account.sendVerifyPhoneCode")[0])
    client = replay_client(rest, [TEST_KEY.public], clock=talk.clock, rng=seeded(13))
    replayed(client, talk)
    assert client.is_done
    assert [answer.recorded for answer in client.answers] == [NUMBER_INVALID]


def test_a_replayed_client_asks_also_what_was_not_answered() -> None:
    heard: list[str] = []
    is_all = asyncio.Event()

    def handler(request: api.account.SendVerifyPhoneCode) -> api.auth.SentCode:
        heard.append(request.phone_number)
        if len(heard) == 2:
            is_all.set()
        return api.decode(CODE, api.auth.SentCode)

    async def talk() -> None:
        async with testing.serve(handlers={api.account.SendVerifyPhoneCode: handler}) as server:
            replay = replay_client(Transcript(TWO.entries[:ANSWERED]), [server.public_key])
            assert len(await run_client(replay, server.host, server.port)) == 1
            await is_all.wait()

    asyncio.run(asyncio.wait_for(talk(), 20))
    assert heard == ["+12025550123", "some string here"]


def test_what_was_refused_may_have_been_sent_again_under_its_own_number() -> None:
    """Then it is another message all the same: it has its answer, the first one a refusal."""
    asked = [EXAMPLE.entries[i].record for i in said(EXAMPLE, "account.sendVerifyPhoneCode")]
    first, again = (record.msg_id for record in asked[-2:] if isinstance(record, Said))

    def renumbered(record: Record) -> Record:
        if not isinstance(record, Said) or again not in (record.msg_id, record.answers):
            return record
        if record.msg_id == again:
            return replace(record, msg_id=first)
        return replace(record, answers=first)

    same = Transcript(tuple(Entry(entry.stream, renumbered(entry.record)) for entry in EXAMPLE.entries))
    live = Live(same)
    live.run()
    live.client.send_request(GOOD)
    live.run()
    live.client.send_request(BAD)
    live.exchange()
    assert not live.answers()[1:]  # a refusal first, the answer to what is sent again
    live.run()
    assert live.answers() == [CODE, "400 PHONE_NUMBER_INVALID"]
    assert live.server.is_done
    talk = Talk(seed=5)
    client = replay_client(same, [TEST_KEY.public], clock=talk.clock, rng=seeded(13))
    replayed(client, talk)
    assert client.is_done
    assert [answer.live for answer in client.answers] == [CODE, NUMBER_INVALID]
