"""A site's cap: what its cars may draw together where its peak is paid for, and in which order they fill it."""

from __future__ import annotations

import torch
from torch import Tensor

from ...envs.encoding.fields import DAY_H
from .columns import COLUMN
from .pools import Groups

LEVELS = 4
"""Figures of a site's level that the network sees: see `site_levels`."""

CAPS = 1
"""Numbers by which the network sets a site's cap: see `cap_charging`."""

LEAST_H = 0.25
"""A deadline that has passed counts as so many hours away."""

TINY_SHARE = 1e-3
"""Of a step's charging: a car that is still asked for less has got what it was asked for."""

FIRST = 5.0
"""By so much the laxity of who comes first is lowered: more than laxities differ."""

ROOMS = ("peak_room", "planned_room", "site_headroom")


def site_levels(ports: Tensor, mask: Tensor, site: Groups) -> Tensor:
    """What each site's cars need, and how much room there is for it; all are shares of their full set-points.

    Args:
        ports: (B, N, K) as encoded.
        mask: (B, N).
        site: the site of each port.

    Returns:
        (B, S, LEVELS): the mean need, the room below the bill's peak and below the planned level (1 where the site
        pays for no peak), the room below the limit.
    """
    can = ports[..., COLUMN["can_charge_kw"]] * mask
    hours = torch.clamp(ports[..., COLUMN["hours_left"]], min=LEAST_H / DAY_H)
    due = ports[..., COLUMN["hours_needed"]] * can
    need = site.total(due / hours) / torch.clamp(site.total(can), min=1e-6)
    rooms = [site.mean(ports[..., COLUMN[name], None], mask)[..., 0] for name in ROOMS]
    return torch.stack([torch.clamp(need, 0.0, 2.0), *rooms], -1)


def pays_peak(ports: Tensor) -> Tensor:
    """Which cars (B, N) stand at a site that pays for a peak: its room tells another number than 1."""
    return ports[..., COLUMN["peak_room"]] != 1.0


def pays_for_peak(ports: Tensor, mask: Tensor) -> Tensor:
    """Whether any car does (); at all other sites there is nothing to cap."""
    return (mask * pays_peak(ports)).any()


def cap_charging(
    wish: Tensor, ports: Tensor, mask: Tensor, site: Groups, cap: Tensor, even: Tensor, levels: Tensor, step_h: Tensor
) -> Tensor:
    """Fill each site's cap with its cars' wishes, least laxity first, or shared out evenly.

    The site's cars draw at most the greater of what the bill's peak so far leaves, which costs no more, and of what
    the planned level leaves, shifted by `cap`. Both are shares of full set-points; a site that pays for no peak has
    room for all of them, so nothing is capped there. Shared out evenly, the cap was overrun by whoever had to leave:
    on the depot 24 % captured by fresh weights, 69 % by laxity. Laxity believes what drivers say, though: where they
    leave early, even shares cost less. These keep to the site's limit too, which the projection would fill by laxity.
    A car that ends within the step counts by what it takes of it on average, as the bill does: counted in full, a tenth
    of the cap stayed unused, and 2 % less captured.

    Args:
        wish: (B, N) in [0, 1].
        ports: (B, N, K) as encoded.
        mask: (B, N).
        site: the site of each port.
        cap: (B, S, CAPS).
        even: (1,) or (B, 1), 0 to 1: how much of the cap is shared out evenly.
        levels: (B, S, LEVELS) of `site_levels`.
        step_h: (B, 1) length of a step.
    """
    can = ports[..., COLUMN["can_charge_kw"]] * mask
    # Rooms are told relative to the full set-points of all cars of the site, the full ones included.
    cars = site.total(ports[..., COLUMN["max_charge_kw"]] * mask)
    planned = levels[..., 2] + torch.where(levels[..., 2] < 1.0, cap[..., 0], 0.0)
    room = torch.maximum(levels[..., 1], planned)
    ends = torch.clamp(ports[..., COLUMN["hours_needed"]] * DAY_H / step_h, max=1.0)
    pays, known, least = pays_peak(ports), ports[..., COLUMN["soc_known"]] > 0.0, ports[..., COLUMN["min_charge"]]
    # What a car without SoC was asked for does not bound what it takes, but a set-point does.
    still = torch.where(ends > TINY_SHARE, torch.maximum(ends, least), 0.0)
    wish = torch.where(pays & ~known, torch.minimum(wish, still), wish)
    # What is charged whatever is asked comes first, so that the others make room for it.
    at_once = ports[..., COLUMN["at_once"]]
    wished = torch.minimum(torch.maximum(wish, at_once), torch.where(known, ends, 1.0)) * can
    ahead, together = site.before(wished, ports[..., COLUMN["laxity"]] - FIRST * at_once)
    in_turn = torch.clamp((site.each(room * cars) - ahead) / torch.clamp(together, min=1e-6), 0.0, 1.0)
    alike = torch.minimum(room, levels[..., 3]) * cars / torch.clamp(site.total(wished), min=1e-6)
    even = even * pays
    share = (1.0 - even) * in_turn + even * torch.maximum(torch.clamp(site.each(alike), 0.0, 1.0), at_once)
    part = share * wished / torch.clamp(can, min=1e-6)
    # The projection would raise a part below the least set-point to it, above the cap.
    part = torch.where(part < least, 0.0, part)
    return torch.where(share < 1.0, part, wish)
