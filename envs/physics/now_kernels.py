"""What the present step shows to controllers, compiled; see `now`."""

from __future__ import annotations

from .compiling import kernel
from .fetch_kernels import fetch_series

FETCH_WORLDS = 8
"""Worlds are quickly looked at: so many ahead, what they look up is asked for."""


@kernel
def present(b, k, series, row, out):
    """The values of step `k` in one world's series."""
    for g in range(out.shape[1]):
        out[b, g] = series.values[row, g, k]


@kernel
def fetch_loads(b, k, days, row):
    """Ask for what hardly two worlds share."""
    fetch_series(days.net_load_kw, row.net_load_kw[b], k)
    fetch_series(days.feeder_net_load_kw, row.feeder_net_load_kw[b], k)
    fetch_series(days.emissions, row.emissions[b], k)


@kernel
def look(lo, hi, days, today, at, step_s, n_steps, now):
    """Write what worlds `lo .. hi` show at their steps `at` (B,) into `now`."""
    row, imports, exports = today.row, days.import_price_forecast.values, days.export_price_forecast.values
    for b in range(lo, hi):
        if b + FETCH_WORLDS < hi:
            fetch_loads(b + FETCH_WORLDS, at[b + FETCH_WORLDS], days, row)
        k = min(at[b], n_steps - 1)
        issue = days.price_issue.values[row.price_issue[b], k]
        now.step[b] = k
        now.import_row[b] = row.import_price_forecast[b] * imports.shape[1] + issue
        now.export_row[b] = row.export_price_forecast[b] * exports.shape[1] + issue
        now.price_known_steps[b] = max(days.price_known_until.values[row.price_known_until[b], issue] - k, 0)
        second = today.start_second[b] + k * step_s
        if 0 <= today.clock_shift_step[b] <= k:
            second += today.clock_shift_s[b]
        now.seconds_of_day[b] = second % 86400
        now.weekday[b] = (today.weekday[b] + second // 86400) % 7
        now.arrivals_hour[b] = k * step_s // 3600
        present(b, k, days.net_load_kw, row.net_load_kw[b], now.net_load_kw)
        present(b, k, days.feeder_net_load_kw, row.feeder_net_load_kw[b], now.feeder_net_load_kw)
        present(b, k, days.import_price, row.import_price[b], now.import_price)
        present(b, k, days.export_price, row.export_price[b], now.export_price)
        present(b, k, days.emissions, row.emissions[b], now.emissions)
        for e in range(now.event_known.shape[1]):
            now.event_known[b, e] = today.events.notice_step[b, e] <= k
            now.event_start[b, e] = today.events.start_step[b, e] - k
            now.event_end[b, e] = today.events.end_step[b, e] - k
