"""Parts of the dates that real files hold, one after the other in time: what is trained on is never judged on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

ALL, TRAIN, VALIDATION, TEST = "all", "train", "validation", "test"
ENDS = {ALL: (0.0, 1.0), TRAIN: (0.0, 0.7), VALIDATION: (0.7, 0.85), TEST: (0.85, 1.0)}
"""Where each part begins and ends, as a share of the dates."""

Date = TypeVar("Date")


def check_part(part: str) -> str:
    """The part, if there is one of that name.

    Raises:
        ValueError: there is none.
    """
    if part not in ENDS:
        raise ValueError(f"part is {part!r}; choose one of {', '.join(ENDS)}")
    return part


def cut(dates: Sequence[Date], part: str, source: str) -> Sequence[Date]:
    """Those of the sorted dates that are the part's.

    The first date of a later part is left out: an episode that begins the day before lasts into it.

    Args:
        dates: sorted.
        part: a name of `ENDS`.
        source: of what file, for the message.

    Raises:
        ValueError: an unknown part, or dates so few that the part has none.
    """
    begin, end = ENDS[check_part(part)]
    first, last = round(begin * len(dates)), round(end * len(dates))
    kept = dates[first + (first > 0) : last]
    if not len(kept):
        raise ValueError(
            f"{source}: of {len(dates)} dates none is left for the part {part!r}; give a file of more days"
        )
    return kept
