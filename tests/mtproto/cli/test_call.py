"""``mtproto call``: JSON in, JSON out, errors in one line."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtproto import AuthKey, Credentials
from mtproto.__main__ import main
from mtproto.crypto.telegram_keys import TEST_KEYS
from tests.mtproto.cli.processes import TIMEOUT, Server, run, serving, start
from tests.mtproto.crypto.keys import TEST_KEY_PEM

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
SEND = "account.sendVerifyPhoneCode"
REQUEST = json.dumps(
    {
        "phone_number": "+12025550123",
        "settings": {"_": "codeSettings", "logout_tokens": [{"hex": "61726269"}], "allow_app_hash": True},
    }
)
ANSWER = {
    "_": "auth.sentCode",
    "type": {"_": "auth.sentCodeTypeSms", "length": 5},
    "phone_code_hash": "0123456789abcdef01",
    "next_type": {"_": "auth.codeTypeCall"},
    "timeout": 60,
}


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("call") / "server.pem"


@pytest.fixture(scope="module")
def server(key_file: Path) -> Iterator[Server]:
    arguments = ["--public-key-out", str(key_file), "--phone-code-hash", "0123456789abcdef01"]
    with serving(*arguments) as running:
        yield running


def check(capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, *words: str) -> None:
    """The command fails with one line that has all the words."""
    assert main(["call", *arguments]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("mtproto call: ")
    assert err.endswith("\n")
    assert err.count("\n") == 1
    for word in words:
        assert word in err


@pytest.mark.parametrize(
    "options",
    [
        *(["--transport", name] for name in ("abridged", "intermediate", "padded", "full")),
        *(["--obfuscated", "--transport", name] for name in ("abridged", "intermediate", "padded")),
        [],
    ],
    ids=" ".join,
)
def test_a_server_elsewhere(
    options: list[str], server: Server, key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--server", server.address, "--key", str(key_file), *options]
    assert main(["call", SEND, REQUEST, *where]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out) == ANSWER
    assert out.count("\n") == 1


def test_an_auth_key_is_agreed_once_and_kept_in_a_file(
    server: Server, key_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "auth_key.json"
    where = ["--server", server.address, "--key", str(key_file), "--auth-key-file", str(path)]
    assert main(["call", SEND, REQUEST, *where]) == 0
    before = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Credentials.load(path).dc == 2
    capsys.readouterr()
    for _ in range(2):
        assert main(["call", SEND, REQUEST, *where]) == 0
        assert json.loads(capsys.readouterr().out) == ANSWER
    assert path.read_bytes() == before
    path.chmod(0o644)
    check(capsys, [SEND, REQUEST, *where], 2, f"{path}: got mode 0644, expected 0600")
    path.chmod(0o600)
    path.write_text(before.decode()[:-10])
    check(capsys, [SEND, REQUEST, *where], 2, f"{path}: $: ")
    assert len(list(tmp_path.iterdir())) == 1


def test_an_auth_key_that_the_server_does_not_know_is_not_replaced(
    server: Server, key_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "auth_key.json"
    Credentials(AuthKey(bytes(range(256)))).save(path)
    before = path.read_bytes()
    where = ["--server", server.address, "--key", str(key_file), "--auth-key-file", str(path)]
    check(capsys, [SEND, REQUEST, *where], 2, f"{path}: transport error -404", "another key is agreed on")
    assert path.read_bytes() == before


def test_an_auth_key_that_cant_be_written(
    server: Server, key_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "missing" / "auth_key.json"
    where = ["--server", server.address, "--key", str(key_file), "--auth-key-file", str(path)]
    check(capsys, [SEND, REQUEST, *where], 2, str(path.parent), "No such file or directory")


def test_a_server_behind_a_proxy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret, path = "00112233445566778899aabbccddeeff", tmp_path / "key.pem"
    with serving("--public-key-out", str(path), "--mtproxy-secret", secret) as server:
        where = ["call", SEND, REQUEST, "--server", server.address, "--key", str(path)]
        for known in (secret, "dd" + secret):
            assert main([*where, "--mtproxy-secret", known]) == 0
            assert json.loads(capsys.readouterr().out)["_"] == "auth.sentCode"
        for options in ([], ["--obfuscated"], ["--mtproxy-secret", secret[::-1]], ["--transport", "full"]):
            assert main([*where, *options]) == 2
            assert "closed" in capsys.readouterr().err


def test_the_embedded_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["call", "help.getConfig", "--api-id", "12345"]) == 0
    config = json.loads(capsys.readouterr().out)
    assert config["_"] == "config"
    assert config["dc_options"][0]["_"] == "dcOption"


def test_an_api_id_is_sent(capsys: pytest.CaptureFixture[str]) -> None:
    check(
        capsys,
        ["help.getConfig", "--api-id", "2147483648"],
        2,
        "api_id: got 2147483648, expected -2147483648",
    )


def test_json_from_stdin() -> None:
    status, out, err = run("call", SEND, "-", stdin=REQUEST)
    assert (status, err) == (0, "")
    assert json.loads(out).keys() == ANSWER.keys()


def test_stdin_that_is_no_utf_8() -> None:
    with start("call", SEND, "-") as process:
        assert process.stdin is not None
        os.write(process.stdin.fileno(), b'{"phone_number": "\xff"}')
        out, err = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, out) == (2, "")
    assert err.startswith("mtproto call: JSON: 'utf-8' codec can't decode byte 0xff")
    assert err.count("\n") == 1


def test_an_error_of_the_server_s(capsys: pytest.CaptureFixture[str]) -> None:
    request = json.dumps({"phone_number": "some string here", "settings": {}})
    check(capsys, [SEND, request], 1, f"{SEND}: 400 PHONE_NUMBER_INVALID: The number is not valid.")
    check(capsys, ["users.getUsers", '{"id": []}'], 1, "users.getUsers: 401 AUTH_KEY_UNREGISTERED")


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (
            "account.sendVerifyPhonCode",
            ["unknown method", "layer 228", "did you mean account.sendVerifyPhoneCode"],
        ),
        ("sendverifyphonecode", ["did you mean account.sendVerifyPhoneCode"]),
        ("zzzzzz", ["unknown method 'zzzzzz'", "help.getConfig"]),
        ("auth.sentCode", ["auth.sentCode is a constructor of auth.SentCode, expected a function"]),
        ("a\x1b[31m\n", ["'a\\x1b[31m\\n'"]),
    ],
)
def test_methods_that_are_none(method: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    check(capsys, [method], 2, *words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", ["JSON: ", "(line 1 column 2)"]),
        ("", ["JSON: Expecting value (line 1 column 1)"]),
        ('{"phone_number": NaN}', ["JSON: NaN is no JSON"]),
        ('{"phone_number": "1", "phone_number": "2"}', ["JSON: the name 'phone_number' is there twice"]),
        ("[" * 100_000, ["JSON: nested too deeply"]),
        (f'{{"x": {"1" * 310}}}', ["JSON: a whole number of 310 digits, expected at most 309\n"]),
        ("-" + "1" * 100_000, ["JSON: a whole number of 100000 digits, expected at most 309\n"]),
        ("9" * 309, ["$: got int, expected an object"]),
        (
            '{"phone_number": "1", "settings": {"logout_tokens": [{"hex": "abc"}]}}',
            ["$.settings.logout_tokens[0].hex: "],
        ),
        ('{"phone": "1"}', [f"$.phone: unknown field of {SEND}", "did you mean phone_number?"]),
    ],
)
def test_json_that_will_not_do(text: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    check(capsys, [SEND, text], 2, *words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "the following arguments are required: METHOD"),
        (["help.getConfig", "--server", "127.0.0.1:1"], "--server and --key go together"),
        (["help.getConfig", "--key", "k.pem"], "--server and --key go together"),
        (["help.getConfig", "--server", "127.0.0.1", "--key", "k"], "expected HOST:PORT"),
        (["help.getConfig", "--server", "::1:443", "--key", "k"], "expected HOST:PORT"),
        (["help.getConfig", "--server", "h:70000", "--key", "k"], "expected a port from 1 to 65535"),
        (["help.getConfig", "--server", "127.0.0.1:0", "--key", "k"], "got '0', expected a port from 1 to"),
        (["help.getConfig", "--server", "[::1]:0", "--key", "k"], "got '0', expected a port from 1 to"),
        (["help.getConfig", "--api-id", "x"], "--api-id"),
        (["help.getConfig", "--auth-key-file", "f"], "--auth-key-file goes with --server or --dc"),
    ],
)
def test_wrong_arguments(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["call", *arguments])
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert "usage: mtproto call" in err
    assert words in err


def test_keys_that_will_not_do(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["help.getConfig", "--server", server.address, "--key"]
    missing, junk, other = tmp_path / "missing", tmp_path / "junk", tmp_path / "other"
    check(capsys, [*where, str(missing)], 2, f"{missing}: No such file or directory")
    junk.write_text("junk")
    check(capsys, [*where, str(junk)], 2, f"{junk}: not the PEM of a public key")
    for pem, label in ((TEST_KEY_PEM, "RSA PRIVATE KEY"), (CERTIFICATE, "CERTIFICATE")):
        junk.write_text(pem)
        check(capsys, [*where, str(junk)], 2, f"{junk}: PEM labelled {label}, expected a public key")
    other.write_text(TEST_KEYS[0].to_pem())
    check(capsys, [*where, str(other)], 2, "[H")


def test_a_server_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = tmp_path / "key"
    key.write_text(TEST_KEYS[0].to_pem())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for address, words in (
        (f"127.0.0.1:{port}", f"can't connect to 127.0.0.1:{port}"),
        (f"[::1]:{port}", f"can't connect to [::1]:{port}"),
        (f"a..b:{port}", "not a host name"),
    ):
        check(capsys, ["help.getConfig", "--server", address, "--key", str(key)], 2, words)


def test_a_peer_that_closes(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(TEST_KEYS[0].to_pem())
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(TIMEOUT)
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        with start("call", "help.getConfig", "--server", address, "--key", str(key)) as process:
            listening.accept()[0].close()
            out, err = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, out) == (2, "")
    assert err.startswith("mtproto call: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(("transport", "prefix"), [("abridged", b"\xef"), ("intermediate", b"\xee" * 4)])
def test_an_interrupt_is_quiet(transport: str, prefix: bytes, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(TEST_KEYS[0].to_pem())
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(TIMEOUT)
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        where = ["--server", address, "--key", str(key), "--transport", transport]
        with start("call", "help.getConfig", *where) as process:
            peer, _ = listening.accept()
            with peer:
                peer.settimeout(TIMEOUT)
                assert peer.recv(len(prefix)) == prefix  # now it waits for an answer, which never comes
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, out, err) == (130, "", "")
