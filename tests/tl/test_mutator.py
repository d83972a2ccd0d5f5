"""The mutator for fuzzers: by a seed, for any bytes, within a size; and what it makes is worth while."""

from __future__ import annotations

import random
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tl
from mtproto import api, service
from tests.tl.test_inspection import ANSWER, REQUEST
from tests.tl.test_mutation_operators import CASES, SMALL
from tl.mutations import Mutator, mutate

MUTATOR = Mutator(api)
ANY_SIZE = st.integers(0, 200)
SEEDS = st.integers(0, 2**32 - 1)


def is_valid(data: bytes) -> bool:
    try:
        api.decode(data)
    except tl.DecodeError:
        return False
    return True


@given(data=st.binary(max_size=100) | st.sampled_from([REQUEST, ANSWER]), max_size=ANY_SIZE, seed=SEEDS)
def test_the_seed_decides_whatever_was_called_before(data: bytes, max_size: int, seed: int) -> None:
    made = MUTATOR(data, max_size, seed)
    MUTATOR(ANSWER, 512, seed + 1)
    assert MUTATOR(data, max_size, seed) == made
    assert Mutator(api)(data, max_size, seed) == made
    assert MUTATOR.crossover(data, ANSWER, max_size, seed) == Mutator(api).crossover(
        data, ANSWER, max_size, seed
    )


@settings(max_examples=300)
@given(
    data=st.binary(max_size=100),
    other=st.binary(max_size=100),
    max_size=ANY_SIZE,
    seed=SEEDS,
    place=st.integers(0, 56),
)
def test_any_bytes_will_do_and_the_size_is_kept(
    data: bytes, other: bytes, max_size: int, seed: int, place: int
) -> None:
    for one in (data, REQUEST[:place] + data, REQUEST[:place] + data + REQUEST[place + len(data) :]):
        assert len(MUTATOR(one, max_size, seed)) <= max_size
        assert len(MUTATOR.crossover(one, other + ANSWER, max_size, seed)) <= max_size


@pytest.mark.parametrize("as_type", ["int", "true", "Vector<bytes>", "%CodeSettings", "Bool", "4*[ int ]"])
def test_any_type_will_do(as_type: str) -> None:
    mutator = Mutator(api, as_type)
    rng = random.Random(1)
    for seed in range(200):
        data = rng.randbytes(rng.randrange(40))
        assert len(mutator(data, 64, seed)) <= 64
        assert len(mutator.crossover(data, data[::-1], 64, seed)) <= 64


def test_changes_add_up_and_stay_in_bounds() -> None:
    for mutator, start in ((MUTATOR, REQUEST), (Mutator(service), b""), (Mutator(SMALL), CASES[-1].data)):
        data = start
        for seed in range(3000):
            data = mutator(data, 300, seed)
            assert len(data) <= 300


def test_what_it_makes_is_what_the_operators_make() -> None:
    known = {mutation.data for mutation in mutate(REQUEST, api)}
    made = [MUTATOR(REQUEST, 4096, seed) for seed in range(2000)]
    assert REQUEST not in made
    assert sum(data in known for data in made) > 1000
    assert sum(map(is_valid, made)) > 400
    assert len(set(made)) > 100


def test_it_goes_on_behind_what_is_wrong() -> None:
    # The vector's id is wrong, and the phone number has dirty padding: what follows can still be changed.
    wrong = REQUEST[:19] + b"\1" + REQUEST[20:]
    made = [
        Mutator(api, operators=["other_string", "flip_true_flag"])(wrong, 4096, seed) for seed in range(200)
    ]
    assert any(data[:28] == wrong[:28] and data[28:] != wrong[28:] for data in made)
    assert any(data[:24] == wrong[:24] and data[28:] == wrong[28:] for data in made)


def test_of_nothing_it_makes_the_smallest_encodings() -> None:
    made = {MUTATOR(b"", 4096, seed) for seed in range(400)}
    assert all(map(is_valid, made))
    assert len({data[:4] for data in made}) > 50
    assert Mutator(api, "Vector<int>")(b"", 64, 1) == bytes.fromhex("15c4b51c00000000")
    assert len(MUTATOR(b"", 2, 5)) <= 2
    assert MUTATOR(b"", 0, 5) == b""


def test_the_fallback_is_asked_now_and_then() -> None:
    asked = []

    def fallback(data: bytes, max_size: int) -> bytes:
        asked.append((data, max_size))
        return b"by the fallback, and too long" * 10

    mutator = Mutator(api, fallback=fallback)
    made = [mutator(REQUEST, 60, seed) for seed in range(400)]
    assert 20 < len(asked) < 200
    assert set(asked) == {(REQUEST, 60)}
    assert made.count((b"by the fallback, and too long" * 10)[:60]) == len(asked)
    mutator(REQUEST, 16, 1)  # there is hardly anything that fits
    assert all(len(data) <= max_size for data, max_size in asked)


def test_a_crossover_puts_values_of_one_into_the_other() -> None:
    settings_ = api.CodeSettings(logout_tokens=[b"a token"])
    other = bytes(api.account.SendVerifyPhoneCode(phone_number="+49", settings=settings_))
    made = {MUTATOR.crossover(REQUEST, other, 4096, seed) for seed in range(100)}
    assert all(map(is_valid, made))
    values: list[Any] = [api.decode(data) for data in made]
    numbers = {(v.phone_number, *v.settings.logout_tokens) for v in values if hasattr(v, "phone_number")}
    assert {("+49", b"arbitrary data here"), ("+12025550123", b"a token")} <= numbers


def test_operators_can_be_chosen() -> None:
    made = [Mutator(api, operators=["dirty_padding"])(REQUEST, 4096, seed) for seed in range(200)]
    assert sum(data[20:] == REQUEST[20:] and len(data) == 56 for data in made) > 150
    with pytest.raises(ValueError, match="operators: got 'x'"):
        Mutator(api, operators=["x"])
    with pytest.raises(TypeError, match="schema: got 5"):
        Mutator(5)
    with pytest.raises(tl.SchemaError):
        Mutator(api, "Usre")


def test_deep_data_and_a_full_stack_do_no_harm() -> None:
    deep = bytes.fromhex("4ef8eaf7 15c4b51c 01000000") * 2000
    assert len(MUTATOR(deep, 100_000, 3)) > 0

    def at(depth: int) -> bytes:
        return at(depth - 1) if depth else MUTATOR(deep, 100_000, 3)

    for depth in range(sys.getrecursionlimit() - 400, sys.getrecursionlimit() - 150, 10):
        assert len(at(depth)) > 0
