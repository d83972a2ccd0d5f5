"""What `@pytest.mark.mtproto` says of a test: all its marks put together, the nearest first, and checked."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

import pytest

if TYPE_CHECKING:
    from mtproto.errors import MTProtoError

__all__ = ["CLIENT", "MARK", "PAIR", "SERVER", "Settings", "Wire", "is_concerned", "settings_of"]

MARK: Final = "mtproto"
PAIR, SERVER, CLIENT = "mtproto_pair", "mtproto_server", "mtproto_client"
_ALL: Final = (PAIR, SERVER, CLIENT)
_KEYWORDS: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(("transports", "obfuscated", "mtproxy_secret", "seed"), _ALL),
    **dict.fromkeys(("handlers", "faults", "strict", "deadlines", "key", "check"), (PAIR, SERVER)),
    **dict.fromkeys(("network", "skew", "knows_time", "start", "begun", "errors"), (PAIR,)),
    **dict.fromkeys(("key_exchange", "phone_code_hash", "grace"), (SERVER,)),
    **dict.fromkeys(("max_connections", "max_backlog", "max_pending"), (SERVER,)),
    **dict.fromkeys(("temp_key_lifetime", "keep_alive", "reconnect"), (PAIR, CLIENT)),
    "api_id": (CLIENT,),
}
"""Each keyword of the mark, and the fixtures that it is for."""
_OURS: Final = ("transports", "obfuscated", "seed", "check", "errors")
"""Those that are no arguments of what the fixtures make."""
_OBFUSCATED: Final = "obfuscated "


class Wire(NamedTuple):
    """How a client and a server speak: arguments of `mtproto.connect`, and of others."""

    transport: str | None = None
    obfuscated: bool = False

    def __str__(self) -> str:
        return f"{_OBFUSCATED if self.obfuscated else ''}{self.transport or 'any'}".replace(" ", "-")


@dataclass(frozen=True, slots=True)
class Settings:
    """The keywords of all marks of a test."""

    values: dict[str, Any]

    @property
    def wire(self) -> Wire:
        """What is spoken where there are no `transports`."""
        return Wire(None, self.values.get("obfuscated", False))

    @property
    def is_checked(self) -> bool:
        """Whether it is looked at what is left of the fixtures after the test."""
        is_checked: bool = self.values.get("check", True)
        return is_checked

    @property
    def errors(self) -> tuple[type[MTProtoError], ...]:
        """With what calls may end: what the mark says, and the errors of its faults and of its network."""
        network = self.values.get("network")
        causes = (*self.values.get("faults", ()), *(() if network is None else (network,)))
        return (*self.values.get("errors", ()), *(error for cause in causes for error in cause.errors))

    def of(self, fixture: str) -> dict[str, Any]:
        """The arguments of what this fixture makes."""
        return {
            name: value
            for name, value in self.values.items()
            if fixture in _KEYWORDS[name] and name not in _OURS
        }

    def wires(self) -> list[Wire] | None:
        """What a test is to be tried over, one after the other; None where the mark has no `transports`."""
        transports = self.values.get("transports")
        if transports is None:
            return None
        obfuscated = self.values.get("obfuscated")
        possible = _possible()
        if transports == "all":
            return [wire for wire in possible.values() if obfuscated in (None, wire.obfuscated)]
        if isinstance(transports, str) or not isinstance(transports, Iterable):
            _wrong(f'got {transports!r:.60} for transports, expected "all" or a list of names')
        found = {_wire(name, bool(obfuscated), possible): None for name in transports}
        if not found:
            _wrong("got no transports: the test would never run")
        return list(found)


def _possible() -> dict[str, Wire]:
    """All that can be spoken, by names such as "padded" and "obfuscated padded"."""
    from mtproto.transport import FRAMINGS
    from mtproto.transport.obfuscation import TAGS

    return {
        **{name: Wire(name) for name in FRAMINGS},
        **{f"{_OBFUSCATED}{cls.name}": Wire(cls.name, True) for cls in TAGS.values()},
    }


def _wire(name: object, obfuscated: bool, possible: dict[str, Wire]) -> Wire:
    full = f"{_OBFUSCATED}{name}" if obfuscated and not str(name).startswith(_OBFUSCATED) else name
    if not isinstance(full, str) or full not in possible:
        _wrong(f"got {full!r:.60} among transports, expected one of: {', '.join(possible)}")
    return possible[full]


def is_concerned(node: pytest.Item) -> bool:
    """Whether a test has the mark, or one of the fixtures."""
    names: Collection[str] = getattr(node, "fixturenames", ())
    return node.get_closest_marker(MARK) is not None or "mtproto_transport" in names


def settings_of(node: pytest.Item, fixtures: Collection[str] | None = None) -> Settings:
    """What the marks of a test say; raise CollectError for what can't be.

    With the test's `fixtures`, what its own marks say has to be for one of them.
    """
    values: dict[str, Any] = {}
    for owner, mark in node.iter_markers_with_node(MARK):
        _check(mark, None if owner is not node else fixtures)
        values = {**mark.kwargs, **values}
    return Settings(values)


def _check(mark: pytest.Mark, fixtures: Collection[str] | None) -> None:
    if mark.args:
        _wrong(f"got {mark.args[0]!r:.60} without a keyword, expected keywords only")
    for name, value in mark.kwargs.items():
        takers = _KEYWORDS.get(name)
        if takers is None:
            _wrong(f"got {name}=…, expected one of: {', '.join(_KEYWORDS)}")
        if fixtures is not None and not {*takers} & {*fixtures}:
            _wrong(
                f"{name}=… is for {' and '.join(takers)}, which the test does not use "
                f'(or asks for by getfixturevalue only: @pytest.mark.usefixtures("{takers[0]}") says so before)'
            )
        expected = _TYPES.get(name)
        if expected is not None and not (isinstance(value, expected[0]) and type(value) is not expected[1]):
            _wrong(f"got {value!r:.60} for {name}, expected {expected[2]}")
    if not all(isinstance(e, type) and issubclass(e, Exception) for e in mark.kwargs.get("errors", ())):
        _wrong(f"got {mark.kwargs['errors']!r:.60} for errors, expected a list of classes of exceptions")


_TYPES: Final[dict[str, tuple[Any, type | None, str]]] = {
    "seed": (int, bool, "a whole number"),
    "obfuscated": (bool, None, "True or False"),
    "check": (bool, None, "True or False"),
    "faults": ((list, tuple), None, "a list of objects of mtproto.testing.faults"),
    "errors": ((list, tuple), None, "a list of classes of exceptions"),
}
"""What a value has to be, what it may not be all the same, and what that is called."""


def _wrong(message: str) -> NoReturn:
    raise pytest.Collector.CollectError(f"@pytest.mark.{MARK}: {message}")
