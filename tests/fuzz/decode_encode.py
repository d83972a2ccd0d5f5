"""What decodes encodes to the very same bytes, or, where it was not canonical, to bytes of the same value.

Both encoders are asked, and the bytes are decoded once more.
The input is a question (`tests.fuzz.questions`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.fuzz.questions import Rules, read_question
from tests.fuzz.verdicts import Broken, is_same
from tl import DecodeError
from tl.reference import reference_encode_as

__all__ = ["target"]

Encoder = Callable[[Rules, Any], bytes]


def quick(rules: Rules, value: Any) -> bytes:
    """The encoding by straight-line code, where a value has one of its own."""
    return bytes(value) if rules.is_boxed else reference(rules, value)


def reference(rules: Rules, value: Any) -> bytes:
    """The encoding by the reference codec."""
    return reference_encode_as(rules.package.SCHEMA, value, rules.as_type)


def target(raw: bytes, encoders: tuple[Encoder, ...] = (quick, reference)) -> None:
    """Raise where one of the `encoders` does not give back what was decoded."""
    question = read_question(raw)
    rules, data = question
    decode: Any = rules.package.decode
    try:
        value = decode(data, rules.as_type, rules.canonical, rules.strict_flags, rules.limits)
    except DecodeError:
        return
    for encode in encoders:
        encoded = encode(rules, value)
        if rules.canonical and encoded != data:
            raise Broken(f"{question}\n is {value!r},\n which encodes to {encoded.hex(' ', -4)}")
        if len(encoded) > len(data):
            raise Broken(f"{question}\n is {value!r}, whose encoding is longer: {encoded.hex(' ', -4)}")
        again = decode(encoded, rules.as_type, True, rules.strict_flags, rules.limits)
        if not is_same(again, value):
            raise Broken(f"{question}\n is {value!r},\n whose encoding is {again!r}")
