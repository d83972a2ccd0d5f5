"""The targets about hostile bytes fail where framings and handshakes are broken; each by its own corpus."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtproto.errors import FramingError, HandshakeFailed
from mtproto.handshake import ClientHandshake, ServerHandshake, Steps
from mtproto.handshake.work import do
from mtproto.side import Side
from mtproto.transport import Event, Frame, Framing, ServerFraming
from mtproto.transport.replay import SeenInits
from mtproto.transport.secret import ProxySecret
from mtproto.transport.table import FRAMINGS, framing
from tests.fuzz import client_handshake, framings, obfuscated_accept, server_handshake
from tests.fuzz.scripts import Clock, computed
from tests.fuzz.streams import read_stream
from tests.fuzz.verdicts import Broken
from tests.mtproto.by_hand import PRIMES

CORPUS = Path(__file__).with_name("corpus")


def fails(target: Callable[..., None], make: Callable[..., Any]) -> bool:
    """Whether the target fails for an input of its corpus, with what `make` makes in place of the real thing."""
    name = target.__module__.rpartition(".")[2]
    for path in sorted((CORPUS / name).iterdir()):
        try:
            target(path.read_bytes(), make)
        except Exception:
            return True
    return False


# Framings


def with_method(name: str, method: Callable[..., Any]) -> Callable[[str, Side, int], Framing]:
    """Framings of which one method is another."""

    def make(kind: str, side: Side, limit: int) -> Framing:
        base = FRAMINGS[kind]
        broken: Any = type(base.__name__, (base,), {name: method})
        made: Framing = broken(side, limit)
        return made

    return make


def test_framings_fails() -> None:
    assert not fails(framings.target, framing)
    assert fails(framings.target, lambda kind, side, limit: framing(kind, side, limit + 4))
    assert fails(framings.target, lambda kind, side, limit: framing(kind, side.peer, limit))

    def forgets_quick_acks(self: Framing, data: bytes) -> list[Event]:
        events = type(self).__mro__[1].receive_data(self, data)  # type: ignore[attr-defined]
        return [Frame(event.payload) if isinstance(event, Frame) else event for event in events]

    def starts_anew(self: Framing, data: bytes) -> list[Event]:
        try:
            return type(self).__mro__[1].receive_data(self, data)  # type: ignore[attr-defined,no-any-return]
        finally:
            self._failure = None

    def raises_something_else(self: Framing, data: bytes) -> list[Event]:
        try:
            return type(self).__mro__[1].receive_data(self, data)  # type: ignore[attr-defined,no-any-return]
        except FramingError as error:
            raise IndexError from error

    assert fails(framings.target, with_method("receive_data", forgets_quick_acks))
    assert fails(framings.target, with_method("receive_data", starts_anew))
    assert fails(framings.target, with_method("receive_data", raises_something_else))
    assert fails(framings.target, with_method("eof", lambda self: None))
    assert fails(framings.target, with_method("_read_token", lambda self, wire: wire))
    assert fails(framings.target, with_method("_write_quick_ack", lambda self, token: token))


def test_what_a_stream_has_to_give() -> None:
    frame = bytes.fromhex("020001020304050607")
    for name, stream in (("abridged", frame), ("intermediate", b"\x08\0\0\0" + frame[1:])):
        expected = read_stream(name, stream * 2 + stream[:-1], 64, is_client=False)
        assert expected.events == [Frame(bytes(range(8)))] * 2
        assert (expected.check, expected.left) == (None, len(stream) - 1)
        assert read_stream(name, stream, 4, is_client=False).check == "X1"
    full = bytes.fromhex("14000000 00000000 0001020304050607 ba8e2533")
    assert read_stream("full", full, 64, is_client=False).events == [Frame(bytes(range(8)))]
    assert read_stream("full", full * 2, 64, is_client=False).check == "X6"


# What a server accepts


def test_obfuscated_accept_fails() -> None:
    def make(secret: ProxySecret | None, seen: SeenInits | None) -> ServerFraming:
        return ServerFraming(1024, secret=secret, seen=seen, rng=bytes)

    class Late(ServerFraming):
        """Waits for the first 64 bytes, whatever they are."""

        def receive_data(self, data: bytes | bytearray | memoryview) -> list[Event]:
            self._start += data
            return [] if len(self._start) < 64 and self.framing is None else super().receive_data(b"")

    assert not fails(obfuscated_accept.target, make)
    assert fails(obfuscated_accept.target, lambda secret, seen: make(secret, None))
    assert fails(obfuscated_accept.target, lambda secret, seen: make(None, seen))
    assert fails(
        obfuscated_accept.target, lambda secret, seen: make(secret and ProxySecret(secret.data), seen)
    )
    assert fails(
        obfuscated_accept.target, lambda secret, seen: Late(1024, secret=secret, seen=seen, rng=bytes)
    )


# Key exchange


def test_client_handshake_fails() -> None:
    class TakesAnyNonce(ClientHandshake):
        def receiving(self, body: bytes) -> Steps[bytes | None]:
            nonce = getattr(self._state, "nonce", None)
            return super().receiving(body[:4] + nonce + body[20:] if nonce else body)

    class HasTime(ClientHandshake):
        def check_time(self) -> None:
            pass

    class TakesWhatFollows(ClientHandshake):
        def receiving(self, body: bytes) -> Steps[bytes | None]:
            return super().receiving(body[:-4] if body.endswith(bytes(4)) else body)

    class RaisesSomethingElse(ClientHandshake):
        def receiving(self, body: bytes) -> Steps[bytes | None]:
            try:
                return (yield from super().receiving(body))
            except HandshakeFailed as error:
                raise KeyError from error

    class GoesOn(ClientHandshake):
        def receiving(self, body: bytes) -> Steps[bytes | None]:
            state = self._state
            try:
                return (yield from super().receiving(body))
            except HandshakeFailed:
                self._state = state
                raise

    assert not fails(client_handshake.target, ClientHandshake)
    for broken in (TakesAnyNonce, HasTime, TakesWhatFollows, RaisesSomethingElse, GoesOn):
        assert fails(client_handshake.target, broken), broken


def test_server_handshake_fails() -> None:
    def changed(**options: Any) -> Callable[..., ServerHandshake]:
        return lambda keys, **others: ServerHandshake(keys, **{**others, **options})

    class NeverRepeats(ServerHandshake):
        def receiving(self, body: bytes) -> Steps[bytes]:
            self._last = None
            return super().receiving(body)

    class HasTime(ServerHandshake):
        def _is_over(self) -> bool:
            return False

    class GoesOn(ServerHandshake):
        def receiving(self, body: bytes) -> Steps[bytes]:
            state = self._state
            try:
                return (yield from super().receiving(body))
            except HandshakeFailed:
                self._state = state
                raise

    class Tells(ServerHandshake):
        def receiving(self, body: bytes) -> Steps[bytes]:
            try:
                return (yield from super().receiving(body))
            except HandshakeFailed as error:
                error.reply = -444
                raise

    assert not fails(server_handshake.target, ServerHandshake)
    assert fails(server_handshake.target, changed(dc=None))
    assert fails(server_handshake.target, changed(is_taken=lambda key_id: False))
    assert fails(server_handshake.target, changed(is_refused=lambda key_id: False))
    assert fails(server_handshake.target, changed(decrypt=lambda encrypted, fingerprint: None))
    for broken in (NeverRepeats, HasTime, GoesOn, Tells):
        assert fails(server_handshake.target, broken), broken


def test_the_two_models_agree_with_each_other() -> None:
    """Or else a mistake in both, and in what they are about, would not be seen."""
    clock = Clock()
    client = client_handshake._Client([server_handshake._KEY.public], None, clock)
    server = server_handshake._Server(clock, 2, lambda _: False, lambda _: False)
    query: bytes | None = client.start()
    while query is not None:
        query = client.receive(server.receive(query))
    assert client.result is not None
    assert server.result is not None
    assert client.result[:2] == server.result[:2]
    assert client_handshake._two_primes((PRIMES[0] * PRIMES[1]).to_bytes(8, "big")) == PRIMES


def test_work_without_end_is_told() -> None:
    def endless() -> Steps[None]:
        while True:
            yield from do(abs, -1)

    with pytest.raises(Broken, match="more than 100 pieces of work"):
        computed(endless())
