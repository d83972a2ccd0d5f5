"""Recorders and replays used as they can't be: each says what it got, and what it expected, at once."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtproto.errors import LocalProtocolError, MTProtoError
from mtproto.side import Side
from mtproto.testing import Pair
from mtproto.testing.transcript import (
    Dissector,
    Recorder,
    ReplayServer,
    TranscriptError,
    replay_client,
    replay_server,
)
from tests.mtproto.helpers import TEST_KEY
from tests.mtproto.testing.transcript.example import Talk


def recorder() -> Recorder:
    return Recorder(io.StringIO())


WRONG: list[tuple[Callable[[], Any], str]] = [
    (lambda: recorder().tap()("sideways", b"x"), "got 'sideways' for a direction, expected 'out' or 'in'"),
    (lambda: recorder().tap()("in", None), "got None, expected bytes"),  # type: ignore[arg-type]
    (lambda: recorder().tap()("out", "x"), "got 'x', expected bytes"),  # type: ignore[arg-type]
    (lambda: Recorder(3), "got 3 for a file, expected a file that takes text"),  # type: ignore[arg-type]
    (lambda: Recorder(io.BytesIO()), "for a file, expected a file that takes text"),  # type: ignore[arg-type]
    (lambda: Recorder(io.StringIO(), key_log=3), "got 3 for key_log, expected a file"),  # type: ignore[arg-type]
    (lambda: recorder().client(3), "got 3, expected a ClientConnection"),  # type: ignore[arg-type]
    (lambda: recorder().server(Talk().client), "expected a ServerConnection"),
    (lambda: recorder().client(Talk().server), "expected a ClientConnection"),
    (lambda: recorder().client(Pair().client), "the connection has begun"),
    (lambda: recorder().stream("talk.keys"), "got 'talk.keys' for secrets, expected a KeyLog"),  # type: ignore[arg-type]
    (lambda: recorder().stream().feed("client", b"x"), "got 'client' for a side, expected Side.CLIENT"),  # type: ignore[arg-type]
    (lambda: recorder().stream().end("client"), "got 'client' for a side, expected Side.CLIENT"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("do", "said"), WRONG, ids=[said for _, said in WRONG])
def test_a_recorder(do: Callable[[], Any], said: str) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        do()
    assert said in str(caught.value)


def test_a_server_that_has_heard_something_can_not_be_recorded_any_more() -> None:
    talk = Talk()
    talk.server.receive_data(talk.client.data_to_send()[:1])
    with pytest.raises(LocalProtocolError, match="has begun"):
        recorder().server(talk.server)


def test_a_key_log_is_not_written_into_its_transcript(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("what was there")
    with pytest.raises(LocalProtocolError, match="expected two files"):
        Recorder.open(tmp_path / "kept", key_log=str(tmp_path / "." / "kept"))
    assert (tmp_path / "kept").read_text() == "what was there"


@pytest.mark.parametrize("make", [ReplayServer, lambda t: replay_server(t, [TEST_KEY]), replay_client])
def test_the_name_of_a_transcript_is_none(make: Callable[[Any], object]) -> None:
    with pytest.raises(TranscriptError) as caught:
        make("talk.jsonl")
    assert str(caught.value) == "got 'talk.jsonl', expected a Transcript: Transcript.load reads a file"
    assert isinstance(caught.value, MTProtoError)


def test_what_is_wrong_is_named_by_its_rule_once() -> None:
    (opening, *_) = Dissector().feed(0.0, Side.CLIENT, bytes(range(1, 65)))
    assert str(opening.findings).count("[X7]") == 1
