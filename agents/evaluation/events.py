"""What a fleet delivered in each programme event, site by site: the report that a utility settles by.

Energies are kWh of an interval of 15 minutes (of an hour at hourly steps), taken at the site's meter. The terms are
those of the ledger (contracts 4): delivered is the baseline minus the metered import, and where the programme pays
exports also what the site exported beyond what it would have without its cars; summed over the sites and intervals of
an event, and not below 0, it is what is paid for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...envs.gym.fleet import resolve_backend
from ...envs.simulator import DEMAND_WINDOW_MINUTES, Simulator
from ...envs.world.scenario import Scenario
from ..settlement import Delivery, delivery

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]


@dataclass(frozen=True)
class EventTotal:
    """One event under one controller, summed over sites and intervals."""

    policy: str
    event: int  # counted from 1 within the day
    start: str  # local time
    end: str
    rate_usd_per_kwh: float
    pays_export: bool
    baseline_kwh: float
    metered_import_kwh: float
    delivered_kwh: float  # not floored: negative where more was drawn than the baseline

    @property
    def payment_usd(self) -> float:
        """What the programme pays."""
        return self.rate_usd_per_kwh * max(self.delivered_kwh, 0.0)


def site_cars_kw(scenario: Scenario, setpoint_kw: Array) -> Array:
    """Mean power drawn by the cars of each site (T, S) when the day is played with `setpoint_kw` (T, N)."""
    simulator = Simulator(scenario, backend=resolve_backend("auto"))
    simulator.reset()
    drawn = []
    for setpoint in np.asarray(setpoint_kw, float):
        simulator.step(setpoint[None])
        drawn.append(np.array(simulator.state.site_cars_kw)[0])
    return np.stack(drawn)


def event_report(scenario: Scenario, setpoint_kw: Array) -> pd.DataFrame:
    """A row per event, site and interval of a day played with `setpoint_kw` (T, N); none on a day without events.

    Columns: `event`, `site`, `start`, `end` (local times), `baseline_kwh` (import without the cars, plus the cars'
    baseline), `metered_import_kwh`, `metered_export_kwh`, `export_without_cars_kwh`, `delivered_kwh`.
    """
    import pandas as pd

    events = range(len(scenario.events.start_step))
    cars_kw = site_cars_kw(scenario, setpoint_kw) if events else np.zeros((scenario.n_steps, scenario.n_sites))
    parts = [_rows_of_event(scenario, cars_kw, event) for event in events]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))


def event_totals(policy: str, scenario: Scenario, report: pd.DataFrame) -> list[EventTotal]:
    """Each event of `scenario` from its rows in `report`, played by `policy`."""
    totals, e = [], scenario.events
    for event in range(len(e.start_step)):
        sums = report.loc[report["event"] == event + 1, ["baseline_kwh", "metered_import_kwh", "delivered_kwh"]].sum()
        start, end = (scenario.time_of(int(at)).isoformat() for at in (e.start_step[event], e.end_step[event]))
        rate, pays_export = float(e.rate_usd_per_kwh[event]), bool(e.pays_export[event])
        totals.append(EventTotal(policy, event + 1, start, end, rate, pays_export, *(float(x) for x in sums)))
    return totals


COLUMNS = ("event", "site", "start", "end", *Delivery._fields)


def _rows_of_event(scenario: Scenario, cars_kw: Array, event: int) -> pd.DataFrame:
    import pandas as pd

    first, last = int(scenario.events.start_step[event]), int(scenario.events.end_step[event])
    width = max(1, DEMAND_WINDOW_MINUTES // scenario.interval_minutes)
    starts = np.arange(first, last, width)
    steps = slice(first, last)

    made = delivery(
        scenario.site_net_load_kw[:, steps], cars_kw[steps].T, scenario.baseline_kw[:, steps], scenario.step_h, width,
        bool(scenario.events.pays_export[event]),
    )  # fmt: skip
    ends = np.minimum(starts + width, last)
    times = [[scenario.time_of(int(step)).isoformat() for step in column] for column in (starts, ends)]
    sites = np.repeat(np.arange(scenario.n_sites), len(starts))
    values = (
        event + 1, sites, *(np.tile(column, scenario.n_sites) for column in times), *(kwh.ravel() for kwh in made),
    )  # fmt: skip
    return pd.DataFrame(dict(zip(COLUMNS, values, strict=True)))
