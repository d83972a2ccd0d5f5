"""Time that goes on steadily, whatever is done to the machine's clock."""

from __future__ import annotations

import importlib
import time

import pytest

from mtproto import clock


def test_it_is_unix_time() -> None:
    assert abs(clock.steady_time() - time.time()) < 60


def test_it_does_not_jump_when_the_clock_of_the_machine_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    before = clock.steady_time()
    for now in (0.0, 4e9):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        assert 0 <= clock.steady_time() - before < 60


@pytest.mark.parametrize("has_boottime", [True, False])
def test_time_asleep_counts_where_the_system_can_tell(
    has_boottime: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = 1000.0
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: 1_700_000_000.0)
        patch.setattr(time, "monotonic", lambda: counter)
        patch.setattr(time, "clock_gettime", lambda number: counter if number == 77 else 0.0, raising=False)
        if has_boottime:
            patch.setattr(time, "CLOCK_BOOTTIME", 77, raising=False)
        else:
            patch.delattr(time, "CLOCK_BOOTTIME", raising=False)
        again = importlib.reload(clock)
        assert again.steady_time() == 1_700_000_000.0
        counter += 60
        assert again.steady_time() == 1_700_000_060.0
    importlib.reload(clock)
