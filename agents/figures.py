"""The figures that a run is reported by, named as in contracts 9: sums over days unless named otherwise."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..envs.ledger import Account
from ..envs.simulator import DayLedger, sum_of_days

Figures = dict[str, float | None]

DRIVER_ACCOUNTS = (
    "energy_import_usd",
    "export_revenue_usd",
    "demand_charge_usd",
    "programme_usd",
    "wear_usd",
)
"""What a driver's own bill moves by: earnings are the uncontrolled sum minus the policy's."""


def figures(ledgers: Sequence[DayLedger], n_ports: int, uncontrolled: Sequence[DayLedger] | None = None) -> Figures:
    """Figures of some days of one policy; None where a figure has no meaning or no data.

    Args:
        ledgers: one per day.
        n_ports: ports of the fleet; commands are counted per port and day.
        uncontrolled: the same days under `uncontrolled`, for what the drivers earn against it.
    """
    total = sum_of_days(ledgers)
    t = total.tallies
    result: Figures = {"net_cost_usd": total.net_cost_usd}
    result |= {account.name.lower(): total.usd[account.name.lower()] for account in Account}
    result |= {
        "feasible_energy_delivered_percent": _percent(
            t["feasible_kwh"] - t["feasible_unserved_kwh"], t["feasible_kwh"]
        ),
        "departures_met_percent": _percent(t["met_stays"], t["served_stays"]),
        "unserved_kwh": t["unserved_kwh"],
        "worst_shortfall_kwh": t["worst_shortfall_kwh"],
        "early_shortfall_kwh": t["early_shortfall_kwh"],
        "peak_kw": t["peak_kw"],
        "overload_kwh": t["overload_kwh"],
        "co2_kg": _known(t["co2_kg"]),
        "driver_earnings_usd": _earnings(total, uncontrolled),
        "commands_per_car_day": t["commands"] / (n_ports * len(ledgers)),
        "kwh_in": t["kwh_in"],
        "kwh_out": t["kwh_out"],
        "kwh_lost": t["kwh_lost"],
        "calendar_wear_kwh": t["calendar_wear_kwh"],
        "peaker_window_kwh": t["peaker_window_kwh"],
        "stays": t["stays"],
    }
    return result


def _percent(part: float, whole: float) -> float | None:
    return 100.0 * part / whole if whole > 0.0 else None


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _earnings(total: DayLedger, uncontrolled: Sequence[DayLedger] | None) -> float | None:
    if uncontrolled is None:
        return None
    before = sum_of_days(uncontrolled).usd
    return sum(before[name] - total.usd[name] for name in DRIVER_ACCOUNTS)
