"""What ``mtproto demo`` draws: the stages of a `Conversation`, with rich.

The dumps are those of `tl.hexdump`, with colours that say what kind of field the bytes are; without colours,
as in a pipe, nothing is missing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from mtproto import api, service
from mtproto.cli.demo import Conversation
from mtproto.cli.wording import rpc_error_text
from mtproto.errors import RpcError
from tl.hexdump import Columns, Row, hexdump, lines
from tl.inspection import inspect
from tl.notation import notation
from tl.rich_dump import NUMBER, STYLES, dump_text

__all__ = ["QuietConsole", "draw"]

_WIDEST = 120
_SHOWN = 32
"""How many of the encrypted bytes are shown: they look like any others."""

_STYLES = STYLES | {
    "header": "yellow",
    "auth_key_id": "magenta",
    "msg_key": "green",
    "encrypted_data": "blue",
}


def draw(conversation: Conversation, console: Console | None = None) -> None:
    """Draw all stages; to stdout, as wide as the terminal up to 120 columns, unless a `console` is given."""
    if console is None:
        if hasattr(sys.stdout, "reconfigure"):
            # A terminal that lacks a character is no reason to fail.
            sys.stdout.reconfigure(errors="replace")
        console = QuietConsole(highlight=False)
    _Drawing(console).conversation(conversation)


class QuietConsole(Console):
    """One that leaves a broken pipe to the command, which has an exit status for it."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


class _Drawing:
    def __init__(self, console: Console) -> None:
        self.console = console
        self.width = min(console.width, _WIDEST)

    def conversation(self, conversation: Conversation) -> None:
        self.key_exchange(conversation)
        self.request(conversation)
        self.frame(conversation)
        self.answer(conversation)

    def key_exchange(self, c: Conversation) -> None:
        self.title(1, "Key exchange", f"{c.seconds:.2f} s")
        self.facts(
            ("server", f"{c.host}:{c.port}, over TCP"),
            ("transport", _transport(c)),
            ("RSA fingerprint", f"{c.fingerprint % 2**64:016x}"),
            ("auth_key_id", c.auth_key.key_id.hex(" ")),
            ("server_salt", _long_bytes(c.server_salt)),
        )

    def request(self, c: Conversation) -> None:
        self.title(2, "Request", f"{len(c.request_bytes)} bytes of TL")
        self.tree(c.request)
        self.line()
        self.dump(hexdump(inspect(c.request_bytes, api.SCHEMA), c.request_bytes))

    def frame(self, c: Conversation) -> None:
        around = "" if c.transport == c.framing else ", shown without the obfuscation"
        self.title(3, "Encrypted frame", f"{len(c.sealed.data)} bytes on the wire{around}")
        self.dump(list(_frame_rows(c)))
        envelope = c.sealed.envelope
        padding = c.sealed.payload_end - c.sealed.payload_start - 24 - 32 - len(envelope.body)
        self.line()
        self.line("decrypted, it holds:")
        self.facts(
            ("salt", _long_bytes(envelope.salt)),
            ("session_id", _long_bytes(envelope.session_id)),
            ("msg_id", f"{_long_bytes(envelope.msg_id)}  ({_moment(envelope.msg_id)})"),
            ("seq_no", str(envelope.seq_no)),
            ("length", f"{len(envelope.body)}, of the request above; then {padding} bytes of padding"),
        )

    def answer(self, c: Conversation) -> None:
        self.title(4, "Answer", f"{len(c.answer_bytes)} bytes of TL")
        error = c.answer if isinstance(c.answer, RpcError) else None
        schema = service.SCHEMA if error else api.SCHEMA
        self.dump(hexdump(inspect(c.answer_bytes, schema), c.answer_bytes))
        self.line()
        if error:
            self.line(f"{c.request.TL_NAME} failed: {rpc_error_text(type(c.request), error)}", "bold red")
        else:
            self.tree(c.answer)

    # How it looks

    def title(self, number: int, title: str, note: str) -> None:
        if number > 1:
            self.line()
        text = Text.assemble((f"{number}  {title}", "bold"), (f"  {note}", "dim"))
        self.console.print(Rule(text, align="left", style="dim"), width=self.width)

    def facts(self, *facts: tuple[str, str]) -> None:
        """Names and values, in two columns."""
        column = max(len(name) for name, _ in facts) + 2
        for name, value in facts:
            self.line(Text.assemble(name.ljust(column), (value, NUMBER)))

    def tree(self, value: object) -> None:
        self.line(notation(value, self.width), "bold")

    def dump(self, rows: Sequence[Row]) -> None:
        self.line(Columns.of(rows, self.width).heading(), "dim")
        for line in lines(rows, self.width):
            self.line(dump_text(line, _STYLES))

    def line(self, text: str | Text = "", style: str = "") -> None:
        """One line as it is, broken before the edge only."""
        self.console.print(Text(text, style) if isinstance(text, str) else text, soft_wrap=True)


def _frame_rows(c: Conversation) -> Iterator[Row]:
    """The frame, field by field; of the encrypted bytes the first only."""
    data, start, end = c.sealed.data, c.sealed.payload_start, c.sealed.payload_end
    yield from _header_rows(c)
    for offset, stop, name, meaning in (
        (start, start + 8, "auth_key_id", "SHA1(auth_key)[12:], says which"),
        (start + 8, start + 24, "msg_key", "from auth_key and the plaintext"),
    ):
        yield Row(offset, data[offset:stop], name, meaning, tl_type=name)
    encrypted = data[start + 24 : end]
    yield Row(
        start + 24,
        encrypted[:_SHOWN],
        "encrypted_data",
        f"{len(encrypted)} bytes, AES-256-IGE",
        tl_type="encrypted_data",
        note=f"the first {_SHOWN} are shown",
    )
    if end < len(data):
        name, meaning = ("CRC-32", "of all before") if c.framing == "full" else ("padding", "of the frame")
        yield Row(end, data[end:], name, meaning, tl_type="header")


def _header_rows(c: Conversation) -> Iterator[Row]:
    """What stands before the message; in the full framing that is two words."""
    data, start = c.sealed.data, c.sealed.payload_start
    size = len(data) - start
    if c.framing == "full":
        yield Row(0, data[:4], "header", f"{len(data)} bytes, these included", tl_type="header")
        number = int.from_bytes(data[4:8], "little")
        yield Row(4, data[4:8], "seq", f"frame {number} of the client", tl_type="header")
        return
    words = f"{size // 4} words, " if c.framing == "abridged" else ""
    yield Row(0, data[:start], "header", f"{words}{size} bytes follow", tl_type="header")


def _transport(c: Conversation) -> str:
    if c.transport != c.framing:
        return f"{c.transport}, opened with {len(c.prefix)} bytes, {c.prefix[:4].hex(' ')} ..."
    if not c.prefix:
        return f"{c.transport}, nothing before the first frame"
    return f"{c.transport}, first bytes {c.prefix.hex(' ')}"


def _long_bytes(value: int) -> str:
    """A long as the bytes it is on the wire."""
    return value.to_bytes(8, "little", signed=True).hex(" ")


def _moment(msg_id: int) -> str:
    """The time in a msg_id: its upper half is unix time in seconds."""
    return f"{datetime.fromtimestamp(msg_id >> 32, UTC):%Y-%m-%d %H:%M:%S} UTC"
