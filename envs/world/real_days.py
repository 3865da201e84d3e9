"""Days of real sessions, emissions and load, aligned to the scenario's date; a sentence says how."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from .calendar import StepTimes, time_zone
from .emissions import Emissions
from .files import EmissionTable, LoadTable, SessionTable, choose_source_day, sample_day, source_steps
from .placing import Placed, settle, to_grid
from .scenario import FloatArray
from .settings import ScenarioSettings
from .stays import Facts

OTHER_DAYS = 5  # like days whose mean stands for the issued forecast of load
DRIVER_DRAWS = 6


@dataclass(frozen=True)
class RealStays:
    """Real stays of one day, placed, and where they come from."""

    facts: Facts
    placed: Placed
    source_days: frozenset[date]
    provenance: str


def real_stays(
    rng: np.random.Generator, table: SessionTable, settings: ScenarioSettings, times: StepTimes
) -> RealStays:
    """Stays of one source day on the scenario's ports.

    What was charged is the true need; what was asked is what the driver said. Energies of the file are
    metered at the grid side and become battery energies by the losses of the car that stands for it.
    """
    s, start = settings, times.start
    hours = s.days * 24
    sampled = sample_day(table, start.weekday() >= 5, rng, s.ports, s.start_hour, hours)
    stays = sampled.place(start.date(), s.timezone)
    begin = int(times.utc_seconds[0])
    on_grid = to_grid((stays.arrive_utc_s - begin) / 3600, (stays.depart_utc_s - begin) / 3600, s)
    row = on_grid.row
    placed = settle(row, stays.port[row], on_grid.arrive, on_grid.depart, on_grid.too_short, 0)
    source = stays.row[placed.row]
    said = (stays.said_depart_utc_s[placed.row] - begin) / (60 * s.interval_minutes)
    homes = table.kind == "home"
    facts = Facts(
        energy_kwh=table.delivered_kwh[source],
        metered=True,
        vehicle_rank=rng.random(len(source)),
        driver=rng.random((len(source), DRIVER_DRAWS)),
        soc=table.soc_start[source],
        capacity_kwh=table.capacity_kwh[source],
        soc_told=bool(np.isfinite(table.soc_start).any()),
        claims=not homes,
        said_depart=np.floor(said + 1e-9),
        asked_kwh=table.requested_kwh[source],
    )
    cars = "battery and SoC as the publishers estimated them" if homes else "no SoC is told"
    note = f"{sampled.provenance}; cars and losses from the catalogue, {cars}"
    return RealStays(facts, placed, frozenset(sampled.source_days), note)


def real_emissions(
    rng: np.random.Generator, table: EmissionTable, settings: ScenarioSettings, times: StepTimes
) -> tuple[Emissions, str]:
    """Emissions of one source day with the forecasts as issued there, and where they come from."""
    s = settings
    held = table.days(s.timezone, s.start_hour, s.n_times * s.interval_minutes / 60).complete
    source = choose_source_day(times.start.date(), held, rng, what="emissions", source=table.timeline.names)
    steps = source_steps(times.start, s.interval_minutes, times.count, source.day, s.timezone)
    happened = table.series_at(steps, s.interval_minutes)
    issued = table.issued_at(steps[: s.n_steps], s.interval_minutes)
    reach = round(s.emissions.issued_h * 60 / s.interval_minutes)
    issued = issued[:, : min(reach, times.count - s.n_steps)]
    # A forecast that was not issued is stood in for by the present rate.
    issued = np.where(np.isnan(issued), happened[: s.n_steps, None], issued)
    return Emissions(happened, _typical_emissions(table, settings, times), issued), source.provenance


def _typical_emissions(table: EmissionTable, settings: ScenarioSettings, times: StepTimes) -> FloatArray:
    """The file's mean by hour of the wall clock."""
    from .files.tables import wall_seconds

    hour = (wall_seconds(table.timeline.start_utc_s, time_zone(settings.timezone)) // 3600 % 24).astype(np.int64)
    total = np.bincount(hour, weights=table.moer_kg_per_kwh, minlength=24)
    mean = total / np.maximum(np.bincount(hour, minlength=24), 1)
    typical: FloatArray = mean[times.local_hour.astype(np.int64)]
    return typical


def real_load_kw(
    rng: np.random.Generator, table: LoadTable, settings: ScenarioSettings, times: StepTimes
) -> tuple[FloatArray, FloatArray, str]:
    """Load of each site `(S, L)`, happened and forecast by other like days, and where it comes from.

    Site `i` takes the file's column `i`, from the start again where the file has fewer.
    """
    s = settings
    held = table.days(s.timezone, s.start_hour, s.n_times * s.interval_minutes / 60).complete
    source = choose_source_day(times.start.date(), held, rng, what="load", source=table.timeline.names)
    kind = source.day.weekday() >= 5
    others = [day for day in held if (day.weekday() >= 5) == kind and day != source.day]
    some = [others[i] for i in rng.permutation(len(others))[:OTHER_DAYS]] or [source.day]
    column = np.arange(s.n_sites) % len(table.names)

    def of(day: date) -> FloatArray:
        steps = source_steps(times.start, s.interval_minutes, times.count, day, s.timezone)
        return table.series_at(steps, s.interval_minutes)[column]

    forecast = np.mean([of(day) for day in some], axis=0)
    return of(source.day), forecast, source.provenance
