"""A picture of the day so far: power stacked by car, room under the limits, prices, states of charge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..world.scenario import Scenario
from .record import DayRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[Any]

SIZE_PX = (960, 720)
DPI = 100
MOST_BANDS = 30
"""More cars than this are drawn together in bands, which still show who moves when."""

IMPORT_BLUE, EXPORT_ORANGE, INK = (
    "#0072B2",
    "#D55E00",
    "#222222",
)  # of Okabe and Ito's palette: safe for all eyes


def frame(record: DayRecord) -> NDArray[np.uint8]:
    """The picture as pixels (height, width, 3)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure(record))
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3].copy()


def figure(record: DayRecord) -> Figure:
    """The picture as a Matplotlib figure, made without pyplot's global state."""
    from matplotlib.figure import Figure

    made = Figure((SIZE_PX[0] / DPI, SIZE_PX[1] / DPI), dpi=DPI, layout="constrained")
    power, price, soc = made.subplots(3, 1, sharex=True, height_ratios=(3, 1.2, 1.8))
    scenario = record.scenario
    day = scenario.start.strftime("%A %d %B %Y")
    clock = scenario.time_of(record.steps).strftime("%H:%M")
    made.suptitle(f"{scenario.name}, {day}, at {clock}", fontsize=12)
    draw_power(power, record)
    draw_prices(price, scenario)
    draw_soc(soc, record)
    _clock_axis(soc, scenario)
    for axes in (power, price, soc):
        axes.grid(alpha=0.25)
        axes.axvline(record.steps, color=INK, linewidth=1, linestyle=":")
    return made


def draw_power(axes: Axes, record: DayRecord) -> None:
    """Power of the cars, import stacked upward and export downward, with the room under the limits."""
    bands = _bands(record.power_kw)
    if record.steps:
        edges, held = np.arange(record.steps + 1), np.vstack([bands, bands[-1]]).T
        colours = _colours(bands.shape[1])
        for part in (np.maximum(held, 0.0), np.minimum(held, 0.0)):
            axes.stackplot(edges, part, colors=colours, step="post", linewidth=0)
    room_in, room_out = room_for_cars_kw(record.scenario)
    _draw_room(axes, room_in, "room for the cars under the limits")
    _draw_room(axes, -room_out, "room for their export")
    axes.axhline(0.0, color=INK, linewidth=0.8)
    axes.set_ylabel("power by car (kW)")
    _scale_power(axes, record.power_kw, room_in, room_out)
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), fontsize=8, frameon=False, ncols=2)


def draw_prices(axes: Axes, scenario: Scenario) -> None:
    """Import and export price of the day, the mean over the tariffs where the sites have several."""
    share = np.bincount(scenario.site_tariff, minlength=len(scenario.demand_rate_usd_per_kw))
    steps = np.arange(scenario.n_steps)
    for label, prices, colour, line in (
        ("import", scenario.import_price_usd_per_kwh, IMPORT_BLUE, "-"),
        ("export", scenario.export_price_usd_per_kwh, EXPORT_ORANGE, "--"),
    ):
        mean = share @ prices[:, : scenario.n_steps] / share.sum()
        axes.step(steps, mean, where="post", color=colour, linestyle=line, label=label)
    axes.set_ylabel("price ($/kWh)")
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), fontsize=8, frameon=False, ncols=2)


def draw_soc(axes: Axes, record: DayRecord) -> None:
    """State of charge of the cars while they are connected."""
    bands = record.soc if record.soc.shape[1] <= MOST_BANDS else record.soc[:, :: _stride(record.soc)]
    for column, colour in zip(bands.T, _colours(bands.shape[1]), strict=True):
        axes.plot(np.arange(len(column)), 100.0 * column, color=colour, linewidth=1.2)
    axes.set_ylim(0, 102)
    axes.set_ylabel("state of charge (%)")


def room_for_cars_kw(scenario: Scenario) -> tuple[Array, Array]:
    """What the limits leave to all cars together: import and export room (T,) in kW, infinite for no limit.

    The lesser of the sites' and the feeders' sums; a single site can bind sooner.
    """
    steps = slice(scenario.n_steps)
    net = scenario.site_net_load_kw[:, steps]
    by_feeder = np.zeros((scenario.n_feeders, scenario.n_steps))
    np.add.at(by_feeder, scenario.site_feeder, net)
    by_feeder += scenario.feeder_other_load_kw[:, steps]
    rooms = []
    for sign, site_limit, feeder_limit in (
        (1.0, scenario.site_import_limit_kw, scenario.feeder_import_limit_kw),
        (-1.0, scenario.site_export_limit_kw, scenario.feeder_export_limit_kw),
    ):
        of_sites = np.maximum(site_limit[:, steps] - sign * net, 0.0).sum(axis=0)
        of_feeders = np.maximum(feeder_limit[:, steps] - sign * by_feeder, 0.0).sum(axis=0)
        rooms.append(np.minimum(of_sites, of_feeders))
    return rooms[0], rooms[1]


def _draw_room(axes: Axes, room_kw: Array, label: str) -> None:
    line = "-" if label.endswith("limits") else "--"
    axes.step(np.arange(len(room_kw)), room_kw, line, where="post", color=INK, linewidth=1.6, label=label)


def _scale_power(axes: Axes, power_kw: Array, room_in: Array, room_out: Array) -> None:
    """Show what was drawn and the room in sight of it; a far limit must not flatten the day."""
    drawn = np.maximum(power_kw, 0.0).sum(axis=1).max(initial=1.0)
    given = np.maximum(-power_kw, 0.0).sum(axis=1).max(initial=0.0)
    top = max(drawn, min(room_in.min(), 3.0 * drawn)) * 1.25
    axes.set_ylim(-max(given * 1.25, 0.05 * top), top)


def _bands(power_kw: Array) -> Array:
    """Power (k, N) summed into at most `MOST_BANDS` bands of neighbouring ports."""
    starts = np.arange(0, power_kw.shape[1], _stride(power_kw))
    return np.add.reduceat(power_kw, starts, axis=1)


def _stride(columns: Array) -> int:
    return -(-int(columns.shape[1]) // MOST_BANDS)


def _colours(count: int) -> list[Any]:
    from matplotlib import colormaps

    return list(colormaps["viridis"](np.linspace(0.0, 0.95, count)))


def _clock_axis(axes: Axes, scenario: Scenario) -> None:
    hours = max(1, round(scenario.n_steps * scenario.step_h / 24)) * 3
    ticks = np.arange(0, scenario.n_steps + 1, round(hours / scenario.step_h))
    axes.set_xticks(ticks, [scenario.time_of(int(tick)).strftime("%H:%M") for tick in ticks])
    axes.set_xlim(0, scenario.n_steps)
    axes.set_xlabel(f"local time ({scenario.start.tzinfo})")
