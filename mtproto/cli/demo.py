"""``mtproto demo``: the main job, from a TL object to an encrypted frame and back, over TCP.

An embedded loopback server and a client, as anyone would use them, in one process; a tap on the client's
socket shows what really went over the wire.  What is drawn is in `mtproto.cli.show`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from dataclasses import dataclass
from types import ModuleType

import mtproto
import tl
from mtproto import api, service, testing
from mtproto.cli.recording import Recording
from mtproto.cli.transports import Way, frames_of, opened
from mtproto.cli.wording import CommandError, rpc_error_text
from mtproto.crypto.auth_key import AuthKey
from mtproto.crypto.rsa import PrivateKey
from mtproto.envelope import Cipher, Envelope
from mtproto.errors import LocalProtocolError, RemoteProtocolError, RpcError
from mtproto.side import Side
from mtproto.testing.transcript import KeyLog, Recorder
from mtproto.transport import unpadded
from tl.json_values import to_json_value
from tl.notation import notation

__all__ = ["PHONE", "Conversation", "Sealed", "converse", "find_sealed", "run"]

PHONE = "+12025550123"


@dataclass(frozen=True, slots=True)
class Sealed:
    """The frame that carried the request: its bytes as sent, where the message in them is, what it holds.

    Where the stream was obfuscated, these are the bytes inside.
    """

    data: bytes
    payload_start: int
    payload_end: int
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class Conversation:
    """What happened.  `seconds` is how long connecting and the key exchange took.

    `transport` is what the framing is called, `framing` its name without what is around it, `prefix` what the
    client sent before its first frame.
    `answer_bytes` are boxed: of `answer`, or where it is an RpcError, of the rpc_error.
    """

    host: str
    port: int
    transport: str
    framing: str
    prefix: bytes
    fingerprint: int
    auth_key: AuthKey
    server_salt: int
    seconds: float
    request: api.account.SendVerifyPhoneCode
    request_bytes: bytes
    sealed: Sealed
    answer_bytes: bytes
    answer: api.auth.TypeSentCode | RpcError


def run(arguments: argparse.Namespace) -> int:
    """Hold the conversation and show it; 1 where the answer is an rpc_error."""
    draws = not (arguments.quiet or arguments.json)
    show = _load_show() if draws else None
    conversation = asyncio.run(converse(Way.of(arguments), arguments.phone, Recording.of(arguments)))
    answer = conversation.answer
    if show is not None:
        show.draw(conversation)
        return 1 if isinstance(answer, RpcError) else 0
    if arguments.json:
        # Flushed, so that it is out, or known not to be, before the error that may follow.
        print(_json_line(conversation), flush=True)
    if isinstance(answer, RpcError):
        name = conversation.request.TL_NAME
        raise CommandError(f"{name}: {rpc_error_text(type(conversation.request), answer)}", 1)
    if arguments.quiet:
        print(notation(answer))
    return 0


def _load_show() -> ModuleType:
    try:
        from mtproto.cli import show  # here, because rich is optional
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "rich":
            raise
        raise CommandError(
            'drawing needs rich, which is not installed: pip install "mtwire[cli]" (--quiet and --json do '
            "without)"
        ) from None
    return show


def _json_line(conversation: Conversation) -> str:
    answer: object = conversation.answer
    if isinstance(answer, RpcError):
        answer = service.decode(conversation.answer_bytes)
    return json.dumps(
        {
            "request_hex": conversation.request_bytes.hex(),
            "answer_hex": conversation.answer_bytes.hex(),
            "answer": to_json_value(answer),
        }
    )


def _request(phone: str) -> api.account.SendVerifyPhoneCode:
    return api.account.SendVerifyPhoneCode(
        phone_number=phone,
        settings=api.CodeSettings(
            allow_flashcall=True,
            current_number=True,
            allow_app_hash=True,
            allow_missed_call=True,
            logout_tokens=[b"arbitrary data here"],
        ),
    )


async def converse(way: Way, phone: str, recording: Recording = Recording()) -> Conversation:  # noqa: B008
    """Start a server, connect to it that way, send the request of the demonstration with `phone`.

    It is recorded where that is asked for, with all that the server knows: nothing stays encrypted.
    """
    key = PrivateKey.generate()
    with recording.recorder(way.mtproxy_secret, [key]) as recorder:
        return await _converse(way, phone, key, recorder)


async def _converse(way: Way, phone: str, key: PrivateKey, recorder: Recorder | None) -> Conversation:
    request = _request(phone)
    request_bytes = bytes(request)
    sent: list[bytes] = []

    async with testing.serve(key=key, mtproxy_secret=way.mtproxy_secret) as server:
        record = None if recorder is None else recorder.tap(KeyLog(server.state.keys))

        def tap(direction: str, data: bytes) -> None:
            if direction == "out":
                sent.append(data)
            if record is not None:
                record(direction, data)

        started = time.perf_counter()
        connecting = mtproto.connect(
            server.host, server.port, keys=[server.public_key], tap=tap, **way.options
        )
        async with connecting as client:
            seconds = time.perf_counter() - started
            server_salt = client.server_salt
            answer_bytes, answer = await _answer(client, request, request_bytes)
            auth_key = client.auth_key
        stream = b"".join(sent)
        bare = opened(stream, way.mtproxy_secret)
        return Conversation(
            host=server.host,
            port=server.port,
            transport=bare.name,
            framing=bare.framing,
            prefix=bare.prefix,
            fingerprint=server.public_key.fingerprint,
            auth_key=auth_key,
            server_salt=server_salt,
            seconds=seconds,
            request=request,
            request_bytes=request_bytes,
            sealed=find_sealed(stream, way.mtproxy_secret, auth_key, request_bytes),
            answer_bytes=answer_bytes,
            answer=answer,
        )


async def _answer(
    client: mtproto.Client, request: api.account.SendVerifyPhoneCode, body: bytes
) -> tuple[bytes, api.auth.TypeSentCode | RpcError]:
    try:
        answer = await client.invoke_raw(body)
    except RpcError as error:
        return bytes(service.RpcError(error_code=error.code, error_message=error.message)), error
    return answer, tl.decode_result(request, answer)


def find_sealed(stream: bytes, secret: str | None, auth_key: AuthKey, body: bytes) -> Sealed:
    """The encrypted frame with `body` in it, of all that a client has sent since it connected.

    It is found by opening every message, as the server does; the key is ours as well.  `secret` is that of
    the proxy, if there was one.  LocalProtocolError where it is not there.
    """
    cipher = Cipher(auth_key, Side.SERVER)
    for frame, data in frames_of(opened(stream, secret)):
        message = unpadded(frame.payload)
        try:
            envelope = cipher.open(message)
        except RemoteProtocolError:
            continue  # a plain message of the key exchange
        if body in envelope.body:
            start = data.index(message)
            return Sealed(data, start, start + len(message), envelope)
    raise LocalProtocolError(f"no encrypted message with the {len(body)} bytes of the request was sent")
