"""The server's side of a replay: the recorded answers, given to whoever asks what was asked then."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from mtproto import api, service
from mtproto.crypto.auth_key import AuthKey
from mtproto.crypto.rsa import PrivateKey
from mtproto.envelope import UNKNOWN_AUTH_KEY, Cipher, Envelope
from mtproto.errors import RemoteProtocolError
from mtproto.handshake import ServerHandshake
from mtproto.message import Message
from mtproto.side import Side
from mtproto.testing.transcript.errors import ReplayMismatch
from mtproto.testing.transcript.files import Transcript
from mtproto.testing.transcript.reading import API, Schemas
from mtproto.testing.transcript.replay import QUIET, Replay
from mtproto.testing.transcript.script import Step, kind_of, script, unanswered
from mtproto.transport import ProxySecret, ServerFraming

__all__ = ["ServerReplay", "replay_server"]

_UNKNOWN: Final = 1
_RECEIVED: Final = 4
"""What msgs_state_info says of a message."""
_BIND: Final = api.auth.BindTempAuthKey.TL_NAME


class ServerReplay(Replay):
    """The server of a transcript, for a live client; `replay_server` makes one.

    `auth_keys`, by auth_key_id, are those that it knows; what is agreed on is added.
    """

    side = Side.SERVER

    def __init__(
        self,
        steps: Sequence[Step],
        keys: Sequence[PrivateKey],
        *,
        auth_keys: dict[bytes, AuthKey] | None = None,
        mtproxy_secret: ProxySecret | str | bytes | None = None,
        schemas: Schemas,
        clock: Callable[[], float],
        rng: Callable[[int], bytes],
    ) -> None:
        secret = None if mtproxy_secret is None else ProxySecret.read(mtproxy_secret)
        steps = _without_bindings(steps)
        super().__init__(steps, ServerFraming(secret=secret, rng=rng), schemas=schemas, clock=clock, rng=rng)
        self.auth_keys = {} if auth_keys is None else auth_keys
        self._heard: set[int] = set()
        self._unanswered = unanswered(steps)
        self._owed: list[str] = []
        self._handshake = ServerHandshake(keys, clock=clock, rng=rng)

    @property
    def is_done(self) -> bool:
        return not any(True for _ in self._own())

    def _exchange(self, body: bytes) -> None:
        self._send_plain(self._handshake.receive(body))
        result = self._handshake.result
        if result is not None:
            self.auth_keys[result.auth_key.key_id] = result.auth_key
            self._salt = result.server_salt

    def _open(self, payload: bytes) -> Envelope:
        key = self.auth_keys.get(payload[:8])
        if key is None:
            self._out += self._wire.encode_code(UNKNOWN_AUTH_KEY)
            raise RemoteProtocolError("an unknown auth_key_id", check="S1", got=payload[:8].hex())
        if self._cipher is None or self._cipher.key_id != key.key_id:
            self._cipher = Cipher(key, Side.SERVER)
        envelope = self._cipher.open(payload)
        self._session_id, self._salt = envelope.session_id, self._salt or envelope.salt
        return envelope

    def _take(self, message: Message, outer: int) -> None:
        self._heard.add(message.msg_id)
        self._rewriter.first = min(self._heard)
        step = self._match(message.body)
        if step is not None:
            self._taken.add(step.index)
            self._rewriter.met(step, message.msg_id, outer)
            if step.index in self._unanswered:
                self._owed.append(step.kind)
            return
        answer = self._by_hand(message)
        if answer is not None:
            self._extra.append((answer, message.msg_id))

    def _left(self) -> list[Step]:
        """What the recorded client has asked for, and the live one not yet."""
        steps = (s for s in self.steps if s.side is Side.CLIENT and s.name not in QUIET)
        return [step for step in steps if step.index not in self._taken]

    def _match(self, body: bytes) -> Step | None:
        """The first of what is left that says this, or at least asks for the same; rather one that was answered."""
        kind = kind_of(body, self._schemas)
        left = [step for step in self._left() if step.kind == kind]
        left.sort(key=lambda step: (step.body != body, step.index in self._unanswered))
        return left[0] if left else None

    def _by_hand(self, message: Message) -> bytes | None:
        """What is owed to a message about the session itself; None where that is nothing.

        Raise ReplayMismatch for any other.
        """
        kind = kind_of(message.body, self._schemas)
        if kind == _BIND:  # whatever the key: the recorded server knew another one
            return bytes(service.RpcResult(req_msg_id=message.msg_id, result=api.BoolTrue()))
        found = self._schemas.meaning(message.body).found
        match found:
            case service.Ping() | service.PingDelayDisconnect():
                return bytes(service.Pong(msg_id=message.msg_id, ping_id=found.ping_id))
            case service.GetFutureSalts():
                now = int(self._clock())
                salt = service.FutureSalt(valid_since=now, valid_until=now + 3600, salt=self._salt)
                return bytes(service.FutureSalts(req_msg_id=message.msg_id, now=now, salts=[salt]))
            case service.MsgsStateReq():
                info = bytes(_RECEIVED if i in self._heard else _UNKNOWN for i in found.msg_ids)
                return bytes(service.MsgsStateInfo(req_msg_id=message.msg_id, info=info))
            case service.HttpWait():
                return None
            case _:
                raise ReplayMismatch(f"the client asks for {kind}; {self._expected()}")

    def _go_on(self) -> None:
        """Say what is due; raise ReplayMismatch where the client waits for what will never be."""
        super()._go_on()
        if self._owed:
            raise ReplayMismatch(f"the client asks for {self._owed[0]}, to which no answer was recorded")

    def _expected(self) -> str:
        kinds = list(dict.fromkeys(step.kind for step in self._left()))
        return f"in the transcript come {', '.join(kinds[:4])}" if kinds else "the transcript ends here"

    def _is_due(self, step: Step) -> bool:
        """Whether what it answers was asked, or, where it answers nothing, all before it."""
        if step.name in QUIET:
            self._sent.add(step.index)
            return False
        left = [other for other in self._left() if other.index not in self._unanswered]
        if step.answers is None:
            return all(other.index > step.index for other in left)
        return not any(step.answers in (o.msg_id, o.outer) for o in left if o.index < step.index)


def _without_bindings(steps: Sequence[Step]) -> list[Step]:
    """The steps without bindings of temporary keys, and their answers: a live client binds as many as it likes."""
    bindings = {step.msg_id for step in steps if step.side is Side.CLIENT and step.kind == _BIND}
    kept: list[Step] = []
    for step in steps:
        if step.name == "new_session_created" and step.answers in bindings:
            step = replace(step, answers=None)
        if (step.msg_id if step.side is Side.CLIENT else step.answers) not in bindings:
            kept.append(step)
    return kept


def replay_server(
    transcript: Transcript,
    keys: Sequence[PrivateKey],
    *,
    stream: int = 0,
    auth_keys: dict[bytes, AuthKey] | None = None,
    mtproxy_secret: ProxySecret | str | bytes | None = None,
    schemas: Sequence[object] = API,
    clock: Callable[[], float] = time.time,
    rng: Callable[[int], bytes] = os.urandom,
) -> ServerReplay:
    """The server of a transcript's connection `stream`, with the RSA `keys` that its client trusts.

    `auth_keys`, by auth_key_id, are for clients that have a key already.  Raise TranscriptError where the
    transcript does not fit (see `script.script`).
    """
    known = Schemas(schemas)
    return ServerReplay(
        script(transcript, stream, known),
        keys,
        auth_keys=auth_keys,
        mtproxy_secret=mtproxy_secret,
        schemas=known,
        clock=clock,
        rng=rng,
    )
