"""What TARGET stands for, and what is wrong with one that is none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import mtproto
from mtproto.testing.fuzz import FuzzError, target
from mtproto.testing.fuzz.target import resolve
from tests.fuzz.targets import TARGETS

ROOT = Path(mtproto.__file__).parents[1]
MODULE = '''
from hypothesis import given, strategies as st

def one(data):
    """Whatever the bytes, nothing.

    More of it.
    """
    if data == b"x":
        raise ValueError("planted")

class Many:
    @staticmethod
    def two(data):
        pass

@given(st.integers(0, 3))
def test_three(n):
    assert n < 3

@given(n=st.integers(0, 3))
def test_fixture(other, n):
    pass

class TestMethods:
    @given(st.integers(0, 3))
    def test_method(self, n):
        pass

async def four(data):
    pass

def five(first, second):
    pass

six = 6
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "attacked.py").write_text(MODULE)
    (tmp_path / "broken.py").write_text("import attacked\n1 / 0\n")
    (tmp_path / "leaving.py").write_text("import sys\nsys.exit(0)\n")
    (tmp_path / "lacking.py").write_text("import no_such_thing\n")
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("attacked", "broken", "leaving", "lacking"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return "attacked"


@pytest.mark.parametrize("name", TARGETS)
def test_our_own(name: str) -> None:
    found = resolve(name, ROOT)
    assert found.name == name
    assert found.max_length in (256, 512, 1024)
    assert found.corpus == ROOT / "tests" / "fuzz" / "corpus" / name
    assert found.dictionary is not None
    assert found.packages == ("tl", "mtproto")
    assert found.module == f"tests.fuzz.{name}"


def test_they_are_found_from_anywhere_if_mtproto_is_imported_from_a_checkout(tmp_path: Path) -> None:
    assert resolve("lenient", tmp_path).corpus == ROOT / "tests" / "fuzz" / "corpus" / "lenient"


def test_a_function(module: str, tmp_path: Path) -> None:
    found = resolve("attacked:one", tmp_path)
    assert (found.name, found.invariant) == ("attacked:one", "Whatever the bytes, nothing.")
    assert (found.module, found.packages, found.max_length) == (
        "attacked",
        ("tl", "mtproto", "attacked"),
        4096,
    )
    assert found.corpus is None
    found.run(b"y")
    with pytest.raises(ValueError, match="planted"):
        found.run(b"x")
    resolve("attacked:Many.two", tmp_path).run(b"")


def test_a_test_of_hypothesis(module: str, tmp_path: Path) -> None:
    run = resolve("attacked:test_three", tmp_path).run

    def some_input_fails() -> None:
        for byte in range(256):
            run(bytes((byte,)))

    with pytest.raises(AssertionError):
        some_input_fails()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("attacked:", r"got 'attacked:', expected MODULE:FUNCTION"),
        (":one", r"got ':one', expected MODULE:FUNCTION"),
        ("attackd:one", r"there is no module 'attackd' in /"),
        ("attacked.sub:one", r"there is no module 'attacked.sub' in /"),
        ("broken:one", r"the import of broken fails: ZeroDivisionError: division by zero"),
        ("leaving:one", r"the import of leaving fails: SystemExit: 0"),
        (
            "attacked:test_fixture",
            r"attacked:test_fixture is a test that Hypothesis can not call alone, such ",
        ),
        (
            "attacked:TestMethods.test_method",
            r"_method is a test that Hypothesis can not call alone, such as ",
        ),
        ("lacking:one", r"the import of lacking fails: No module named 'no_such_thing'"),
        ("attacked:on", r"attacked:on: module 'attacked' has no attribute 'on'"),
        ("attacked:Many.three", r"attacked:Many.three: type object 'Many' has no attribute 'three'"),
        ("attacked:four", r"attacked:four is a coroutine function, expected a function of bytes"),
        ("attacked:five", r"attacked:five can not be called with bytes alone: missing .* 'second'"),
        ("attacked:six", r"attacked:six is int, expected a function of bytes"),
        ("leniet", r"unknown target 'leniet', expected MODULE:FUNCTION or one of schema_parser, "),
    ],
)
def test_what_is_none(module: str, tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(FuzzError, match=said):
        resolve(name, tmp_path)


def test_without_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "_INSTALLED", tmp_path / "lib")
    with pytest.raises(
        FuzzError, match=r"'lenient' would be a target of .* run this in a checkout .* or name a"
    ):
        resolve("lenient", tmp_path)
