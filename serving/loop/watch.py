"""Looking at a site between two cycles: whether it calls for one before its time."""

from __future__ import annotations

from collections.abc import Set
from enum import StrEnum
from typing import Any

import numpy as np

from ..messages.request import DispatchRequest, Feeders, Sites

Array = Any

SLACK_KW = 0.05
"""By which a limit may be passed before a cycle is called for: less than the least step of any charger."""


class Cause(StrEnum):
    """Why a cycle begins, or why something is told of it again."""

    SCHEDULE = "schedule"
    LIMIT = "a limit was cut"
    ARRIVAL = "a car came"
    BACK = "the site can be read again"
    OWED = "sent at another try"


def called_for(request: DispatchRequest, setpoint_kw: Array, were_absent: Set[str]) -> Cause | None:
    """Why a cycle should begin now; None: it need not.

    Args:
        request: the site as it is now.
        setpoint_kw: what stands at its chargers, (N,); NaN: nothing.
        were_absent: ports of which no car was known in the last cycle; one that came charges at full power meanwhile.
    """
    if breaks_a_limit(request, setpoint_kw):
        return Cause.LIMIT
    came = (request.ports.plugged == 1) & np.isin(request.ports.id, np.array(list(were_absent), np.str_))
    return Cause.ARRIVAL if came.any() else None


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
