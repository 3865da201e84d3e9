"""What a pathwise training may be told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PathwiseSettings:
    """Settings of a pathwise training, chosen by trial on the presets.

    Args:
        updates: number of times that days are played; the schedules run over them.
        worlds: days played side by side in an update.
        fleets: fleets seen in a gradient step; an update makes one for every so many that it played.
        learning_rate: of Adam at the start; it falls along a cosine.
        last_rate: share of it at the end.
        most_usd: greatest slope of a car's dollars by its action at one step, see `lesson`.
        clip_norm: greatest norm of the gradient of dollars per car and day.
        noise: standard deviation of an action noise at the start; it falls to 0 linearly. Off: on `home-texas` .1 cost
            30 points in the first half minute, since cars that wait then export.
        hold_steps: steps for which a draw of the noise is kept.
        seed: of the network's first weights, the days' order and the noise.

    Raises:
        ValueError: a number outside its range.
    """

    updates: int = 600
    worlds: int = 32
    fleets: int = 256
    learning_rate: float = 1e-3
    last_rate: float = 0.03
    most_usd: float = 1.0
    clip_norm: float = 1.0
    noise: float = 0.0
    hold_steps: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("updates", "worlds", "fleets", "hold_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        for name in ("learning_rate", "clip_norm", "most_usd"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")
        if not 0.0 <= self.last_rate <= 1.0 or self.noise < 0.0:
            raise ValueError(f"last_rate is {self.last_rate}, noise {self.noise}; give a share and no negative noise")
