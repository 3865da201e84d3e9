"""A site's level: what its cars must draw together to leave in time, and the cap that is set relative to it."""

from __future__ import annotations

import torch
from torch import Tensor

from ...envs.encoding.fields import DAY_H
from .columns import COLUMN
from .pools import Groups

LEVELS = 5
"""Figures of a site's level that the network sees: see `deadline_level`."""

CAPS = 2
"""Numbers by which the network sets a site's cap: see `cap_charging`."""

LEAST_H = 0.25
"""A deadline that has passed counts as so many hours away."""

LEAST_LEVEL, GREATEST_CAP = 0.02, 4.0

ROOMS = ("peak_room", "typical_room", "site_headroom")


def deadline_level(ports: Tensor, mask: Tensor, site: Groups) -> Tensor:
    """The least constant power of each site that serves all its present cars by their deadlines, and its surroundings.

    For every deadline `d`, the energy due by `d` over the hours until then; the greatest of these is the valley
    filling level of cars under a flat load (Yao, Demers and Shenker 1995). All are shares of the full set-points of
    the site's connected cars.

    Args:
        ports: (B, N, K) as encoded.
        mask: (B, N).
        site: the site of each port.

    Returns:
        (B, S, LEVELS): the level, the mean need, the room below the bill's peak and below the typical one (1 where
        the site pays for no peak), the room below the limit.
    """
    can = ports[..., COLUMN["can_charge_kw"]] * mask
    hours = torch.clamp(ports[..., COLUMN["hours_left"]], min=LEAST_H / DAY_H)
    due = ports[..., COLUMN["hours_needed"]] * can
    earlier, together = site.before(due, hours)
    rate = (earlier + together) / hours
    full = torch.clamp(site.total(can), min=1e-6)
    level = site.greatest(rate) / full
    need = site.total(due / hours) / full
    rooms = [site.mean(ports[..., COLUMN[name], None], mask)[..., 0] for name in ROOMS]
    return torch.stack([torch.clamp(level, 0.0, 2.0), torch.clamp(need, 0.0, 2.0), *rooms], -1)


def pays_for_peak(ports: Tensor, mask: Tensor) -> Tensor:
    """Whether any car stands at a site that pays for a peak (); at all others there is nothing to cap."""
    return (mask * (ports[..., COLUMN["typical_room"]] < 1.0)).any()


def cap_charging(wish: Tensor, ports: Tensor, mask: Tensor, site: Groups, cap: Tensor, levels: Tensor) -> Tensor:
    """Fill each site's cap with its cars' wishes, least laxity first.

    The site's cars draw at most the greatest of: `exp(cap[0])` times their deadline level; what the bill's peak so
    far leaves, which costs no more; what a typical day's peak leaves, shifted by `cap[1]`. All are shares of full
    set-points; a site that pays for no peak has room for all of them, so nothing is capped there. Shared out evenly,
    the cap was overrun by whoever had to leave: on the depot 24 % captured by fresh weights, 69 % by laxity.

    Args:
        wish: (B, N) in [0, 1].
        ports: (B, N, K) as encoded.
        mask: (B, N).
        site: the site of each port.
        cap: (B, S, CAPS).
        levels: (B, S, LEVELS) of `deadline_level`.
    """
    can = ports[..., COLUMN["can_charge_kw"]] * mask
    # Rooms are told relative to the full set-points of all cars of the site, the full ones included.
    cars = site.total(ports[..., COLUMN["max_charge_kw"]] * mask)
    due = torch.exp(torch.clamp(cap[..., 0], max=GREATEST_CAP)) * (levels[..., 0] + LEAST_LEVEL) * site.total(can)
    typical = levels[..., 3] + torch.where(levels[..., 3] < 1.0, cap[..., 1], 0.0)
    most = torch.maximum(due, torch.maximum(levels[..., 2], typical) * cars)
    wished = wish * can
    ahead, together = site.before(wished, ports[..., COLUMN["laxity"]])
    return wish * torch.clamp((site.each(most) - ahead) / torch.clamp(together, min=1e-6), 0.0, 1.0)
