"""Inputs made smaller, as long as the same thing happens."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mtproto.testing.fuzz.minimise import minimise


def always() -> bool:
    return True


@pytest.mark.parametrize(
    ("data", "same", "smallest"),
    [
        (bytes(range(256)), lambda data: b"FUZ" in bytes(data), b""),
        (b"..FUZZ..", lambda data: b"FUZZ" in data, b"FUZZ"),
        (b"ab1cd2ef3", lambda data: {*b"123"} <= {*data}, b"123"),
        (b"\xff\xfe\xfd\xfc", lambda data: len(data) >= 3, b"\0\0\0"),
        (b"say 'yes'", lambda data: data.count(b"'") == 2, b"''"),
        (b"xyz{[(9)]}", lambda data: data.isascii() and any(c in b"0123456789" for c in data), b"0"),
        (b"x", lambda data: True, b""),
    ],
)
def test_what_is_left(data: bytes, same: Callable[[bytes], bool], smallest: bytes) -> None:
    if not same(data):
        assert minimise(data, lambda candidate: False, always) == data
    else:
        assert minimise(data, same, always) == smallest


def test_it_is_the_same_each_time_and_nothing_is_tried_twice() -> None:
    runs = []
    for _ in range(2):
        tried: list[bytes] = []

        def same(data: bytes, tried: list[bytes] = tried) -> bool:
            tried.append(data)
            return sum(data) > 300

        smallest = minimise(bytes(range(100, 200)), same, always)
        assert sum(smallest) > 300
        assert len(smallest) <= 3
        assert len(tried) == len(set(tried))
        runs.append((smallest, tried))
    assert runs[0] == runs[1]


def test_it_ends_when_there_is_no_more_time() -> None:
    left = 10

    def more() -> bool:
        nonlocal left
        left -= 1
        return left > 0

    tried = []

    def same(data: bytes) -> bool:
        tried.append(data)
        return len(data) >= 2

    assert 2 <= len(minimise(bytes(10_000), same, more)) < 10_000
    assert len(tried) <= 10
