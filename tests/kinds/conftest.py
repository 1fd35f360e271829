"""How long hypothesis looks: `FANFOLD_HYPOTHESIS=deep` for a night, else a few seconds a test."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("quick", max_examples=100, deadline=None, suppress_health_check=_checks)
settings.register_profile("deep", max_examples=2000, deadline=None, suppress_health_check=_checks)
settings.load_profile(os.environ.get("FANFOLD_HYPOTHESIS", "quick"))
