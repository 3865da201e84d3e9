"""Whole days of many worlds under a network, as dollars that can be differentiated.

Two simulators run in lock-step on the same days: the compiled one gives snapshots, observations and the projection
(fast, and what is evaluated), the torch one gets the same set-points and keeps the ledger that gradients flow
through. What the projection has decided stands as it is: a request that it left alone (but for rounding to minimum
current and step) has the slope one, anything else zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...envs.action import requested_power
from ...envs.encoding import make_encoder
from ...envs.ledger import Account
from ...envs.physics.team import team_of
from ...envs.safety.projection import Reserve, make_projector
from ...envs.safety.reasons import Reason
from ...envs.safety.survey import survey
from ...envs.simulator import Simulator
from ...envs.snapshot import Snapshot
from ...envs.world.bank import Bank
from ..policy.network import SetNetwork
from ..policy.torch_policy import groups_of_snapshot
from .smooth import PAUSE_KW, SmoothSimulator

DECIDED = int(
    Reason.DEPARTURE | Reason.LOOK_AHEAD | Reason.MIN_SOC | Reason.IMPORT_LIMIT | Reason.EXPORT_LIMIT
    | Reason.REFILL | Reason.RESERVE | Reason.NO_EXPORT | Reason.OVERRIDE
)  # fmt: skip
"""Where the projection, not the policy, has set the power."""


TAUGHT = [account for account in Account if account is not Account.OVERLOAD_USD]
"""The projection keeps the limits. Where it fills one to the last watt, rounding alone would give the overload's
slope of some $ 7 per kWh to every car below the limit, and drown all else."""


class Day(NamedTuple):
    """What a roll-out gives."""

    cost_usd: Tensor  # (B,) net cost of each world's day
    lesson_usd: Tensor  # (B,) the part of it that has something to teach
    accounts_usd: Tensor  # (B, A)
    setpoint_kw: Tensor  # (T, B, N) as applied
    decided_share: float  # of the connected cars' steps, where the projection had the last word


class Request(NamedTuple):
    power_kw: Tensor  # (B, N) with the gradient of the action
    side: Tensor  # (B, N) +1 where a pause leans on charging, -1 where on exporting


@dataclass(frozen=True)
class Noise:
    """Noise on the action that holds for some steps, so that it moves energy.

    Args:
        scale: standard deviation.
        hold_steps: steps for which a draw is kept.
    """

    scale: float = 0.0
    hold_steps: int = 4


class Rollout:
    """Plays days of one bank, `n_worlds` at a time.

    Args:
        bank: packed days of one fleet.
        n_worlds: worlds side by side, `B`.
        reserve: what the projection keeps back.
        device: where network and ledger are computed.
        through_observation: let gradients also flow from a state through its observation into later actions.
    """

    def __init__(
        self,
        bank: Bank,
        n_worlds: int,
        *,
        reserve: Reserve | None = None,
        device: str = "cpu",
        through_observation: bool = False,
    ) -> None:
        self.bank, self.n_worlds, self.device = bank, n_worlds, device
        self._fast = Simulator(bank, n_worlds, backend="numba")
        self._slow = SmoothSimulator(bank, n_worlds, device)
        self._project = make_projector("numba", reserve)
        self._encode = make_encoder("numba")
        self._encode_slow = make_encoder("torch") if through_observation else None
        site, feeder = groups_of_snapshot(self._peek())
        self._site, self._feeder = site.to(device), feeder.to(device)

    def play(self, network: SetNetwork, days: Any, noise: Noise, rng: torch.Generator) -> Day:
        """Play `days` (B,) of the bank from reset to settlement."""
        self._fast.reset(days)
        self._slow.reset(days)
        accounts: Any = 0.0
        setpoints, decided, cars, shake = [], 0.0, 0.0, torch.zeros(())
        for step in range(self._fast.n_steps):
            snapshot = self._fast.snapshot()
            if noise.scale > 0 and step % noise.hold_steps == 0:
                shape = (self.n_worlds, self._fast.n_ports)
                shake = (noise.scale * torch.randn(shape, generator=rng)).to(self.device)
            action = torch.clamp(self._act(network, snapshot) + shake, -1.0, 1.0)
            request = self._request(snapshot, action)
            projected = self._project.project(snapshot, request.power_kw.detach().cpu().numpy())
            own = torch.from_numpy((projected.reasons & DECIDED) == 0).to(self.device)
            setpoint = _through(request, torch.from_numpy(projected.applied_kw).to(self.device), own)
            plugged = snapshot.ports.plugged
            decided, cars = decided + float((~own.cpu().numpy() & plugged).sum()), cars + float(plugged.sum())
            setpoints.append(torch.from_numpy(projected.applied_kw).to(self.device))
            accounts = accounts + self._slow.step(setpoint)
            self._fast.step(projected.applied_kw)
        return Day(
            accounts.sum(1), accounts[:, TAUGHT].sum(1), accounts, torch.stack(setpoints), decided / max(cars, 1.0)
        )

    def _peek(self) -> Snapshot:
        self._fast.reset()
        return self._fast.snapshot()

    def _act(self, network: SetNetwork, snapshot: Snapshot) -> Tensor:
        if self._encode_slow is not None:
            seen = self._encode_slow.encode(self._slow.snapshot())
        else:
            seen = type(made := self._encode.encode(snapshot))(*(torch.from_numpy(x).to(self.device) for x in made))
        return network(seen.ports, seen.context, seen.mask.float(), self._site, self._feeder)  # type: ignore[no-any-return]

    def _request(self, snapshot: Snapshot, action: Tensor) -> Request:
        """`envs.action.requested_power`, with a slope also in the dead band and where a car cannot export."""
        asked = requested_power(snapshot, action.detach().cpu().numpy(), "numba")
        cars = survey(snapshot, team_of(1))
        both = (np.where(snapshot.ports.plugged, x, 0.0).astype(asked.dtype) for x in (cars.take_kw, cars.give_kw))
        take, give = (torch.from_numpy(x).to(self.device) for x in both)
        charging = (action.detach() >= 0) | (give <= 0)
        share = action.to(take.dtype)
        slope = torch.where(charging, share * take, share * give)
        power = torch.from_numpy(asked).to(self.device) + slope - slope.detach()
        return Request(power, torch.where(charging, 1.0, -1.0).to(power.dtype))


def _through(request: Request, applied: Tensor, own: Tensor) -> Tensor:
    """The applied set-point, with the request's gradient where the projection left it to the policy."""
    applied = torch.where(applied == 0, PAUSE_KW * request.side, applied)
    slope = torch.where(own, request.power_kw, 0.0)
    return applied + slope - slope.detach()
