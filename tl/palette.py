"""The colours of pages and pictures: a class for each kind of field, how it looks on light and on dark."""

from __future__ import annotations

from collections.abc import Mapping

from tl.spans import CONSTRUCTOR_ID, COUNT, DATA, LENGTH, OPAQUE, PADDING, TRAILING, VECTOR

__all__ = ["DARK", "FONTS", "LIGHT", "class_of"]

FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace"

# Each has a contrast of at least 4.5 to "back", which is what WCAG 2.1 asks of text.
LIGHT: Mapping[str, str] = {
    "back": "#ffffff",
    "ink": "#1f2328",
    "dim": "#6a737d",
    "line": "#d0d7de",
    "id": "#8250df",
    "count": "#0550ae",
    "flags": "#8a5d00",
    "text": "#116329",
    "number": "#0b7285",
    "bad": "#cf222e",
    "mark": "#fff1a8",
}
DARK: Mapping[str, str] = {
    "back": "#0d1117",
    "ink": "#e6edf3",
    "dim": "#8b949e",
    "line": "#30363d",
    "id": "#d2a8ff",
    "count": "#79c0ff",
    "flags": "#e3b341",
    "text": "#7ee787",
    "number": "#76e3ea",
    "bad": "#ff7b72",
    "mark": "#4d4000",
}

_CLASSES = {
    CONSTRUCTOR_ID: "id",
    VECTOR: "id",
    COUNT: "count",
    LENGTH: "dim",
    PADDING: "dim",
    OPAQUE: "ink",
    TRAILING: "ink",
    DATA: "text",
    "#": "flags",
    "string": "text",
    "bytes": "text",
}


def class_of(tl_type: str) -> str:
    """The class of a field or a part of one, by its type."""
    return _CLASSES.get(tl_type, "number")
