"""Transcripts and key logs as files: the same when read again, and refused by the line where they are damaged."""

from __future__ import annotations

import contextlib
import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtproto.crypto.auth_key import AuthKey
from mtproto.testing.transcript import (
    Cut,
    KeyLog,
    KeyLogError,
    Recorder,
    Said,
    Sealed,
    Transcript,
    TranscriptError,
)
from mtproto.testing.transcript.files import header_line
from tests.mtproto.helpers import seeded
from tests.mtproto.testing.transcript.example import KEY_LOG, TRANSCRIPT, record

KEY = AuthKey(seeded(1)(256))
LINES = TRANSCRIPT.read_text("utf-8").splitlines()


def test_a_mark_of_utf_8_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "marked").write_text(TRANSCRIPT.read_text("utf-8"), "utf-8-sig")
    assert Transcript.load(tmp_path / "marked") == Transcript.load(TRANSCRIPT)
    with pytest.raises(TranscriptError, match="line 2"):
        Transcript.parse([header_line(), "\ufeff{}"])


def test_the_examples_of_the_documents_are_a_talk_that_goes_the_same_way_each_time() -> None:
    again = "write them again: python -m tests.mtproto.testing.transcript.example"
    assert (TRANSCRIPT.read_text("utf-8"), KEY_LOG.read_text("utf-8")) == record(), again


def test_a_transcript_is_read_and_written_again_as_it_was() -> None:
    transcript = Transcript.load(TRANSCRIPT)
    assert list(transcript.lines()) == LINES
    assert Transcript.parse(transcript.lines()) == transcript
    assert len(transcript.entries) == len(LINES) - 1
    assert transcript.layer == 228


def test_every_line_says_what_it_is_when_and_by_whom() -> None:
    for text in LINES[1:]:
        line = json.loads(text)
        assert {"event", "stream", "time", "from"} <= line.keys()


def test_it_can_be_drawn_without_keys_and_dissected_again_with_them() -> None:
    transcript = Transcript.load(TRANSCRIPT)
    blind = transcript.again()
    assert not [e for e in blind.entries if isinstance(e.record, Sealed) and e.record.is_known]
    keys = KeyLog.load(KEY_LOG)
    again = blind.again(secrets=keys)
    # p_q_inner_data takes the server's RSA key, which no key log has.
    there = [
        e for e in transcript.entries if not (isinstance(e.record, Said) and e.record.name.startswith("p_q"))
    ]
    said = [(e.record.name, e.record.body) for e in again.entries if isinstance(e.record, Said)]
    assert said == [(e.record.name, e.record.body) for e in there if isinstance(e.record, Said)]
    frames = [e for e in again.entries if isinstance(e.record, Cut)]
    assert frames == [e for e in there if isinstance(e.record, Cut)]


def changed(index: int, **changes: object) -> list[str]:
    """The lines of the example, one of which says something else; ... takes a field away."""
    line = json.loads(LINES[index]) | changes
    kept = {name: value for name, value in line.items() if value is not ...}
    return [*LINES[:index], json.dumps(kept), *LINES[index + 1 :]]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "line 1: no transcript"),
        (LINES[1:], "line 1: no transcript"),
        (["{}"], "line 1: no transcript"),
        (["nonsense"], "line 1: "),
        (changed(0, version=2), "line 1: a transcript of version 2, expected 1"),
        ([*LINES[:5], "[1]"], "line 6: got list, expected an object"),
        ([*LINES[:5], LINES[5][:-10]], "line 6: "),
        (changed(2, event="storm"), "line 3: got the event 'storm'"),
        (changed(2, data="xyz"), "line 3: data: got 'xyz', expected hexadecimal text"),
        (changed(2, data=7), "line 3: data: got 7"),
        (changed(2, data=...), "line 3: data is missing"),
        (changed(2, time="now"), "line 3: time: got 'now', expected a number"),
        (changed(2, offset=1.5), "line 3: offset: got 1.5"),
        (changed(2, offset=True), "line 3: offset: got True"),
        (changed(2, quick_ack=1), "line 3: quick_ack: got 1, expected true or false"),
        (changed(2, stream=-1), "line 3: got -1 under 'stream'"),
        (changed(2, stream=...), "line 3: got None under 'stream'"),
        (changed(2, **{"from": "elsewhere"}), "line 3: got 'elsewhere' under 'from'"),
        (changed(2, findings=[1]), "line 3: findings: got [1], expected a list of texts"),
        (changed(4, kind="rumour"), "line 5: kind: got 'rumour'"),
        (changed(4, name=None), "line 5: name: got None, expected text"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_a_damaged_transcript_is_refused_by_the_line(lines: list[str], said: str) -> None:
    with pytest.raises(TranscriptError) as caught:
        Transcript.parse(lines)
    assert str(caught.value).startswith(said)


@given(st.integers(0, len(LINES) - 1), st.integers(0, 400), st.characters(codec="utf-8"))
def test_any_character_changed_gives_a_transcript_or_an_error(index: int, at: int, character: str) -> None:
    line = LINES[index]
    at %= len(line)
    lines = [*LINES[:index], line[:at] + character + line[at + 1 :], *LINES[index + 1 :]]
    with contextlib.suppress(TranscriptError):
        Transcript.parse(lines)


def test_a_transcript_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(b"\xff\xfe")
    with pytest.raises(TranscriptError, match="not UTF-8"):
        Transcript.load(tmp_path / "noise")


def test_fields_that_a_later_version_adds_are_passed_over() -> None:
    assert Transcript.parse(changed(3, mood="good")) == Transcript.load(TRANSCRIPT)


# Key logs


def test_a_key_log_is_read_as_it_was_written() -> None:
    log = KeyLog({KEY.key_id: KEY}, {bytes(16): bytes(range(32))})
    again = KeyLog.parse("\n".join(["# a remark", "", *log.lines()]))
    assert again.auth_keys == log.auth_keys
    assert again.new_nonces == log.new_nonces
    assert again.auth_key(KEY.key_id) == KEY
    assert again.auth_key(bytes(8)) is None
    assert again.new_nonce(bytes(16)) == bytes(range(32))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("SESSION_KEY 00 00", "line 2: got 'SESSION_KEY', expected AUTH_KEY or NEW_NONCE"),
        ("AUTH_KEY", "line 2: AUTH_KEY with no bytes, expected 8 and 256"),
        ("AUTH_KEY 0011 00", "line 2: AUTH_KEY with 2, 1 bytes, expected 8 and 256"),
        (f"AUTH_KEY {KEY.key_id.hex()} xx", "line 2: AUTH_KEY with something that is not hexadecimal"),
        (
            f"AUTH_KEY {bytes(8).hex()} {KEY.data.hex()}",
            f"line 2: the key's auth_key_id is {KEY.key_id.hex()}",
        ),
        (
            f"NEW_NONCE {bytes(32).hex()} {bytes(16).hex()}",
            "line 2: NEW_NONCE with 32, 16 bytes, expected 16 and 32",
        ),
    ],
)
def test_a_damaged_key_log_is_refused_by_the_line(line: str, said: str) -> None:
    with pytest.raises(KeyLogError) as caught:
        KeyLog.parse(f"# first\n{line}\n")
    assert str(caught.value).startswith(said)
    assert KEY.data.hex() not in str(caught.value)


def test_a_key_log_is_written_only_if_asked_for_and_for_nobody_else(tmp_path: Path) -> None:
    with Recorder.open(tmp_path / "talk.jsonl"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["talk.jsonl"]
    keys = tmp_path / "talk.keys"
    keys.write_text("old")
    keys.chmod(0o644)
    with Recorder.open(tmp_path / "talk.jsonl", key_log=keys):
        assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    assert keys.read_text() == ""
