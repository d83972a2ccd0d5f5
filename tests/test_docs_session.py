"""docs/session.md has the service messages, the codes and the limits that the code has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mtproto import acks, api, message, message_id, salts, service
from mtproto.connection import KeepAlive
from mtproto.envelope import Cipher
from mtproto.session import TABLE, BadCode, answers, client, client_sending, requests, sent, server_sending
from mtproto.session.table import Handled, Ignored, Refused
from mtproto.side import Side
from tests.mtproto.pair import agreed_pair, frames_of

TEXT = (Path(__file__).parent.parent / "docs" / "session.md").read_text("utf-8")


def cell(fate: Handled | Ignored | Refused) -> str:
    if isinstance(fate, Handled):
        return f"`{fate.by}`"
    return f"{'ignored' if isinstance(fate, Ignored) else 'refused'}: {fate.why}"


def rows() -> list[str]:
    return [f"| `{row.name}` | {cell(row.client)} | {cell(row.server)} |" for row in TABLE]


class Ladder:
    """A conversation in memory, each message of it on a line: what went which way, with its seq_no."""

    def __init__(self) -> None:
        self.pair = agreed_pair(salt=1)
        self.lines: list[str] = []

    def draw(self, note: str, arrow: str, data: bytes, side: Side) -> None:
        for payload in frames_of(data, "intermediate", side):
            envelope = Cipher(self.pair.server_key(), side).open(payload)
            parts = [message.Message(envelope.msg_id, envelope.seq_no, envelope.body)]
            is_packed = message.constructor_id(envelope.body) == service.MsgContainer.CONSTRUCTOR_ID
            if is_packed:
                parts = message.unpack_container(envelope.body, envelope.msg_id)
            said = ", ".join(f"{name_of(part.body)} {part.seq_no}" for part in parts)
            said = f"msg_container {envelope.seq_no} ({said})" if is_packed else said
            self.lines.append(f"{note:<24}{arrow} {said}".rstrip())
            note = ""

    def run(self, note: str, *, to_server: bool = True, to_client: bool = True) -> None:
        """Both say what they have to say until they are silent; what does not arrive is crossed out."""
        while (out := self.pair.client.data_to_send()) or (back := self.pair.server.data_to_send()):
            if out:
                self.draw(note, "──▶" if to_server else "──╳", out, Side.SERVER)
                note = ""
                self.pair.deliver_to_server(out if to_server else b"")
            back = self.pair.server.data_to_send() if out else back
            if back:
                self.draw(note, "◀──" if to_client else "╳──", back, Side.CLIENT)
                note = ""
                self.pair.deliver_to_client(back if to_client else b"")

    def answer(self) -> None:
        for request in self.pair.requests():
            if request.msg_id in self.pair.state.sessions[request.session].open_requests:
                self.pair.answer(request, bytes(api.BoolTrue()))


def name_of(body: bytes) -> str:
    number = message.constructor_id(body)
    found = service.SCHEMA.find(number) or api.SCHEMA.find(number)
    assert found is not None
    return str(found.TL_NAME)


def ladder() -> str:
    """A wrong salt, an answer, the link lost before an answer and before a request."""
    drawn = Ladder()
    request = bytes(api.help.GetConfig())
    drawn.pair.client.send_request(request)
    drawn.run("a first request,")
    drawn.answer()
    drawn.run("and its answer")
    drawn.pair.clock.advance(2)
    drawn.pair.client.handle_timer()
    drawn.run("a second later")
    drawn.pair.client.send_request(request)
    drawn.pair.client.send_request(request)
    drawn.run("two more; their answers")
    drawn.answer()
    drawn.run("get lost on the way,", to_client=False)
    drawn.pair.client.send_request(request)
    drawn.run("and so does a request", to_server=False)
    drawn.pair.reconnect()
    drawn.run("a new connection")
    drawn.answer()
    drawn.run("")
    drawn.pair.clock.advance(2)
    drawn.pair.client.handle_timer()
    drawn.run("another second later")
    assert len(drawn.pair.answers()) == 4
    return "\n".join(drawn.lines)


def test_the_conversation_is_a_real_one() -> None:
    assert f"```text\n{ladder()}\n```" in TEXT


def test_every_service_message_is_there() -> None:
    section = TEXT.partition("## Service messages\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `.*\|$", section, re.MULTILINE) == rows()


def test_every_code_is_there() -> None:
    section = TEXT.partition("## bad_msg_notification\n")[2].partition("\n## ")[0]
    assert [int(n) for n in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)] == [
        code.value for code in BadCode
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_AGE", message_id.MAX_AGE),
        ("MAX_AHEAD", message_id.MAX_AHEAD),
        ("MAX_DROPPED", client.MAX_DROPPED),
        ("MAX_RESENDS", client_sending.MAX_RESENDS),
        ("MAX_OPEN_REQUESTS", client_sending.MAX_OPEN_REQUESTS),
        ("ASK_AFTER", requests.ASK_AFTER),
        ("RESEND_AFTER", server_sending.RESEND_AFTER),
        ("MAX_KEPT", sent.MAX_KEPT),
        ("MAX_KEPT_BYTES", sent.MAX_KEPT_BYTES),
        ("MAX_KEPT_ANSWERS", answers.MAX_KEPT_ANSWERS),
        ("MAX_MESSAGES", message.MAX_MESSAGES),
        ("MAX_ACKS", acks.MAX_ACKS),
        ("MAX_OWED", acks.MAX_OWED),
        ("ACK_BATCH", acks.ACK_BATCH),
        ("ACK_DELAY", acks.ACK_DELAY),
        ("SALT_LIFETIME", salts.SALT_LIFETIME),
        ("MAX_FUTURE_SALTS", salts.MAX_FUTURE_SALTS),
        ("KeepAlive.interval", KeepAlive().interval),
        ("KeepAlive.disconnect_delay", KeepAlive().disconnect_delay),
        ("KeepAlive.patience", KeepAlive().patience),
    ],
)
def test_the_limits_are_those_of_the_code(name: str, value: float) -> None:
    found = re.search(rf"^\| `{re.escape(name)}` \| ([\d,]+) ", TEXT, re.MULTILINE)
    assert found is not None
    assert float(found[1].replace(",", "")) == value
