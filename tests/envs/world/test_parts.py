"""Parts of real files' dates never meet."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebbflow.envs.world.build import build_scenario, load_settings, price_dates
from ebbflow.envs.world.files import read_sessions
from ebbflow.envs.world.parts import TEST, TRAIN, VALIDATION, cut
from ebbflow.envs.world.sources import ScenarioFiles

from .test_build_files import write_prices

PARTS = (TRAIN, VALIDATION, TEST)


@given(st.integers(14, 400))
def test_parts_follow_each_other_with_a_date_between(n: int) -> None:
    dates = [date(2021, 1, 1) + timedelta(days=day) for day in range(n)]
    train, validation, test = (cut(dates, part, "file") for part in PARTS)
    assert (train[0], test[-1]) == (dates[0], dates[-1])
    assert validation[0] - train[-1] == test[0] - validation[-1] == timedelta(days=2)
    assert len(train) == round(0.7 * n)


def test_too_few_dates_or_an_unknown_part_are_refused() -> None:
    with pytest.raises(ValueError, match="file: of 3 dates none is left for the part 'validation'"):
        cut([1, 2, 3], VALIDATION, "file")
    with pytest.raises(ValueError, match="part is 'half'; choose one of all, train, validation, test"):
        ScenarioFiles(prices="p.csv", part="half")


def test_days_of_a_price_file_are_of_the_part_asked_for(tmp_path: Path) -> None:
    path = write_prices(tmp_path / "p.csv", "2025-06-02T00:00", 40)
    settings = load_settings("home-texas", ["ports=2"])
    held = [set(price_dates(settings, ScenarioFiles(prices=path, part=part))) for part in PARTS]
    assert not set.intersection(*held)
    assert sum(map(len, held)) == len(price_dates(settings, ScenarioFiles(prices=path))) - 2
    drawn = {
        build_scenario(settings, seed=1, day=day, files=ScenarioFiles(prices=path, part=TEST)).start.date()
        for day in range(12)
    }
    assert drawn <= held[2]


def test_stays_are_of_the_part_asked_for(tmp_path: Path) -> None:
    columns = "arrival,departure,estimated_departure,requested_energy (kWh),delivered_energy (kWh)"
    rows = [
        f"2019-05-{day:02d} 09:00:00-07:00,2019-05-{day:02d} 17:00:00-07:00,,,8.0,s,{day},False" for day in range(1, 31)
    ]
    (tmp_path / "s.csv").write_text("\n".join([f"{columns},station_id,session_id,claimed", *rows]) + "\n")
    table = read_sessions(tmp_path / "s.csv")
    assert [list(table.part(part).session) for part in PARTS] == [
        [str(day) for day in days] for days in (range(1, 22), range(23, 27), range(28, 31))
    ]
    assert table.part("all") is table


def test_files_are_told_as_they_were_given() -> None:
    files = ScenarioFiles(prices="p.csv", emissions=("a", "b"), location="HERE", part=TEST)
    assert files.paths() == {"prices": ("p.csv",), "emissions": ("a", "b")}
    assert files.given() == {"prices": "p.csv", "emissions": ("a", "b"), "location": "HERE", "part": "test"}
    assert ScenarioFiles(prices="p.csv").given() == {"prices": "p.csv"}
    assert not ScenarioFiles(part=TEST)
