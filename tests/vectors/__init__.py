"""Published test vectors, as data: one JSON file per subject, each naming its source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["load"]


def load(name: str) -> Any:
    """The content of ``tests/vectors/<name>.json``."""
    return json.loads((Path(__file__).parent / f"{name}.json").read_text("utf-8"))
