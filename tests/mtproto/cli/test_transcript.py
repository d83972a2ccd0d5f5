"""``mtproto transcript``, and ``mtproto demo --transcript``, as processes."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest

from mtproto.testing.transcript import Said, Transcript
from tests.mtproto.cli.processes import ROOT, run, serving
from tests.mtproto.testing.transcript.example import KEY_LOG, TRANSCRIPT

EXAMPLE = str(TRANSCRIPT.relative_to(ROOT))
KEYS = str(KEY_LOG.relative_to(ROOT))


def test_the_ladder_fits_a_narrow_terminal() -> None:
    pytest.importorskip("rich", reason="rich is not installed: the ladder needs it")
    status, out, err = run("transcript", EXAMPLE, COLUMNS="80")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert max(map(len, lines)) == 80
    assert lines[0] == " seconds  client" + " " * 58 + "server"
    assert sum("▶│" in line for line in lines) == 9
    assert sum("│◀" in line for line in lines) == 7
    assert any("400 PHONE_NUMBER_INVALID" in line for line in lines)
    assert lines[-1] == "1 connection, 15 frames, 22 messages, 2,832 bytes"
    assert "\x1b" not in out


def test_the_ladder_is_as_wide_as_the_terminal() -> None:
    pytest.importorskip("rich", reason="rich is not installed: the ladder needs it")
    for columns, width in ((20, 60), (200, 200), (300, 200)):
        _, out, _ = run("transcript", EXAMPLE, COLUMNS=str(columns))
        assert max(map(len, out.splitlines())) == width


def test_a_terminal_without_arrows_gets_some_of_ascii() -> None:
    pytest.importorskip("rich", reason="rich is not installed: the ladder needs it")
    _, drawn, _ = run("transcript", EXAMPLE, COLUMNS="80")
    status, out, err = run("transcript", EXAMPLE, COLUMNS="80", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (status, err) == (0, "")
    assert out == drawn.translate(str.maketrans("│─▶◀…", "|-><~"))
    assert "->|" in out
    _, coloured, _ = run(
        "transcript",
        EXAMPLE,
        COLUMNS="80",
        PYTHONIOENCODING="ascii",
        PYTHONUTF8="0",
        FORCE_COLOR="1",
        TERM="xterm",
    )
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == out


def test_colours_on_a_terminal() -> None:
    pytest.importorskip("rich", reason="rich is not installed: the ladder needs it")
    _, plain, _ = run("transcript", EXAMPLE, COLUMNS="80")
    _, out, _ = run("transcript", EXAMPLE, COLUMNS="80", FORCE_COLOR="1", TERM="xterm")
    assert "\x1b[1;31mbad_server_salt" in out
    assert re.sub(r"\x1b\[[\d;]*m", "", out) == plain


def test_bytes() -> None:
    pytest.importorskip("rich", reason="rich is not installed: the ladder needs it")
    _, out, _ = run("transcript", "--bytes", EXAMPLE, COLUMNS="80")
    assert "  0004  0c 2b 31 32 30 32 35 35  phone_number     '+12025550123'\n" in out
    assert "req_msg_id" in out
    assert max(map(len, out.splitlines())) == 80


def test_json_is_the_transcript_with_what_keys_open(tmp_path: Path) -> None:
    status, out, _ = run("transcript", "--json", EXAMPLE)
    assert (status, out) == (0, TRANSCRIPT.read_text("utf-8"))
    blind = tmp_path / "blind.jsonl"
    blind.write_text("\n".join(Transcript.load(TRANSCRIPT).again().lines()))
    status, out, _ = run("transcript", "--json", str(blind))
    assert "help.getConfig" not in out
    assert "account.sendVerifyPhoneCode" not in out
    status, out, _ = run("transcript", "--json", str(blind), "--keys", KEYS)
    assert status == 0
    said = [r.name for e in Transcript.parse(out.splitlines()).entries if isinstance(r := e.record, Said)]
    assert "account.sendVerifyPhoneCode" in said
    assert "client_DH_inner_data" in said


def test_keys_of_something_else_close_nothing_and_that_is_said(tmp_path: Path) -> None:
    other = tmp_path / "other.keys"
    other.write_text(f"NEW_NONCE {'01' * 16} {'02' * 32}\n")
    status, out, err = run("transcript", "--json", EXAMPLE, "--keys", str(other))
    assert (status, out) == (0, TRANSCRIPT.read_text("utf-8"))
    assert err == f"mtproto transcript: {other}: it opens nothing that was not open\n"


def test_the_page_and_the_picture(tmp_path: Path) -> None:
    page, picture = tmp_path / "talk.html", tmp_path / "talk.svg"
    status, out, _ = run("transcript", EXAMPLE, "--html", str(page))
    assert (status, out) == (0, f"{page}: 1 connection, 15 frames, 22 messages, 2,832 bytes\n")
    assert page.read_text("utf-8").startswith("<!DOCTYPE html>")
    status, _, _ = run("transcript", EXAMPLE, "--svg", str(picture))
    assert picture.read_text("utf-8") == (ROOT / "docs" / "transcript.svg").read_text("utf-8")


def test_a_page_without_room_for_all_is_mentioned(tmp_path: Path) -> None:
    page = tmp_path / "talk.html"
    status, out, _ = run("transcript", EXAMPLE, "--html", str(page), "--html-bytes", "1000")
    found = re.search("\nthe bytes of (\\d+) messages are left out ", out)
    assert found is not None
    assert "--html-bytes N makes room for more" in out
    assert page.read_text("utf-8").count("no more room") == int(found[1])
    status, _, err = run("transcript", EXAMPLE, "--html-bytes", "1000")
    assert status == 2
    assert "--html-bytes goes with --html" in err
    status, _, err = run("transcript", EXAMPLE, "--html", str(page), "--html-bytes", "many")
    assert status == 2
    assert "got 'many', expected a whole number of bytes" in err


def test_from_stdin() -> None:
    status, out, _ = run("transcript", "--json", "-", stdin=TRANSCRIPT.read_text("utf-8"))
    assert (status, out) == (0, TRANSCRIPT.read_text("utf-8"))


def test_what_is_wrong_is_the_exit_status(tmp_path: Path) -> None:
    lines = TRANSCRIPT.read_text("utf-8").splitlines()
    wrong = json.loads(lines[-1]) | {"findings": ["something is wrong"]}
    (tmp_path / "wrong.jsonl").write_text("\n".join([*lines[:-1], json.dumps(wrong)]))
    assert run("transcript", "--json", str(tmp_path / "wrong.jsonl"))[0] == 1
    (tmp_path / "broken.jsonl").write_text("\n".join([*lines[:4], "nonsense"]))
    status, out, err = run("transcript", str(tmp_path / "broken.jsonl"))
    assert (status, out) == (2, "")
    assert re.fullmatch(r"mtproto transcript: .*broken\.jsonl: line 5: .*\n", err)
    status, _, err = run("transcript", "nowhere.jsonl")
    assert (status, err) == (2, "mtproto transcript: nowhere.jsonl: No such file or directory\n")
    status, _, err = run("transcript", EXAMPLE, "--keys", EXAMPLE)
    assert status == 2
    assert "line 1: got " in err


@pytest.mark.parametrize(
    "way", [(), ("--transport", "padded"), ("--mtproxy-secret", "dd" + "07" * 16)], ids=str
)
def test_the_demonstration_is_recorded(tmp_path: Path, way: tuple[str, ...]) -> None:
    talk, keys = tmp_path / "talk.jsonl", tmp_path / "talk.keys"
    status, _, err = run("demo", "--quiet", "--transcript", str(talk), "--key-log", str(keys), *way)
    assert (status, err) == (0, "")
    transcript = Transcript.load(talk)
    names = [e.record.name for e in transcript.entries if isinstance(e.record, Said)]
    assert {
        "p_q_inner_data_dc",
        "server_DH_inner_data",
        "account.sendVerifyPhoneCode",
        "auth.sentCode",
    } <= set(names)
    assert not [e for e in transcript.entries if e.record.findings]
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    assert [line.split()[0] for line in keys.read_text().splitlines()] == ["NEW_NONCE", "AUTH_KEY"]


def test_a_call_and_the_server_that_it_goes_to_are_recorded(tmp_path: Path) -> None:
    ours, theirs, pem = (str(tmp_path / name) for name in ("call.jsonl", "serve.jsonl", "key.pem"))
    with serving("--transcript", theirs, "--public-key-out", pem) as server:
        for _ in range(2):
            status, _, err = run(
                "call", "help.getConfig", "--server", server.address, "--key", pem, "--transcript", ours
            )
            assert (status, err) == (0, "")
        assert server.stop()[0] == 0
    client, both = Transcript.load(ours), Transcript.load(theirs)
    assert sorted(client.streams()) == [0]
    assert sorted(both.streams()) == [0, 1]
    for records in (*client.streams().values(), *both.streams().values()):
        names = [record.name for record in records if isinstance(record, Said)]
        assert {"client_DH_inner_data", "help.getConfig", "config"} <= set(names)
        assert ("p_q_inner_data_dc" in names) is (records not in client.streams().values())
        assert not [record for record in records if record.findings]


def test_a_key_log_alone_records_nothing(tmp_path: Path) -> None:
    status, _, err = run("demo", "--quiet", "--key-log", str(tmp_path / "keys"))
    assert status == 2
    assert "--key-log goes with --transcript" in err
    assert not list(tmp_path.iterdir())


def test_a_key_log_in_the_transcript_itself_is_refused(tmp_path: Path) -> None:
    both = str(tmp_path / "talk")
    status, _, err = run("demo", "--quiet", "--transcript", both, "--key-log", both)
    assert status == 2
    assert "--transcript and --key-log are one file" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["--html", "--svg"])
def test_a_drawing_does_not_take_the_place_of_what_is_read(option: str, tmp_path: Path) -> None:
    talk, keys = tmp_path / "talk.jsonl", tmp_path / "talk.keys"
    talk.write_bytes(Path(EXAMPLE).read_bytes())
    keys.write_text("")
    (tmp_path / "link").symlink_to(talk)
    for place in ("talk.jsonl", "talk.keys", "link"):
        status, out, err = run("transcript", str(talk), "--keys", str(keys), option, str(tmp_path / place))
        assert (status, out) == (2, "")
        assert f"{tmp_path / place} is what is read: the drawing has to go to another file" in err
    assert talk.read_bytes() == Path(EXAMPLE).read_bytes()
    assert keys.read_text() == ""
