"""Transcripts opened further: nothing that was known before gets lost, what is known now comes to it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace

import pytest

import tl
from mtproto import api
from mtproto.crypto.auth_key import AuthKey
from mtproto.testing.transcript import Cut, Entry, KeyLog, Recorder, Said, Sealed, Transcript
from tests.mtproto.testing.transcript.example import CONFIG_WANTED, KEY_LOG, TRANSCRIPT, Talk, verify

EXAMPLE, KEYS = Transcript.load(TRANSCRIPT), KeyLog.load(KEY_LOG)
OTHER = tl.load("config = Config; ---functions--- help.getOther#c4f9186b = Config;", strict_ids=False)
"""The id of help.getConfig, under another name."""
OTHERS = KeyLog.of(AuthKey(bytes(range(256))))


def names(transcript: Transcript, stream: int = 0) -> list[str]:
    return [record.name for record in transcript.streams()[stream] if isinstance(record, Said)]


@pytest.mark.parametrize("keys", [KeyLog(), OTHERS, KEYS], ids=["none", "others", "own"])
def test_nothing_gets_lost_by_other_keys(keys: KeyLog) -> None:
    assert EXAMPLE.opened(secrets=keys) == EXAMPLE


def test_keys_open_what_was_closed() -> None:
    opened = EXAMPLE.again().opened(secrets=KEYS)
    inner = [e.record for e in EXAMPLE.entries if getattr(e.record, "name", "") == "p_q_inner_data_dc"]
    assert len(inner) == 1  # of a server's RSA key, which no key log has
    assert [*names(opened)] == [name for name in names(EXAMPLE) if name != "p_q_inner_data_dc"]


def test_two_key_logs_one_after_the_other() -> None:
    """Two connections, each under a key of its own."""
    texts, logs = [], []
    for seed in (0, 7):
        talk, file, keys = Talk(seed=seed), io.StringIO(), io.StringIO()
        with Recorder(file, key_log=keys, clock=talk.clock) as recorder:
            recorder.client(talk.client)
            talk.run()
            talk.ask(CONFIG_WANTED)
        texts.append(Transcript.parse(file.getvalue().splitlines()))
        logs.append(KeyLog.parse(keys.getvalue()))
    both = Transcript(tuple(Entry(i, e.record) for i, text in enumerate(texts) for e in text.entries))
    opened = both.again()
    for log in logs:
        opened = opened.opened(secrets=log)
    for stream in (0, 1):
        assert names(opened, stream) == names(both, stream)
        records = opened.streams()[stream]
        assert records == both.streams()[stream]


def test_another_schema_reads_what_is_open_already() -> None:
    """Also in containers, in rpc_result and gzip_packed, of which the records have pieces."""
    talk, file = Talk(), io.StringIO()
    with Recorder(file, clock=talk.clock) as recorder:
        recorder.client(talk.client)
        talk.run()
        talk.ask(CONFIG_WANTED, verify("+12025550123"))
        talk.ask(CONFIG_WANTED, gzip=True)
    transcript = Transcript.parse(file.getvalue().splitlines())
    read = transcript.opened(schemas=[OTHER, api.SCHEMA])
    assert names(read).count("help.getOther") == 2
    assert [name.replace("Other", "Config") for name in names(read)] == names(transcript)
    assert bodies(read) == bodies(transcript)


def bodies(transcript: Transcript) -> list[tuple[int, int | None, bytes]]:
    said = (e.record for e in transcript.entries if isinstance(e.record, Said))
    return [(record.number, record.inside, record.body) for record in said]


def test_a_schema_that_knows_less_takes_no_names() -> None:
    assert names(EXAMPLE.opened(schemas=[OTHER])) == names(EXAMPLE)


def test_a_quick_ack_stays_that_of_its_message() -> None:
    def acknowledged(transcript: Transcript) -> Sequence[int]:
        records = (e.record for e in transcript.entries)
        return [r.acknowledges for r in records if isinstance(r, Cut) and r.acknowledges is not None]

    assert acknowledged(EXAMPLE.opened()) == acknowledged(EXAMPLE) != []


def test_a_damaged_container_is_left_as_it_was() -> None:
    """Its bytes can't be put together again: some of them are in no record."""
    found = next(e.record for e in EXAMPLE.entries if getattr(e.record, "name", "") == "msg_container")
    assert isinstance(found, Said)
    entries = tuple(
        Entry(e.stream, replace(e.record, size=found.size + 4)) if e.record is found else e
        for e in EXAMPLE.entries
    )
    damaged = Transcript(entries, EXAMPLE.mtwire, EXAMPLE.layer)
    assert damaged.opened() == damaged


def test_an_envelope_without_a_body_stays_open() -> None:
    at = next(i for i, e in enumerate(EXAMPLE.entries) if isinstance(e.record, Sealed))
    transcript = Transcript((EXAMPLE.entries[0], *EXAMPLE.entries[at - 1 : at + 1]))
    assert transcript.opened() == transcript
