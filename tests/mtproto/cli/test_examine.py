"""``mtproto examine``: a line for each conversation, and an account of those that have failed."""

from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path

import pytest

from mtproto.__main__ import main
from tests.mtproto.cli.processes import serving, start
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
    assert "\n0 of 3 conversations went as they should\nThe sane one did not: " in out


def test_what_can_not_be_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "key.pem"
    path.write_text("no key")
    where = ["examine", "server", "127.0.0.1:1", "--key", str(path)]
    assert main(where) == 2
    assert main([*where, "--only", "C99"]) == 2
    err = capsys.readouterr().err
    assert f"mtproto examine: {path}: " in err
    assert "mtproto examine: no conversation is about 'C99'; the checks are S9, H8, H13, S1, " in err
    for wrong in (
        ["--quiet", "0"],
        ["--patience", "soon"],
        ["--seed", "x"],
        ["--jobs", "0"],
        ["--limit", "x"],
    ):
        with pytest.raises(SystemExit) as caught:
            main([*where, *wrong])
        assert caught.value.code == 2


def test_a_server_that_is_not_there_is_one_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "key.pem"
    path.write_text(TEST_KEY.public.to_pem())
    assert main(["examine", "server", "127.0.0.1:1", "--key", str(path)]) == 2
    assert "mtproto examine: no connection to 127.0.0.1:1: " in capsys.readouterr().err


CLIENT = """
import asyncio, sys, mtproto
from mtproto import api

async def main(host, port, key):
    async with mtproto.connect(host, int(port), keys=[open(key).read()], reconnect=None) as client:
        await client.invoke(api.help.GetConfig())

try:
    asyncio.run(main(*sys.argv[1:]))
except Exception as error:
    sys.exit(f"it fails: {type(error).__name__}")
"""
COMMAND = ["--", sys.executable, "-c", CLIENT, "{host}", "{port}", "{key}"]


def test_a_server_that_says_nothing_is_one_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "key.pem"
    path.write_text(TEST_KEY.public.to_pem())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        assert main(["examine", "server", address, "--key", str(path), "--patience", "0.05"]) == 2
    told = f"mtproto examine: sanity, first: {address} took the connection, and said nothing\n"
    assert capsys.readouterr().err == told


def test_our_client_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["examine", "client", "--only", "dh_gen_fail with", "--jobs", "2", *COMMAND]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "ok           sanity, first",
        "ok      H10  dh_gen_fail with a wrong hash",
        "ok           sanity, last",
        "",
        "3 of 3 conversations went as they should",
    ]


def test_a_client_that_speaks_something_else(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["examine", "client", "--only", "C6", "--transport", "full", "--patience", "5"]
    assert main([*arguments, *COMMAND]) == 1
    out = capsys.readouterr().out
    assert "\n  got       something unreadable: a transport that this server does not take" in out
    assert "\n  the client ended with exit status 1, having said:\n    it fails: " in out
    assert out.endswith("The sane one did not: then what else went as it should says little.\n")


def test_clients_that_can_not_be_examined(capsys: pytest.CaptureFixture[str]) -> None:
    examine = ["examine", "client", "--only", "C6", "--"]
    assert main([*examine, "nosuchcommand", "{port}"]) == 2
    assert main([*examine, sys.executable, "-c", "", "{host}"]) == 2
    assert main([*examine, sys.executable, "-c", "print('no'); exit(4)", "{port}"]) == 2
    said, lost, no, absent = capsys.readouterr().err.splitlines()
    assert said == "mtproto examine: there is no command 'nosuchcommand' that can be run"
    assert lost.endswith("there is no {port} in it")
    assert no == "no"
    assert absent.startswith("mtproto examine: sanity, first: the client did not connect to 127.0.0.1:")
    assert absent.endswith("before it ended; it ended with exit status 4")


def test_whoever_ends_the_command_ends_the_client(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    code = f"import os, signal; open({str(path)!r}, 'w').write(f'{{os.getpid()}}.'); signal.pause()"
    examine = ["examine", "client", "--patience", "60", "--", sys.executable, "-c", code, "{port}"]
    with start(*examine) as process:
        while not path.exists() or not path.read_text().endswith("."):
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 130
    stat = Path("/proc") / path.read_text().strip(".") / "stat"
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"
