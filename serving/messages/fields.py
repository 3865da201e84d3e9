"""The fields of a request, one table a section: name, unit, bounds, default and meaning (contracts 7).

Power is kW at the grid side, positive = import; ages are seconds before `cycle_start`, other times seconds after it.
"""

from __future__ import annotations

import math

from .columns import Column

FLEET = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""What a fleet may be called, as a regular expression."""

LONG_AGO_S = 1e9
MOST_KW = 1e6
NEVER_S = 1e9

NAN = math.nan

PORT_FIELDS = {
    "plugged_age_s": Column("s", -NEVER_S, LONG_AGO_S, NAN, "age of `plugged`; null: that of the youngest reading"),
    "soc": Column("1", 0.0, 1.0, NAN, "state of charge; null where the car tells none"),
    "soc_age_s": Column("s", -NEVER_S, LONG_AGO_S, 0.0, "age of `soc`"),
    "need_kwh": Column("kWh", -1000.0, 1000.0, NAN, "asked minus delivered, at the battery; stands in for the SoC"),
    "power_kw": Column("kW", -1000.0, 1000.0, NAN, "measured power"),
    "power_age_s": Column("s", -NEVER_S, LONG_AGO_S, 0.0, "age of `power_kw`"),
    "capacity_kwh": Column("kWh", 1.0, 2000.0, None, "of the battery"),
    "taper_soc": Column("1", 0.0, 0.994, 0.8, "SoC from which the battery accepts less"),
    "battery_accept_kw": Column("kW", 0.1, 2000.0, NAN, "most that the battery takes; null: no less than the charger"),
    "max_charge_kw": Column("kW", 0.0, 2000.0, None, "full set-point"),
    "max_discharge_kw": Column("kW", 0.0, 2000.0, 0.0, "full export; 0: cannot"),
    "min_charge_kw": Column("kW", 0.0, 100.0, 1.38, "least set-point that charges (6 A at 230 V)"),
    "min_discharge_kw": Column("kW", 0.0, 100.0, 0.0, "least export"),
    "step_kw": Column("kW", 0.0, 100.0, 0.0, "step of the set-point; 0: any"),
    "charge_efficiency": Column("1", 0.5, 1.0, 0.9, "beside the fixed loss"),
    "discharge_efficiency": Column("1", 0.5, 1.0, 0.9, "beside the fixed loss"),
    "fixed_loss_kw": Column("kW", 0.0, 5.0, 0.1, "while the charger is on"),
    "target_soc": Column("1", 0.0, 1.0, NAN, "wanted at departure; null: the service's default"),
    "departs_in_s": Column("s", -NEVER_S, NEVER_S, NAN, "until the said departure; null: the service's default"),
    "charge_limit_soc": Column("1", 0.0, 1.0, NAN, "not charged past; null: the greatest of target, SoC and minimum"),
    "reserve_soc": Column("1", 0.0, 1.0, 0.3, "no export below"),
    "min_soc": Column("1", 0.0, 1.0, 0.2, "below it a car charges at once"),
    "override_for_s": Column("s", -NEVER_S, NEVER_S, 86400.0, "how long `override` still holds"),
    "last_setpoint_kw": Column("kW", -2000.0, 2000.0, NAN, "last sent; null: none; counts where its age is said"),
    "last_setpoint_age_s": Column("s", 0.0, LONG_AGO_S, NAN, "since it changed; null: the service's own memory counts"),
    "commands_today": Column("1", 0.0, 1e6, NAN, "since local midnight; null: the service's own count"),
}  # fmt: skip
"""The columns of numbers of `ports`; `id`, `car`, `site`, `plugged`, `export_consent` and `override` stand beside."""

READINGS = ("soc", "need_kwh", "power_kw", "last_setpoint_kw", "last_setpoint_age_s", "plugged_age_s", "soc_age_s",
            "power_age_s", "commands_today")  # fmt: skip
"""Port columns that change by themselves: one that cannot be true is a missing reading. All others are parameters."""

PORT_KEYS = ("id", "car", "site", "plugged", "export_consent", "override", *PORT_FIELDS)

SITE_FIELDS = {
    "net_load_kw": Column("kW", -MOST_KW, MOST_KW, 0.0, "now, base load minus PV, without the cars"),
    "peak_kw": Column("kW", 0.0, MOST_KW, 0.0, "highest average import in a window so far this month"),
    "typical_peak_kw": Column("kW", 0.0, MOST_KW, NAN, "of other days; null: unknown"),
    "demand_rate_usd_per_kw": Column("$/kW", 0.0, 1000.0, 0.0, "what a kW more of this bill's peak costs"),
}
SITE_SERIES = {
    "net_load_forecast_kw": Column("kW", -MOST_KW, MOST_KW, NAN, "per step from now; missing: as now"),
    "import_limit_kw": Column("kW", 0.0, MOST_KW, NAN, "per step from now; null: none"),
    "export_limit_kw": Column("kW", 0.0, MOST_KW, NAN, "per step from now; null: none"),
    "baseline_kw": Column("kW", -MOST_KW, MOST_KW, 0.0, "of a programme, cars only, per step from now"),
}
SITE_KEYS = ("id", "feeder", "tariff", *SITE_FIELDS, *SITE_SERIES)

FEEDER_FIELDS = {"net_load_kw": Column("kW", -MOST_KW, MOST_KW, NAN, "without the cars; null: the sum of its sites")}
FEEDER_SERIES = {name: SITE_SERIES[name] for name in ("net_load_forecast_kw", "import_limit_kw", "export_limit_kw")}
FEEDER_KEYS = ("id", *FEEDER_FIELDS, *FEEDER_SERIES)

PRICE_SERIES = {
    "import_usd_per_kwh": Column("$/kWh", -100.0, 100.0, NAN, "per tariff and step, the present one first"),
    "export_usd_per_kwh": Column("$/kWh", -100.0, 100.0, NAN, "per tariff and step, the present one first"),
}
PRICE_KEYS = ("tariff", *PRICE_SERIES, "known_steps", "published_age_s", "source")

EVENT_FIELDS = {
    "start_in_s": Column("s", -NEVER_S, NEVER_S, None, "from now; may be negative"),
    "end_in_s": Column("s", -NEVER_S, NEVER_S, None, "from now"),
    "rate_usd_per_kwh": Column("$/kWh", 0.0, 100.0, 0.0, "paid for what is not drawn, or given"),
    "hours_used": Column("h", 0.0, 1e4, 0.0, "of the season's hours so far"),
}
EVENT_KEYS = ("type", "pays_export", "binding", *EVENT_FIELDS)

ARRIVAL_FIELDS = {
    "arrive_h": Column("h", 0.0, 71.0, None, "hour of arrival from now, a whole number"),
    "depart_h": Column("h", 0.0, 71.0, None, "hour of departure from now, a whole number"),
    "kwh": Column("kWh", 0.0, 1e6, None, "expected at the site, from other days"),
}
ARRIVAL_KEYS = ("site", *ARRIVAL_FIELDS)
