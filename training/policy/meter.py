"""Export that knows the meter: first the site's own load, then, past a kink, the grid."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ...envs.encoding.fields import DEAD_BAND
from .columns import COLUMN
from .pools import Groups

OWN_LOAD_UNTIL, GRID_FROM = 1.0 / 3.0, 0.6
"""Between them the export stays at the site's own load: a step between two prices."""

LEAST_SHARE = 1.02 * DEAD_BAND
"""The least export that is no pause."""


def net_load(ports: Tensor) -> Tensor:
    """Net load of each car's site (B, N), below 0 where the sun makes more than is used, in the scale of powers.

    It is told relative to the full set-point, which a full car does not tell: its export stands in.

    Args:
        ports: (B, N, K) as encoded.
    """
    full = torch.maximum(ports[..., COLUMN["can_charge_kw"]], ports[..., COLUMN["can_export_kw"]])
    return ports[..., COLUMN["site_load"]] * full


class OwnLoad(NamedTuple):
    """Shares of a car's export (B, N)."""

    given: Tensor  # for its site's own load
    met: Tensor  # what the load takes of it; the rest goes to the grid


def own_load(ports: Tensor, mask: Tensor, site: Groups) -> OwnLoad:
    """What each car gives when its site's cars meet the site's net load together.

    A car whose part is at least half of `LEAST_SHARE` gives that: the evening load of many homes is below it.

    Args:
        ports: (B, N, K) as encoded.
        mask: (B, N).
        site: the site of each port.
    """
    give = ports[..., COLUMN["can_export_kw"]] * mask
    load = torch.clamp(net_load(ports), min=0.0)
    together = torch.clamp(site.each(site.total(give)), min=1e-6)
    met = torch.clamp(load / together, 0.0, 1.0)
    return OwnLoad(torch.where(met >= 0.5 * LEAST_SHARE, torch.clamp(met, min=LEAST_SHARE), met), met)


def meter_export(wish: Tensor, own: OwnLoad) -> Tensor:
    """Share of the export that a car can give now, from a wish in [0, 1].

    Up to `OWN_LOAD_UNTIL` it rises to the car's part of the site's net load, which is worth the import price, stays
    there to `GRID_FROM`, and rises to full export, which is worth the export price.

    Args:
        wish: (B, N).
        own: of `own_load`.
    """
    first = torch.clamp(wish / OWN_LOAD_UNTIL, max=1.0)
    rest = torch.clamp((wish - GRID_FROM) / (1.0 - GRID_FROM), min=0.0)
    # On the flat the export price still tells where to leave it: forward flat, backward a slope.
    lean = torch.clamp(wish, OWN_LOAD_UNTIL, GRID_FROM)
    return own.given * first + (1.0 - own.given) * (rest + lean - lean.detach())
