"""docs/security.md: every check has a place in the code and a test, and both exist."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "security.md").read_text("utf-8")
ROWS = re.findall(r"^\| ([HSX]\d+) \| (.+?) \| (.+?) \| (.+?) \|$", TEXT, re.MULTILINE)
TESTS = {path.stem: path for path in sorted((ROOT / "tests").rglob("test_*.py"))}
PLACES = sorted({place for _, _, places, _ in ROWS for place in re.findall(r"`([\w.]+)`", places)})
NAMED = sorted({test for _, _, _, tests in ROWS for test in re.findall(r"`([\w.]+)`", tests)})


def test_every_id_is_there_in_order() -> None:
    ids = list(dict.fromkeys(row[0] for row in ROWS))
    assert ids == [*(f"H{n}" for n in range(1, 17)), "S1", "S9", *(f"X{n}" for n in range(1, 12))]


def test_every_row_has_a_place_and_a_test() -> None:
    for number, rule, places, tests in ROWS:
        assert rule.strip(), number
        assert re.search(r"`[\w.]+`", places), number
        assert re.search(r"`[\w.]+`", tests), number


@pytest.mark.parametrize("place", PLACES)
def test_places_exist(place: str) -> None:
    """`module.function`, or `module.Class.method`, within `mtproto`."""
    module, _, rest = f"mtproto.{place}".rpartition(".")
    attributes = [rest]
    while True:
        try:
            found: object = importlib.import_module(module)
            break
        except ModuleNotFoundError:
            module, _, rest = module.rpartition(".")
            attributes.insert(0, rest)
    for attribute in attributes:
        found = getattr(found, attribute)


@pytest.mark.parametrize("name", NAMED)
def test_tests_exist(name: str) -> None:
    """`file.function`."""
    file, _, function = name.partition(".")
    assert re.search(rf"^(async )?def {function}\(", TESTS[file].read_text("utf-8"), re.MULTILINE)
