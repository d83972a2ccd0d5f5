"""What a worker writes down of what the target raises."""

from __future__ import annotations

import json
from pathlib import Path

from mtproto.testing.fuzz.board import Board
from mtproto.testing.fuzz.identity import Identity
from mtproto.testing.fuzz.worker import Notes


def test_the_first_input_of_each_identity_and_shorter_ones(tmp_path: Path) -> None:
    board = Board(tmp_path / "board", 8, create=True)
    notes = Notes(board, tmp_path, "worker-0-0", lambda error: Identity(type(error).__name__, ("here",)), 2)
    for data, error in (
        (b"four", ValueError("first")),
        (b"five5", ValueError("longer")),
        (b"same", ValueError("as long")),
        (b"two", ValueError("shorter")),
        (b"k", KeyError()),
        (b"t", TypeError("one too many")),
        (b"", TypeError("one too many")),
        (b"kk", KeyError()),
    ):
        notes.add(data, error)
    files = sorted(tmp_path.glob("worker-0-0-*.json"))
    written = [json.loads(file.read_text()) for file in files]
    assert [(note["slot"], note["kind"], bytes.fromhex(note["data"])) for note in written] == [
        (0, "ValueError", b"four"),
        (0, "ValueError", b"two"),
        (1, "KeyError", b"k"),
    ]
    assert written[1]["places"] == ["here"]
    assert written[1]["traceback"] == "ValueError: shorter\n"
    assert [board.hits(slot) for slot in range(3)] == [4, 2, 0]
    board.close()
