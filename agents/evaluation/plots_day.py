"""Pictures of one recorded day: power, prices, limits and states of charge; and what the fleet could do otherwise."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from ...envs.gym.render import figure as drawn_day
from ...envs.world.scenario import Scenario
from ..flexibility import Flexibility
from ..run import History
from .plots_style import INK, WIDTH_IN
from .report_tables import span

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOWN_SHADES = ("#BFDDEF", "#7FBADF", "#3C95CB", "#0072B2")
UP_SHADES = ("#F8D7A8", "#F2BC6B", "#EBA533", "#B97700")
"""Blue for less draw and orange for more, the darker the longer it can be held."""


def day_name(when: date) -> str:
    """The day as people write it."""
    return f"{when:%A} {when.day} {when:%B %Y}"


def day_figure(policy: str, history: History) -> Figure:
    """The recorded day of one controller: power by car under the limits, prices, states of charge."""
    scenario, cost = history.day.scenario, float(history.change_usd.sum())
    made = drawn_day(history.day)
    made.suptitle(f"{policy}, {day_name(scenario.start)}: net cost {cost:,.2f} $", fontsize=12)
    return made


def flexibility_figure(policy: str, scenario: Scenario, found: Flexibility) -> Figure:
    """What the cars drew at every step of a day, and by how much it could have fallen or risen, and for how long."""
    from matplotlib.figure import Figure

    made = Figure((WIDTH_IN, 3.4), layout="constrained")
    axes = made.subplots()
    count = len(found.hours)
    for at, hours in enumerate(found.hours):
        for shades, far in ((DOWN_SHADES, -found.down_kw), (UP_SHADES, found.up_kw)):
            shade = shades[round(at * (len(shades) - 1) / max(count - 1, 1))]
            word = "down" if shades is DOWN_SHADES else "up"
            _band(axes, found.draw_kw, found.draw_kw + far[:, at], shade, f"{word} {span(hours)}")
    steps = np.arange(len(found.draw_kw) + 1)
    axes.stairs(found.draw_kw, steps, color=INK, linewidth=1.6, label="drawn", baseline=None)
    axes.axhline(0.0, color=INK, linewidth=0.8)
    axes.set_ylabel("power of the cars (kW)", fontsize=9)
    _clock(axes, scenario)
    axes.grid(alpha=0.25)
    title = f"{policy}, {day_name(scenario.start)}: what could be drawn less or more, and how long"
    made.suptitle(title, fontsize=10.5)
    made.legend(loc="outside lower center", ncols=count + 1, fontsize=8, frameon=False)
    return made


def _band(axes: Axes, one_kw: np.ndarray, other_kw: np.ndarray, colour: str, label: str) -> None:
    edges = np.arange(len(one_kw) + 1)
    low, high = (np.append(values, values[-1]) for values in (one_kw, other_kw))
    axes.fill_between(edges, low, high, step="post", color=colour, linewidth=0, label=label)


def _clock(axes: Axes, scenario: Scenario) -> None:
    ticks = np.arange(0, scenario.n_steps + 1, max(1, round(3.0 / scenario.step_h)))
    axes.set_xticks(ticks, [scenario.time_of(int(tick)).strftime("%H:%M") for tick in ticks], fontsize=8)
    axes.tick_params(axis="y", labelsize=8)
    axes.set_xlim(0, scenario.n_steps)
    axes.set_xlabel(f"local time ({scenario.start.tzinfo})", fontsize=9)
