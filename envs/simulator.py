"""The simulator: fleet-days under given set-points, physics and ledger only, a batch of worlds at once.

It clips a set-point to charger and battery and lets limits be broken at a price; consent, reserve, departures and
limits are the projection's (`envs.safety`). The port model and the ledger's arithmetic are the same in every back
end; see `envs.physics`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .ledger import MAXIMA, Account, Tally, money_terms
from .physics.backends import rounding_of
from .physics.engines import Engine, make_engine
from .physics.now import Today, today_of
from .physics.state import StepTerms, WorldState, blank_state
from .physics.team import Team
from .snapshot import Context, EventColumns, FeederColumns, Outlook, SiteColumns, Snapshot
from .world.bank import Bank, pack
from .world.scenario import Scenario

Array = Any

DEMAND_WINDOW_MINUTES = 15


@dataclass(frozen=True)
class DayLedger:
    """What one world's episode has cost and moved so far."""

    usd: dict[str, float]  # by account, `net_cost_usd` last
    tallies: dict[str, float]

    @property
    def net_cost_usd(self) -> float:
        return self.usd["net_cost_usd"]


class Simulator:
    """A batch of worlds that play days of a bank.

    Args:
        scenarios: a bank, a scenario or several of one fleet.
        n_worlds: worlds run side by side, `B`.
        backend: `numpy` (the reference), `numba` or `torch`.
        dtype: `float64`, or `float32` for speed; ignored where a packed bank brings its own.
        threads: threads that share the worlds, or a team that others use too (`numba` only).
        device: where torch computes.

    Raises:
        ValueError: unknown back end, or days that do not fit together.
    """

    def __init__(
        self,
        scenarios: Bank | Scenario | Sequence[Scenario],
        n_worlds: int = 1,
        *,
        backend: str = "numpy",
        dtype: str = "float64",
        threads: int | Team = 1,
        device: str = "cpu",
    ) -> None:
        if isinstance(scenarios, Scenario):
            scenarios = [scenarios]
        self.bank = scenarios if isinstance(scenarios, Bank) else pack(scenarios, dtype)
        first = self.bank.first
        self.n_worlds, self.n_ports, self.n_steps = n_worlds, first.n_ports, first.n_steps
        self.step_h, self.horizon = first.step_h, first.n_lookahead
        window = max(1, DEMAND_WINDOW_MINUTES // first.interval_minutes)
        lo, hi = first.peaker_window_local_hours
        self.terms = StepTerms(
            first.step_h, first.n_steps, window, lo * 3600, hi * 3600, rounding_of(self.bank.days.demand_rate)
        )
        self.money = money_terms(first.money)
        self._engine = self._make_engine(backend, threads, device)
        self._state = self._engine.prepare(blank_state(self.bank, n_worlds))
        self._today: Today | None = None

    def _make_engine(self, backend: str, threads: int | Team, device: str) -> Engine:
        """What steps the worlds; a subclass may bring its own."""
        return make_engine(backend, self.bank, self.money, self.terms, threads, device)

    @property
    def state(self) -> WorldState:
        """The running worlds, arrays of the back end; not for controllers."""
        return self._state

    def reset(self, days: Array | Sequence[int] | None = None, worlds: Array | None = None) -> None:
        """Start day `days[i]` in world `worlds[i]`; by default day 0, 1, ... in all worlds."""
        chosen_worlds = np.arange(self.n_worlds) if worlds is None else np.asarray(worlds, np.int64)
        chosen = chosen_worlds % self.bank.n_days if days is None else np.asarray(days, np.int64)
        if len(chosen) and (chosen.min() < 0 or chosen.max() >= self.bank.n_days):
            raise ValueError(f"day {chosen.max()} asked of a bank of {self.bank.n_days} days, counted from 0")
        self._today = None
        self._state = self._engine.begin(
            self._state, chosen_worlds, np.broadcast_to(chosen, chosen_worlds.shape).copy()
        )

    def step(self, setpoint_kw: Any) -> Any:
        """Advance every world by one step under `setpoint_kw` (B, N); returns the step's dollars by account (B, A)."""
        self._state, change = self._engine.advance(self._state, setpoint_kw)
        return change

    @property
    def done(self) -> Array:
        """Which worlds have reached the end of their episode (B,)."""
        return np.asarray(self._state.step >= self.n_steps)

    def ledger(self, world: int = 0) -> DayLedger:
        """The accounts of one world so far, by name."""
        usd = {a.name.lower(): float(self._state.accounts[world, a]) for a in Account}
        usd["net_cost_usd"] = sum(usd.values())
        tallies = {t.name.lower(): float(self._state.tallies[world, t]) for t in Tally}
        return DayLedger(usd, tallies)

    def snapshot(self) -> Snapshot:
        """What a controller may know now: views of the running worlds (NumPy and compiled back ends).

        While a step waits in a sweep (`Team.sweep`), what will be known when it has been made.
        """
        state, days = self._state, self._engine.days
        if self._today is None:
            self._today = today_of(days, state.day)
        today, row = self._today, self._today.row
        now = self._engine.look(state, today)

        def outlook(name: str) -> Outlook:
            return Outlook(getattr(days, name).values, getattr(row, name), now.step)

        def issued(name: str, row_of_issue: Array) -> Outlook:
            values = getattr(days, name).values
            return Outlook(values.reshape(-1, *values.shape[2:]), row_of_issue, now.step)

        made = Snapshot(
            step_h=self.step_h,
            horizon=self.horizon,
            port_site=days.port_site,
            ports=state.ports,
            sites=SiteColumns(
                feeder=days.site_feeder,
                tariff=days.site_tariff,
                net_load_kw=now.net_load_kw,
                net_load_forecast_kw=outlook("net_load_forecast_kw"),
                import_limit_kw=outlook("site_import_limit_kw"),
                export_limit_kw=outlook("site_export_limit_kw"),
                peak_kw=state.peak_kw,
                typical_peak_kw=today.typical_peak_kw,
                demand_rate_usd_per_kw=today.demand_rate,
                expected_arrivals_kwh=days.expected_arrivals_kwh.values,
                arrivals_row=row.expected_arrivals_kwh,
                arrivals_hour=now.arrivals_hour,
            ),
            feeders=FeederColumns(
                net_load_kw=now.feeder_net_load_kw,
                net_load_forecast_kw=outlook("feeder_net_load_forecast_kw"),
                import_limit_kw=outlook("feeder_import_limit_kw"),
                export_limit_kw=outlook("feeder_export_limit_kw"),
            ),
            context=Context(
                seconds_of_day=now.seconds_of_day,
                weekday=now.weekday,
                import_price_now_usd_per_kwh=now.import_price,
                export_price_now_usd_per_kwh=now.export_price,
                import_price_usd_per_kwh=issued("import_price_forecast", now.import_row),
                export_price_usd_per_kwh=issued("export_price_forecast", now.export_row),
                price_known_steps=now.price_known_steps,
                emissions_now_kg_per_kwh=now.emissions[:, 0],
                emissions_kg_per_kwh=outlook("emissions_forecast"),
                emissions_issued_kg_per_kwh=outlook("emissions_issued"),
                events=EventColumns(
                    known=now.event_known,
                    start_step=now.event_start,
                    end_step=now.event_end,
                    rate_usd_per_kwh=today.events.rate_usd_per_kwh,
                    pays_export=today.events.pays_export,
                    hours_used=today.events.hours_used,
                ),
                baseline_kw=outlook("baseline_kw"),
            ),
            wear_usd_per_kwh=self.money.wear_usd_per_kwh,
            provenance=self.bank.first.name,
        )
        object.__setattr__(made, "layout", self._engine.layout)
        return made


def sum_of_days(ledgers: Sequence[DayLedger]) -> DayLedger:
    """Add days up: sums, and maxima where a tally is one."""
    usd = {name: sum(day.usd[name] for day in ledgers) for name in ledgers[0].usd}
    tallies = {}
    for tally in Tally:
        values = [day.tallies[tally.name.lower()] for day in ledgers]
        tallies[tally.name.lower()] = max(values) if tally in MAXIMA else sum(values)
    return DayLedger(usd, tallies)
