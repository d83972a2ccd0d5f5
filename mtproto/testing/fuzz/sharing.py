"""Findings shared between machines, by Hypothesis's databases: a directory, or a Redis server.

Under one key for each target stand inputs for which its invariant does not hold.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mtproto.testing.fuzz import FuzzError

if TYPE_CHECKING:
    from hypothesis.database import ExampleDatabase

__all__ = ["Shared"]

T = TypeVar("T")


class Shared:
    """The inputs that a database has for a target."""

    def __init__(self, database: ExampleDatabase, target: str) -> None:
        self._database = database
        self._key = b"mtproto fuzz " + target.encode()

    @classmethod
    def open(cls, where: str, target: str) -> Shared:
        """Open what ``--database`` names: a directory, or ``redis://host:port/number``."""
        scheme, there, _ = where.partition("://")
        if not there:
            database = _directory(where)
        elif scheme in ("redis", "rediss", "unix"):
            database = _redis(where)
        else:
            raise FuzzError(
                f"no database is known at {where}, expected a directory or redis://HOST:PORT/NUMBER"
            )
        return cls(database, target)

    def fetch(self) -> list[bytes]:
        """What there is, the shortest first."""
        return sorted(self._asked(lambda: set(self._database.fetch(self._key))), key=lambda d: (len(d), d))

    def save(self, data: bytes) -> None:
        """Let the others have an input."""
        self._asked(lambda: self._database.save(self._key, data))

    def remove(self, data: bytes) -> None:
        """The invariant holds for it now."""
        self._asked(lambda: self._database.delete(self._key, data))

    @staticmethod
    def _asked(ask: Callable[[], T]) -> T:
        try:
            return ask()
        except Exception as error:  # the database's own, of a module that may not be there
            raise FuzzError(f"the database does not answer: {type(error).__name__}: {error}") from error


def _directory(where: str) -> ExampleDatabase:
    """A directory that can be written to: Hypothesis says nothing of one that can't."""
    kind = _need("hypothesis.database", "mtwire[testing]").DirectoryBasedExampleDatabase
    try:
        Path(where).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=where):
            pass
    except OSError as error:
        raise FuzzError(f"no database can be written to {where}: {error.strerror}") from None
    database: ExampleDatabase = kind(where)
    return database


def _redis(where: str) -> ExampleDatabase:
    redis = _need("redis", "redis")
    shared = _need("hypothesis.extra.redis", "mtwire[testing]")
    try:
        database: ExampleDatabase = shared.RedisExampleDatabase(redis.Redis.from_url(where))
    except ValueError as error:
        raise FuzzError(f"{where}: {error}") from None
    return database


def _need(module: str, requirement: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise FuzzError(
            f'the database needs {error.name}, which is not installed: pip install "{requirement}"'
        ) from None
