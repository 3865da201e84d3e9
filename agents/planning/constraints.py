"""The rows that every plan obeys: batteries, limits, meters, clock windows and what is due at departure."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .columns import NONE
from .layout import Layout, window_mean_kw
from .problem import Problem
from .rows import Row, RowList, Rows

Array = NDArray[Any]


def all_rows(problem: Problem, layout: Layout) -> Rows:
    """The rows of a problem but for those that are added where violated; see `cuts`."""
    rows = RowList()
    _balances(problem, layout, rows)
    _finals(problem, layout, rows)
    _losses(problem, layout, rows)
    _export_floors(problem, layout, rows)
    _settlements(problem, layout, rows)
    _limits(problem, layout, rows)
    _meters(problem, layout, rows)
    _meter_hulls(problem, layout, rows)
    _demand(problem, layout, rows)
    return rows.made()


def _balances(problem: Problem, layout: Layout, rows: RowList) -> None:
    """`e' = e + (gain c - drain d - waste) dt`; who gains nothing by losses may drop energy, which is only wider."""
    at = np.flatnonzero(layout.energy != NONE)
    stay, step, h = layout.stay[at], layout.step[at], problem.step_h
    begins = at == layout.first[stay]
    row, before = np.arange(len(at)), np.where(begins, NONE, layout.energy[at - 1])
    start = np.where(begins, problem.stays.start_kwh[stay], 0.0)
    rows.add(
        Row.BALANCE, problem.stays.port[stay], step, np.where(layout.leaky[stay], start, -np.inf), start,
        (row, layout.energy[at], 1.0), (row, before, -1.0),
        (row, layout.charge[at], -h * layout.battery.gain[stay]),
        (row, layout.discharge[at], h * layout.battery.drain[stay]),
        (row, layout.charge_waste[at], h), (row, layout.discharge_waste[at], h),
    )  # fmt: skip


def _finals(problem: Problem, layout: Layout, rows: RowList) -> None:
    """Of a stay whose energy is no column at each step: the sum of what it charged."""
    alone = layout.energy[layout.last] == NONE
    stays = np.flatnonzero(alone)
    pairs = np.flatnonzero(alone[layout.stay])
    row_of = np.cumsum(alone) - 1
    gain = -problem.step_h * layout.battery.gain[layout.stay[pairs]]
    rows.add(
        Row.FINAL, problem.stays.port[stays], problem.stays.to_step[stays] - 1, -np.inf, problem.stays.start_kwh[stays],
        (row_of[stays], layout.final[stays], 1.0), (row_of[layout.stay[pairs]], layout.charge[pairs], gain),
    )  # fmt: skip


def _losses(problem: Problem, layout: Layout, rows: RowList) -> None:
    at = np.flatnonzero((layout.charge_waste != NONE) | (layout.discharge_waste != NONE))
    stay, waste, row = layout.stay[at], layout.waste, np.arange(len(at))
    port, step = problem.stays.port[stay], layout.step[at]

    def per(most: Array) -> Array:
        return 1.0 / np.where(most > 0, most, 1.0)

    most_in, most_out = waste.charge_kw[stay], waste.discharge_kw[stay]
    rows.add(
        Row.LOSS, port, step, -np.inf, 1.0,
        (row, layout.charge[at], per(layout.battery.draw_kw[stay])),
        (row, layout.charge_waste[at], per(most_in)),
        (row, layout.discharge[at], per(problem.stays.max_discharge_kw[stay])),
        (row, layout.discharge_waste[at], per(most_out)),
    )  # fmt: skip
    idle = np.flatnonzero(np.isfinite(waste.charge_per_kw[layout.stay]) & (layout.charge_waste != NONE))
    row, stay = np.arange(len(idle)), layout.stay[idle]
    rows.add(
        Row.IDLE_LOSS, problem.stays.port[stay], layout.step[idle], -np.inf, 0.0,
        (row, layout.charge_waste[idle], 1.0), (row, layout.charge[idle], -waste.charge_per_kw[stay]),
    )  # fmt: skip


def _export_floors(problem: Problem, layout: Layout, rows: RowList) -> None:
    """A car that came below its export floor: nothing or `e' >= floor`, as the hull of the two."""
    stays = problem.stays
    rise = stays.export_floor_kwh - stays.start_kwh
    at = np.flatnonzero((layout.discharge != NONE) & (rise > 0)[layout.stay])
    stay, row = layout.stay[at], np.arange(len(at))
    rows.add(
        Row.EXPORT_FLOOR, stays.port[stay], layout.step[at], stays.start_kwh[stay], np.inf,
        (row, layout.energy[at], 1.0), (row, layout.discharge[at], -rise[stay] / layout.powers.discharge_kw[at]),
    )  # fmt: skip


def _settlements(problem: Problem, layout: Layout, rows: RowList) -> None:
    stays = problem.stays

    def add(kind: Row, which: Array, lower: Array | float, upper: Array | float, *entries: tuple[Array, float]) -> None:
        row = np.arange(len(which))
        placed = [(row, column[which], value) for column, value in entries]
        rows.add(kind, stays.port[which], stays.to_step[which] - 1, lower, upper, *placed)

    due = np.flatnonzero(layout.missing != NONE)
    add(Row.MISSING, due, stays.needed_kwh[due], np.inf, (layout.missing, 1.0), (layout.final, 1.0))
    early = np.flatnonzero(layout.excused != NONE)
    add(Row.EXCUSED, early, -np.inf, 0.0, (layout.excused, 1.0), (layout.missing, -1.0))
    add(Row.EXCUSED_ROOM, early, -np.inf, stays.top_kwh[early], (layout.excused, 1.0), (layout.final, 1.0))
    stay_on = np.flatnonzero(layout.credited != NONE)
    add(Row.CREDITED, stay_on, -np.inf, 0.0, (layout.credited, 1.0), (layout.final, -1.0))


def _limits(problem: Problem, layout: Layout, rows: RowList) -> None:
    """Import net of the exports beside it, exports by themselves, as the projection grants them (contracts 5)."""
    rooms, site = layout.powers.rooms, problem.stays.site[layout.stay]
    feeder = problem.sites.feeder[site]
    _limit(problem, layout, rows, Row.SITE_IMPORT, site, rooms.site_import_kw)
    _limit(problem, layout, rows, Row.SITE_EXPORT, site, rooms.site_export_kw)
    _limit(problem, layout, rows, Row.FEEDER_IMPORT, feeder, rooms.feeder_import_kw)
    _limit(problem, layout, rows, Row.FEEDER_EXPORT, feeder, rooms.feeder_export_kw)


def _limit(problem: Problem, layout: Layout, rows: RowList, kind: Row, group: Array, room: Array) -> None:
    imports = kind in (Row.SITE_IMPORT, Row.FEEDER_IMPORT)
    power = layout.powers.charge_kw if imports else layout.powers.discharge_kw
    cell = group * problem.n_steps + layout.step
    total = np.bincount(cell, power, room.size)
    binding = np.flatnonzero(total > room.ravel())
    row_of = np.full(room.size, NONE)
    row_of[binding] = np.arange(len(binding))
    pairs = np.flatnonzero(row_of[cell] != NONE)
    row = row_of[cell[pairs]]
    entries = [(row, layout.discharge[pairs], -1.0 if imports else 1.0)]
    if imports:
        entries.append((row, layout.charge[pairs], 1.0))
    entity, step = np.divmod(binding, problem.n_steps)
    rows.add(kind, entity, step, -np.inf, room.ravel()[binding], *entries)


def _meters(problem: Problem, layout: Layout, rows: RowList) -> None:
    """Net load plus its export part is import, not below 0."""
    site, step = np.nonzero(layout.export != NONE)
    charge, discharge = of_cells(problem, layout, site, step)
    rows.add(
        Row.METER, site, step, -problem.sites.net_load_kw[site, step], np.inf,
        (np.arange(len(site)), layout.export[site, step], 1.0), (*charge, 1.0), (*discharge, -1.0),
    )  # fmt: skip


def _meter_hulls(problem: Problem, layout: Layout, rows: RowList) -> None:
    """Where export pays more than import, its part is no more than a straight line from nothing to all allows.

    Against a load `b` the export `max(0, d - c - b)` is at most `d (1 - b/D)` for discharge `d` up to `D`; with a
    surplus the import `max(0, c - d - b)` is at most `c (1 - b/P)`: hulls of the two sides of the kink.
    """
    s, powers = problem.sites, layout.powers
    pays_more = (s.export_price_usd_per_kwh > s.import_price_usd_per_kwh) & (layout.export != NONE)
    site, step = np.nonzero(pays_more & (s.net_load_kw >= 0))
    least, load = powers.least_net_kw[site, step], s.net_load_kw[site, step]
    _, discharge = of_cells(problem, layout, site, step)
    export = (np.arange(len(site)), layout.export[site, step], 1.0)
    share = least / (load - least)
    rows.add(Row.METER_HULL, site, step, -np.inf, 0.0, export, (*discharge, share[discharge[0]]))
    site, step = np.nonzero(pays_more & (s.net_load_kw < 0))
    most, load = powers.most_net_kw[site, step], s.net_load_kw[site, step]
    charge, discharge = of_cells(problem, layout, site, step)
    share = most / (most - load)
    rows.add(
        Row.METER_HULL, site, step, -np.inf, -load, (np.arange(len(site)), layout.export[site, step], 1.0),
        (*charge, 1.0 - share[charge[0]]), (*discharge, -1.0),
    )  # fmt: skip


def of_cells(problem: Problem, layout: Layout, site: Array, step: Array) -> tuple[tuple[Array, Array], ...]:
    """Row number and column of all charging, and of all discharging, at each of those meters and steps."""
    row_of = np.full(layout.export.shape, NONE)
    row_of[site, step] = np.arange(len(site))
    row = row_of[problem.stays.site[layout.stay], layout.step]
    pairs = np.flatnonzero(row != NONE)
    return (row[pairs], layout.charge[pairs]), (row[pairs], layout.discharge[pairs])


def _demand(problem: Problem, layout: Layout, rows: RowList) -> None:
    """The billed peak is at least every clock window's mean import."""
    powers, w = layout.powers, problem.window_steps
    most = window_mean_kw(problem, np.maximum(powers.most_net_kw, 0.0))
    has_peak = layout.peak != NONE
    floor = np.where(has_peak, layout.lower[layout.peak] if len(layout.lower) else 0.0, np.inf)
    site, window = np.nonzero(most > floor[:, None])
    row_of = np.full(most.shape, NONE)
    row_of[site, window] = np.arange(len(site))
    # Steps in which the meter can only export count 0; the others their net load and its export part.
    fixed = np.where(powers.most_net_kw > 0, problem.sites.net_load_kw, 0.0)
    mean = window_mean_kw(problem, fixed)[site, window]
    at_site, at_step = np.nonzero(layout.export != NONE)
    here = problem.stays.site[layout.stay]
    imports = powers.most_net_kw[here, layout.step] > 0

    def row(of_site: Array, step: Array) -> Array:
        index = (step + problem.window_done) // w
        return np.where(index < most.shape[1], row_of[of_site, np.minimum(index, most.shape[1] - 1)], NONE)

    def entries(row: Array, column: Array, value: float) -> tuple[Array, Array, float]:
        kept = row != NONE
        return row[kept], column[kept], value

    of_pairs = np.where(imports, row(here, layout.step), NONE)
    rows.add(
        Row.DEMAND, site, (window + 1) * w - 1 - problem.window_done, -np.inf, -w * mean,
        (np.arange(len(site)), layout.peak[site], -float(w)), entries(of_pairs, layout.charge, 1.0),
        entries(of_pairs, layout.discharge, -1.0),
        entries(row(at_site, at_step), layout.export[at_site, at_step], 1.0),
    )  # fmt: skip
