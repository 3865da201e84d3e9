"""Hypothesis without deadlines: the first call of a compiled function compiles it."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("core", deadline=None)
settings.load_profile("core")
