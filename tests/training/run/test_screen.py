"""What people see: on a terminal a live picture, elsewhere a line for each validation."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from ebbflow.training.run.screen import BLOCKS, Screen, sparkline


def row(update: int, cost: float = 1.0) -> dict[str, Any]:
    figures = {"departures_met_percent": 100.0}
    return {"update": update, "cpu_s": 3.2, "usd_per_car_day": cost, "figures": figures}


@pytest.mark.parametrize(
    ("values", "curve"),
    [
        ([], ""),
        ([50.0], f"50.0 % {BLOCKS[0]} 50.0 %"),
        ([0.0, 100.0], f"0.0 % {BLOCKS[0]}{BLOCKS[-1]} 100.0 %"),
        ([90.0, 91.0], f"90.0 % {BLOCKS[0]}{BLOCKS[2]} 91.0 %"),
        ([7.0, 0.0, 100.0], f"0.0 % {BLOCKS[0]}{BLOCKS[-1]} 100.0 %"),
    ],
)
def test_sparkline(values: list[float], curve: str) -> None:
    assert sparkline(values, 2) == curve


def test_without_a_terminal_each_validation_is_a_line_and_is_said_once() -> None:
    out = io.StringIO()
    screen = Screen(Console(file=out, width=200))
    with screen.running(10, 0):
        screen.update({"update": 1, "usd_per_car_day": 1.5})
        screen.validated(row(1), None, None, best=True)
        screen.validated(row(1), 80.0, 95.0, best=True)
        screen.validated(row(2), 81.25, 95.0, best=False)
    assert out.getvalue().splitlines() == [
        "update 1, 3 CPU s, validation 1.000 $ per car and day, departures met 100.0 %, the best so far",
        "update 2, 3 CPU s, validation 1.000 $ per car and day, captured 81.2 % (mpc 95.0), departures met 100.0 %",
    ]


def test_a_terminal_shows_bar_time_left_and_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")  # a dumb one shows no bar
    out = io.StringIO()
    screen = Screen(Console(file=out, width=120, force_terminal=True, color_system=None))
    with screen.running(10, 4):
        screen.update({"update": 5, "usd_per_car_day": 1.5})
        screen.validated(row(5), 80.0, 95.0, best=True)
    shown = out.getvalue()
    for words in ("training, 1.500 $ per car and day", "5/10", "s left", "captured  80.0 %", "(mpc 95.0)"):
        assert words in shown
