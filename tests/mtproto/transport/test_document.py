"""docs/transports.md says what the code does: its tables and its bytes are those of the framings and vectors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mtproto.errors import FramingError
from mtproto.side import Side
from mtproto.testing.server import MAX_CONNECTIONS
from mtproto.transport import FRAMINGS, PaddedIntermediate, detect, framing
from mtproto.transport.obfuscation import FORBIDDEN
from tests.mtproto import test_slow_clients, test_transports
from tests.mtproto.transport import test_detection, test_framing, test_obfuscation, test_padded, test_table
from tests.mtproto.transport.streams import VECTORS

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "transports.md").read_text("utf-8")
MODULES = (
    test_detection,
    test_framing,
    test_obfuscation,
    test_padded,
    test_slow_clients,
    test_table,
    test_transports,
)


def hex_bytes(text: str) -> list[str]:
    """Each run of bytes that are written as "ab cd ef", with the spaces between its parts taken out."""
    return [re.sub(r"\s+", "", run) for run in re.findall(r"(?:\b[0-9a-f]{2}\b[ ]*)+", text)]


def line(section: str, name: str) -> str:
    """The line of a drawing that begins with this name."""
    part = TEXT.partition(section)[2]
    found = re.search(rf"^{name}  .*$", part, re.MULTILINE)
    assert found is not None
    return found[0]


def test_the_table_of_transports() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \| .* \| (yes|no) \| (.+) \|$", TEXT, re.MULTILINE)
    assert [row[0] for row in rows] == list(FRAMINGS)
    for name, prefix, acks, tag in rows:
        kind = FRAMINGS[name]
        assert prefix.strip("`") == (kind.prefix.hex() or "none")
        assert acks == ("yes" if kind.has_quick_acks else "no")
        assert tag.strip("`") == ("can't be obfuscated" if kind.tag is None else kind.tag.hex())


@pytest.mark.parametrize("name", FRAMINGS)
def test_the_frames_that_are_drawn(name: str) -> None:
    drawn = "".join(hex_bytes(line("## On the wire", name)))
    case = VECTORS["cases"][1]
    key = {"padded": "padded_intermediate_pad5", "full": "full_seq0"}.get(name, name)
    assert drawn == FRAMINGS[name].prefix.hex() + case[key]


@pytest.mark.parametrize("name", [n for n in FRAMINGS if n != "full"])
def test_the_quick_acks_that_are_drawn(name: str) -> None:
    asks, token = re.split(r" {6,}", line("### Quick acks", name).partition("  ")[2].strip())
    client = framing(name, Side.CLIENT)
    payload = bytes(range(8))
    if isinstance(client, PaddedIntermediate):
        wire = client.encode(payload, quick_ack=True, padding=bytes.fromhex("a1a2a3a4a5"))
    else:
        wire = client.encode(payload, quick_ack=True)
    assert wire.hex().startswith(hex_bytes(asks)[0])
    server = framing(name, Side.SERVER)
    assert "".join(hex_bytes(token)) == server.encode_quick_ack(bytes.fromhex("a1b2c3d4")).hex()


@pytest.mark.parametrize("name", FRAMINGS)
def test_the_transport_errors_that_are_drawn(name: str) -> None:
    drawn = "".join(hex_bytes(line("### Transport errors", name)))
    assert drawn == framing(name, Side.SERVER).encode_code(-404).hex()


def test_the_table_of_detection() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \|$", TEXT, re.MULTILINE)
    assert [int(row[0]) for row in rows] == [1, 4, 4, 4, 8, 9, 64, 64]
    for size, what, then in rows[:3]:
        start = bytes.fromhex(what.strip("`"))
        assert detect(start) is FRAMINGS[then]
        assert len(start) == int(size)
    for start in FORBIDDEN[3:]:
        said = start.hex() if start[0] == 0x16 else start.decode()
        assert f"`{said}`" in rows[3][1]
        with pytest.raises(FramingError, match="X11"):
            detect(start)


def test_the_number_of_connections() -> None:
    assert f" {MAX_CONNECTIONS:,} connections;" in TEXT


def test_the_table_of_refusals() -> None:
    rows = re.findall(r"^\| X(\d+) \| (.+?) \| (.+?) \| `(\w+)` \|$", TEXT, re.MULTILINE)
    assert [int(row[0]) for row in rows] == list(range(1, 12))
    sources = {path.name for path in (ROOT / "mtproto").rglob("*.py")}
    for _, _, where, test in rows:
        assert set(re.findall(r"`(\w+\.py)`", where)) <= sources
        assert any(hasattr(module, test) for module in MODULES), test
