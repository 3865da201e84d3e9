"""Direct search: the few numbers of the rule that a network begins as, by the dollars of whole days.

The simulator plays a thousand days in a second, so the numbers are searched by trial, with nothing differentiated:
CMA-ES (Hansen 2016, `The CMA evolution strategy: a tutorial`) as the library `cmaes` has it. All candidates of a
generation play the same days, so that what tells them apart is theirs and not the weather's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from cmaes import CMA
from numpy.typing import NDArray

from ...envs.world.bank import Bank
from ..accounts import per_car_usd
from ..descent import refuse_other
from ..policy.network import SetNetwork, fresh_network
from ..policy.rule import CAR_NUMBERS, scales
from ..reserves import Reserves, one_each
from .play import RulePlayer, pays_peak
from .settings import DirectSettings

Array = NDArray[Any]


@dataclass(frozen=True)
class Generation:
    """What one generation saw."""

    number: int  # from 1
    usd_per_car_day: float  # mean over candidates and days
    best_usd_per_car_day: float  # of the best candidate
    accounts_usd: dict[str, float]  # by account, per car and day, of all of them
    spread: float  # the search's step size, in the numbers' scales
    cpu_s: float


class DirectTrainer:
    """Searches the numbers of a network's rule; where no bank has a demand charge, those of the cars alone.

    Args:
        banks: packed days, one bank per fleet; every candidate plays days of one, which changes by generation.
        settings: see `DirectSettings`.
        network: to begin with, whose rule alone answers; None: a fresh one. Its layers stay as they are.
        reserve: what the projection keeps back; one for all banks, or one for each.

    Raises:
        ValueError: no bank is given, or the network's layers have learned to answer.
    """

    def __init__(
        self,
        banks: Sequence[Bank],
        settings: DirectSettings | None = None,
        *,
        network: SetNetwork | None = None,
        reserve: Reserves = None,
    ) -> None:
        if not banks:
            raise ValueError("no bank of days is given; pack some with envs.world.bank.pack")
        self.settings = settings or DirectSettings()
        self.network = network or fresh_network(self.settings.seed)
        _check_rule(self.network)
        self._fleets = list(zip(banks, one_each(reserve, len(banks)), strict=True))
        self._playing: tuple[int, RulePlayer] | None = None  # one at a time: each holds a thousand worlds
        self._start = self.network.rule.detach().double().numpy().copy()
        self._searched = slice(None) if any(pays_peak(bank) for bank in banks) else slice(0, CAR_NUMBERS)
        self._scales = scales().double().numpy()[self._searched]
        self._begin()

    def _begin(self) -> None:
        s = self.settings
        mean = np.zeros(len(self._scales))
        self._search = CMA(mean=mean, sigma=s.spread, population_size=s.candidates, seed=s.seed)
        self._days = np.random.default_rng(s.seed)
        self._told: list[Array] = []

    @property
    def done(self) -> int:
        """Generations made."""
        return len(self._told)

    def train(self) -> Iterator[Generation]:
        """The generations that are left, one by one; stop whenever you like."""
        while self.done < self.settings.updates:
            yield self.generation()

    def generation(self) -> Generation:
        """Try candidates on some days.

        Raises:
            FloatingPointError: the dollars are no finite number; nothing was learned from them.
        """
        began, s = time.process_time(), self.settings
        candidates = self._ask()
        fleet, days = self._draw()
        player = self._player(fleet)
        numbers = np.stack([self._numbers(candidate) for candidate in candidates])
        accounts = player.accounts_usd(np.tile(days, s.candidates), np.repeat(numbers, s.days, axis=0))
        if not np.isfinite(accounts).all():
            raise FloatingPointError(f"generation {self.done + 1}: dollars are no finite number; the rule was kept")
        per_car = accounts.sum(axis=1).reshape(s.candidates, s.days) / player.bank.first.n_ports
        self._tell(candidates, self._compare(per_car))
        self._write()
        by_candidate = per_car.mean(axis=1)
        return Generation(
            self.done, float(per_car.mean()), float(by_candidate.min()), per_car_usd(accounts, player.bank),
            float(self._search._sigma), time.process_time() - began,
        )  # fmt: skip

    def _compare(self, usd_per_car: Array) -> Array:
        """Each candidate's figure: its mean distance from the day's median candidate, wild days cut."""
        apart = usd_per_car - np.median(usd_per_car, axis=0)
        return np.asarray(np.clip(apart, -self.settings.most_usd, self.settings.most_usd).mean(axis=1))

    def _ask(self) -> list[Array]:
        return [self._search.ask() for _ in range(self.settings.candidates)]

    def _draw(self) -> tuple[int, Array]:
        fleet = int(self._days.integers(len(self._fleets)))
        return fleet, self._days.integers(self._fleets[fleet][0].n_days, size=self.settings.days)

    def _player(self, fleet: int) -> RulePlayer:
        if self._playing is None or self._playing[0] != fleet:
            bank, reserve = self._fleets[fleet]
            self._playing = fleet, RulePlayer(bank, self.settings.candidates * self.settings.days, reserve)
        return self._playing[1]

    def _tell(self, candidates: list[Array], figures: Array) -> None:
        self._search.tell([(candidate, float(figure)) for candidate, figure in zip(candidates, figures, strict=True)])
        self._told.append(figures)

    def _numbers(self, candidate: Array) -> Array:
        numbers = self._start.copy()
        numbers[self._searched] += self._scales * candidate
        return numbers

    def _write(self) -> None:
        """The middle of the search into the network."""
        with torch.no_grad():
            self.network.rule.copy_(torch.from_numpy(self._numbers(self._search.mean)))

    def state_dict(self) -> dict[str, Any]:
        """All that the next generation depends on but the banks: the figures told so far, from which the search is
        made again."""
        told = torch.tensor(np.array(self._told).reshape(-1, self.settings.candidates))
        return {
            "settings": asdict(self.settings),
            "days_of_banks": [bank.n_days for bank, _ in self._fleets],
            "network": {name: value.detach().clone() for name, value in self.network.state_dict().items()},
            "start": torch.from_numpy(self._start.copy()),
            "told": told,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where `state` was taken.

        Raises:
            ValueError: see `refuse_other`.
        """
        refuse_other(state, self.state_dict(), ("settings", "days_of_banks"))
        self.network.load_state_dict(state["network"])
        self._start = state["start"].numpy().copy()
        self._begin()
        for figures in state["told"].numpy():
            candidates = self._ask()
            self._draw()
            self._tell(candidates, figures)


def _check_rule(network: SetNetwork) -> None:
    """Refuse a network that does not act as its rule: the search would find numbers for what is never deployed."""
    if not network.is_rule():
        raise ValueError(
            "the network to begin with acts by its learned layers too, and a direct search plays and changes its rule "
            "alone; train it on with -a pathwise, or begin without it"
        )
