"""Tables for people: whole on any screen, and no minus before a zero."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from ebbflow.agents.report import COMPARED, comparison_table, print_table, show


@pytest.mark.parametrize(
    ("value", "figure", "expected"),
    [
        (None, "co2_kg", "-"),
        (-1e-9, "net_cost_usd", "0.00"),
        (-0.04, "peak_kw", "0.0"),
        (12.345, "departures_met_percent", "12.3"),
        (33.0, "stays", "33"),
        (-1234.5, "export_revenue_usd", "-1234.50"),
    ],
)
def test_figures_are_shown_with_their_digits(value: float | None, figure: str, expected: str) -> None:
    assert show(value, figure) == expected


@pytest.mark.parametrize("width", [20, 80, 200])
def test_no_figure_is_cut_however_narrow_the_screen(width: int) -> None:
    figures: dict[str, float | None] = dict.fromkeys(COMPARED, 1234567.89)
    console = Console(file=io.StringIO(), width=width)
    print_table(console, comparison_table({"a-scenario": {"as_late_as_possible": figures}}))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert shown.count("1234567.89") == len(COMPARED) - 2
    assert "as_late_as_possible" in shown
    assert "\N{HORIZONTAL ELLIPSIS}" not in shown


def test_the_usual_table_fits_eighty_characters() -> None:
    figures: dict[str, float | None] = dict.fromkeys(COMPARED, -99.99)
    figures |= {"net_cost_usd": 4675.54, "unserved_kwh": 1042.15, "peak_kw": 129.95}
    console = Console(file=io.StringIO(), width=80)
    print_table(console, comparison_table({"home-california": {"as_late_as_possible": figures}}))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(len(line) for line in shown.splitlines()) <= 80
