"""What the projection keeps back on each of several banks."""

from __future__ import annotations

from collections.abc import Sequence

from ..envs.safety.projection import Reserve

Reserves = Reserve | None | Sequence[Reserve | None]
"""One for all banks, or one for each."""


def one_each(reserves: Reserves, banks: int) -> Sequence[Reserve | None]:
    """The reserve of every bank.

    Raises:
        ValueError: another number of reserves than of banks.
    """
    if reserves is None or isinstance(reserves, Reserve):
        return [reserves] * banks
    if len(reserves) != banks:
        raise ValueError(f"{len(reserves)} reserves are given for {banks} banks; give one for all, or one for each")
    return reserves
