"""What every test runs under: Hypothesis without deadlines, and with the blob that reproduces a failure."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("default", deadline=None, print_blob=True)
settings.load_profile("default")
