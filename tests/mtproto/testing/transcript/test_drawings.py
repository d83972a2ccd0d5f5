"""The drawings: rows, lines of text, the page, the picture; whatever is in a transcript is text to all of them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.parsers import expat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtproto import service
from mtproto.crypto.auth_key import AuthKey
from mtproto.envelope import Cipher, Envelope
from mtproto.message import Message, pack_container, pack_rpc_result
from mtproto.side import Side
from mtproto.testing.transcript import Dissector, Entry, KeyLog, Said, Transcript
from mtproto.testing.transcript.brief import brief
from mtproto.testing.transcript.ladder import TONES, Row, rows, summary
from mtproto.testing.transcript.page import draw_page, html_page
from mtproto.testing.transcript.picture import svg_picture
from mtproto.testing.transcript.reading import Schemas
from mtproto.testing.transcript.shown import shown
from mtproto.testing.transcript.text import heading, row_lines
from mtproto.transport import framing
from tests.mtproto.helpers import seeded
from tests.mtproto.testing.transcript.example import CODE, CONFIG_WANTED, TRANSCRIPT

PICTURE = Path(__file__).parents[4] / "docs" / "transcript.svg"
EXAMPLE = Transcript.load(TRANSCRIPT)
KEY = AuthKey(seeded(1)(256))
SCHEMAS = Schemas()
HOSTILE = "</script><img src=x onerror=alert(1)>&\"'\u202e\x1b[31m\ud800"


def transcript(*messages: tuple[float, Side, bytes, int], known: bool = True) -> Transcript:
    """These messages, each at its time, in its own frame."""
    dissector = Dissector(KeyLog.of(KEY) if known else None)
    records = dissector.feed(0.0, Side.CLIENT, b"\xee\xee\xee\xee")
    for time, side, body, msg_id in messages:
        payload = Cipher(KEY, side).seal(Envelope(1, 2, msg_id, 1, body), seeded(3))
        records += dissector.feed(time, side, framing("intermediate", side).encode(payload))
    records += dissector.rest(0.0)
    return Transcript(tuple(Entry(0, record) for record in records))


def plain(row: Row, width: int = 80) -> list[str]:
    return ["".join(text for text, _ in line).rstrip() for line in row_lines(row, width)]


# Rows


def test_what_a_row_says() -> None:
    answer = pack_rpc_result(4, bytes(service.RpcError(error_code=400, error_message="NO")))
    drawn = rows(
        transcript(
            (1.0, Side.CLIENT, CONFIG_WANTED, 4),
            (1.25, Side.SERVER, pack_container([Message(1, 1, answer)]), 5),
            (2.0, Side.CLIENT, bytes(service.MsgsAck(msg_ids=[1, 99])), 8),
        )
    )
    opening, request, result, ack = drawn
    assert (opening.title, opening.note, opening.size) == ("intermediate", "ee ee ee ee", 4)
    assert (request.title, request.note, request.tone, request.time) == (
        "help.getConfig",
        "seq 1",
        "request",
        1.0,
    )
    assert [(item.title, item.depth, item.gist, item.tone) for item in result.items] == [
        ("msg_container", 0, "", "service"),
        ("rpc_result", 1, "to help.getConfig, after 250 ms", "answer"),
        ("rpc_error", 2, "400 NO", "error"),
    ]
    assert (result.title, result.tone) == ("msg_container", "error")
    assert (ack.tone, ack.items[0].gist) == ("ack", "of rpc_result, message 99")
    assert (
        summary(transcript((1.0, Side.CLIENT, CONFIG_WANTED, 4)))
        == "1 connection, 1 frame, 1 message, 80 bytes"
    )


def test_what_can_not_be_read_says_so() -> None:
    (_, closed) = rows(transcript((0.0, Side.CLIENT, CONFIG_WANTED, 4), known=False))
    assert (closed.title, closed.tone, closed.items) == ("encrypted message", "unknown", ())
    assert closed.note == f"under key {KEY.key_id.hex()}"
    (_, stranger) = rows(transcript((0.0, Side.CLIENT, bytes.fromhex("0403020105000000"), 4)))
    assert (stranger.items[0].title, stranger.items[0].tone) == ("01020304, in no schema", "unknown")


def test_wrappers_are_named_with_what_is_inside() -> None:
    from mtproto import api

    wrapped = bytes(
        api.InvokeWithLayer(layer=228, query=api.InvokeWithoutUpdates(query=api.help.GetConfig()))
    )
    (_, row) = rows(transcript((0.0, Side.CLIENT, wrapped, 4)))
    assert row.title == "invokeWithLayer › invokeWithoutUpdates › help.getConfig"


def test_values_in_few_words() -> None:
    value = {"_": "a.b", "n": 5, "b": {"hex": "00" * 20}, "l": [1] * 10, "o": {"_": "c"}, "t": True}
    assert brief(value) == (
        "n=5, b=0000000000000000… (20 bytes), l=[1, 1, 1, 1, 1, 1, 1, 1, …], o=c(), t=true"
    )
    assert brief({"_raw": "0001", "value": {"_": "c", "n": 1}}) == "n=1"
    assert brief({"_raw": "0001"}) == "0001"
    assert brief(["x"]) == "['x']"


# Lines


@pytest.mark.parametrize("width", [40, 60, 79, 80, 100, 120, 200])
def test_no_line_is_wider_than_it_may_be_and_lifelines_are_straight(width: int) -> None:
    room = max(width, 60)
    head = "".join(text for text, _ in heading(width))
    assert len(head) == room
    for row in rows(EXAMPLE):
        for line in row_lines(row, width):
            text = "".join(piece for piece, _ in line)
            assert len(text) == room
            assert (text[10], text[-1]) == ("│", "│")


def test_an_arrow_points_to_who_receives() -> None:
    _, request, answer = rows(
        transcript(
            (0.5, Side.CLIENT, CONFIG_WANTED, 4),
            (1.0, Side.SERVER, bytes(service.Pong(msg_id=4, ping_id=1)), 5),
        )
    )
    assert plain(request) == [
        "   0.500  │── help.getConfig  seq 1 ─────────────────────────────────── 76 B ─▶│"
    ]
    assert plain(answer)[0].startswith("   1.000  │◀─ pong  seq 1 ───")
    assert plain(answer)[0].endswith(" B ──│")


def test_findings_are_shown_whole() -> None:
    (_, row) = rows(transcript((0.0, Side.CLIENT, CODE[:-4], 4)))
    told = " ".join(line.strip(" │!") for line in plain(row, 60) if "!" in line or "│      " in line)
    for finding in row.items[0].said.findings:
        assert finding.split()[0] in told
    assert row.is_wrong


# The page


class Page(HTMLParser):
    """What elements a page has, whether they close, and what it asks for from elsewhere."""

    VOID = frozenset({"meta", "input", "br", "img", "link"})

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.counts: dict[str, int] = {}
        self.outside: list[str] = []
        self.ids: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "action", "onerror", "style", "srcset"):
                self.outside.append(f"{tag} {name}={value}")
            if name == "id":
                self.ids.append(str(value))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_page_is_whole_and_needs_nothing_from_elsewhere() -> None:
    text = html_page(EXAMPLE, SCHEMAS, title="talk")
    page = Page(text)
    assert not page.open
    assert not page.outside
    assert len(page.ids) == len(set(page.ids))
    assert not re.search(r"https?:|@import|url\(", text)
    said = [e.record for e in EXAMPLE.entries if isinstance(e.record, Said)]
    shown_text = "".join(page.texts)
    assert all(record.name in shown_text for record in said)
    assert text.count('<details class="said') == len(said)
    assert page.counts["section"] == len(rows(EXAMPLE))
    assert "PHONE_NUMBER_INVALID" in shown_text
    assert not re.search(r'data-i="\d+" class="bad"', text)  # nothing is wrong in it
    for tone in {tone for row in rows(EXAMPLE) for tone in row.tones}:
        assert f'value="{tone}" checked' in text
        assert TONES[tone] in shown_text


def test_every_byte_that_was_said_is_in_the_page() -> None:
    text = html_page(EXAMPLE, SCHEMAS)
    panels = re.findall(r'<div class="bytes">(.*?)</div>\s*<div class="fields">', text, re.DOTALL)
    there = ["".join(re.findall(r"<b data-i[^>]*>([0-9a-f]{2})</b>", panel)) for panel in panels]
    assert there == [e.record.body.hex() for e in EXAMPLE.entries if isinstance(e.record, Said)]


def test_what_a_peer_has_sent_is_text_to_the_browser_and_the_viewer() -> None:
    error = bytes(service.RpcError(error_code=400, error_message=HOSTILE.encode("utf-8", "replace").decode()))
    talk = transcript((0.0, Side.SERVER, pack_rpc_result(4, error), 5))
    page = Page(html_page(talk, SCHEMAS, title=HOSTILE))
    assert not page.outside
    assert "img" not in page.counts
    assert page.counts["script"] == 1
    expat.ParserCreate().Parse(svg_picture(rows(talk), HOSTILE), True)
    for row in rows(talk):
        assert all(line.isprintable() for line in plain(row))


def test_a_page_of_much_is_bounded() -> None:
    body = bytes(service.MsgsStateInfo(req_msg_id=4, info=bytes(200_000)))
    long = transcript(*((0.0, Side.SERVER, body, 5 + 4 * n) for n in range(40)))
    text = html_page(long, SCHEMAS)
    assert len(re.findall("<b data-i", text)) <= 128 * 1024
    assert "which this page has no more room for" in text
    assert "bytes more" in text


@pytest.mark.parametrize(("most", "left_out"), [(10_000, 0), (4 + 20, 2), (4 + 19, 3), (0, 4)])
def test_a_page_says_how_much_it_had_no_room_for(most: int, left_out: int) -> None:
    bodies = (bytes(service.Pong(msg_id=4 * n, ping_id=n)) for n in range(3))  # 20 bytes each
    said = ((0.0, Side.SERVER, body, 5 + 4 * n) for n, body in enumerate(bodies))
    talk = transcript((0.0, Side.CLIENT, bytes(4), 4), *said)
    drawn = draw_page(talk, SCHEMAS, most_shown=most)
    assert (drawn.messages, drawn.bytes) == (left_out, [0, 0, 40, 60, 64][left_out])
    assert drawn.text.count("which this page has no more room for") == left_out
    assert ("are left out" in drawn.text) is (left_out > 0)


@given(
    st.binary(max_size=60),
    st.sampled_from([b"", bytes.fromhex("dcf8f173"), bytes.fromhex("016d5cf3"), CODE[:8]]),
)
def test_any_body_can_be_drawn(body: bytes, start: bytes) -> None:
    talk = transcript((0.0, Side.SERVER, start + body, 5))
    Page(html_page(talk, SCHEMAS))
    expat.ParserCreate().Parse(svg_picture(rows(talk)), True)
    for row in rows(talk):
        assert all(len(line) <= 60 for line in plain(row, 60))
        for item in row.items:
            what = shown(item.said, SCHEMAS)
            leaves = [(leaf.start, leaf.end) for leaf in what.span.leaves() if leaf.end > leaf.start]
            assert sum(end - start for start, end in leaves) == len(what.data)


# The picture


def test_the_picture_of_the_documents_is_that_of_the_example() -> None:
    again = "mtproto transcript docs/examples/transcript.jsonl --svg docs/transcript.svg"
    assert PICTURE.read_text("utf-8") == svg_picture(rows(EXAMPLE)), f"draw it again: {again}"


def test_the_picture_is_well_formed_and_by_itself() -> None:
    text = svg_picture(rows(EXAMPLE))
    expat.ParserCreate().Parse(text, True)
    assert not re.search(r"https?:(?!//www\.w3\.org/2000/svg)|url\(|href", text)
    width = int(re.findall(r'width="(\d+)"', text)[0])
    places = re.findall(r'<text [^>]*x="([\d.]+)"[^>]*textLength="([\d.]+)"', text)
    assert len(places) > 50
    assert all(float(x) + float(length) <= width for x, length in places)
    assert text.count('<path class="bad line"') == 2  # the two refusals
