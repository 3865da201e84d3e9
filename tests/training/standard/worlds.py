"""Small fleets for the tests of the standard route."""

from __future__ import annotations

from functools import cache

from ebbflow.envs.world.bank import Bank, pack
from ebbflow.envs.world.build import build_bank_days, load_settings

DAYS = 3


@cache
def days(preset: str, *overrides: str, ports: int = 6, dtype: str = "float64") -> Bank:
    """A few days of a preset with few ports and hourly steps."""
    settings = load_settings(preset, [f"ports={ports}", "interval_minutes=60", *overrides])
    return pack(list(build_bank_days(settings, 4, range(DAYS), "train")), dtype)
