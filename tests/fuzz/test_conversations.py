"""The targets about sessions fail where sessions are broken; each by its own corpus."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mtproto.connection import ClientConnection
from mtproto.envelope import Envelope
from mtproto.errors import MTProtoError, RemoteProtocolError
from mtproto.events import ClientEvent, ServerEvent
from mtproto.message import Message
from mtproto.session import ClientSession, ServerSession
from mtproto.session.requests import OpenRequest
from tests.fuzz import client_session, server_session
from tests.fuzz.test_hostile_bytes import fails

# A client


def forgets_acknowledgements(session: ClientSession, message: Message) -> None:
    pass


def sends_again_what_may_be_done(
    session: ClientSession, request: OpenRequest, why: str
) -> Iterator[ClientEvent]:
    session.requests.waits_again(request)
    return session.requeue(request, MTProtoError(why))


def sends_again_for_ever(
    session: ClientSession, request: OpenRequest, error: MTProtoError
) -> Iterator[ClientEvent]:
    request.resends = 0
    return ClientSession.requeue(session, request, error)


def believes_no_clock(session: ClientSession, msg_id: int) -> None:
    pass


def asks_nothing(session: ClientSession) -> None:
    pass


def keeps_its_session(session: ClientSession) -> None:
    pass


def forgets_in_silence(session: ClientSession, number: int) -> None:
    session.forget(number)


def raises_something_else(session: ClientSession, payload: bytes) -> Iterator[ClientEvent]:
    try:
        yield from ClientSession.receive(session, payload)
    except RemoteProtocolError as error:
        raise KeyError from error


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("acknowledge", forgets_acknowledgements),
        ("doubt", sends_again_what_may_be_done),
        ("requeue", sends_again_for_ever),
        ("correct_clock", believes_no_clock),
        ("reconnected", asks_nothing),
        ("begin_again", keeps_its_session),
        ("drop", forgets_in_silence),
        ("receive", raises_something_else),
    ],
)
def test_client_session_fails(name: str, method: Callable[..., Any]) -> None:
    def make(**options: Any) -> ClientConnection:
        connection = ClientConnection(**options)
        session = connection.session
        setattr(session, name, lambda *arguments: method(session, *arguments))
        return connection

    assert fails(client_session.target, make)


def test_client_session_fails_where_messages_are_taken_twice() -> None:
    def make(**options: Any) -> ClientConnection:
        connection = ClientConnection(**options)
        connection.session.window.record = lambda msg_id: None  # type: ignore[method-assign]
        return connection

    assert fails(client_session.target, make)


# A server


class TakesAnySalt(ServerSession):
    def receive(self, envelope: Envelope) -> Iterator[ServerEvent]:
        return super().receive(envelope._replace(salt=self.salt))


class RunsTwice(ServerSession):
    def _record(self, message: Message) -> None:
        pass


class AnswersOnce(ServerSession):
    def _answer_again(self, request: int) -> None:
        pass


class IsNoNewSession(ServerSession):
    def _begin(self, first_msg_id: int) -> None:
        self.first_msg_id = self.first_msg_id or first_msg_id


class LosesWhatWasUnderWay(ServerSession):
    def moved(self) -> None:
        pass


class WaitsForEver(ServerSession):
    def flush(self) -> list[bytes]:
        self.sent.take_overdue(self.now())
        return super().flush()


class RaisesSomethingElse(ServerSession):
    def accept(self, msg_id: int) -> None:
        try:
            super().accept(msg_id)
        except RemoteProtocolError as error:
            raise KeyError from error


def changed(**options: Any) -> Callable[..., ServerSession]:
    return lambda *arguments, **others: ServerSession(*arguments, **{**others, **options})


@pytest.mark.parametrize(
    "broken",
    [
        TakesAnySalt,
        RunsTwice,
        AnswersOnce,
        IsNoNewSession,
        LosesWhatWasUnderWay,
        WaitsForEver,
        RaisesSomethingElse,
        changed(strict=False),
        changed(strict=True),
        changed(max_open_requests=100),
    ],
)
def test_server_session_fails(broken: Callable[..., ServerSession]) -> None:
    assert fails(server_session.target, broken)
