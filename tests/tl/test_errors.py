"""Errors can be copied and pickled, as they are on the way out of another process."""

from __future__ import annotations

import copy
import pickle

import pytest

import tl

ERRORS = [
    tl.TLError("a"),
    tl.SchemaError("m", line=2, column=3, text="  x"),
    tl.SchemaError.of([tl.SchemaError("m", line=1), tl.SchemaError("n", line=2, column=1, text="n")]),
    tl.EncodeError("m", path="a.b[0]"),
    tl.MissingField("m", path="a"),
    tl.JSONValueError("m", path="$.a"),
    tl.DecodeError("m", offset=5, path="a[1]", got=1, expected=2),
    *(
        error("m", offset=5, path="a[1]", got=b"\0", expected=">= 0")
        for error in (
            tl.UnexpectedEnd,
            tl.UnexpectedConstructor,
            tl.UnknownConstructor,
            tl.WrongType,
            tl.InvalidCount,
            tl.InvalidUtf8,
            tl.NonCanonical,
            tl.NonMinimalLength,
            tl.NonZeroPadding,
            tl.ReservedLength,
            tl.UnknownFlags,
            tl.TrailingBytes,
            tl.LimitExceeded,
        )
    ),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_copies_are_the_same(error: tl.TLError) -> None:
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301
        assert type(again) is type(error)
        assert (str(again), again.args) == (str(error), error.args)
        state = {k: v for k, v in vars(error).items() if k != "errors"}
        assert {k: v for k, v in vars(again).items() if k != "errors"} == state
        if isinstance(error, tl.SchemaError) and isinstance(again, tl.SchemaError):
            assert [e.describe() for e in again.errors] == [e.describe() for e in error.errors]
