"""Values, times and counts in few words, as drawings have them."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["brief", "duration", "many"]

_SHORT: Final = 8
_LONGEST: Final = 2000


def brief(value: object) -> str:
    """A JSON value of `tl.json_values` in one line, long bytes cut: ``phone_number='+12025550123', …``."""
    if isinstance(value, dict) and "_raw" in value:
        value = value.get("value", value)
    text = _brief(value, 0)
    if isinstance(value, dict) and text.startswith(f"{value.get('_')}("):
        text = text[len(str(value["_"])) + 1 : -1]
    return text[:_LONGEST]


def _brief(value: Any, depth: int) -> str:
    match value:
        case True | False | None:
            return str(value).lower()
        case str():
            return repr(value)
        case {"hex": str(digits)} if len(value) == 1:
            size = len(digits) // 2
            return digits if size <= _SHORT else f"{digits[: 2 * _SHORT]}… ({size} bytes)"
        case {"_raw": str(digits)}:
            return _brief(value["value"], depth) if "value" in value else _brief({"hex": digits}, depth)
        case dict():
            if depth > _SHORT:
                return "…"
            fields = (f"{k}={_brief(v, depth + 1)}" for k, v in value.items() if k != "_")
            return f"{value.get('_', '')}({', '.join(fields)})"
        case list():
            shown = ", ".join(_brief(item, depth + 1) for item in value[:_SHORT])
            return f"[{shown}{', …' if len(value) > _SHORT else ''}]"
        case _:
            return str(value)


def duration(seconds: float) -> str:
    """``12 ms``, ``1.5 s``."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def many(count: int, noun: str) -> str:
    """``1 frame``, ``1,024 frames``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
