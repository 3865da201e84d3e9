"""From a run's settings to the makers of its learners, for all algorithms of the standard route."""

from __future__ import annotations

from pathlib import Path

import torch

from ...agents.days import DrawnDays
from ...envs.world.bank import pack
from ..run.learners import Make
from ..run.settings import RunSettings, algorithm_of, load_training
from ..weights import load_network
from .learner import StandardLearner
from .settings import ALGORITHMS


def standard_learners(settings: RunSettings, days: DrawnDays) -> Make:
    """The maker of a run's learner.

    Raises:
        ValueError: a setting that is unknown or wrong, fleets beside the scenario, or a network to begin with for a
            policy that is none.
    """
    name = algorithm_of(settings.algorithm)
    kind = ALGORITHMS[name]
    told = load_training(kind, settings.algorithm, settings.training)  # refuses before anything is timed
    if settings.fleets:
        raise ValueError(f"--fleets is {settings.fleets}, but {name} trains on one fleet; leave it out")
    if settings.start and told.policy != "set":
        raise ValueError(
            f"--start is {settings.start}, a set network, but policy is {told.policy!r}; leave it out or use 'set'"
        )
    torch.set_num_threads(1)  # more only slow a network of this size down
    bank = pack(days.scenarios, "float32")

    def make(updates: int) -> StandardLearner:
        whole = load_training(kind, settings.algorithm, settings.training, updates=updates, seed=settings.seed)
        network = load_network(Path(settings.start)).network if settings.start else None
        return StandardLearner(name, whole, bank, reserve=days.reserve, network=network, device=settings.device)

    return make
