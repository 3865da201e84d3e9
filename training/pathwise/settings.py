"""What a pathwise training may be told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PathwiseSettings:
    """Settings of a pathwise training; the rate was tried on `home-california`, the rest is a first guess.

    Args:
        updates: number of gradient steps; the schedules run over them.
        worlds: days played side by side in an update.
        learning_rate: of Adam at the start; it falls along a cosine.
        last_rate: share of it at the end.
        clip_norm: greatest norm of the gradient of dollars per car and day.
        noise: standard deviation of the action noise at the start; it falls to 0 linearly.
        hold_steps: steps for which a draw of the noise is kept.
        through_observation: see `Rollout`. Off: on `home-california` with 25 ports it cost twice the time of an
            update and taught no more in the same time.
        seed: of the network's first weights, the days' order and the noise.

    Raises:
        ValueError: a number outside its range.
    """

    updates: int = 300
    worlds: int = 32
    learning_rate: float = 5e-3
    last_rate: float = 0.03
    clip_norm: float = 1.0
    noise: float = 0.15
    hold_steps: int = 4
    through_observation: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("updates", "worlds", "hold_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        for name in ("learning_rate", "clip_norm"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")
        if not 0.0 <= self.last_rate <= 1.0 or self.noise < 0.0:
            raise ValueError(f"last_rate is {self.last_rate}, noise {self.noise}; give a share and no negative noise")
