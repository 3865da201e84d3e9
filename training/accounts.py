"""What days cost, account by account, as a training curve shows it."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ..envs.ledger import Account
from ..envs.world.bank import Bank


def per_car_usd(accounts_usd: NDArray[Any], bank: Bank) -> dict[str, float]:
    """Mean dollars of each account per car and day.

    Args:
        accounts_usd: (B, A) of whole days.
        bank: of their days.
    """
    mean = accounts_usd.mean(axis=0) / bank.first.n_ports
    return {account.name.lower(): float(mean[account]) for account in Account}
