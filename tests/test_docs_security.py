"""docs/security.md: every check has a place in the code and a test, and both exist."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "security.md").read_text("utf-8")
ROWS = re.findall(r"^\| ([CHSTX]\d+) \| (.+?) \| (.+?) \| (.+?) \|$", TEXT, re.MULTILINE)
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
PLACES = sorted({place for _, _, places, _ in ROWS for place in re.findall(r"`([\w.]+)`", places)})
NAMED = sorted({test for _, _, _, tests in ROWS for test in re.findall(r"`([\w.]+)`", tests)})


def test_every_id_is_there_in_order() -> None:
    ids = list(dict.fromkeys(row[0] for row in ROWS))
    expected = [
        *(f"H{n}" for n in range(1, 17)),
        *("S1", "S9"),
        *(f"X{n}" for n in range(1, 12)),
        *(f"C{n}" for n in range(1, 24)),
        *("S2", "S3", "S4", "S5", "S6", "S7", "S8", "S10"),
        *(f"T{n}" for n in range(1, 13)),
    ]
    assert ids == expected
    assert len(ids) == len(set(ids)) == 72


def test_every_row_has_a_place_and_a_test() -> None:
    for number, rule, places, tests in ROWS:
        assert rule.strip(), number
        assert re.search(r"`[\w.]+`", places), number
        assert re.search(r"`[\w.]+`", tests), number


@pytest.mark.parametrize("place", PLACES)
def test_places_exist(place: str) -> None:
    """`module.function`, or `module.Class.method`, within `mtproto`, or of `tl`."""
    module, _, rest = (place if place.startswith("tl.") else f"mtproto.{place}").rpartition(".")
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
    texts = [path.read_text("utf-8") for path in TESTS if path.stem == file]
    assert any(re.search(rf"^(async )?def {function}\(", text, re.MULTILINE) for text in texts)
