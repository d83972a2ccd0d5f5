"""Packages made from the text of a schema, values of them, and what both codecs say of those."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tl import EncodeError
from tl.package import write_package
from tl.reference import reference_encode
from tl.schema import Schema

__all__ = ["everything", "load_package", "refused"]


_imported = itertools.count()


def load_package(text: str, folder: Path, name: str) -> ModuleType:
    """Generate the package of the schema `text` below `folder`, and import it by a name of its own."""
    write_package(Schema.parse(text), folder / name, name)
    fullname = f"{name}_{next(_imported)}"
    spec = importlib.util.spec_from_file_location(
        fullname, folder / name / "__init__.py", submodule_search_locations=[str(folder / name)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[fullname] = package  # its modules are made when they are used, and look for it there
    spec.loader.exec_module(package)
    return package


def everything(shapes: ModuleType, **changes: object) -> Any:
    """An object with a field of each kind, of 80 bytes."""
    fields: dict[str, object] = {
        "i": 1,
        "l": 2,
        "d": 0.5,
        "n": bytes(16),
        "s": "text",
        "b": b"bytes",
        "t": True,
        "o": shapes.Leaf(),
        "v": [1, 2],
    }
    return shapes.All(**fields | changes)


def refused(value: Any) -> EncodeError:
    """The error that both codecs raise for `value`."""
    with pytest.raises(EncodeError) as caught:
        bytes(value)
    with pytest.raises(EncodeError) as reference:
        reference_encode(value)
    assert str(reference.value) == str(caught.value)
    return caught.value
