"""The client's side of a replay: the recorded requests, each sent when the answers before it are there."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from mtproto import service
from mtproto.crypto.auth_key import AuthKey
from mtproto.crypto.rsa import PublicKey
from mtproto.envelope import Cipher, Envelope
from mtproto.errors import RemoteProtocolError
from mtproto.handshake import ClientHandshake
from mtproto.message import Message, constructor_id
from mtproto.side import Side
from mtproto.testing.transcript.errors import ReplayMismatch
from mtproto.testing.transcript.files import Transcript
from mtproto.testing.transcript.reading import API, Schemas
from mtproto.testing.transcript.replay import QUIET, Replay
from mtproto.testing.transcript.rewriting import about
from mtproto.testing.transcript.script import REFUSALS, Step, script
from mtproto.transport import ProxySecret, client_framing

__all__ = ["Answer", "ClientReplay", "replay_client"]

_OWN_BUSINESS: Final = ("auth.bindTempAuthKey", "msgs_all_info", "msg_resend_req")
"""What is left out: it is about keys and messages that are others now."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered, then and now: both as boxed bytes, or those of an rpc_error."""

    request: str
    recorded: bytes
    live: bytes


class ClientReplay(Replay):
    """The client of a transcript, for a live server; `replay_client` makes one.

    `answers` are those to its requests, in the order in which they came.
    """

    side = Side.CLIENT

    def __init__(
        self,
        steps: Sequence[Step],
        keys: Sequence[PublicKey],
        *,
        auth_key: AuthKey | None = None,
        server_salt: int = 0,
        transport: str | None = None,
        obfuscated: bool = False,
        mtproxy_secret: ProxySecret | str | bytes | None = None,
        dc: int = 2,
        schemas: Schemas,
        clock: Callable[[], float],
        rng: Callable[[int], bytes],
    ) -> None:
        wire = client_framing(transport, obfuscated=obfuscated, mtproxy_secret=mtproxy_secret, dc=dc, rng=rng)
        super().__init__(_asked_for(steps), wire, schemas=schemas, clock=clock, rng=rng)
        self.answers: list[Answer] = []
        self._out += wire.prefix
        self._session_id = int.from_bytes(rng(8), "little", signed=True)
        self._handshake: ClientHandshake | None = None
        if auth_key is None:
            self._handshake = ClientHandshake(keys, dc=dc, clock=clock, rng=rng)
            self._send_plain(self._handshake.start())
        else:
            self._cipher, self._salt = Cipher(auth_key, Side.CLIENT), server_salt
            self._go_on()

    @property
    def is_done(self) -> bool:
        return not any(True for _ in self._own()) and all(
            step.index in self._taken for step in self.steps if _is_awaited(step)
        )

    def _exchange(self, body: bytes) -> None:
        if self._handshake is None:
            raise RemoteProtocolError("a plain message although no key is being agreed", check="H13")
        query = self._handshake.receive(body)
        if query is not None:
            self._send_plain(query)
        result = self._handshake.result
        if result is not None:
            self._ids.time_offset = result.time_offset
            self._cipher, self._salt = Cipher(result.auth_key, Side.CLIENT), result.server_salt

    def _open(self, payload: bytes) -> Envelope:
        if self._cipher is None:
            raise RemoteProtocolError("an encrypted message before there is a key", check="C1")
        return self._cipher.open(payload)

    def _take(self, message: Message, outer: int) -> None:
        found = self._schemas.meaning(message.body).found
        match found:
            case service.BadServerSalt():
                self._salt = found.new_server_salt
                self._again(found.bad_msg_id)
                return
            case service.BadMsgNotification():
                raise ReplayMismatch(f"the server refuses a message: code {found.error_code}")
            case service.NewSessionCreated():
                self._salt = found.server_salt
                return
            case _:
                pass
        if constructor_id(message.body) != service.RpcResult.CONSTRUCTOR_ID:
            return
        asked = self._rewriter.recorded(about(message.body))
        for step in self.steps:
            if step.index not in self._taken and _is_awaited(step) and step.answers == asked:
                self._taken.add(step.index)
                request = next(s.kind for s in self.steps if s.msg_id == asked)
                self.answers.append(Answer(request, step.body[12:], message.body[12:]))
                return

    def _again(self, msg_id: int) -> None:
        """Say once more what was in the message that was refused."""
        refused = {self._rewriter.recorded(inner) for inner in self._carried.get(msg_id, [msg_id])}
        for step in self.steps:
            if step.side is Side.CLIENT and step.msg_id in refused:
                self._sent.discard(step.index)

    def _is_due(self, step: Step) -> bool:
        """Whether all answers that came before it then have come now, and all was said that was said before it."""
        before = self.steps[: step.index]
        if step.name in QUIET:
            self._sent.add(step.index)
            return False
        return all(
            s.index in (self._sent if s.side is Side.CLIENT else self._taken)
            for s in before
            if s.side is Side.CLIENT or _is_awaited(s)
        )


def _is_awaited(step: Step) -> bool:
    return step.side is Side.SERVER and step.name == "rpc_result"


def _asked_for(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The client's steps without what was refused, and what is about keys and salts; the answers to wait for."""
    kept: list[Step] = []
    open_: set[int | None] = set()
    for step in steps:
        if step.side is Side.CLIENT and step.kind not in _OWN_BUSINESS:
            kept.append(step)
            open_.add(step.msg_id)
        elif step.name in REFUSALS:
            kept = [s for s in kept if s.side is Side.SERVER or step.answers not in (s.msg_id, s.outer)]
            open_ = {s.msg_id for s in kept if s.side is Side.CLIENT and s.msg_id in open_}
        elif (
            _is_awaited(step) and step.answers in open_
        ):  # not twice, and not to what another connection asked
            kept.append(step)
            open_.discard(step.answers)
    return tuple(replace(step, index=index) for index, step in enumerate(kept))


def replay_client(
    transcript: Transcript,
    keys: Sequence[PublicKey] = (),
    *,
    stream: int = 0,
    auth_key: AuthKey | None = None,
    server_salt: int = 0,
    transport: str | None = None,
    obfuscated: bool = False,
    mtproxy_secret: ProxySecret | str | bytes | None = None,
    dc: int = 2,
    schemas: Sequence[object] = API,
    clock: Callable[[], float] = time.time,
    rng: Callable[[int], bytes] = os.urandom,
) -> ClientReplay:
    """The client of a transcript's connection `stream`, which trusts the RSA `keys`, or has an `auth_key`.

    The other arguments are those of `mtproto.ClientConnection`.  Raise TranscriptError where the transcript
    does not fit (see `script.script`).
    """
    known = Schemas(schemas)
    return ClientReplay(
        script(transcript, stream, known),
        keys,
        auth_key=auth_key,
        server_salt=server_salt,
        transport=transport,
        obfuscated=obfuscated,
        mtproxy_secret=mtproxy_secret,
        dc=dc,
        schemas=known,
        clock=clock,
        rng=rng,
    )
