"""Limits of sites and feeders as time series: panel, transformer derated in hot hours, feeder."""

from __future__ import annotations

import numpy as np

from .calendar import StepTimes
from .scenario import FloatArray, IntArray
from .settings import Limit, ScenarioSettings, limit_kw


def site_import_limit_kw(settings: ScenarioSettings, times: StepTimes, ports_of_site: IntArray) -> FloatArray:
    """The lesser of panel and transformer at each step, `(S, L)`, read-only where all sites are alike."""
    site = settings.site
    in_hours = times.in_window(*site.transformer_hot_local_hours)
    hot = in_hours & np.isin(times.month, site.transformer_hot_months)
    rating = np.where(hot, site.transformer_hot_share, 1.0)
    panel = _of_sites(site.panel_kw, site.panel_kw_per_port, np.ones(times.count), ports_of_site)
    transformer = _of_sites(site.transformer_kw, site.transformer_kw_per_port, rating, ports_of_site)
    return _alike(np.minimum(panel, transformer), ports_of_site)


def site_export_limit_kw(settings: ScenarioSettings, times: StepTimes, ports_of_site: IntArray) -> FloatArray:
    """What a site may feed back, `(S, L)`, read-only where all sites are alike."""
    site = settings.site
    rows = _of_sites(site.export_limit_kw, site.export_limit_kw_per_port, np.ones(times.count), ports_of_site)
    return _alike(rows, ports_of_site)


def feeder_limits_kw(settings: ScenarioSettings, times: StepTimes) -> tuple[FloatArray, FloatArray]:
    """Import and export limit of the feeder, `(1, L)` each."""
    feeder, n = settings.feeder, settings.ports
    most_in = limit_kw(feeder.import_limit_kw, feeder.import_limit_kw_per_port, n)
    most_out = limit_kw(feeder.export_limit_kw, feeder.export_limit_kw_per_port, n)
    return np.full((1, times.count), most_in), np.full((1, times.count), most_out)


def _of_sites(absolute: Limit, per_port: Limit, rating: FloatArray, ports_of_site: IntArray) -> FloatArray:
    """One row for each number of ports that a site has, smallest first."""
    sizes = np.unique(ports_of_site)
    most: FloatArray = np.array([limit_kw(absolute, per_port, int(n)) for n in sizes])
    rows: FloatArray = most[:, None] * rating
    return rows


def _alike(rows: FloatArray, ports_of_site: IntArray) -> FloatArray:
    """The rows dealt out to the sites; one shared row, not copies, where all sites have as many ports."""
    if len(rows) == 1:
        return np.broadcast_to(rows, (len(ports_of_site), rows.shape[1]))
    dealt: FloatArray = rows[np.unique(ports_of_site, return_inverse=True)[1]]
    return dealt
