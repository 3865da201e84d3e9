"""The set network: an answer per car from its own token, its site's and fleet's pools, and the common context.

Every weight is shared by all cars and all sites, and every figure of a site is scaled by the site, so that one
network runs on any number of ports; permuting the cars permutes the answers. Scales are those of the observation
(`envs.encoding.fields`), fixed; nothing is normalised by what was seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...envs.encoding import CONTEXT_WIDTH, PORT_WIDTH
from .columns import step_hours
from .levels import CAPS, LEVELS, cap_charging, pays_for_peak, site_levels
from .margins import MARGINS, margins
from .meter import OwnLoad, meter_export, own_load
from .pools import Groups
from .rule import caps, evenness, fresh_numbers
from .wishes import wishes

FIRST_OUTPUT = 0.05
"""How far from nothing layers answer that are woken, about."""


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
        self.head = nn.Sequential(nn.Linear(s.token + pool + s.context, s.head), nn.SiLU(), _answer(s.head, 1))
        self.level = nn.Sequential(nn.Linear(pool + s.context + LEVELS, s.head), nn.SiLU(), _answer(s.head, CAPS))
        # Fresh, the network is a rule; the layers learn where to leave it.
        self.rule, self.shortcut = nn.Parameter(fresh_numbers()), nn.Parameter(torch.tensor(1.0))

    def is_rule(self) -> bool:
        """Whether `by_rule` says the same at a fraction of the cost."""
        return self.is_silent() and float(self.shortcut.detach()) == 1.0

    def is_silent(self) -> bool:
        """Whether its layers answer nothing yet."""
        last = [parameter for layers in (self.head, self.level) for parameter in layers[-1].parameters()]
        return not any(bool(parameter.any()) for parameter in last)

    def wake(self) -> None:
        """Let silent layers answer a little: exactly at a pause the dollars have a kink, and no slope leads away."""
        for name in ("head.2.weight", "level.2.weight"):
            nn.init.normal_(self.get_parameter(name), std=FIRST_OUTPUT / math.sqrt(self.sizes.head))

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
        joint, own = torch.cat([tokens, site.each(pooled), around], -1), own_load(ports, mask, site)
        wish = self.head(joint)[..., 0] + self.shortcut * wishes(ports, context, own, self.rule)
        levels = site_levels(ports, mask, site)
        # What a site decides is the same for all its cars: their mean, so that no car stands for the others.
        shared = torch.cat([pooled, site.mean(around, mask), levels], -1)
        cap = self.level(shared) + caps(levels, context, self.rule)
        answer = within(wish)
        even = evenness(self.rule)
        charging = cap_charging(torch.clamp(answer, min=0.0), ports, mask, site, cap, even, levels, step_hours(context))
        return _metered(charging, answer, own, mask)


def fresh_network(seed: int) -> SetNetwork:
    """A fresh network of the usual widths, whose layers are drawn by `seed` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SetNetwork()


def by_rule(
    ports: Tensor, context: Tensor, mask: Tensor, site: Groups, numbers: Tensor, *, capped: bool | None = None
) -> Tensor:
    """What a fresh network with these numbers answers (B, N); see `wishes.wishes`.

    Where no site pays for a peak there is nothing to cap, which saves half of the time.

    Args:
        ports: (B, N, K) as encoded.
        context: (B, M).
        mask: (B, N), 1 where a car is.
        site: the site of each port.
        numbers: (R,) for all worlds, or (B, R).
        capped: whether a site pays for a peak; None where it is to be seen from the ports.
    """
    own = own_load(ports, mask, site)
    answer = within(wishes(ports, context, own, numbers))
    pays = pays_for_peak(ports, mask) if capped is None else capped
    charging = _under_caps(pays, torch.clamp(answer, min=0.0), ports, context, mask, site, numbers)
    return _metered(charging, answer, own, mask)


def _under_caps(
    pays: bool | Tensor, wish: Tensor, ports: Tensor, context: Tensor, mask: Tensor, site: Groups, numbers: Tensor
) -> Tensor:
    """The charging that is wished for, under the rule's caps where somebody pays for a peak."""

    def cap(wish: Tensor, ports: Tensor, context: Tensor, mask: Tensor, index: Tensor, numbers: Tensor) -> Tensor:
        of_site = Groups(index, site.count)
        levels = site_levels(ports, mask, of_site)
        told = caps(levels, context, numbers)
        return cap_charging(wish, ports, mask, of_site, told, evenness(numbers), levels, step_hours(context))

    operands = (wish, ports, context, mask, site.index, numbers)
    if torch.compiler.is_exporting():  # a graph asks when it runs; no branch may hand back what it was given
        chosen: Tensor = torch.cond(pays, cap, lambda wish, *_: wish.clone(), operands)
        return chosen
    return cap(*operands) if pays else wish


def _metered(charging: Tensor, answer: Tensor, own: OwnLoad, mask: Tensor) -> Tensor:
    """The charging, and what the answer exports, past the site's meter."""
    return (charging - meter_export(torch.clamp(-answer, min=0.0), own)) * mask


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


def _pool(tokens: Tensor, mask: Tensor, groups: Groups) -> Tensor:
    return torch.cat([groups.mean(tokens, mask), groups.share(mask)[..., None]], -1)


def _layers(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, outputs), nn.SiLU())


def _answer(inputs: int, outputs: int) -> nn.Linear:
    """A last layer whose answers begin at 0."""
    layer = nn.Linear(inputs, outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
