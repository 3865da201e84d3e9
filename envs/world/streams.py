"""Random streams: day `d` of a split depends on (seed, split, d) alone, each topic on a stream of its own.

Switching one feature on or off therefore reshuffles nothing else, and training, validation and test never
share a draw (contracts 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SPLITS = {"train": 0, "validation": 1, "test": 2}
REFERENCE_SPLIT = 3  # the "other days" of baselines and expected arrivals
TOPICS = (
    "date",
    "fleet",
    "stays",
    "said",
    "price",
    "real_time",
    "load",
    "pv",
    "emissions",
    "events",
    "files",
    "other",
)


@dataclass(frozen=True)
class DayStreams:
    """The random streams of one day of one split.

    Raises:
        ValueError: negative seed or day.
    """

    seed: int
    split_id: int
    day: int

    def __post_init__(self) -> None:
        for name, value in (("seed", self.seed), ("day", self.day)):
            if value < 0:
                raise ValueError(f"{name} is {value}; it must be 0 or more")

    def topic(self, name: str) -> np.random.Generator:
        """The generator of one topic; the same (seed, split, day, topic) gives the same numbers."""
        key = (self.split_id, self.day, TOPICS.index(name))
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=key)))


def day_streams(seed: int, split: str, day: int) -> DayStreams:
    """Streams of a day.

    Raises:
        ValueError: the split is unknown.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r} is unknown; use one of {', '.join(SPLITS)}")
    return DayStreams(seed, SPLITS[split], day)
