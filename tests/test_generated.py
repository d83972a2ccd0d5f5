"""The packages that are checked in are the ones that the schemas give."""

from __future__ import annotations

from pathlib import Path

import pytest

from tl.__main__ import main

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(("schema", "package"), [("mtproto.tl", "service"), ("api.tl", "api")])
def test_generated_code_is_up_to_date(schema: str, package: str, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["check", str(ROOT / "schema" / schema), "-o", str(ROOT / "mtproto" / package)])
    captured = capsys.readouterr()
    assert captured.err == ""
    assert status == 0
