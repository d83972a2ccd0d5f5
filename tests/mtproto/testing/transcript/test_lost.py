"""What a Pair's network loses, and faults keep back, is in its transcript; what comes twice is said to."""

from __future__ import annotations

import io
from collections.abc import Iterable
from xml.parsers import expat

import pytest

from mtproto import api
from mtproto.side import Side
from mtproto.testing import Network, Pair, faults
from mtproto.testing.plugin.recording import Recording
from mtproto.testing.transcript import Lost, Recorder, Transcript, replay_server
from mtproto.testing.transcript.ladder import Row, rows, summary
from mtproto.testing.transcript.page import html_page
from mtproto.testing.transcript.picture import svg_picture
from mtproto.testing.transcript.reading import Schemas
from mtproto.testing.transcript.script import script
from mtproto.testing.transcript.text import row_lines
from tests.mtproto.helpers import TEST_KEY

BAD_WAY = Network(latency=0.05, loss=1.0)


def recorded(pair: Pair, *, seconds: float = 300.0) -> Transcript:
    recording = Recording.of_pair(pair)
    pair.invoke(api.help.GetConfig())
    pair.run(for_=seconds)
    return recording.transcript()


def lost(transcript: Transcript) -> list[Row]:
    return [row for row in rows(transcript) if row.lost]


def drawn(drawn_rows: Iterable[Row]) -> list[str]:
    return ["".join(text for text, _ in line) for row in drawn_rows for line in row_lines(row, 80)]


def test_a_request_that_is_lost_is_in_the_ladder() -> None:
    transcript = recorded(Pair(network=BAD_WAY), seconds=1.0)
    (row,) = lost(transcript)
    assert (row.side, row.title, row.lost) == (Side.CLIENT, "help.getConfig", "lost on the way")
    (line,) = drawn([row])
    assert line.startswith("   0.000  │╌╌ help.getConfig  seq 1 ╌╌")
    assert line.endswith("╌ lost on the way, 72 B ✕ │")
    assert len(line) == 80
    assert summary(transcript).endswith(", 1 lost")


def test_an_answer_that_is_lost_ends_before_the_client() -> None:
    pair = Pair(network=Network(latency=0.05), faults=[faults.DropAnswer()])
    transcript = recorded(pair)
    row = lost(transcript)[0]
    assert (row.side, row.lost) == (Side.SERVER, "kept back by a fault")
    assert "rpc_result" in [item.said.name for item in row.items]
    assert drawn([row])[0].startswith("   0.050  │ ✕ msg_container  seq 4 ╌")
    assert "which was not seen" not in "".join(drawn(rows(transcript)))


def test_what_comes_twice_is_said_to_come_again() -> None:
    transcript = recorded(Pair(network=Network(latency=0.05, duplication=1.0)))
    notes = [row.note for row in rows(transcript) if row.title == "help.getConfig"]
    assert notes == ["seq 1", "seq 1, again"]
    assert not lost(transcript)


@pytest.mark.parametrize("key", [None, TEST_KEY], ids=["a key that is there", "a key that is agreed on"])
def test_it_is_in_the_file_in_the_page_and_in_the_picture(key: object) -> None:
    pair = Pair(seed=2, key=key, network=Network(latency=0.05, loss=0.5))  # type: ignore[arg-type]
    transcript = recorded(pair)
    assert lost(transcript)
    assert Transcript.parse(transcript.lines()) == transcript
    assert transcript.opened() == transcript
    page = html_page(transcript, Schemas())
    assert page.count('<div class="arrow lost ') == page.count("lost on the way, ") == len(lost(transcript))
    picture = svg_picture(rows(transcript))
    expat.ParserCreate().Parse(picture, True)
    assert picture.count("stroke-dasharray") == len(lost(transcript))


def test_a_recorder_at_the_servers_end_hears_of_it_too() -> None:
    file, pair = io.StringIO(), Pair(network=BAD_WAY)
    recorder = Recorder(file, clock=pair.clock)
    pair.server.observer = recorder.observer(pair.server, Side.SERVER)
    pair.invoke(api.help.GetConfig())
    entries = Transcript.parse(file.getvalue().splitlines()).entries
    assert [e.record.side for e in entries if isinstance(e.record, Lost)] == [Side.CLIENT]


def test_what_was_lost_is_not_replayed() -> None:
    pair = Pair(network=Network(latency=0.05), faults=[faults.DropAnswer()])
    transcript = recorded(pair)
    lost_ids = {item.said.msg_id for row in lost(transcript) for item in row.items}
    assert lost_ids
    assert not [step for step in script(transcript)[:2] if step.msg_id in lost_ids]
    replay_server(transcript, [TEST_KEY])
