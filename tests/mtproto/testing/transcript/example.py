"""A conversation in memory, recorded: seeded, on a clock by hand, so that it is the same to the byte each time.

docs/examples/transcript.jsonl and transcript.keys are what `record` gives; ``python -m`` this module writes them.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import tl
from mtproto import api, service
from mtproto.connection import ClientConnection, Deadlines, ServerConnection, ServerState
from mtproto.events import KeyAgreed, RequestReceived
from mtproto.message import unpack_gzip
from mtproto.testing.handlers import default_handlers
from mtproto.testing.transcript import Recorder, Transcript
from tests.mtproto.helpers import TEST_KEY, ManualClock, seeded

__all__ = ["KEY_LOG", "TRANSCRIPT", "Talk", "record"]

EXAMPLES = Path(__file__).parents[4] / "docs" / "examples"
TRANSCRIPT = EXAMPLES / "transcript.jsonl"
KEY_LOG = EXAMPLES / "transcript.keys"
HOP = 0.004
"""Seconds that bytes are on their way."""
FOR_EVER = Deadlines(opening=None, first_frame=None, partial_frame=None)
CODE = bytes(
    api.auth.SentCode(
        type=api.auth.SentCodeTypeSms(length=5),
        phone_code_hash="07adca1c695e0695a6",
        next_type=api.auth.CodeTypeCall(),
        timeout=60,
    )
)
NUMBER_INVALID = bytes(service.RpcError(error_code=400, error_message="PHONE_NUMBER_INVALID"))
GZIP = service.GzipPacked.CONSTRUCTOR_ID.to_bytes(4, "little")
CONFIG_WANTED = bytes(api.help.GetConfig())


def verify(phone: str) -> bytes:
    return bytes(
        api.account.SendVerifyPhoneCode(
            phone_number=phone,
            settings=api.CodeSettings(allow_flashcall=True, logout_tokens=[b"arbitrary data here"]),
        )
    )


class Talk:
    """`client` and `server`, joined by a line on which bytes take a while; `sent` are all bytes, in order."""

    def __init__(self, *, seed: int = 0, **options: object) -> None:
        self.clock = ManualClock(1_795_000_000.0)
        self.state = ServerState(clock=self.clock, rng=seeded(seed + 1))
        self.server = ServerConnection([TEST_KEY], self.state, deadlines=FOR_EVER)
        self.client = ClientConnection(
            [TEST_KEY.public],
            clock=self.clock,
            rng=seeded(seed + 2),
            **options,  # type: ignore[arg-type]
        )
        self.events: list[object] = []
        self.handlers = default_handlers(
            phone_code_hash=None, host="127.0.0.1", port=443, clock=self.clock, rng=seeded(seed + 3)
        )

    def run(self) -> None:
        """Carry bytes to and fro, and answer requests, until both are silent."""
        while True:
            out = self.client.data_to_send()
            self.clock.advance(HOP if out else 0.0)
            for event in self.server.receive_data(out):
                self.events.append(event)
                if isinstance(event, RequestReceived):
                    self.server.answer(event.session, event.msg_id, self._answer(event))
            back = self.server.data_to_send()
            self.clock.advance(HOP if back else 0.0)
            self.events += self.client.receive_data(back)
            if not out and not back:
                return

    def _answer(self, event: RequestReceived) -> bytes:
        request: Any = api.decode(unpack_gzip(event.body) if event.body.startswith(GZIP) else event.body)
        if isinstance(request, api.account.SendVerifyPhoneCode):
            return CODE if request.phone_number.startswith("+") else NUMBER_INVALID
        if isinstance(request, api.auth.BindTempAuthKey):
            self.state.bind_temp_key(event.session, event.msg_id, request)
            return bytes(api.BoolTrue())
        return tl.encode_result(request, self.handlers[api.help.GetConfig](request))

    def ask(self, *bodies: bytes, **options: bool) -> None:
        """Send these requests together, and hear the answers."""
        for body in bodies:
            self.client.send_request(body, **options)  # type: ignore[arg-type]
        self.run()

    def wait(self, seconds: float) -> None:
        """Time passes, and both do what is due."""
        self.clock.advance(seconds)
        self.events += self.client.handle_timer()
        self.events += self.server.handle_timer()
        self.run()

    def is_agreed(self) -> bool:
        return any(isinstance(event, KeyAgreed) for event in self.events)


def record() -> tuple[str, str]:
    """The transcript and the key log of a talk: a key, a code, another salt, an error, acknowledgements."""
    file, keys = io.StringIO(), io.StringIO()
    talk = Talk()
    recorder = Recorder(file, key_log=keys, clock=talk.clock, rsa_keys=[TEST_KEY])
    recorder.client(talk.client)
    talk.run()
    talk.ask(verify("+12025550123"), quick_ack=True)
    talk.wait(1.5)
    for key_id in talk.state.salts:
        talk.state.rotate_salt(key_id, keep_previous=False)
    talk.client.ping(7)
    talk.ask(verify("some string here"))
    talk.wait(1.5)
    recorder.close()
    return file.getvalue(), keys.getvalue()


def recorded() -> Transcript:
    """The same as an object."""
    return Transcript.parse(record()[0].splitlines())


if __name__ == "__main__":
    for path, text in zip((TRANSCRIPT, KEY_LOG), record(), strict=True):
        path.write_text(text, "utf-8")
