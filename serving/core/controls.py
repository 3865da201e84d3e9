"""Operators' orders: who ordered what for which ports, why, and until when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..messages.vocabulary import Control

Array = Any


class Order(NamedTuple):
    """An order as it is kept; times are Unix seconds."""

    control: str  # word of a `Control`
    actor: str
    reason: str
    issued_s: float
    until_s: float
    ports: tuple[str, ...] = ()  # empty: the whole fleet


class InForce(NamedTuple):
    """Which ports each kind of order holds for, (N,); `hold` and `release` exclude each other."""

    any_order: bool
    rules_only: Array
    no_export: Array
    hold: Array
    release: Array


def make_order(
    control: str, actor: str, reason: str, issued_s: float, until_s: float, ports: Sequence[str] = ()
) -> Order:
    """Check and make an order.

    Raises:
        ValueError: no such control, nobody ordered it, no reason, or it ends before it begins.
    """
    if control not in Control.words():
        raise ValueError(f"control is {control!r}; it should be one of {', '.join(Control.words())}")
    for name, text in (("actor", actor), ("reason", reason)):
        if not text.strip() or len(text) > 500:
            raise ValueError(f"{name} should be 1 to 500 characters; say who ordered it and why")
    if not np.isfinite(until_s) or until_s <= issued_s:
        raise ValueError("the order ends before it begins; give an expiry in the future")
    return Order(control, actor, reason, issued_s, until_s, tuple(ports))


def in_force(orders: Sequence[Order], ids: Array, now_s: float) -> InForce:
    """What holds now, order by order as they were written down, whatever the clock said then: it may be put back.

    `auto` ends what was ordered before; `rules_only`, `hold` and `release` replace each other; `no_export` holds beside
    them. When an order has ended, an earlier one that still runs counts again.
    """
    mode, no_export = np.zeros(len(ids), np.int8), np.zeros(len(ids), bool)
    for order in orders:
        if now_s >= order.until_s:
            continue
        rows = np.isin(ids, order.ports) if order.ports else np.ones(len(ids), bool)
        control = Control[order.control.upper()]
        if control == Control.NO_EXPORT:
            no_export |= rows
            continue
        mode[rows] = control
        if control == Control.AUTO:
            no_export &= ~rows
    kinds = (mode == kind for kind in (Control.RULES_ONLY, Control.HOLD, Control.RELEASE))
    rules_only, hold, release = kinds
    return InForce(bool(mode.any() or no_export.any()), rules_only, no_export, hold, release)


def with_loose(written: Sequence[Order], loose: Sequence[Order]) -> tuple[Order, ...]:
    """The ledger's orders in its order; those that it did not take stand before the first one that was issued later."""
    made = list(written)
    for order in loose:
        later = (at for at, one in enumerate(made) if one.issued_s > order.issued_s)
        made.insert(next(later, len(made)), order)
    return tuple(made)


def still_needed(orders: Sequence[Order], now_s: float) -> tuple[Order, ...]:
    """The orders without those that have ended."""
    return tuple(order for order in orders if now_s < order.until_s)
