"""Limits of sites and feeders as time series: panel, transformer derated in hot hours, feeder."""

from __future__ import annotations

import numpy as np

from .calendar import StepTimes
from .scenario import FloatArray, IntArray
from .settings import ScenarioSettings, limit_kw


def site_import_limit_kw(settings: ScenarioSettings, times: StepTimes, ports_of_site: IntArray) -> FloatArray:
    """The lesser of panel and transformer at each step, `(S, L)`."""
    site = settings.site
    panel = [limit_kw(site.panel_kw, site.panel_kw_per_port, n) for n in ports_of_site]
    transformer = [limit_kw(site.transformer_kw, site.transformer_kw_per_port, n) for n in ports_of_site]
    hot = times.in_window(*site.transformer_hot_local_hours) & np.isin(
        times.month, site.transformer_hot_months
    )
    rating = np.where(hot, site.transformer_hot_share, 1.0)
    lesser: FloatArray = np.minimum(np.array(panel)[:, None], np.array(transformer)[:, None] * rating)
    return lesser


def site_export_limit_kw(settings: ScenarioSettings, times: StepTimes, ports_of_site: IntArray) -> FloatArray:
    """What a site may feed back, `(S, L)`."""
    site = settings.site
    most = [limit_kw(site.export_limit_kw, site.export_limit_kw_per_port, n) for n in ports_of_site]
    return np.repeat(np.array(most)[:, None], times.count, axis=1)


def feeder_limits_kw(settings: ScenarioSettings, times: StepTimes) -> tuple[FloatArray, FloatArray]:
    """Import and export limit of the feeder, `(1, L)` each."""
    feeder, n = settings.feeder, settings.ports
    most_in = limit_kw(feeder.import_limit_kw, feeder.import_limit_kw_per_port, n)
    most_out = limit_kw(feeder.export_limit_kw, feeder.export_limit_kw_per_port, n)
    return np.full((1, times.count), most_in), np.full((1, times.count), most_out)
