"""Random conversations between client and server; `--hypothesis-profile long` lets them go on for long.

What fails in the suite is reported at once, as it was found, with the line that replays it.  To make it short takes
minutes; the long profile does that, and begins with what has failed before.
"""

from __future__ import annotations

from hypothesis import Phase, settings

from mtproto.testing.machine import PairMachine

IS_LONG = settings.default is not None and settings.default.stateful_step_count > 50
SHORT = settings(
    max_examples=100, stateful_step_count=40, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)

TestPairs = PairMachine.TestCase
TestPairs.settings = settings() if IS_LONG else SHORT
