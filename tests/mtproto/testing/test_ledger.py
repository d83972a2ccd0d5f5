"""What is owed: told from what was sealed and what has come, in that order."""

from __future__ import annotations

from dataclasses import replace

from mtproto import service
from mtproto.connection import ServerState
from mtproto.events import MessageDropped, SessionId
from mtproto.side import Side
from mtproto.testing.ledger import Ledger, Said

SESSION = SessionId(b"\1" * 8, 1)
UPDATE = Said(0.0, Side.SERVER, SESSION, 0, 5, 1, bytes.fromhex("11223344"), container=9)
ACK = Said(0.0, Side.CLIENT, SESSION, 0, 8, 0, bytes(service.MsgsAck(msg_ids=[5])))


def ledger() -> Ledger:
    return Ledger(ServerState(clock=lambda: 0.0))


def owed(book: Ledger) -> list[int]:
    return [said.msg_id for said in book.owed(Side.CLIENT, [SESSION])]


def test_each_copy_that_comes_has_to_be_acknowledged() -> None:
    book = ledger()
    for _ in range(2):
        book.arrived([UPDATE])
        assert owed(book) == [5]
        book.sealed((ACK,))
        assert not owed(book)


def test_what_was_ignored_in_a_container_is_not_taken_with_a_copy_of_that() -> None:
    book = ledger()
    for check, why in (("C11", "too_old_time"), ("C10", "received before")):
        book.arrived([UPDATE])
        book.dropped(Side.CLIENT, MessageDropped(5 if check == "C11" else 9, check, why))
        assert not owed(book)
    book.arrived([replace(UPDATE, container=13)])
    assert owed(book) == [5]


def test_word_that_there_is_an_answer_is_an_acknowledgement_too() -> None:
    book = ledger()
    request = Said(0.0, Side.CLIENT, SESSION, 0, 4, 1, b"\0\0\0\0")
    info = service.MsgDetailedInfo(msg_id=4, answer_msg_id=5, bytes=4, status=0)
    book.arrived([request])
    assert list(book.owed(Side.SERVER, [SESSION])) == [request]
    book.sealed((Said(0.0, Side.SERVER, SESSION, 0, 7, 0, bytes(info)),))
    assert not list(book.owed(Side.SERVER, [SESSION]))
