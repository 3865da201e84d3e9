"""The set network: an answer per car from its own token, its site's and fleet's pools, and the common context.

Every weight is shared by all cars and all sites, and every figure of a site is scaled by the site, so that one
network runs on any number of ports; permuting the cars permutes the answers. Scales are those of the observation
(`envs.encoding.fields`), fixed; nothing is normalised by what was seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...envs.encoding import CONTEXT_WIDTH, PORT_WIDTH
from .columns import COLUMN
from .levels import LEVELS, cap_charging, deadline_level
from .margins import MARGINS, gains, margins
from .meter import meter_export
from .pools import Groups

FIRST_LAXITY, SHARPNESS = 0.1, 20.0
"""Economic laxity (share of the steps left) below which a car begins to charge, and how soon it is at full power."""

NOTHING_SAVED = 0.01
"""Squashed saving below which waiting for a cheaper step saves nothing."""

EARNS, SURELY_EARNS = 0.05, 0.1
"""$ per kWh, above buying it again later, from which a car begins to export, and from which it does so fully."""

FIRST_SHORTCUT, FIRST_OUTPUT, FIRST_CAPS = (1.0, 0.45, 0.6), 0.1, (0.3, 0.07)
"""Fresh weights: of the rule in the answer (charge, meet the own load, export), a factor on the last layers, and a
site's caps."""


@dataclass(frozen=True)
class SetNetworkSizes:
    """Widths of the layers.

    Args:
        token: of a car's own features and of the pools.
        context: of what all cars share.
        head: of the last hidden layer.
    """

    token: int = 64
    context: int = 64
    head: int = 64


class SetNetwork(nn.Module):
    """Maps an observation to one number per port in [-1, 1] (contracts 7, action).

    Args:
        sizes: widths of the layers.
    """

    def __init__(self, sizes: SetNetworkSizes | None = None) -> None:
        super().__init__()
        s = self.sizes = sizes or SetNetworkSizes()
        pool = s.token + 1  # mean token, and the share of ports in use
        self.token = _layers(PORT_WIDTH + MARGINS, s.token, s.token)
        self.context = _layers(CONTEXT_WIDTH + pool, s.context, s.context)
        self.head = nn.Sequential(nn.Linear(s.token + pool + s.context, s.head), nn.SiLU(), _answer(s.head, (0.0,)))
        # Fresh, the policy charges in each car's cheapest steps, below the level that its site needs.
        self.level = nn.Sequential(nn.Linear(pool + s.context + LEVELS, s.head), nn.SiLU(), _answer(s.head, FIRST_CAPS))
        self.shortcut = nn.Parameter(torch.tensor(FIRST_SHORTCUT))

    def forward(self, ports: Tensor, context: Tensor, mask: Tensor, site: Groups, feeder: Groups) -> Tensor:
        """Answer per port.

        Args:
            ports: (B, N, K) as encoded.
            context: (B, M).
            mask: (B, N), 1 where a car is.
            site: the site of each port.
            feeder: the feeder of each port.

        Returns:
            (B, N) in [-1, 1], 0 where no car is.
        """
        tokens = self.token(torch.cat([ports, margins(ports)], -1))
        pooled, above = _pool(tokens, mask, site), _pool(tokens, mask, feeder)
        common = context[:, None].expand(-1, feeder.count, -1)
        around = feeder.each(self.context(torch.cat([common, above], -1)))
        joint = torch.cat([tokens, site.each(pooled), around], -1)
        wish = self.head(joint)[..., 0] + (rule(ports) * self.shortcut).sum(-1)
        answer = within(wish)
        levels = deadline_level(ports, mask, site)
        # What a site decides is the same for all its cars: their mean, so that no car stands for the others.
        shared = torch.cat([pooled, site.mean(around, mask), levels], -1)
        cap = self.level(shared)
        charging = cap_charging(torch.clamp(answer, min=0.0), ports, mask, site, cap, levels)
        exporting = meter_export(torch.clamp(-answer, min=0.0), ports, mask, site)
        return (charging - exporting) * mask


class _Within(torch.autograd.Function):
    """A clamp to [-1, 1] with the slope one, but where it leads further outside."""

    @staticmethod
    def forward(ctx: Any, wish: Tensor) -> Tensor:
        ctx.save_for_backward(wish)
        return torch.clamp(wish, -1.0, 1.0)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        (wish,) = ctx.saved_tensors
        outwards = ((wish > 1.0) & (slope < 0.0)) | ((wish < -1.0) & (slope > 0.0))
        return torch.where(outwards, 0.0, slope)


def within(wish: Tensor) -> Tensor:
    """The wish as a share in [-1, 1]. A squashed one would hardly learn where the rule is sure of itself."""
    held: Tensor = _Within.apply(wish) if wish.requires_grad else torch.clamp(wish, -1.0, 1.0)  # type: ignore[no-untyped-call]
    return held


def rule(ports: Tensor) -> Tensor:
    """A rule to start from, (B, N, 3): charge in the cheapest steps; meet the own load, or export, where that earns.

    1 where this step is a car's cheapest or must be among its cheapest; else -1 where a kWh that meets the site's own
    load, and -1 where one that is sold, is worth more than it costs to buy again; 0 elsewhere.
    """
    needs = ports[..., COLUMN["need"]] > 0
    short = SHARPNESS * (FIRST_LAXITY - ports[..., COLUMN["economic_laxity"]])
    cheapest = 1.0 - ports[..., COLUMN["saving"]] / NOTHING_SAVED
    charge = torch.where(needs, torch.clamp(torch.maximum(short, cheapest), 0.0, 1.0), 0.0)
    able = (ports[..., COLUMN["can_export_kw"]] > 0) * (1.0 - charge)
    sold, offset, _ = gains(ports)
    earns = [torch.clamp((gain - EARNS) / (SURELY_EARNS - EARNS), 0.0, 1.0) * able for gain in (offset, sold)]
    return torch.stack([charge, -earns[0], -earns[1]], -1)


def _pool(tokens: Tensor, mask: Tensor, groups: Groups) -> Tensor:
    return torch.cat([groups.mean(tokens, mask), groups.share(mask)[..., None]], -1)


def _layers(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, outputs), nn.SiLU())


def _answer(inputs: int, around: tuple[float, ...]) -> nn.Linear:
    """A last layer whose answers begin `around` these."""
    layer = nn.Linear(inputs, len(around))
    with torch.no_grad():
        layer.weight.mul_(FIRST_OUTPUT)
        layer.bias.copy_(torch.tensor(around))
    return layer
