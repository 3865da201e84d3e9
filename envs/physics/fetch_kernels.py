"""What a world will look up in the bank of days, asked for while the worlds before it are stepped; compiled.

A bank is far larger than the caches and worlds play its days at random: each look at a day would wait for memory.
"""

from __future__ import annotations

from .compiling import kernel, prefetch

FETCH_WORLDS = 2
"""So many worlds ahead: memory answers within the step of one or two."""


@kernel
def fetch_day(d, days):
    """Ask for what a step looks up by day: first where its series are, then what it cannot do without."""
    prefetch(days.net_load_kw.row, d)
    prefetch(days.feeder_net_load_kw.row, d)
    prefetch(days.emissions.row, d)
    prefetch(days.import_price.row, d)
    prefetch(days.export_price.row, d)
    prefetch(days.site_import_limit_kw.row, d)
    prefetch(days.site_export_limit_kw.row, d)
    prefetch(days.feeder_import_limit_kw.row, d)
    prefetch(days.feeder_export_limit_kw.row, d)
    prefetch(days.start_second, d)
    prefetch(days.clock_shift_step, d)
    prefetch(days.fixed_usd_per_step, d)
    prefetch(days.demand_rate, d * days.demand_rate.shape[1])
    prefetch(days.events.start_step, d * days.events.start_step.shape[1])
    prefetch(days.events.end_step, d * days.events.end_step.shape[1])


@kernel
def fetch_series(series, row, k):
    """Ask for step `k` of a series that hardly two days share."""
    groups, length = series.values.shape[1], series.values.shape[2]
    first = row * groups * length + k
    for g in range(groups):
        prefetch(series.values, first + g * length)


@kernel
def fetch_stay(j, stays):
    """Ask for all that an arriving car brings along."""
    s = stays
    prefetch(s.arrive_step, j)
    prefetch(s.depart_step, j)
    prefetch(s.said_depart_step, j)
    prefetch(s.soc_arrive, j)
    prefetch(s.target_soc, j)
    prefetch(s.asked_kwh, j)
    prefetch(s.stop_soc, j)
    prefetch(s.charge_limit_soc, j)
    prefetch(s.reserve_soc, j)
    prefetch(s.min_soc, j)
    prefetch(s.soc_known, j)
    prefetch(s.export_consent, j)
    prefetch(s.capacity_kwh, j)
    prefetch(s.taper_soc, j)
    prefetch(s.battery_accept_kw, j)
    prefetch(s.max_charge_kw, j)
    prefetch(s.max_discharge_kw, j)
    prefetch(s.min_charge_kw, j)
    prefetch(s.min_discharge_kw, j)
    prefetch(s.step_kw, j)
    prefetch(s.charge_efficiency, j)
    prefetch(s.discharge_efficiency, j)
    prefetch(s.fixed_loss_kw, j)


@kernel
def fetch_ahead(b, hi, days, state):
    """Ask for what the worlds after `b` will look up: in time, and the rows before the series that they tell."""
    if b + 2 * FETCH_WORLDS < hi:
        fetch_day(state.day[b + 2 * FETCH_WORLDS], days)
    if b + FETCH_WORLDS < hi:
        d, k = state.day[b + FETCH_WORLDS], state.step[b + FETCH_WORLDS]
        fetch_series(days.net_load_kw, days.net_load_kw.row[d], k)
        fetch_series(days.feeder_net_load_kw, days.feeder_net_load_kw.row[d], k)
        fetch_series(days.emissions, days.emissions.row[d], k)
    if b + 1 < hi:
        for n in range(state.next_arrive.shape[1]):
            if state.next_arrive[b + 1, n] == state.step[b + 1] + 1:
                fetch_stay(state.next_stay[b + 1, n], days.stays)
