"""Looking at limits between two cycles: whether what stands at the chargers breaks one that was cut meanwhile."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..messages.request import DispatchRequest, Feeders, Sites

Array = Any

SLACK_KW = 0.05
"""By which a limit may be passed before a cycle is called for: less than the least step of any charger."""


def breaks_a_limit(request: DispatchRequest, setpoint_kw: Array) -> bool:
    """Whether set-points (N,), NaN where none stands, pass a limit of the present step.

    As in the projection, what the site draws without its cars is not theirs to mend: with none of their power left,
    there is nothing to call for.
    """
    power = np.nan_to_num(setpoint_kw)
    sites, feeders = request.sites, request.feeders
    at_feeders = np.bincount(sites.feeder, sites.net_load_kw, len(feeders.id))
    load = np.where(np.isnan(feeders.net_load_kw), at_feeders, feeders.net_load_kw)
    site = request.ports.site
    return _passes(sites, sites.net_load_kw, site, power) or _passes(feeders, load, sites.feeder[site], power)


def _passes(group: Sites | Feeders, load_kw: Array, row: Array, power_kw: Array) -> bool:
    drawn, given = (np.bincount(row, np.maximum(way * power_kw, 0.0), len(load_kw)) for way in (1.0, -1.0))
    net = load_kw + drawn - given
    most, least = group.import_limit_kw[:, 0], -group.export_limit_kw[:, 0]
    too_much = (net > np.fmax(most, load_kw - given) + SLACK_KW) & ~np.isnan(most)
    too_little = (net < np.fmin(least, load_kw + drawn) - SLACK_KW) & ~np.isnan(least)
    return bool((too_much | too_little).any())
