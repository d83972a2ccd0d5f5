"""What is attacked: a function of bytes, found by the name of one of our targets or by ``module:function``."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from types import ModuleType

from mtproto.testing.fuzz import FuzzError

__all__ = ["Target", "resolve"]

_INSTALLED = Path(__file__).parents[3]
"""Where mtproto is: in a checkout, or in site-packages."""


def _nothing() -> tuple[()]:
    return ()


@dataclass(frozen=True, slots=True)
class Target:
    """`run` raises where the invariant does not hold for the bytes it is given."""

    name: str
    run: Callable[[bytes], object]
    invariant: str
    """In one line."""
    module: str
    """That of the function; where in it something was raised is part of a finding's identity."""
    packages: tuple[str, ...]
    """Those whose code guides the campaign, unless it is told otherwise."""
    max_length: int = 4096
    """How long inputs may get, in bytes."""
    corpus: Path | None = None
    """A directory of inputs to start from."""
    dictionary: Callable[[], str] | None = None
    """What inputs are made of, in libFuzzer's form."""
    made: Callable[[], Iterable[Callable[..., object]]] = _nothing
    """Functions that no import has brought, but that guide the campaign, too."""


def resolve(name: str, directory: Path) -> Target:
    """The target of this name, imported with `directory`, or the checkout where it is, in front of `sys.path`."""
    module, colon, path = name.partition(":")
    return _strangers(name, module, path, directory) if colon else _ours(name, directory)


def _ours(name: str, directory: Path) -> Target:
    checkout = _checkout(directory)
    if checkout is None:
        raise FuzzError(
            f"{name!r} would be a target of mtwire's own tests/fuzz, which is not here: run this in a checkout of "
            "mtwire, or name a function of yours as MODULE:FUNCTION"
        )
    targets = _import("tests.fuzz.targets", checkout)
    if name not in targets.TARGETS:
        raise FuzzError(
            f"unknown target {name!r}, expected MODULE:FUNCTION or one of {', '.join(targets.TARGETS)}"
        )
    target: Target = targets.load_target(name)
    return target


def _checkout(directory: Path) -> Path | None:
    needed = ("tests/fuzz/targets.py", "mtproto/testing/fuzz/target.py")
    places = (place for place in (directory, _INSTALLED) if all((place / file).exists() for file in needed))
    return next(places, None)


def _strangers(name: str, module_name: str, path: str, directory: Path) -> Target:
    if not (module_name and path):
        raise FuzzError(f"got {name!r}, expected MODULE:FUNCTION")
    module = _import(module_name, directory)
    try:
        function: object = reduce(getattr, path.split("."), module)
    except AttributeError as error:
        raise FuzzError(f"{name}: {error}") from None
    run = _one_input(name, function)
    said = (inspect.getdoc(function) or "").partition("\n")[0]
    top = module_name.partition(".")[0]
    packages = tuple(dict.fromkeys(("tl", "mtproto", top)))
    return Target(name, run, said or "it raises nothing", module_name, packages)


def _one_input(name: str, function: object) -> Callable[[bytes], object]:
    """The function itself, or what Hypothesis has for fuzzers if it is one of its tests."""
    try:
        one_input: object = getattr(getattr(function, "hypothesis", None), "fuzz_one_input", function)
    except TypeError as error:  # of Hypothesis: arguments that it does not make
        raise FuzzError(
            f"{name} is a test that Hypothesis can not call alone, such as a method, or one with fixtures: {error}"
        ) from None
    if not callable(one_input):
        raise FuzzError(f"{name} is {type(function).__name__}, expected a function of bytes")
    if inspect.iscoroutinefunction(one_input):
        raise FuzzError(f"{name} is a coroutine function, expected a function of bytes: asyncio.run in it")
    try:
        inspect.signature(one_input).bind(b"")
    except TypeError as error:
        raise FuzzError(f"{name} can not be called with bytes alone: {error}") from None
    except ValueError:  # built in, and it does not say
        pass
    return one_input


def _import(name: str, directory: Path) -> ModuleType:
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise FuzzError(
                f"there is no module {error.name!r} in {directory}, or where it is installed"
            ) from None
        raise FuzzError(f"the import of {name} fails: {error}") from error
    except (Exception, SystemExit) as error:
        raise FuzzError(f"the import of {name} fails: {type(error).__name__}: {error}") from error
