"""Random conversations between client and server; `--hypothesis-profile long` lets them go on for long."""

from __future__ import annotations

from hypothesis import settings

from mtproto.testing.machine import PairMachine

IS_LONG = settings.default is not None and settings.default.stateful_step_count > 50

TestPairs = PairMachine.TestCase
TestPairs.settings = settings() if IS_LONG else settings(max_examples=100, stateful_step_count=40)
