"""What an imitation may be told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ImitationSettings:
    """Settings of an imitation (DAgger).

    Args:
        rounds: of playing, labelling and fitting; the learning rate runs over them.
        worlds: days played side by side in a round.
        labels_per_day: steps of a played day for which the teacher is asked, drawn among those with a car.
        teacher: by name, see `teachers.TEACHERS`.
        fits_per_round: gradient steps after each round, on examples of all rounds so far.
        batch: fleets seen in a gradient step.
        learning_rate: of Adam at the start; it falls along a cosine.
        last_rate: share of it at the end.
        clip_norm: greatest norm of the gradient.
        robust_share: deviation from the label, as a share of full power, past which the loss grows only linearly.
        site_weight: of the distance of each site's total, beside that of each port.
        feeder_weight: of that of each feeder's.
        memory: fleets kept, the oldest forgotten first.
        workers: processes that ask the teacher; 0: the calling one. The labels are the same.
        seed: of the network's first weights, the days, the labelled steps and the batches.

    Raises:
        ValueError: a number outside its range.
    """

    rounds: int = 60
    worlds: int = 8
    labels_per_day: int = 12
    teacher: str = "optimum"
    fits_per_round: int = 12
    batch: int = 128
    learning_rate: float = 5e-3
    last_rate: float = 0.1
    clip_norm: float = 1.0
    robust_share: float = 0.1
    site_weight: float = 1.0
    feeder_weight: float = 0.0
    memory: int = 20_000
    workers: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("rounds", "worlds", "labels_per_day", "fits_per_round", "batch", "memory"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        for name in ("learning_rate", "clip_norm", "robust_share"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")
        if not 0.0 <= self.last_rate <= 1.0:
            raise ValueError(f"last_rate is {self.last_rate}; give a share, 0 to 1")
        for name in ("site_weight", "feeder_weight"):
            if not getattr(self, name) >= 0.0:
                raise ValueError(f"{name} is {getattr(self, name)}; give 0 (ports alone) or more")
        if self.workers < 0:
            raise ValueError(f"workers is {self.workers}; give 0 (the calling process) or more")
