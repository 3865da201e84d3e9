"""DAgger: the network plays, a teacher says what it would have done there, the network learns to do so.

Ross, Gordon and Bagnell 2011 (`A reduction of imitation learning and structured prediction to no-regret online
learning`), from the first round on with the network's own play: fresh, it charges in each car's cheapest steps.

What it costs: the rule that a network begins as is better than what it learns from either teacher. Twenty rounds on 96
days, $ per car and day on 48 validation days, first and last, seed 0: home-texas .935 to .943 with the optimum, .939
with MPC, which says only what can be known; depot-workplace 3.28 to 3.60 and 3.57. Means of the weights of the last
seven rounds: .942 and .939; 3.64 and 3.49. At a fifth of the learning rate and twice the rounds home-texas ended at
.939 and .938.

Tried and not kept, the programme's duals as labels. Ports labelled only where by the reduced costs another answer would
cost half a cent a kWh: .937 and 4.13; two cents: .935 and 4.11; five cents leave no label in Texas. The reduced cost
itself as a graded answer, full at two cents: 1.019 and 3.81. What helped is the planned load as a feature: it is in the
observation (`planned_room`), and the depot's rule keeps to it.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...envs.world.bank import Bank
from ..descent import Descent, refuse_other
from ..policy.network import SetNetwork, fresh_network
from ..reserves import Reserves, one_each
from .labels import Classroom, Question
from .loss import LEAST_KW, as_action, distance
from .memory import Examples, Memory
from .play import Played, Player
from .settings import ImitationSettings
from .teachers import find_teacher

Array = NDArray[Any]


@dataclass(frozen=True)
class Round:
    """What one round saw."""

    number: int  # from 1
    usd_per_car_day: float  # as played, before the round's fits
    labels: int  # fleets labelled in this round
    loss: float  # mean over the round's fits
    deviation_share: float  # mean distance from the label, of full power, in the last fit
    cpu_s: float  # of the calling process


class ImitationTrainer:
    """Teaches a network to do as a teacher does.

    Close it (or use it as a context manager) where `settings.workers` is not 0.

    Args:
        banks: packed days, one bank per fleet; every round plays days of one, drawn evenly.
        settings: see `ImitationSettings`.
        network: to go on with; None: a fresh one.
        reserve: what the projection keeps back; one for all banks, or one for each.
        device: where the network is computed.

    Raises:
        ValueError: no bank is given, or there is no such teacher.
    """

    def __init__(
        self,
        banks: Sequence[Bank],
        settings: ImitationSettings | None = None,
        *,
        network: SetNetwork | None = None,
        reserve: Reserves = None,
        device: str = "cpu",
    ) -> None:
        if not banks:
            raise ValueError("no bank of days is given; pack some with envs.world.bank.pack")
        s = self.settings = settings or ImitationSettings()
        find_teacher(s.teacher)
        network = network or fresh_network(s.seed)
        self.network, self._device = network.to(device), device
        self._players = [
            Player(bank, s.worlds, kept_back, device)
            for bank, kept_back in zip(banks, one_each(reserve, len(banks)), strict=True)
        ]
        self._descent = Descent(self.network, s)
        self._memory, self._classroom = Memory(s.memory), Classroom(s.workers)
        self.done = 0

    def __enter__(self) -> ImitationTrainer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the teacher's processes."""
        self._classroom.close()

    def train(self) -> Iterator[Round]:
        """The rounds that are left, one by one; stop whenever you like."""
        while self.done < self.settings.rounds:
            yield self.round()

    def round(self) -> Round:
        """Play days, ask the teacher about them, fit.

        Raises:
            FloatingPointError: the loss is no finite number; the weights are those before that fit.
        """
        began, s = time.process_time(), self.settings
        fleet = int(self._descent.days.integers(len(self._players)))
        player = self._players[fleet]
        days = self._descent.days.integers(player.bank.n_days, size=s.worlds)
        played = player.play(self.network, days)
        examples = self._labelled(player, days, played)
        if len(examples):
            self._memory.add(fleet, examples)
        fitted = [self._fit(i) for i in range(s.fits_per_round)] if len(self._memory) else [(0.0, 0.0)]
        self.done += 1
        usd = float(played.cost_usd.mean()) / player.bank.first.n_ports
        loss = float(np.mean([loss for loss, _ in fitted]))
        return Round(self.done, usd, len(examples), loss, fitted[-1][1], time.process_time() - began)

    def state_dict(self) -> dict[str, Any]:
        """All that the next round depends on but the banks; see `Descent.state_dict`."""
        return {
            "settings": asdict(self.settings),
            "days_of_banks": [player.bank.n_days for player in self._players],
            "done": self.done,
            "memory": copy.deepcopy(self._memory.state_dict()),
            **self._descent.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where `state` was taken: on the CPU to the same bits as without the pause.

        Raises:
            ValueError: see `refuse_other`.
        """
        refuse_other(state, self.state_dict(), ("settings", "sizes", "days_of_banks"))
        self._descent.load_state_dict(state)
        self._memory.load_state_dict(copy.deepcopy(state["memory"]))
        self.done = int(state["done"])

    def _labelled(self, player: Player, days: Array, played: Played) -> Examples:
        """The teacher's answers on some steps of the played days."""
        s, busy = self.settings, np.any(np.maximum(played.take_kw, played.give_kw) > LEAST_KW, axis=2)
        steps = [self._some(np.flatnonzero(busy[:, world])) for world in range(s.worlds)]
        asked = [
            Question(player.bank.scenarios[day], played.setpoint_kw[:, world], tuple(steps[world].tolist()), s.teacher)
            for world, day in enumerate(days)
        ]
        said = self._classroom.answer_all(asked)
        step, world = np.concatenate(steps), np.repeat(np.arange(s.worlds), [len(each) for each in steps])
        take, give = played.take_kw[step, world], played.give_kw[step, world]
        columns = (
            *(part[step, world] for part in played.seen),
            *as_action(np.concatenate(said), take, give),
            take,
            give,
        )
        return Examples(*(torch.from_numpy(np.asarray(column, np.float32)) for column in columns))

    def _some(self, steps: Array) -> Array:
        return np.sort(self._descent.days.choice(steps, min(len(steps), self.settings.labels_per_day), replace=False))

    def _fit(self, number: int) -> tuple[float, float]:
        """A gradient step; its loss, and the mean distance from the labels."""
        s = self.settings
        fleet, drawn = self._memory.draw(s.batch, self._descent.draws)
        examples, player = Examples(*(column.to(self._device) for column in drawn)), self._players[fleet]
        share = self.network(examples.ports, examples.context, examples.mask, player.site, player.feeder)
        far = distance(share, examples, player.site, player.feeder, s.robust_share)
        loss = far.cars + s.site_weight * far.sites + s.feeder_weight * far.feeders
        done_share = (self.done + number / s.fits_per_round) / s.rounds
        self._descent.step(loss, done_share, f"round {self.done + 1}")
        return float(loss.detach()), float(far.share.detach())
