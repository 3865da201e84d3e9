"""Trains a set network on the dollars of whole days, update by update.

An update plays days, looks back on them (`lookback`) and takes one gradient step for every `fleets` of what it saw.
Days are looked back on whole, so no window is cut and no value stands in for what comes after it.

`torch.compile` is not used: it made a gradient step 1.65 times as fast (83 for 137 ms of CPU, 256 fleets of 25 ports,
side by side), after 187 s of compiling (29 November 2026, AMD EPYC, a loaded core), which ten minutes do not win back.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from ...envs.world.bank import Bank
from ..accounts import per_car_usd
from ..descent import Descent, refuse_other
from ..policy.network import SetNetwork, fresh_network
from ..reserves import Reserves, one_each
from .lesson import dollars, lesson
from .lookback import Lookback
from .rollout import Noise, Played, Rollout
from .settings import PathwiseSettings


@dataclass(frozen=True)
class Update:
    """What one gradient step saw."""

    number: int  # from 1
    usd_per_car_day: float  # with the action noise, before the step
    accounts_usd: dict[str, float]  # by account, per car and day
    gradient_norm: float  # mean over the update's steps, before clipping
    learning_rate: float
    noise: float
    decided_share: float  # of the connected cars' steps, where the projection had the last word
    cpu_s: float


class PathwiseTrainer:
    """Follows the gradient of dollars per car and day.

    Args:
        banks: packed days, one bank per fleet; every update plays days of one, drawn evenly.
        settings: see `PathwiseSettings`.
        network: to go on with; None: a fresh one.
        reserve: what the projection keeps back; one for all banks, or one for each.
        device: where the network answers and learns; days are played, and their slopes taken, on the CPU.

    Raises:
        ValueError: no bank is given.
    """

    def __init__(
        self,
        banks: Sequence[Bank],
        settings: PathwiseSettings | None = None,
        *,
        network: SetNetwork | None = None,
        reserve: Reserves = None,
        device: str = "cpu",
    ) -> None:
        if not banks:
            raise ValueError("no bank of days is given; pack some with envs.world.bank.pack")
        s = self.settings = settings or PathwiseSettings()
        network = network or fresh_network(s.seed)
        self.network = network.to(device)
        self._rollouts = [
            Rollout(bank, s.worlds, reserve=kept_back, device=device)
            for bank, kept_back in zip(banks, one_each(reserve, len(banks)), strict=True)
        ]
        self._lookbacks = [Lookback(rollout.simulator) for rollout in self._rollouts]
        self._descent = Descent(self.network, s)
        self.done = 0

    def train(self) -> Iterator[Update]:
        """The updates that are left, one by one; stop whenever you like."""
        while self.done < self.settings.updates:
            yield self.update()

    def update(self) -> Update:
        """Play days, differentiate their dollars, step.

        Raises:
            FloatingPointError: dollars or gradient are no finite number; that step was not taken, but the
                update's earlier ones were, and silent layers have been woken.
        """
        began, s = time.process_time(), self.settings
        if self.done == 0 and self.network.is_silent():
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(s.seed)
                self.network.wake()
        fleet = int(self._descent.days.integers(len(self._rollouts)))
        rollout = self._rollouts[fleet]
        days = self._descent.days.integers(rollout.bank.n_days, size=s.worlds)
        noise = Noise(s.noise * (1.0 - self.done / s.updates), s.hold_steps)
        played = rollout.play(self.network, days, noise, self._descent.draws)
        taught = lesson(self._lookbacks[fleet].slopes(played), s.most_usd)
        rate = self._descent.rate(self.done / s.updates)
        norms = [self._descend(rollout, played, taught, rows) for rows in self._parts(played)]
        self.done += 1
        return Update(
            self.done, float(played.cost_usd.mean()) / rollout.bank.first.n_ports,
            per_car_usd(played.accounts_usd, rollout.bank),
            float(np.mean(norms)) if norms else 0.0, rate, noise.scale, played.decided_share,
            time.process_time() - began,
        )  # fmt: skip

    def _parts(self, played: Played) -> list[torch.Tensor]:
        """The fleets of all steps that have a car, in random parts."""
        mask = played.observations.mask
        busy = torch.from_numpy(np.flatnonzero(mask.reshape(-1, mask.shape[-1]).any(axis=1)))
        order = busy[torch.randperm(len(busy), generator=self._descent.draws)]
        return list(torch.split(order, self.settings.fleets)) if len(order) else []

    def state_dict(self) -> dict[str, Any]:
        """All that the next update depends on but the banks; see `Descent.state_dict`."""
        return {
            "settings": asdict(self.settings),
            "days_of_banks": [rollout.bank.n_days for rollout in self._rollouts],
            "done": self.done,
            **self._descent.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where `state` was taken: on the CPU to the same bits as without the pause.

        Raises:
            ValueError: see `refuse_other`.
        """
        refuse_other(state, self.state_dict(), ("settings", "sizes", "days_of_banks"))
        self._descent.load_state_dict(state)
        self.done = int(state["done"])

    def _descend(self, rollout: Rollout, played: Played, taught: tuple[torch.Tensor, ...], rows: torch.Tensor) -> float:
        """A gradient step on some fleets; returns the norm."""
        ports, context, mask = (
            torch.from_numpy(part.reshape(-1, *part.shape[2:]))[rows].to(rollout.device) for part in played.observations
        )
        action = self.network(ports, context, mask.float(), rollout.site, rollout.feeder)
        usd = dollars(action, tuple(column[rows].to(rollout.device) for column in taught))
        loss = usd.sum() * len(played.stay) / (len(rows) * ports.shape[1])  # per car and day
        return self._descent.step(loss, self.done / self.settings.updates, f"update {self.done + 1}")
