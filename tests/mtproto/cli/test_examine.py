"""``mtproto examine server``: a line for each conversation, and an account of those that have failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtproto.__main__ import main
from tests.mtproto.cli.processes import serving
from tests.mtproto.helpers import TEST_KEY


def test_our_server_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "key.pem"
    with serving("--public-key-out", str(path)) as server:
        arguments = ["examine", "server", server.address, "--key", str(path), "--quiet", "0.1"]
        assert main([*arguments, "--only", "C6"]) == 0
        assert main([*arguments, "--only", "g_b = 1", "--transport", "abridged", "--obfuscated"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out == [
        "ok           sanity, first",
        "ok      C6   a length that is no multiple of 4",
        "ok           sanity, last",
        "",
        "3 of 3 conversations went as they should",
        "ok           sanity, first",
        "ok      H8   g_b = 1",
        "ok           sanity, last",
        "",
        "3 of 3 conversations went as they should",
    ]


def test_another_key_fails_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "key.pem"
    path.write_text(TEST_KEY.public.to_pem())
    with serving() as server:
        arguments = ["examine", "server", server.address, "--key", str(path), "--only", "C6"]
        assert main(arguments) == 1
    out = capsys.readouterr().out
    assert out.startswith(
        "FAILED       sanity, first  right: agrees on a key, answers a request and a ping\n"
    )
    assert "\nsanity, first fails, seed=0\n  at node   1.4: the key exchange\n" in out
    assert "  got       transport error -404 " in out
    assert out.endswith("\n0 of 3 conversations went as they should\n")


def test_what_can_not_be_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "key.pem"
    path.write_text("no key")
    where = ["examine", "server", "127.0.0.1:1", "--key", str(path)]
    assert main(where) == 2
    assert main([*where, "--only", "C99"]) == 2
    err = capsys.readouterr().err
    assert f"mtproto examine: {path}: " in err
    assert "mtproto examine: no conversation is about 'C99'; the checks are S9, H8, H13, S1, " in err
    for wrong in (["--quiet", "0"], ["--patience", "soon"], ["--seed", "x"]):
        with pytest.raises(SystemExit) as caught:
            main([*where, *wrong])
        assert caught.value.code == 2
