"""Imitation first, then dollars: one run that begins with a teacher and goes on by pathwise gradients."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...envs.world.bank import Bank
from ..pathwise import PathwiseSettings, PathwiseTrainer
from ..policy import SetNetwork
from ..reserves import Reserves
from ..run.learners import After, NetworkLearner, Tick, pathwise_metrics
from .settings import ImitationSettings
from .trainer import ImitationTrainer, Round

if TYPE_CHECKING:
    from ...agents.policy import Policy


@dataclass(frozen=True)
class WarmStartSettings(PathwiseSettings):
    """Settings of a pathwise training that begins with imitation.

    Args:
        imitated_share: of the updates that are rounds of imitation; they come first. 1: nothing else.
        teacher: by name, see `teachers.TEACHERS`.
        site_weight: see `ImitationSettings`.
        imitation_rate: learning rate of the rounds at the start.
        workers: processes that ask the teacher; 0: the calling one.

    Raises:
        ValueError: a number outside its range.
    """

    imitated_share: float = 0.2
    teacher: str = ImitationSettings.teacher
    site_weight: float = ImitationSettings.site_weight
    imitation_rate: float = ImitationSettings.learning_rate
    workers: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 < self.imitated_share <= 1.0:
            raise ValueError(
                f"imitated_share is {self.imitated_share}; give a share above 0 and at most 1, or train `pathwise`"
            )

    @property
    def rounds(self) -> int:
        """Of imitation."""
        return max(1, round(self.imitated_share * self.updates))

    def imitation(self) -> ImitationSettings:
        """Of the rounds."""
        return ImitationSettings(
            rounds=self.rounds, teacher=self.teacher, site_weight=self.site_weight,
            learning_rate=self.imitation_rate, workers=self.workers, seed=self.seed,
        )  # fmt: skip

    def pathwise(self) -> PathwiseSettings:
        """Of the updates behind them."""
        told = {name: getattr(self, name) for name in PathwiseSettings.__dataclass_fields__}
        return PathwiseSettings(**told | {"updates": max(1, self.updates - self.rounds)})


class WarmStartLearner:
    """What a run drives; see `run.learners.Learner`. A round of imitation counts as an update.

    Args:
        settings: of both parts.
        banks: packed days, one bank per fleet.
        network: to begin with; None: a fresh one.
        reserve: what the projection keeps back; one for all banks, or one for each.
        device: where torch computes.
    """

    def __init__(
        self,
        settings: WarmStartSettings,
        banks: Sequence[Bank],
        *,
        network: SetNetwork | None = None,
        reserve: Reserves = None,
        device: str = "cpu",
    ) -> None:
        self.settings = settings
        self._first = ImitationTrainer(banks, settings.imitation(), network=network, reserve=reserve, device=device)
        # One network: what the first part teaches is what the second goes on with, under an optimiser of its own.
        then = PathwiseTrainer(banks, settings.pathwise(), network=self._first.network, reserve=reserve, device=device)
        self._then = NetworkLearner(then, pathwise_metrics)

    @property
    def total(self) -> int:
        """Rounds and updates that it will make."""
        return self.settings.updates

    @property
    def untypical(self) -> int:
        """The first, which compiles."""
        return 1

    def run(self, after: After) -> None:
        """Make the rounds and updates that are left."""
        with self._first:
            for made in self._first.train():
                after(Tick(made.number, made.cpu_s, _metrics(made)))
        rounds = self.settings.rounds
        if rounds < self.total:
            self._then.run(lambda tick: after(tick._replace(number=rounds + tick.number)))

    def policy(self) -> Policy:
        """The present network, on the CPU."""
        return self._then.policy()

    def network_values(self) -> dict[str, Any]:
        """The present network."""
        return self._then.network_values()

    def state_dict(self) -> dict[str, Any]:
        """Of the part that is running."""
        imitating = self._first.done < self.settings.rounds
        return {"imitation": self._first.state_dict()} if imitating else {"pathwise": self._then.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the state was taken."""
        state = copy.deepcopy(dict(state))
        if "imitation" in state:
            self._first.load_state_dict(state["imitation"])
        else:
            self._first.done = self.settings.rounds
            self._then.load_state_dict(state["pathwise"])


def _metrics(made: Round) -> dict[str, float]:
    return {
        "usd_per_car_day": made.usd_per_car_day,
        "imitation_loss": made.loss,
        "imitation_deviation_percent": 100.0 * made.deviation_share,
    }
