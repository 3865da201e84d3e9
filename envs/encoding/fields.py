"""The observation, field by field: names, units, fixed scales and bounds, and the digest that goes with a policy.

Scales are physical constants, never learned from the first batch. `squash(x, c) = x / (c + |x|)` keeps the sign and
maps every price into (-1, 1), so that a $5 hour and a 5 cent hour both tell.
"""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

PRICE_SCALE = 0.1  # $/kWh at which a price fills half of the range
RATE_SCALE = 1.0  # $/kWh, for programme payments
POWER_SCALE = 20.0  # kW
ENERGY_SCALE = 100.0  # kWh
DAY_H = 24.0
DEMAND_SCALE = 20.0  # $/kW
EMISSION_SCALE = 0.5  # kg/kWh
OUTLOOK_HOURS = 24
DEAD_BAND = 0.05
"""An action smaller than this is a pause: what a network means by zero."""
HEADROOM_POINTS, HEADROOM_EVERY_H = 8, 3


class Field(NamedTuple):
    """One entry of the observation, `width` numbers wide, clipped to `low .. high`."""

    name: str
    unit: str
    scale: str
    low: float
    high: float
    width: int = 1


PORT_FIELDS = (
    Field("soc", "1", "fraction; of a car that tells none, what would make its need end at full", 0, 1),
    Field("soc_known", "flag", "1 known", 0, 1),
    Field("need", "1", "fraction of the battery up to the target", 0, 1),
    Field("need_kwh", "kWh", "/ 100", 0, 2),
    Field("hours_needed", "h", "at full power, / 24", 0, 2),
    Field("hours_left", "h", "until the said departure, / 24", 0, 2),
    Field("laxity", "h", "hours left minus hours needed, / 24", -2, 2),
    Field("urgency", "1", "hours needed / hours left", 0, 1),
    Field("can_charge_kw", "kW", "/ 20", 0, 5),
    Field("can_export_kw", "kW", "/ 20", 0, 5),
    Field("capacity_kwh", "kWh", "/ 100", 0, 3),
    Field("room", "1", "fraction of the battery up to the charge limit", 0, 1),
    Field("spare", "1", "fraction of the battery above reserve and minimum", 0, 1),
    Field("price_rank", "1", "share of the steps left in the stay at or below the present import price", 0, 1),
    Field("economic_laxity", "1", "those steps minus the steps needed, / steps left", -2, 1),
    Field("saving", "$/kWh", "present minus cheapest import price left, squashed at 0.1", -1, 1),
    Field("spread", "$/kWh", "best export price left minus present import price, squashed at 0.1", -1, 1),
    Field("export_regret", "$/kWh", "present minus best export price left, squashed at 0.1", -1, 1),
    Field("hours_to_cheapest", "h", "to the first cheapest step left in the stay, / 24", 0, 1),
    Field("import_price", "$/kWh", "of the port's meter, squashed at 0.1", -1, 1),
    Field("export_price", "$/kWh", "of the port's meter, squashed at 0.1", -1, 1),
    Field("last_setpoint", "1", "share of the full set-point", -1, 1),
    Field("site_headroom", "1", "site limit minus net load, / full set-points of the site's cars", -2, 2),
    Field("site_load", "1", "site net load / the car's full set-point", -2, 2),
    Field(
        "peak_room",
        "1",
        "bill's peak minus net load, / full set-points of the site's cars; 1 without demand charge",
        -2,
        2,
    ),
    Field("override", "flag", "1: the driver overrides", 0, 1),
    Field("max_charge_kw", "kW", "full set-point, / 20", 0, 5),
    Field(
        "planned_room",
        "1",
        "least level for present and expected cars minus net load, / full set-points of the site's cars; 1 without "
        "demand charge",
        -2,
        2,
    ),
    Field("min_charge", "1", "least set-point but none, share of the full one", 0, 1),
    Field("at_once", "flag", "1: below its minimum SoC, so it is charged whatever is asked", 0, 1),
)

CONTEXT_FIELDS = (
    Field("clock", "1", "sine and cosine of the local time of day", -1, 1, 2),
    Field("weekend", "flag", "1 on Saturday and Sunday", 0, 1),
    Field("step_h", "h", "length of a step", 0, 1),
    Field("plugged", "1", "share of ports with a car", 0, 1),
    Field("fleet_need", "1", "steps needed by all cars at full power / steps left to them", 0, 2),
    Field("known_prices", "1", "share of the outlook that is published", 0, 1),
    Field("demand_rate", "$/kW", "mean over sites, / 20", 0, 2),
    Field("emissions", "kg/kWh", "now, / 0.5; 0 without data", 0, 2),
    Field("emissions_known", "flag", "1 with emission data", 0, 1),
    Field("event_active", "flag", "1 in a programme event", 0, 1),
    Field("event_rate", "$/kWh", "highest payment known, squashed at 1", 0, 1),
    Field("event_starts", "h", "to the next known start, / 24; 1 for none", 0, 1),
    Field("event_ends", "h", "to the end of the running event, / 24; 0 for none", 0, 1),
    Field("event_pays_export", "flag", "1 where a known event pays for export", 0, 1),
    Field(
        "headroom",
        "1",
        "feeders' headroom now and every 3 h / full set-points of all cars",
        -2,
        2,
        HEADROOM_POINTS,
    ),
    Field(
        "import_outlook",
        "$/kWh",
        "mean over tariffs at each hour ahead, squashed at 0.1",
        -1,
        1,
        OUTLOOK_HOURS,
    ),
    Field(
        "export_outlook",
        "$/kWh",
        "mean over tariffs at each hour ahead, squashed at 0.1",
        -1,
        1,
        OUTLOOK_HOURS,
    ),
)

PORT_WIDTH = sum(field.width for field in PORT_FIELDS)
CONTEXT_WIDTH = sum(field.width for field in CONTEXT_FIELDS)


def observation_hash() -> str:
    """Digest of the field table: a policy runs only on the observation that it was trained on."""
    table = json.dumps([PORT_FIELDS, CONTEXT_FIELDS], sort_keys=True)
    return hashlib.sha256(table.encode()).hexdigest()[:16]


def bounds(fields: tuple[Field, ...]) -> tuple[list[float], list[float]]:
    """Lower and upper bounds of all numbers of `fields`, in order."""
    low = [field.low for field in fields for _ in range(field.width)]
    high = [field.high for field in fields for _ in range(field.width)]
    return low, high
