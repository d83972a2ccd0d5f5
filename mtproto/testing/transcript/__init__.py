"""Transcripts: what was said in a connection, recorded, drawn, said again.

    records    what a transcript is made of          errors  what can be wrong with one
    dissector  bytes → records, from outside         cutting, bodies, reading: its stages
    key_log    the secrets that open them            files  records ↔ lines of JSON
    recorder   connections → files               again  records → records that more keys open
    ladder     records → rows to draw                text, page, picture: the rows as lines, HTML, SVG
    brief, around  values, times, frames in few words   shown  bytes with their tree
    script     records → what is to be said again    rewriting  the numbers that are others now
    replay     who says it: server_replay, client_replay; over TCP: replaying

docs/transcripts.md has the formats of the files, and each of these at work.
"""

from __future__ import annotations

from mtproto.testing.transcript.client_replay import Answer, ClientReplay, replay_client
from mtproto.testing.transcript.dissector import Dissector
from mtproto.testing.transcript.errors import KeyLogError, ReplayMismatch, TranscriptError
from mtproto.testing.transcript.files import Entry, Transcript
from mtproto.testing.transcript.key_log import KeyLog, Secrets
from mtproto.testing.transcript.recorder import Recorder
from mtproto.testing.transcript.records import Cut, Ended, Lost, Opening, Plain, Record, Said, Sealed, Unread
from mtproto.testing.transcript.replaying import ReplayServer, run_client
from mtproto.testing.transcript.server_replay import ServerReplay, replay_server

__all__ = [
    "Answer",
    "ClientReplay",
    "Cut",
    "Dissector",
    "Ended",
    "Entry",
    "KeyLog",
    "KeyLogError",
    "Lost",
    "Opening",
    "Plain",
    "Record",
    "Recorder",
    "ReplayMismatch",
    "ReplayServer",
    "Said",
    "Sealed",
    "Secrets",
    "ServerReplay",
    "Transcript",
    "TranscriptError",
    "Unread",
    "replay_client",
    "replay_server",
    "run_client",
]
