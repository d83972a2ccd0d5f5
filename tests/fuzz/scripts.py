"""Scripts: fuzzed bytes → what a peer in the key exchange says, right but for what the script changes.

Both handshake targets read their input as lines, and play the peer by them.  A line begins with

    byte 0     bits 0-3  what is said, the target has the list          bits 4-7  a choice among its forms
    byte 1     how many edits follow, bits 0-1 of fields, 2-3 of bytes; 4-5 and 6-7 the same for the inner object,
               which is encrypted; nothing is changed where it is zero
    …          edits of fields: which field, and which of a table of values for its type
    …          edits of bytes: what, where, with what (`_edit`)

where bytes are missing, they are zero.  What is heavy to compute is computed once for the same arguments, and
randomness is drawn from fixed tables, so that there is not much that is heavy.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import lru_cache
from hashlib import sha1, shake_128
from typing import Any, TypeVar

import tl
from mtproto import service
from mtproto.crypto.aes import ige_decrypt, ige_encrypt
from mtproto.crypto.rsa import PublicKey
from mtproto.handshake import Outcome, Steps, Work
from tests.fuzz.verdicts import Broken
from tests.mtproto.by_hand import AUTH_KEY, G_A, G_B, NOW, PRIME, PRIMES, as_256, tmp_aes_by_hand
from tests.mtproto.helpers import TEST_KEY
from tests.vectors import load

__all__ = [
    "NOW",
    "OTHER_KEY",
    "SECRETS",
    "Changes",
    "Clock",
    "Draws",
    "Script",
    "computed",
    "opened",
    "power_mod",
    "sealed",
]

T = TypeVar("T", bound=tl.TLObject)

_MOST_WORK = 100
"""Pieces of work in one step: the longest search for factors has 64."""
_OTHER = load("rsa")["keys"][0]
OTHER_KEY = PublicKey(int(_OTHER["n"], 16), int(_OTHER["e"], 16))
"""A key of servers that are not ours."""
SECRETS = tuple(as_256(int.from_bytes(shake_128(bytes([n])).digest(256), "big")) for n in range(3))


class Clock:
    """Unix time that stands still until a script moves it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Draws:
    """Randomness from a table, the same for each object: what is drawn depends on how often it was asked for.

    Secrets, 256 bytes, are only three, so that their powers can be remembered.
    """

    def __init__(self) -> None:
        self._drawn: dict[int, int] = {}

    def __call__(self, count: int) -> bytes:
        times = self._drawn[count] = self._drawn.get(count, -1) + 1
        return SECRETS[times % 3] if count == 256 else _drawn(count, times)


@lru_cache(maxsize=1 << 12)
def _drawn(count: int, times: int) -> bytes:
    return shake_128(b"%d of %d" % (times, count)).digest(count)


# Arithmetic, remembered


@lru_cache(maxsize=1 << 14)
def power_mod(base: int, exponent: int, modulus: int) -> int:
    """`pow`, remembered."""
    return pow(base, exponent, modulus)


@lru_cache(maxsize=1 << 14)
def _outcome(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Outcome:
    return Work(function, arguments).run()


def computed(steps: Steps[Any]) -> Any:
    """Drive `steps` to their end; raise Broken where there is no end of work."""
    try:
        work = next(steps)
        for _ in range(_MOST_WORK):
            outcome = _outcome(work.function, work.arguments)
            if outcome.error is not None:
                outcome.error.__traceback__ = None  # or it gets longer each time that it is raised
            work = steps.send(outcome)
    except StopIteration as end:
        return end.value
    raise Broken(f"more than {_MOST_WORK} pieces of work, the last one {work.function}")


# Encrypted inner objects of the second half, as the documentation has them


def sealed(data: bytes, new_nonce: bytes, server_nonce: bytes, padding: bytes) -> bytes:
    """The encrypted form of the bytes of an object."""
    return ige_encrypt(sha1(data).digest() + data + padding, *_keys(new_nonce, server_nonce))


def opened(encrypted: bytes, new_nonce: bytes, server_nonce: bytes, as_type: type[T]) -> T | None:
    """The object that was encrypted, None if anything is wrong with it."""
    if len(encrypted) % 16 or len(encrypted) < 32:
        return None
    plaintext = ige_decrypt(encrypted, *_keys(new_nonce, server_nonce))
    try:
        inner, size = tl.decode_prefix(service.SCHEMA, plaintext[20:], as_type)
    except tl.DecodeError:
        return None
    is_right = sha1(plaintext[20 : 20 + size]).digest() == plaintext[:20] and len(plaintext) - 20 - size < 16
    found: T | None = inner if is_right else None
    return found


_keys = lru_cache(maxsize=256)(tmp_aes_by_hand)


# Lines


_DH = load("dh")
_BIG: tuple[bytes, ...] = (
    *(as_256(G_A), as_256(G_B), as_256(PRIME), AUTH_KEY, b"", bytes(256), bytes(257)),
    *(bytes.fromhex(case["g_a"]) for case in _DH["g_a_cases_for_current_prime"]),
    *(bytes.fromhex(prime["p"]) for prime in (*_DH["good_primes"], *_DH["bad_primes"])),
    *(
        as_256(1 << 1984),
        as_256(PRIME - (1 << 1984)),
        as_256((1 << 1984) - 1),
        as_256(PRIME + 1 - (1 << 1984)),
    ),
    *(as_256(2), as_256(PRIME - 1), as_256(PRIME - 2), bytes(1) + as_256(G_A), as_256(G_A)[1:]),
)
_NUMBERS = (
    *(PRIMES[0] * PRIMES[1], *PRIMES, 1, 2, 3, 15, 21, 49, 105, 6, 2**63 - 25, 2**61 - 1, (2**31 - 1) ** 2),
    *(2**63, 2**64 - 1, 2**64, PRIMES[0] * 3, 1009 * 1013, PRIMES[0] ** 2),
    4294967279 * 4294967291,
)
_SMALL = (
    *(number.to_bytes((number.bit_length() + 7) // 8, "big") for number in _NUMBERS),
    *(bytes(1) + (PRIMES[0] * PRIMES[1]).to_bytes(8, "big"), b"\0\x0f"),
)
_INTS = (*range(-2, 9), 10002, -10002, 2**31 - 1, -(2**31), int(NOW), 86400, 2**31 - 366 * 86400)
_LONGS = (0, 1, -1, TEST_KEY.public.fingerprint, TEST_KEY.public.fingerprint ^ 1, -(2**63), 2**63 - 1)
_OTHER_KEY = OTHER_KEY.fingerprint
_LISTS: tuple[list[int], ...] = (
    *([], [TEST_KEY.public.fingerprint], [_OTHER_KEY], [_OTHER_KEY, TEST_KEY.public.fingerprint]),
    *([1] * 63 + [TEST_KEY.public.fingerprint], [1] * 64 + [TEST_KEY.public.fingerprint], [1] * 64),
    *([TEST_KEY.public.fingerprint, _OTHER_KEY], [0]),
)


class Script:
    """The bytes of an input that are not read yet."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._raw)

    def byte(self) -> int:
        """The next one, 0 behind the end."""
        self._at += 1
        return self._raw[self._at - 1] if self._at <= len(self._raw) else 0

    def bytes(self, count: int) -> bytes:
        """As many of them as there are."""
        self._at += count
        return self._raw[self._at - count : self._at]

    def changes(self) -> tuple[Changes, Changes]:
        """The edits of a line: those of the message, and those of the object that is encrypted in it."""
        counts = self.byte()
        return Changes(self, counts & 15), Changes(self, counts >> 4)


class Changes:
    """Edits of one object: some of its fields, then some of its bytes."""

    def __init__(self, script: Script, counts: int) -> None:
        self._fields = [(script.byte(), script.byte()) for _ in range(counts & 3)]
        self._bytes = [(script.byte(), script.byte(), script.byte()) for _ in range(counts >> 2)]

    def of(self, value: tl.TLObject) -> bytes:
        """The object's bytes, edited."""
        if self._fields:
            value = copy(value)
            for which, number in self._fields:
                field = type(value).FIELDS[which % len(type(value).FIELDS)]
                setattr(value, field.name, _value(field.type.name, getattr(value, field.name), number))
        return self.of_bytes(bytes(value))

    def of_bytes(self, data: bytes) -> bytes:
        """The bytes, edited."""
        for what, where, how in self._bytes:
            data = _edit(data, what, where, how)
        return data


def _value(kind: str, old: Any, number: int) -> Any:
    """Another value of the same type."""
    if kind in ("int128", "int256"):
        return bytes([number]) * len(old) if number < 128 else old[:-1] + bytes([old[-1] ^ number])
    table: tuple[Any, ...] = _LISTS
    if kind in ("int", "long"):
        table = _INTS if kind == "int" else _LONGS
    elif isinstance(old, bytes):
        table = _SMALL if len(old) < 16 else _BIG
    return table[number % len(table)]


def _edit(data: bytes, what: int, where: int, how: int) -> bytes:
    """Change one place: bits 0-2 of `what` say how, the others are the high bits of where."""
    at = (where | what >> 3 << 8) % (len(data) + 1)
    kind = what & 7
    if kind <= 2:
        return data[:at] + bytes(byte ^ (how or 1) for byte in data[at : at + 1]) + data[at + 1 :]
    if kind == 3:
        return data[:at] + data[at + how :]
    if kind == 4:
        return data[:at] + bytes(how) + data[at:]
    if kind == 5:
        return data[:at]
    if kind == 6:
        return data + bytes(how * 4)
    return data[:at] + bytes([how]) * 4 + data[at + 4 :]
