"""What a direct search may be told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DirectSettings:
    """Settings of a direct search, chosen by trial on the presets.

    Args:
        updates: generations.
        candidates: sets of numbers tried in a generation.
        days: that each of them plays, the same for all.
        spread: first standard deviation, in each number's own scale. At 1.0 numbers that the days say nothing about
            strayed in ten generations: trained on home-california, three seeds captured 54 to 73 % at wholesale
            prices, the fresh rule 82 %.
        most_usd: by which one car's day can tell two candidates apart, so that one wild day is not all that counts.
        seed: of the candidates and the days.

    Raises:
        ValueError: a number outside its range.
    """

    updates: int = 100
    candidates: int = 16
    days: int = 64
    spread: float = 0.3
    most_usd: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("updates", 1), ("candidates", 4), ("days", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least {least}")
        for name in ("spread", "most_usd"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")
