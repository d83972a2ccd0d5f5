"""What makes two failures the same finding; what a worker tells by its board."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtproto.testing.fuzz.board import SLOTS, Board
from mtproto.testing.fuzz.identity import OUT_OF_MEMORY, Identity, identify, identify_death

CODE = """\
import json

class Broken(Exception):
    pass

def inner(n):
    if n > 2:
        raise Broken(n)
    return deep(n)

def deep(n):
    return lower(n) if n > 0 else json.loads("{")

def lower(n):
    return deep(n)

def out():
    raise MemoryError
"""
TARGET = """\
def first(n):
    inner(n)

def second(n):
    if n > 5:
        inner(n)
    inner(n)
"""


@pytest.fixture
def functions() -> dict[str, Callable[..., Any]]:
    """Of two modules: `proto.code`, and `checks`, whose functions use those of the first."""
    code: dict[str, Any] = {"__name__": "proto.code"}
    exec(CODE, code)  # noqa: S102 - what stands above
    checks: dict[str, Any] = {"__name__": "checks", "inner": code["inner"]}
    exec(TARGET, checks)  # noqa: S102
    return code | checks


def caught(function: Callable[..., Any], *arguments: Any, packages: tuple[str, ...] = ("proto",)) -> Identity:
    try:
        function(*arguments)
    except BaseException as error:
        return identify(error, packages, "checks")
    raise AssertionError("nothing was raised")


def test_it_is_the_type_and_the_innermost_places(functions: dict[str, Callable[..., Any]]) -> None:
    first = caught(functions["first"], 3)
    assert first == Identity("proto.code.Broken", ("proto.code.inner:8", "checks.first:2"))
    assert str(first) == "proto.code.Broken at proto.code.inner:8, in checks.first:2"
    assert caught(functions["first"], 4) == first
    assert caught(functions["second"], 4).places == ("proto.code.inner:8", "checks.second:7")
    assert caught(functions["second"], 6).places == ("proto.code.inner:8", "checks.second:6")
    assert caught(functions["first"], None).kind == "TypeError"


def test_what_is_not_under_test_has_no_place(functions: dict[str, Callable[..., Any]]) -> None:
    assert caught(functions["first"], 0) == Identity(
        "json.decoder.JSONDecodeError", ("proto.code.deep:12", "checks.first:2")
    )
    assert caught(functions["first"], 0, packages=("elsewhere",)).places[0].startswith("json.decoder.")


def test_recursion_is_one_finding_however_deep_it_ended(functions: dict[str, Callable[..., Any]]) -> None:
    assert caught(functions["first"], 1) == Identity("RecursionError", ("proto.code.deep:12",))
    assert caught(lambda: functions["first"](1)) == Identity("RecursionError", ("proto.code.deep:12",))


def test_memory_has_no_place(functions: dict[str, Callable[..., Any]]) -> None:
    assert caught(functions["out"]) == OUT_OF_MEMORY


def test_names_are_for_files_and_differ() -> None:
    names = [Identity(kind, places).name for kind in ("a.B", "a.<C>/..") for places in ((), ("x:1",))]
    assert len(set(names)) == 4
    assert names[0].startswith("a.B-")
    assert not any(character in name for name in names for character in "/<>")


def test_a_board_tells_what_runs_and_outlives_it(tmp_path: Path) -> None:
    seen = Board(tmp_path / "board", 8, create=True)
    told = Board(tmp_path / "board", 8)
    assert (seen.executions, seen.current, seen.hits(0)) == (0, b"", 0)
    told.begin(b"a longer one")
    told.begin(b"short")
    told.hit(0)
    for slot in (SLOTS - 1, SLOTS - 1):
        told.hit(slot)
    told.close()
    assert (seen.executions, seen.current) == (2, b"short")
    assert [seen.hits(slot) for slot in (0, 1, SLOTS - 1)] == [1, 0, 2]
    seen.close()


SAID = """INFO: what libFuzzer says
Fatal Python error: Segmentation fault

Thread 0x00007ff65f000000 (most recent call first):
  File "/srv/app/code/other.py", line 1 in wait

Current thread 0x00007ff65f663b80 (most recent call first):
  File "/usr/lib/python3.11/ctypes/__init__.py", line 519 in string_at
  File "/srv/app/code/reader/__init__.py", line 7 in read
  File "/srv/app/code/targets.py", line 30 in target
  File "/site-packages/mtproto/testing/fuzz/worker.py", line 130 in execute

Extension modules: _cffi_backend (total: 1)
"""


@pytest.mark.parametrize(
    ("said", "module", "places"),
    [
        (SAID, "code.targets", ("code.reader.read:7", "code.targets.target:30")),
        (SAID, "elsewhere", ("code.reader.read:7",)),
        (SAID.replace("/code/", "/c/"), "code.targets", ()),
        ("", "code.targets", ()),
    ],
)
def test_what_a_signal_has_ended_has_places(said: str, module: str, places: tuple[str, ...]) -> None:
    assert identify_death(said, {"code", "mtproto"}, module) == Identity("died", places)
