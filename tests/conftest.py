"""What every test runs under: Hypothesis without deadlines, and with the blob that reproduces a failure."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A slow machine is no failure; what may take how long is for the tests to say that are about it.
settings.register_profile(
    "default", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
# Random conversations that go on for long: pytest --hypothesis-profile long tests/mtproto/testing/test_machine.py
settings.register_profile("long", settings.get_profile("default"), max_examples=5_000, stateful_step_count=80)
settings.load_profile("default")
