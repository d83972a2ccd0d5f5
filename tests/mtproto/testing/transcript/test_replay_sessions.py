"""Replays to clients that use their keys and sessions otherwise than the recorded one did."""

from __future__ import annotations

import io

import pytest

from mtproto.events import SessionCreated
from mtproto.testing.transcript import Recorder, Transcript
from tests.mtproto.testing.transcript.example import CODE, CONFIG_WANTED, Talk
from tests.mtproto.testing.transcript.test_replay import BAD, GOOD, NEWS, Live

LIFETIME = 86_400


def recorded(lifetime: int | None) -> Transcript:
    talk, file = Talk(temp_key_lifetime=lifetime), io.StringIO()
    with Recorder(file, clock=talk.clock) as recorder:
        recorder.client(talk.client)
        talk.run()
        talk.ask(CONFIG_WANTED)
        for session in tuple(talk.state.carriers):
            talk.state.notify(session, NEWS)
        talk.run()
        talk.ask(GOOD)
    return Transcript.parse(file.getvalue().splitlines())


@pytest.mark.parametrize("now", [None, LIFETIME], ids=["now without", "now with"])
@pytest.mark.parametrize("then", [None, LIFETIME], ids=["then without", "then with"])
def test_temporary_keys_are_bound_by_those_who_have_them(then: int | None, now: int | None) -> None:
    live = Live(recorded(then), temp_key_lifetime=now)
    live.run()
    live.client.send_request(CONFIG_WANTED)
    live.run()
    assert live.news() == [NEWS]
    live.client.send_request(GOOD)
    live.run()
    assert live.answers()[1:] == [CODE]
    assert live.server.is_done
    assert len([event for event in live.events if isinstance(event, SessionCreated)]) == 1


def test_a_new_session_begins_with_what_came_first_now() -> None:
    """Not with what came first then: older requests would be forgotten ones to the client."""
    talk, file = Talk(), io.StringIO()
    with Recorder(file, clock=talk.clock) as recorder:
        recorder.client(talk.client)
        talk.run()
        talk.ask(GOOD, BAD)
    live = Live(Transcript.parse(file.getvalue().splitlines()))
    live.run()
    live.client.send_request(BAD)
    live.client.send_request(GOOD)
    live.run()
    assert sorted(map(str, live.answers())) == sorted([str(CODE), "400 PHONE_NUMBER_INVALID"])
