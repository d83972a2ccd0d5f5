"""``mtproto serve``: one line when it is ready, one for each request, a clean end."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
import socket
import sys
from pathlib import Path

import pytest

from mtproto.__main__ import main
from mtproto.crypto.rsa import PublicKey
from mtproto.errors import LocalProtocolError
from tests.mtproto.cli.processes import serving

INVALID = '{"phone_number": "some string here", "settings": {}}'


def test_a_whole_life(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    with serving("--public-key-out", str(path)) as server:
        key = PublicKey.from_pem(path.read_text())
        assert path.read_text().startswith("-----BEGIN RSA PUBLIC KEY-----\n")
        assert server.ready == {
            "host": "127.0.0.1",
            "port": server.ready["port"],
            "fingerprint": f"{key.fingerprint % 2**64:016x}",
            "public_key": str(path),
        }
        where = ["--server", server.address, "--key", str(path)]
        assert main(["call", "help.getConfig", *where]) == 0
        assert main(["call", "account.sendVerifyPhoneCode", INVALID, *where]) == 1
        assert main(["call", "users.getUsers", '{"id": []}', *where]) == 1
        with socket.create_connection(("127.0.0.1", server.ready["port"])):
            status, out, err = server.stop(signal.SIGTERM)
    assert (status, out) == (0, "")
    line = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d 127\.0\.0\.1:\d+ (\S+) -> (.*)"
    requests = [re.fullmatch(line, logged) for logged in err.splitlines()]
    assert [match and match.groups() for match in requests] == [
        ("help.getConfig", "config"),
        ("account.sendVerifyPhoneCode", "400 PHONE_NUMBER_INVALID"),
        ("users.getUsers", "401 AUTH_KEY_UNREGISTERED"),
    ]


def test_sigint_is_a_clean_end_too() -> None:
    with serving() as server:
        key = PublicKey.from_pem(server.ready["public_key"])
        assert server.ready["fingerprint"] == f"{key.fingerprint % 2**64:016x}"
        assert server.ready["public_key"] == key.to_pem()
        assert server.stop(signal.SIGINT) == (0, "", "")


def test_refusals_are_logged_one_line_each(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    with serving("--public-key-out", str(path), "--transport", "padded", "--obfuscated") as server:
        for start in (b"GET / HTTP/1.1\r\n\r\n", b"\xef", b"\xdd"):
            with socket.create_connection(("127.0.0.1", server.ready["port"]), 10) as stranger:
                stranger.sendall(start)
                stranger.shutdown(socket.SHUT_WR)
                assert stranger.recv(1) == b""
        where = ["--server", server.address, "--key", str(path)]
        assert main(["call", "help.getConfig", *where, "--transport", "abridged", "--obfuscated"]) == 2
        assert main(["call", "help.getConfig", *where, "--transport", "padded", "--obfuscated"]) == 0
        err = server.stop()[2]
    http, plain, short, other, request = err.splitlines()
    head = r"\d{4}-\d\d-\d\dT\S+ 127\.0\.0\.1:\d+"
    assert re.fullmatch(head + r": this looks like an HTTP request \(GET\).*\[X11\]", http)
    refused = ": a transport that this server does not take: got {}, expected obfuscated padded \\[X11\\]"
    assert re.fullmatch(head + refused.format("abridged"), plain)
    assert re.fullmatch(head + r": the stream ends before it tells .*\[X11\]", short)
    assert re.fullmatch(head + refused.format("obfuscated abridged"), other)
    assert re.fullmatch(head + r" help\.getConfig -> config", request)


def test_a_transport_that_can_not_be_obfuscated(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--transport", "full", "--obfuscated"]) == 2
    assert capsys.readouterr() == ("", "mtproto serve: the full framing can't be obfuscated\n")


def test_a_port_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    reason = os.strerror(errno.EADDRINUSE)
    assert err == f"mtproto serve: can't listen on 127.0.0.1:{port}: {reason}\n"


def test_an_ipv6_port_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        taken = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("there is no IPv6 here")
    with taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--host", "::1", "--port", str(port)]) == 2
    assert f"can't listen on [::1]:{port}: {os.strerror(errno.EADDRINUSE)}\n" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["192.0.2.1", "a..b"])
def test_a_host_that_is_not_ours(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--host", host]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    warning, error = err.splitlines()
    assert warning == f"warning: '{host}' can be reached from elsewhere, and this is a test server"
    assert error.startswith("mtproto serve: can't listen on ")


def test_a_key_file_that_can_not_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "missing" / "key.pem"
    assert main(["serve", "--public-key-out", str(path)]) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"mtproto serve: {path}: No such file or directory\n")


@pytest.mark.parametrize("port", ["-1", "65536", "http", "٣", "1" * 5000])
def test_ports_that_are_none(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["serve", f"--port={port}"])
    assert caught.value.code == 2
    assert f"got '{port}', expected a port from 0 to 65535" in capsys.readouterr().err


def test_key_exchanges_that_do_not_go_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "key.pem"
    for options, said in (
        (["--dc", "5"], "transport error -444"),
        (["--dh-gen-fail"], "dh_gen_fail"),
        (["--dh-gen-retries", "6"], "more than 5 retries"),
        (["--dh-gen-retries", "5", "--dc", "2"], ""),
    ):
        with serving("--public-key-out", str(path), *options) as server:
            status = main(["call", "help.getConfig", "--server", server.address, "--key", str(path)])
            assert (status, said in capsys.readouterr().err) == (2 if said else 0, True)
            assert server.stop(signal.SIGTERM)[0] == 0
    assert main(["serve", "--dh-gen-retries", "-1"]) == 2
    assert "got -1 retries" in capsys.readouterr().err


def test_a_strict_server_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bool] = []

    def serve(**options: object) -> None:
        made.append(options["strict"] is True)
        raise LocalProtocolError("it is made")

    monkeypatch.setattr("mtproto.testing.serve", serve)
    for arguments in ([], ["--strict"]):
        assert main(["serve", *arguments]) == 2
    assert made == [False, True]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
def test_more_connections_than_a_process_may_open_without_asking(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    few = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 1024))"
    with serving("--public-key-out", str(path), prelude=few) as server, contextlib.ExitStack() as stack:
        for _ in range(150):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.ready["port"]), 10))
        assert main(["call", "help.getConfig", "--server", server.address, "--key", str(path)]) == 0
        assert "Too many open files" not in server.stop(signal.SIGTERM)[2]
