"""What a run drives: something that learns update by update, whose state can be kept."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ...agents.days import DrawnDays
from ...agents.policy import Policy
from ...configs.load import unknown_name
from .days import TrackFleets, TrainingBanks, training_banks
from .settings import RunSettings, algorithm_of, load_training

if TYPE_CHECKING:
    from ...envs.world.bank import Bank
    from ..pathwise import PathwiseSettings


class Tick(NamedTuple):
    """One update was made."""

    number: int  # from 1
    seconds: float  # CPU time of it
    metrics: dict[str, float]


After = Callable[[Tick], None]


class Learner(Protocol):
    """Learns, and can be stopped and gone on with between two updates."""

    @property
    def total(self) -> int:
        """Updates that it will make."""
        ...

    @property
    def settings(self) -> Any:
        """Everything it was told, a frozen dataclass."""
        ...

    @property
    def untypical(self) -> int:
        """Updates at the start that say nothing about the time of the others; the first one compiles."""
        ...

    def run(self, after: After) -> None:
        """Make the updates that are left, and call `after` behind each; what that raises ends the run."""
        ...

    def policy(self) -> Policy:
        """What has been learned, played without noise."""
        ...

    def network_values(self) -> dict[str, Any]:
        """What has been learned, as `training.weights.network_of` takes it, or a zip under `weights.ZIPPED`; copies."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """All that the next update depends on, of tensors and plain values; copies."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken."""
        ...


Make = Callable[[int], Learner]
"""A fresh learner that will make so many updates."""

PROBED = 3
"""Updates that are timed to turn minutes into updates."""


def make_learner(settings: RunSettings, days: DrawnDays, track: TrackFleets = iter) -> Make:
    """The maker of a run's learner.

    Args:
        settings: of the run.
        days: to train on.
        track: may wrap the fleets that are drawn beside them, to show progress.

    Raises:
        ValueError: an unknown algorithm or setting.
    """
    name = algorithm_of(settings.algorithm)
    if name not in LEARNERS:
        raise ValueError(unknown_name("algorithm", name, LEARNERS))
    return LEARNERS[name](settings, days, track)


def updates_in(minutes: float, make: Make) -> int:
    """How many updates take `minutes` of CPU time, by the median of a few that are made for that alone."""
    seconds: list[float] = []
    untypical = make(1).untypical
    make(PROBED + untypical).run(lambda tick: seconds.append(tick.seconds))
    return max(1, round(60.0 * minutes / statistics.median(seconds[untypical:])))


def _pathwise(settings: RunSettings, days: DrawnDays, track: TrackFleets) -> Make:
    from ..pathwise import PathwiseSettings, PathwiseTrainer

    def build(told: PathwiseSettings, banks: Sequence[Bank], **how: Any) -> Learner:
        return NetworkLearner(PathwiseTrainer(banks, told, **how), pathwise_metrics)

    return _network_maker(settings, training_banks(settings, days, track), PathwiseSettings, build)


def _direct(settings: RunSettings, days: DrawnDays, track: TrackFleets) -> Make:
    from ..direct import DirectSettings, DirectTrainer

    def build(told: DirectSettings, banks: Sequence[Bank], *, device: str, **how: Any) -> Learner:
        if device != "cpu":
            raise ValueError(f"device is {device!r}, but a direct search plays on the CPU; leave it out")
        return NetworkLearner(DirectTrainer(banks, told, **how), _direct_metrics)

    return _network_maker(settings, training_banks(settings, days, track), DirectSettings, build)


def _warm_start(settings: RunSettings, days: DrawnDays, track: TrackFleets) -> Make:
    from ..imitation.warm_start import WarmStartLearner, WarmStartSettings

    return _network_maker(settings, training_banks(settings, days, track), WarmStartSettings, WarmStartLearner)


def _network_maker(settings: RunSettings, given: TrainingBanks, kind: type[Any], build: Callable[..., Learner]) -> Make:
    """The maker of a learner that begins with a set network.

    Args:
        settings: of the run.
        given: to train on.
        kind: of the algorithm's settings.
        build: takes them and the banks, and by name `network`, `reserve` and `device`.
    """
    from pathlib import Path

    import torch

    from ..weights import load_network

    torch.set_num_threads(1)  # more only slow a network of this size down
    load_training(kind, settings.algorithm, settings.training)  # refuses before anything is timed

    def make(updates: int) -> Learner:
        told = load_training(kind, settings.algorithm, settings.training, updates=updates, seed=settings.seed)
        network = load_network(Path(settings.start)).network if settings.start else None
        return build(told, given.banks, network=network, reserve=given.reserves, device=settings.device)

    return make


class NetworkLearner:
    """A trainer of a set network as a learner.

    Args:
        trainer: fresh, or with a state; it has `settings`, `network`, `train()` and its state.
        metrics: of what `train` yields.
    """

    def __init__(self, trainer: Any, metrics: Callable[[Any], dict[str, float]]) -> None:
        self._trainer, self._metrics = trainer, metrics

    @property
    def total(self) -> int:
        """Updates that it will make."""
        return int(self._trainer.settings.updates)

    @property
    def settings(self) -> Any:
        """The trainer's."""
        return self._trainer.settings

    @property
    def untypical(self) -> int:
        """The first, which compiles."""
        return 1

    def run(self, after: After) -> None:
        """Make the updates that are left."""
        for made in self._trainer.train():
            after(Tick(made.number, made.cpu_s, self._metrics(made)))

    def policy(self) -> Policy:
        """The present network, on the CPU."""
        from ..policy import TorchPolicy

        network = self._trainer.network
        return TorchPolicy(network if self._on_cpu() else _on_cpu(network))

    def network_values(self) -> dict[str, Any]:
        """The present network."""
        from ..weights import network_values

        return network_values(self._trainer.network)

    def state_dict(self) -> dict[str, Any]:
        """The trainer's."""
        state: dict[str, Any] = self._trainer.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the state was taken."""
        self._trainer.load_state_dict(state)

    def _on_cpu(self) -> bool:
        return all(weights.device.type == "cpu" for weights in self._trainer.network.parameters())


def pathwise_metrics(update: Any) -> dict[str, float]:
    """What is recorded of a pathwise update."""
    return {
        "usd_per_car_day": update.usd_per_car_day,
        **update.accounts_usd,
        "gradient_norm": update.gradient_norm,
        "learning_rate": update.learning_rate,
        "noise": update.noise,
        "decided_percent": 100.0 * update.decided_share,
    }


def _direct_metrics(generation: Any) -> dict[str, float]:
    return {
        "usd_per_car_day": generation.usd_per_car_day,
        **generation.accounts_usd,
        "best_usd_per_car_day": generation.best_usd_per_car_day,
        "search_spread": generation.spread,
    }


def _on_cpu(network: Any) -> Any:
    import copy

    return copy.deepcopy(network).cpu()


def _standard(settings: RunSettings, days: DrawnDays, track: TrackFleets) -> Make:
    from ..standard.make import standard_learners

    return standard_learners(settings, days)


LEARNERS: dict[str, Callable[[RunSettings, DrawnDays, TrackFleets], Make]] = {
    "direct": _direct,
    "pathwise": _pathwise,
    "warm-start": _warm_start,
    "ppo": _standard,
    "sac": _standard,
    "td3": _standard,
    "tqc": _standard,
}
