"""Findings by way of Hypothesis's databases."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis.database import DirectoryBasedExampleDatabase

from mtproto.testing.fuzz import FuzzError
from mtproto.testing.fuzz.sharing import Shared

NAME = "tiny:target"


def test_a_directory_holds_what_one_saved_for_another(tmp_path: Path) -> None:
    one, other = (Shared.open(str(tmp_path / "db"), NAME) for _ in range(2))
    assert other.fetch() == []
    for data in (b"long", b"b", b"a", b""):
        one.save(data)
    assert other.fetch() == [b"", b"a", b"b", b"long"]
    assert Shared.open(str(tmp_path / "db"), "another").fetch() == []
    other.remove(b"a")
    assert one.fetch() == [b"", b"b", b"long"]
    key = b"mtproto fuzz tiny:target"
    assert set(DirectoryBasedExampleDatabase(tmp_path / "db").fetch(key)) == {b"", b"b", b"long"}


def test_a_directory_that_can_not_be_written_to(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(FuzzError, match=f"^no database can be written to {file}: File exists$"):
        Shared.open(str(file), NAME)
    with pytest.raises(FuzzError, match=f"^no database can be written to {file}/db: Not a directory$"):
        Shared.open(str(file / "db"), NAME)
    with pytest.raises(FuzzError, match=r"^no database can be written to /proc/self/db: "):
        Shared.open("/proc/self/db", NAME)
    with pytest.raises(FuzzError, match=r"^no database can be written to /proc/self: "):
        Shared.open("/proc/self", NAME)
    Shared.open(str(tmp_path / "db"), NAME)
    assert not [*(tmp_path / "db").iterdir()], "nothing is left of the trial"


class FakeRedis:
    """A server's sets, and the calls that Hypothesis makes."""

    stored: dict[bytes, set[bytes]]
    is_down = False

    @classmethod
    def from_url(cls, url: str) -> FakeRedis:
        if not url.startswith("redis://there"):
            raise ValueError(f"Port could not be cast in {url}")
        return cls()

    def pipeline(self) -> FakeRedis:
        self.results: list[Any] = []
        return self

    def _has(self, key: bytes) -> set[bytes]:
        return self.stored.setdefault(key, set())

    def sadd(self, key: bytes, value: bytes) -> None:
        self.results.append(value not in self._has(key))
        self._has(key).add(value)

    def srem(self, key: bytes, value: bytes) -> None:
        self.results.append(value in self._has(key))
        self._has(key).discard(value)

    def smembers(self, key: bytes) -> None:
        self.results.append(set(self._has(key)))

    def expire(self, key: bytes, after: object) -> None:
        self.results.append(True)

    def execute(self) -> list[Any]:
        if self.is_down:
            raise ConnectionError("refused")
        results, self.results = self.results, []
        return results

    def publish(self, channel: str, message: str) -> None:
        pass


@pytest.fixture
def redis(monkeypatch: pytest.MonkeyPatch) -> type[FakeRedis]:
    module = ModuleType("redis")
    module.Redis = FakeRedis  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "redis", module)
    monkeypatch.delitem(sys.modules, "hypothesis.extra.redis", raising=False)
    monkeypatch.setattr(FakeRedis, "stored", {}, raising=False)
    return FakeRedis


def test_redis(redis: type[FakeRedis], monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (Shared.open("redis://there:6379/0", NAME) for _ in range(2))
    one.save(b"long")
    one.save(b"a")
    assert other.fetch() == [b"a", b"long"]
    assert [*redis.stored] == [b"hypothesis-example:mtproto fuzz tiny:target"]
    other.remove(b"long")
    assert one.fetch() == [b"a"]
    monkeypatch.setattr(redis, "is_down", True)
    with pytest.raises(FuzzError, match="the database does not answer: ConnectionError: refused"):
        one.fetch()


def test_an_address_that_is_none(redis: type[FakeRedis]) -> None:
    with pytest.raises(FuzzError, match="redis://:x: Port could not be cast"):
        Shared.open("redis://:x", NAME)
    with pytest.raises(FuzzError, match="no database is known at http://x, expected a directory or redis://"):
        Shared.open("http://x", NAME)


@pytest.mark.parametrize(
    ("missing", "where", "said"),
    [
        ("redis", "redis://there", 'needs redis, which is not installed: pip install "redis"'),
        ("hypothesis.database", "db", r'needs .*, which is not installed: pip install "mtwire\[testing\]"'),
    ],
)
def test_what_is_missing(monkeypatch: pytest.MonkeyPatch, missing: str, where: str, said: str) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(FuzzError, match=said):
        Shared.open(where, NAME)
