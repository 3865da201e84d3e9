"""Pictures of money: what each controller costs, with intervals, and where each dollar went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ...envs.ledger import Account
from .plots_style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    YELLOW,
    colour_of,
    name_rows,
    plain,
    ranked,
    row_figure,
)
from .result import EvaluationResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOWEST_CAPTURED = -50.0
"""Per cent; who is worse is named with its figure at the edge, so that the rest can be told apart."""

LEAST_SHARE = 0.002
"""Accounts that move less than this share of the dollars are drawn together."""


class Look(NamedTuple):
    """How an account is drawn: colour, and hatching where a colour is used twice."""

    colour: str
    label: str
    hatch: str = ""


LOOKS = {
    Account.ENERGY_IMPORT_USD: Look(BLUE, "energy imported"),
    Account.EXPORT_REVENUE_USD: Look(SKY, "exports"),
    Account.DEMAND_CHARGE_USD: Look(ORANGE, "demand charge"),
    Account.FIXED_USD: Look("#DDDDDD", "fixed"),
    Account.PROGRAMME_USD: Look(GREEN, "programme events"),
    Account.WEAR_USD: Look(YELLOW, "battery wear"),
    Account.UNSERVED_USD: Look(VERMILION, "unserved energy"),
    Account.EARLY_LEAVE_USD: Look("#F2B48C", "left early", "////"),
    Account.OVERLOAD_USD: Look(PURPLE, "overload"),
    Account.CARBON_USD: Look(GREY, "carbon", "...."),
    Account.END_VALUE_USD: Look("#A6DCCB", "energy still in the cars", "\\\\\\\\"),
}

OTHER = Look("#FFFFFF", "other")


def cost_figure(result: EvaluationResult) -> Figure:
    """Net cost a day of each controller, and what share of the possible saving it captures, with 95 % intervals."""
    names = ranked(result)
    made, (cost, captured) = row_figure(len(names), columns=2, extra_in=0.2)
    _draw_costs(cost, result, names)
    _draw_captured(captured, result, names)
    name_rows(cost, names)
    made.suptitle("Net cost, and the share captured of what perfect foresight would save", fontsize=10.5)
    return made


def _draw_costs(axes: Axes, result: EvaluationResult, names: Sequence[str]) -> None:
    days = len(result.headline_days())
    rows = [[_usd(result, name, end) / days for end in ("", "_low", "_high")] for name in names]
    projected = [row for row, name in zip(rows, names, strict=True) if not result.policy(name).raw]
    right = 1.32 * max(max(row) for row in [*projected, [1e-9]])
    left = 1.1 * min(min(row) for row in [*projected, [0.0]])
    for at, (name, (mean, low, high)) in enumerate(zip(names, rows, strict=True)):
        axes.barh(at, min(mean, right), height=0.66, color=colour_of(result, name))
        if mean > right:
            axes.text(right, at, f"{mean:,.0f} \u25b6 ", ha="right", va="center", fontsize=8, color="white")
            continue
        if high > low:
            axes.plot([low, high], [at, at], color=INK, linewidth=1.2, marker="|", markersize=5)
        axes.text(max(high, mean, 0.0) + 0.02 * right, at, f"{mean:,.2f}", va="center", fontsize=8, color=INK)
    axes.set_xlim(left, right)
    axes.locator_params(axis="x", nbins=5)
    plain(axes, "net cost, $ a day\n(mean and interval)")


def _usd(result: EvaluationResult, name: str, end: str) -> float:
    """The net cost or an end of its interval; where too few days tell one, the cost itself."""
    figures = result.headline[name]
    value = figures.get(f"net_cost_usd{end}")
    return (figures["net_cost_usd"] or 0.0) if value is None else value


def _draw_captured(axes: Axes, result: EvaluationResult, names: Sequence[str]) -> None:
    axes.axvline(0.0, color=GREY, linewidth=0.8)
    axes.axvline(100.0, color=GREEN, linewidth=0.8, linestyle="--")
    for at, name in enumerate(names):
        value, colour = result.headline[name].get("captured_percent"), colour_of(result, name)
        if value is None:
            axes.text(0.0, at, " no share: nothing to save", va="center", fontsize=7.5, color=INK)
        elif value < LOWEST_CAPTURED:
            axes.text(LOWEST_CAPTURED, at, f"\u25c0 {value:,.0f}", va="center", fontsize=8, color=colour)
        else:
            low, high = (result.headline[name].get(f"captured_percent_{end}") for end in ("low", "high"))
            _draw_share(axes, at, value, value if low is None else low, value if high is None else high, colour)
    axes.set_xlim(LOWEST_CAPTURED - 4.0, 112.0)
    plain(axes, "captured, %\n(0 charging at once, 100 optimum)")


def _draw_share(axes: Axes, at: int, value: float, low: float, high: float, colour: str) -> None:
    low = max(low, LOWEST_CAPTURED)
    if high > low:
        axes.plot([low, high], [at, at], color=colour, linewidth=2.0, marker="|", markersize=7)
    axes.plot(value, at, "o", color=colour, markersize=5.5)
    inward = value > 60.0
    axes.annotate(
        f"{value:.1f}", (min(low, value) if inward else max(high, value), at), (-6 if inward else 6, 0),
        textcoords="offset points", ha="right" if inward else "left", va="center", fontsize=8, color=INK,
    )  # fmt: skip


def accounts_figure(result: EvaluationResult) -> Figure:
    """Where each dollar went: the accounts of each controller that ran projected, stacked; earnings to the left."""
    names, days = ranked(result, raw=False), len(result.headline_days())
    shown, rest = _worth_showing(result, names)
    made, (axes,) = row_figure(len(names), extra_in=0.7)
    ends = {name: [0.0, 0.0] for name in names}
    looks = [(account.name.lower(), look) for account, look in LOOKS.items() if account in shown]
    for row, name in enumerate(names):
        figures = result.headline[name]
        values = [((figures[account] or 0.0) / days, look) for account, look in looks]
        other = sum(figures[account.name.lower()] or 0.0 for account in rest) / days
        for value, look in [*values, (other, OTHER)]:
            if value == 0.0:
                continue
            side = 1 if value > 0 else 0
            axes.barh(
                row, value, left=ends[name][side], height=0.66, color=look.colour, hatch=look.hatch, edgecolor=INK,
                linewidth=0.3,
            )  # fmt: skip
            ends[name][side] += value
        net = (figures["net_cost_usd"] or 0.0) / days
        axes.plot(net, row, "D", color=BLACK, markeredgecolor="white", markersize=6)
    _account_legend(made, [look for _, look in looks] + ([OTHER] if rest else []))
    axes.axvline(0.0, color=INK, linewidth=0.8)
    name_rows(axes, names)
    plain(axes, "$ a day; costs to the right, earnings and credits to the left")
    return made


def _account_legend(figure: Figure, looks: Sequence[Look]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    patches = [Patch(facecolor=k.colour, hatch=k.hatch, edgecolor=INK, linewidth=0.3, label=k.label) for k in looks]
    net = Line2D([], [], marker="D", linestyle="", color=BLACK, markeredgecolor="white", label="net cost")
    figure.legend(
        handles=[*patches, net], loc="outside upper center", ncols=4, fontsize=8, frameon=False,
        title="Accounts of the ledger", title_fontsize=10.5,
    )  # fmt: skip


def _worth_showing(result: EvaluationResult, names: Sequence[str]) -> tuple[list[Account], list[Account]]:
    """Accounts that somebody moves, and those that move too little to be seen."""
    size = {a: max(abs(result.headline[n][a.name.lower()] or 0.0) for n in names) for a in Account}
    least = LEAST_SHARE * max(size.values())
    shown = [account for account, value in size.items() if value > least]
    return shown, [account for account, value in size.items() if 0.0 < value <= least]
