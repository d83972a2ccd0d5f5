"""What every test runs under: Hypothesis without deadlines, and with the blob that reproduces a failure."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A slow machine is no failure; what may take how long is for the tests to say that are about it.
settings.register_profile(
    "default", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("default")
