"""Pictures of an evaluation: the figures in them are the result's, nothing overlaps, colours are safe."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ebbflow.agents.evaluation.flexibility import flexibility_of_day
from ebbflow.agents.evaluation.plots import (
    Picture,
    day_picture,
    flexibility_picture,
    money_pictures,
    recorded_runs,
    service_pictures,
)
from ebbflow.agents.evaluation.plots_money import LOOKS, accounts_figure, cost_figure
from ebbflow.agents.evaluation.plots_service import grid_figure, shortfall_figure
from ebbflow.agents.evaluation.plots_style import ranked
from ebbflow.envs.ledger import Account

from .hand_made import Evaluated, MakeWorld, make_evaluated


@pytest.fixture(scope="module")
def evaluated(world: MakeWorld) -> Evaluated:
    """See `make_evaluated`."""
    return make_evaluated(world)


def pictures(evaluated: Evaluated) -> list[Picture]:
    """All pictures of the small evaluation."""
    run = evaluated.recorded["cheapest_hours"]
    found = flexibility_of_day(run.history.day.scenario, run.history.applied_kw)
    result = evaluated.result
    return [
        *money_pictures(result), *service_pictures(result), day_picture(run), flexibility_picture(run, found),
    ]  # fmt: skip


def row_names(axes: Any) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


def texts(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_controllers_are_ranked_by_cost(evaluated: Evaluated) -> None:
    result = evaluated.result
    assert ranked(result)[0] == "optimum"
    assert ranked(result)[-1] == "do_nothing"
    assert "do_nothing" not in ranked(result, raw=False)
    assert "optimum" not in ranked(result, bound=False)


def test_costs_are_means_over_the_headlines_days(evaluated: Evaluated) -> None:
    result = evaluated.result
    cost, captured = cost_figure(result).axes
    names = ranked(result)
    assert row_names(cost) == ["optimum (bound)" if name == "optimum" else name for name in names]
    at = names.index("uncontrolled")
    mean = sum(result.policy("uncontrolled").net_cost_usd()[:2]) / 2
    assert cost.patches[at].get_width() == pytest.approx(mean)
    assert f"{mean:,.2f}" in texts(cost)
    assert "100.0" in texts(captured)
    assert any("\u25b6" in text for text in texts(cost))  # the raw reference is named, not drawn to scale
    assert cost.get_xlim()[1] < (result.headline["do_nothing"]["net_cost_usd"] or 0.0) / 2


def test_accounts_add_up_to_the_net_cost(evaluated: Evaluated) -> None:
    result = evaluated.result
    (axes,) = accounts_figure(result).axes
    names = ranked(result, raw=False)
    for row, name in enumerate(names):
        bars = [p.get_width() for p in axes.patches if abs(p.get_y() + p.get_height() / 2 - row) < 0.1]
        assert sum(bars) == pytest.approx((result.headline[name]["net_cost_usd"] or 0.0) / 2)
    assert set(LOOKS) == set(Account)
    assert len({(look.colour, look.hatch) for look in LOOKS.values()}) == len(LOOKS)


def test_shortfalls_are_shares_of_the_days(evaluated: Evaluated) -> None:
    result = evaluated.result
    (axes,) = shortfall_figure(result).axes
    names = ranked(result, bound=False)
    for row in range(len(names)):
        bars = [p.get_width() for p in axes.patches if abs(p.get_y() + p.get_height() / 2 - row) < 0.1]
        assert sum(bars) == pytest.approx(100.0)
    worst = result.headline["do_nothing"]["worst_shortfall_kwh"]
    assert f"{worst:,.1f} kWh" in texts(axes)


def test_the_grids_figures_are_against_charging_at_once(evaluated: Evaluated) -> None:
    result = evaluated.result
    peak, kept, avoided = grid_figure(result).axes
    names = ranked(result, raw=False, bound=False)
    at = names.index("uncontrolled")
    assert kept.patches[at].get_width() == avoided.patches[at].get_width() == 0.0
    tallies = [day.tallies for day in result.policy("uncontrolled").ledgers[:2]]
    assert peak.patches[at].get_width() == pytest.approx(np.mean([day["peak_kw"] for day in tallies]))
    other = names.index("cheapest_hours")
    moved = [day.tallies for day in result.policy("cheapest_hours").ledgers[:2]]
    difference = [a["peaker_window_kwh"] - b["peaker_window_kwh"] for a, b in zip(tallies, moved, strict=True)]
    assert kept.patches[other].get_width() == pytest.approx(np.mean(difference))


def test_words_do_not_overlap_and_nothing_is_cut(evaluated: Evaluated) -> None:
    """Titles, legends, tick labels, axis labels and figures in a picture, as boxes in pixels."""
    for picture in pictures(evaluated):
        boxes = word_boxes(picture.figure)
        width, height = picture.figure.bbox.width, picture.figure.bbox.height
        for text, box in boxes:
            assert box.x0 > -2, (picture.name, text)
            assert box.y0 > -2, (picture.name, text)
            assert box.x1 < width + 2, (picture.name, text)
            assert box.y1 < height + 2, (picture.name, text)
        for (one, first), (other, second) in combinations(boxes, 2):
            assert not overlaps(first, second), (picture.name, one, other)


def word_boxes(figure: Any) -> list[tuple[str, Any]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    spare = {id(text) for axes in figure.axes for text in spare_tick_labels(axes)}
    shown = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip() and id(t) not in spare]
    return [(t.get_text(), t.get_window_extent(canvas.get_renderer())) for t in shown]


def spare_tick_labels(axes: Any) -> list[Any]:
    """Labels of ticks that Matplotlib keeps for later and does not draw."""
    labels = []
    for axis in (axes.xaxis, axes.yaxis):
        drawn = {id(tick) for tick in axis._update_ticks()}
        labels += [x for t in [*axis.majorTicks, *axis.minorTicks] if id(t) not in drawn for x in (t.label1, t.label2)]
    return labels


def overlaps(one: Any, other: Any) -> bool:
    wide = min(one.x1, other.x1) - max(one.x0, other.x0)
    high = min(one.y1, other.y1) - max(one.y0, other.y0)
    return bool(wide > 1.0 and high > 1.0)


def test_a_picture_is_embedded_alike_twice(evaluated: Evaluated) -> None:
    once, again = ([picture.embedded() for picture in pictures(evaluated)] for _ in range(2))
    assert once == again
    assert all(one.startswith("data:image/") for one in once)
    assert max(len(one) for one in once) < 150_000


def test_a_picture_is_a_file(evaluated: Evaluated, tmp_path: Path) -> None:
    from matplotlib.image import imread

    picture = next(iter(money_pictures(evaluated.result)))
    path = picture.write(tmp_path / "plots")
    assert path.name == "cost.png"
    width, height = picture.size_px()
    pixels = imread(path)
    assert pixels.shape[1] / pixels.shape[0] == pytest.approx(width / height, rel=0.02)
    assert [p.name for p in path.parent.iterdir()] == ["cost.png"]


def test_names_with_colons_make_files(evaluated: Evaluated) -> None:
    run = replace(evaluated.recorded["cheapest_hours"], policy="my.module:Class/x")
    assert day_picture(run).name == "day-my.module-Class-x"


def test_recorded_days_lead_with_the_best_and_leave_raw_out(evaluated: Evaluated) -> None:
    names = [run.policy for run in recorded_runs(evaluated.result, evaluated.recorded)]
    assert names[:2] == ["cheapest_hours", "uncontrolled"]
    assert "do_nothing" not in names


def test_without_emission_data_the_panel_is_left_out(evaluated: Evaluated) -> None:
    result = evaluated.result
    blind = tuple(
        replace(p, ledgers=tuple(replace(d, tallies=d.tallies | {"co2_kg": float("nan")}) for d in p.ledgers))
        for p in result.policies
    )
    assert len(grid_figure(replace(result, policies=blind)).axes) == 2
