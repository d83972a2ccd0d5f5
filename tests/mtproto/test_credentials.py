"""Credentials: to a file that only its owner can read and back, and what a damaged one is told to be."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtproto.credentials import Credentials
from mtproto.crypto.auth_key import AuthKey
from mtproto.errors import CredentialsError, MTProtoError
from mtproto.salts import Salt
from tests.mtproto.helpers import seeded

KEY = AuthKey(seeded(1)(256))
CREDENTIALS = Credentials(
    KEY,
    dc=-10002,
    server_salt=-(2**63),
    time_offset=-0.25,
    salts=(Salt(1_700_000_000, 1_700_003_600, 2**63 - 1), Salt(1_700_001_800, 1_700_005_400, -1)),
)


@pytest.fixture
def umask() -> Any:
    """The most generous one: what others may not do is then our own doing."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.parametrize("credentials", [CREDENTIALS, Credentials(KEY)])
def test_there_and_back(credentials: Credentials, tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    credentials.save(path)
    assert Credentials.load(path) == credentials
    assert Credentials.load(str(path)) == credentials
    assert Credentials.from_json(credentials.to_json()) == credentials
    assert json.loads(path.read_text())["auth_key"] == KEY.data.hex()


def test_the_key_is_not_shown() -> None:
    for text in (repr(CREDENTIALS), str(CREDENTIALS)):
        assert KEY.key_id.hex() in text
        assert KEY.data.hex()[:16] not in text
        assert repr(KEY.data)[2:12] not in text


@pytest.mark.usefixtures("umask")
def test_a_file_is_its_owner_s_alone_and_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text("something else")
    path.chmod(0o666)
    CREDENTIALS.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cant_be_written_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key.json"
    CREDENTIALS.save(path)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        Credentials(KEY).save(path)
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (before, [path])
    with pytest.raises(FileNotFoundError):
        CREDENTIALS.save(tmp_path / "missing" / "key.json")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o700 | 0o001])
def test_a_file_that_others_have_access_to_is_refused(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    CREDENTIALS.save(path)
    path.chmod(mode)
    with pytest.raises(CredentialsError, match=f"key.json: got mode {mode:04o}, expected 0600"):
        Credentials.load(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    for path in (tmp_path, pipe):
        with pytest.raises(CredentialsError, match=f"{path}: not a regular file"):
            Credentials.load(path)
    with pytest.raises(FileNotFoundError):
        Credentials.load(tmp_path / "missing")


def changed(**fields: object) -> Callable[[], str]:
    return lambda: json.dumps(json.loads(CREDENTIALS.to_json()) | fields)


def without(name: str) -> Callable[[], str]:
    return lambda: json.dumps({k: v for k, v in json.loads(CREDENTIALS.to_json()).items() if k != name})


DAMAGED: list[tuple[Callable[[], str | bytes], str]] = [
    (lambda: "", r"\$: Expecting value \(line 1 column 1\)"),
    (lambda: CREDENTIALS.to_json()[:-1], r"\$: Expecting"),
    (lambda: b"\xff\xfe\xfd", r"\$: "),
    (lambda: "[" * 50_000, r"\$: nested too deeply"),
    (lambda: CREDENTIALS.to_json() + " " * 70_000, r"\$: got \d+ bytes, expected at most 65536"),
    (lambda: CREDENTIALS.to_json().replace('"dc"', '"version": 1, "dc"'), r"\$: the name 'version' is there"),
    (lambda: "[]", r"\$: got an array, expected an object"),
    (lambda: "{}", r"\$: auth_key is missing"),
    (without("salts"), r"\$: salts is missing"),
    (changed(more=1), r"\$: got an unknown field 'more'"),
    (changed(version=2), r"\$\.version: got 2, expected 1"),
    (changed(version=True), r"\$\.version: got a boolean, expected a whole number"),
    (changed(dc="2"), r"\$\.dc: got a string, expected a whole number"),
    (changed(dc=2**31), r"\$\.dc: got 2147483648, expected -2147483648 to 2147483647"),
    (changed(server_salt=2**63), r"\$\.server_salt: got 9223372036854775808, expected -9223372036854775808"),
    (changed(server_salt=0.5), r"\$\.server_salt: got a number, expected a whole number"),
    (changed(time_offset="0"), r"\$\.time_offset: got a string, expected a number or null"),
    (changed(time_offset=1e300), r"\$\.time_offset: got 1e\+300, expected seconds from"),
    (changed(salts=None), r"\$\.salts: got null, expected an array"),
    (changed(salts=[1]), r"\$\.salts\[0\]: got a number, expected an object"),
    (changed(salts=[{"valid_since": 1, "valid_until": 2}]), r"\$\.salts\[0\]: value is missing"),
    (
        changed(salts=[{"valid_since": -1, "valid_until": 2, "value": 3}]),
        r"\$\.salts\[0\]\.valid_since: got -1, expected 0 to 4294967295",
    ),
    (changed(salts=[{}] * 65), r"\$\.salts: got 65 salts, expected at most 64"),
    (changed(auth_key=5), r"\$\.auth_key: got a number, expected a string"),
    (changed(auth_key=KEY.data.hex()[:-1]), r"\$\.auth_key: got 511 characters, expected 512 hexadecimal"),
    (changed(auth_key="g" + KEY.data.hex()[1:]), r"\$\.auth_key: got other characters, expected 512"),
    (changed(auth_key=" " * 512), r"\$\.auth_key: got other characters, expected 512"),
    (changed(auth_key_id="00" * 7), r"\$\.auth_key_id: got 14 characters, expected 16 hexadecimal"),
    (
        changed(auth_key="0" * 512),
        rf"\$\.auth_key: got the key [0-9a-f]{{16}}, expected {KEY.key_id.hex()}: it is damaged",
    ),
]


@pytest.mark.parametrize(("text", "said"), DAMAGED)
def test_what_is_damaged_is_told(text: Callable[[], str | bytes], said: str, tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match=f"^{said}") as caught:
        Credentials.from_json(text())
    assert KEY.data.hex()[2:20] not in str(caught.value)
    assert isinstance(caught.value, MTProtoError)
    assert isinstance(caught.value, ValueError)
    path = tmp_path / "key.json"
    path.touch(0o600)
    given = text()
    path.write_bytes(given if isinstance(given, bytes) else given.encode())
    with pytest.raises(CredentialsError, match=rf"key\.json: {said}"):
        Credentials.load(path)


def test_every_changed_digit_of_the_key_is_noticed() -> None:
    text = KEY.data.hex()
    for at in range(len(text)):
        digit = "0" if text[at] != "0" else "1"
        with pytest.raises(CredentialsError, match="damaged"):
            Credentials.from_json(changed(auth_key=text[:at] + digit + text[at + 1 :])())
