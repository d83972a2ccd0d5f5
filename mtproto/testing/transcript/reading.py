"""Bodies read by whichever schema has them: the service schema first, then those of the API.

Nothing is refused: what deviates is a finding, what no schema has stays bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import tl
from mtproto import api, service
from mtproto.message import constructor_id
from tl.codec import decode
from tl.inspection import Reading, read
from tl.json_values import to_json_value
from tl.raw import Raw
from tl.registry import Registry, registry_of

__all__ = ["API", "Asked", "Meaning", "Schemas", "asked"]

API: Final = (api.SCHEMA,)
_MOST_WRAPPERS: Final = 16
_VECTOR: Final = 0x1CB5C415


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a body means: the fields of `records.Said`, and the object itself as far as it could be read."""

    name: str = ""
    schema: str = ""
    as_type: str | None = None
    value: object = None
    found: Any = None
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """What a message asked for: the function's name, what its answer has to be, and by which schema."""

    name: str
    result: str | None = None
    schema: Registry | None = None


class Schemas:
    """The schemas by which bodies are read, the service schema in front of them."""

    def __init__(self, schemas: Sequence[object] = API) -> None:
        self._all = (service.SCHEMA, *(registry_of(schema) for schema in schemas))

    def named(self, name: str) -> Registry | None:
        """The schema that calls itself so."""
        return next((schema for schema in self._all if schema.name == name), None)

    def knows(self, body: bytes) -> Registry | None:
        """The schema that has the constructor with which the body begins."""
        number = constructor_id(body)
        return next((schema for schema in self._all if schema.find(number) is not None), None)

    def reading(self, body: bytes, schema: str = "", as_type: str | None = None) -> Reading | None:
        """The body read, leniently; None where no schema has it, and no type is asked for."""
        registry = self.named(schema) or self.knows(body)
        return None if registry is None else read(body, registry, as_type, mode="lenient")

    def meaning(self, body: bytes, answered: Asked | None = None) -> Meaning:
        """What the body means; as the answer to what was `answered` it may be a vector, or a bare value."""
        registry, as_type = self.knows(body), None
        if answered is not None and registry is not service.SCHEMA and answered.schema is not None:
            is_plain = registry is None and constructor_id(body) != _VECTOR
            registry, as_type = answered.schema, None if is_plain else answered.result
        if registry is None or (as_type is None and registry.find(constructor_id(body)) is None):
            return Meaning(findings=() if len(body) >= 4 else (f"a body of {len(body)} bytes",))
        findings: tuple[str, ...] = ()
        try:  # what nothing is wrong with needs no tree
            found = decode(registry, body, as_type, strict_flags=True)
        except tl.DecodeError:
            reading = read(body, registry, as_type, mode="lenient")
            found, findings = reading.value, tuple(str(finding) for finding in reading.findings)
        return Meaning(
            name=_name(found, as_type),
            schema=registry.name,
            as_type=as_type,
            value=_json(found),
            found=found,
            findings=findings,
        )


def _name(value: object, as_type: str | None) -> str:
    inner = value.value if isinstance(value, Raw) else value
    name = getattr(inner, "TL_NAME", None)
    return str(name) if name else as_type or ""


def _json(value: object) -> object:
    try:
        return to_json_value(value)
    except tl.EncodeError:
        return None


def asked(meaning: Meaning) -> Asked:
    """What a message that means this asks for: of wrappers, what is inside."""
    function = meaning.found
    for inner in _inside(meaning.found):
        function = inner
    result = getattr(function, "RESULT", None)
    if result is None or result.startswith("!"):
        return Asked(meaning.name)
    return Asked(function.TL_NAME, result, function.SCHEMA)


def _inside(value: Any) -> Iterator[Any]:
    """What is in the wrapper, in the wrapper in that, and so on."""
    for _ in range(_MOST_WRAPPERS):
        value = value.value if isinstance(value, Raw) else value
        fields = getattr(type(value), "FIELDS", ())
        wrapped = [getattr(value, f.name, None) for f in fields if f.type.name.startswith("!")]
        if not wrapped or wrapped[0] is None:
            return
        value = wrapped[0]
        yield value.value if isinstance(value, Raw) else value
