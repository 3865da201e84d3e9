"""Fleets of any size to be asked for: depots of a hundred cars, an evening's prices, limits that bind or do not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from ..messages.parse import parse_request
from ..messages.request import DispatchRequest

Array = Any

START = datetime(2026, 7, 15, 18, tzinfo=UTC)
INTERVAL_S = 900
NIGHT_STEPS = 48
"""From 18:00 until 06:00, when the first cars leave: the hours in which cars are worth deciding for."""
STEPS = 96
CARS_PER_SITE = 100
FULL_KW = 11.0

SLACK, BINDING = 1.2, 0.25
"""A site's import limit as a share of what all of its cars could draw at once."""


def fleet_request(cars: int, step: int, *, binding: bool, seed: int = 0) -> DispatchRequest:
    """The state of a fleet at a step of a night; night follows night, each with the same cars as they come home.

    Until 21:00 power is dear, and who may export wants to; until midnight cars wait; then all want to charge.

    Args:
        cars: how many; a hundred a site.
        step: of 15 minutes from 18:00 of the first night, or before it; see `NIGHT_STEPS`.
        binding: whether the sites' import limits are a quarter of what the cars could draw, or more than all of it.
        seed: of the cars; the same ones at every step.
    """
    rng = np.random.default_rng([seed, cars])
    sites = max(1, cars // CARS_PER_SITE)
    site = np.arange(cars) % sites
    base = rng.uniform(5.0, 20.0, sites)
    share = BINDING if binding else SLACK
    limit = base + share * FULL_KW * np.bincount(site, minlength=sites)
    night, step = divmod(step, NIGHT_STEPS)
    start = START + timedelta(days=night, seconds=step * INTERVAL_S)
    return parse_request(
        {
            "fleet": f"bench-{cars}",
            "cycle_start": start.isoformat(),
            "interval_s": INTERVAL_S,
            "ports": _ports(rng, cars, site, step),
            "sites": {
                "id": [f"s{at}" for at in range(sites)],
                "net_load_kw": base,
                "import_limit_kw": limit[:, None],
                "export_limit_kw": limit[:, None],
            },
            "prices": _prices(step),
        }
    )


def clock(step: int) -> str:
    """The time of day at which a step of the first night begins."""
    return f"{START + timedelta(seconds=step * INTERVAL_S):%H:%M}"


def _ports(rng: np.random.Generator, n: int, site: Array, step: int) -> dict[str, Any]:
    soc = np.clip(rng.beta(3.0, 3.0, n) + 0.01 * step, 0.05, 0.95)
    age = rng.uniform(0.0, 300.0, n)
    return {
        "id": [f"p{at}" for at in range(n)],
        "site": [f"s{at}" for at in site.tolist()],
        "plugged": np.ones(n, np.int8),
        "export_consent": (rng.random(n) < 0.5).astype(np.int8),
        "soc": soc,
        "soc_age_s": age,
        "power_kw": rng.uniform(0.0, 7.0, n),
        "power_age_s": age,
        "capacity_kwh": rng.choice([40.0, 60.0, 77.0, 131.0], n),
        "max_charge_kw": np.full(n, FULL_KW),
        "max_discharge_kw": np.where(rng.random(n) < 0.5, FULL_KW, 0.0),
        "target_soc": rng.uniform(0.7, 0.9, n),
        "departs_in_s": rng.uniform(9.0, 15.0, n) * 3600.0 - step * INTERVAL_S,
    }


def _prices(step: int) -> dict[str, Any]:
    """Dear from 16 to 21, cheap after midnight."""
    hours = (18.0 + 0.25 * (step + np.arange(STEPS))) % 24.0
    buy = np.where((hours >= 16) & (hours < 21), 0.54, np.where(hours < 6, 0.23, 0.31))
    return {
        "tariff": ["tou"],
        "import_usd_per_kwh": buy[None],
        "export_usd_per_kwh": np.where(buy > 0.5, 0.45, 0.05)[None],
        "published_age_s": 3600.0,
        "source": "bench",
    }
