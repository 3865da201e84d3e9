"""Reading emission rates with their issued forecasts, and base load."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from ebbflow.envs.world.files import DataFileError, read_emissions, read_load

DATA = Path(__file__).parents[4] / ".." / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the public data files are not beside the project")
START = datetime(2021, 5, 1, tzinfo=UTC)
S0 = int(START.timestamp())


def moer(path: Path, rates: list[float], forecasts: int = 36, start: datetime = START) -> Path:
    """Forecast i of row k is `k + i / 100`, so that each can be told."""
    rows = [",".join(["time", "moer", *(f"f{i + 1}" for i in range(forecasts))])]
    for k, rate in enumerate(rates):
        issued = [f"{0.01 * k + 0.0001 * (i + 1):.4f}" for i in range(forecasts)]
        rows.append(",".join([str(start + timedelta(minutes=5 * k)), str(rate), *issued]))
    path.write_text("\n".join(rows) + "\n")
    return path


def test_rates_are_averaged_to_the_step(tmp_path):
    table = read_emissions(moer(tmp_path / "m.csv", [0.1, 0.2, 0.3, 0.4, 0.4, 0.4]))
    np.testing.assert_allclose(table.series(S0, 15, 2), [0.2, 0.4])
    np.testing.assert_allclose(table.series(S0, 5, 2), [0.1, 0.2])


@pytest.mark.parametrize(("minutes", "horizon"), [(5, 36), (15, 11), (60, 2)])
def test_forecasts_are_those_issued_at_the_step_for_the_steps_after_it(tmp_path, minutes, horizon):
    table = read_emissions(moer(tmp_path / "m.csv", [0.1] * 13))
    issued = table.issued(S0, minutes, 1)
    per_step = minutes // 5
    expected = [0.0001 * np.mean([(j + 1) * per_step + i for i in range(per_step)]) for j in range(horizon)]
    np.testing.assert_allclose(issued, [expected], atol=1e-12)


def test_forecasts_change_with_the_row_of_issue_only(tmp_path):
    table = read_emissions(moer(tmp_path / "m.csv", [0.1] * 13))
    issued = table.issued(S0, 15, 4)
    np.testing.assert_allclose(np.diff(issued, axis=0), 0.03, atol=1e-12)


def test_fewer_or_no_forecast_columns(tmp_path):
    assert read_emissions(moer(tmp_path / "m.csv", [0.1] * 3, forecasts=0)).issued(S0, 5, 3).shape == (3, 0)
    assert read_emissions(moer(tmp_path / "n.csv", [0.1] * 3, forecasts=12)).issued(S0, 15, 1).shape == (1, 3)


@pytest.mark.parametrize(
    ("rate", "message"),
    [(430.0, r"m\.csv:3: .*looks like lb/MWh, kg/MWh or g/kWh"), (0.0004, "looks like t/kWh")],
)
def test_a_unit_slip_is_refused(tmp_path, rate, message):
    with pytest.raises(DataFileError, match=message):
        read_emissions(moer(tmp_path / "m.csv", [0.0001, rate]))


def test_an_empty_cell_is_a_gap(tmp_path):
    path = moer(tmp_path / "m.csv", [0.1, 0.777, 0.3])
    path.write_text(path.read_text().replace("0.777", ""))
    with pytest.raises(DataFileError, match=r"m\.csv:2: no emission rate from 2021-05-01 00:05"):
        read_emissions(path).series(S0, 15, 1)


def test_months_join_and_a_contradiction_is_refused(tmp_path):
    first = moer(tmp_path / "a.csv", [0.1] * 12)
    second = moer(tmp_path / "b.csv", [0.3] * 12, start=START + timedelta(hours=1))
    np.testing.assert_allclose(read_emissions([second, first]).series(S0, 60, 2), [0.1, 0.3])
    with pytest.raises(DataFileError, match="a second emission rate"):
        read_emissions([first, moer(tmp_path / "c.csv", [0.2] * 12)])
    with pytest.raises(ValueError, match="no data file is given"):
        read_emissions([])


def test_wrong_columns(tmp_path):
    path = moer(tmp_path / "m.csv", [0.1, 0.2])
    path.write_text(path.read_text().replace("moer", "MOER_kg"))
    with pytest.raises(DataFileError, match=r"has no column 'moer'.*'MOER_kg'"):
        read_emissions(path)
    path = moer(tmp_path / "n.csv", [0.1, 0.2])
    path.write_text(path.read_text().replace("f3,", "g3,"))
    with pytest.raises(DataFileError, match="has a forecast column 'f4' but no 'f3'"):
        read_emissions(path)


@needs_data
def test_real_rates_and_their_forecasts_are_close_but_not_equal():
    table = read_emissions([DATA / f"moer_caiso_pge_2021-{month}.csv.gz" for month in ("05", "07")])
    assert 0.2 < table.moer_kg_per_kwh.mean() < 0.4
    assert len(table.timeline.gaps) == 1
    begin = S0 + 7 * 3600
    truth, issued = table.series(begin, 15, 97), table.issued(begin, 15, 96)
    error = np.abs(issued[:, 0] - truth[1:])
    assert 0 < error.mean() < 0.05
    assert date(2021, 7, 4) in table.days("America/Los_Angeles").complete


def load_file(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_load_of_two_sites_on_finer_and_coarser_steps(tmp_path):
    rows = ["time,house_kw,shop_kw"]
    rows += [f"{START + timedelta(minutes=15 * k)},{k},{-k}" for k in range(8)]
    table = read_load(load_file(tmp_path / "l.csv", "\n".join(rows)))
    assert table.names == ("house", "shop")
    np.testing.assert_allclose(table.series(S0, 60, 2), [[1.5, 5.5], [-1.5, -5.5]])
    np.testing.assert_allclose(table.series(S0, 5, 4)[0], [0, 0, 0, 1])


def test_load_times_without_offset_need_a_zone(tmp_path):
    path = load_file(tmp_path / "l.csv", "time,load_kw\n2025-08-01 00:00,1\n2025-08-01 01:00,2\n")
    with pytest.raises(DataFileError, match=r"l\.csv:2: time '2025-08-01 00:00' has no UTC offset"):
        read_load(path)
    table = read_load(path, "America/Los_Angeles")
    assert table.timeline.start_utc_s[0] == datetime(2025, 8, 1, 7, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,load\n2025-08-01T00:00Z,1\n2025-08-01T01:00Z,2\n", "column 'load', which is neither"),
        ("time\n2025-08-01T00:00Z\n", "no power column"),
        ("time,load_kw\n2025-08-01T00:00Z,900\n2025-08-01T01:00Z,8000\n", r":3: load_kw is 8000, outside"),
        ("time,load_kw\n2025-08-01T00:00Z,0.001\n2025-08-01T01:00Z,0.002\n", "looks like MW"),
        ("time,load_kw\n2025-08-01T00:00Z,1\n", ":2: one row alone tells no interval"),
        (
            "time,load_kw\n2025-08-01T00:00Z,1\n2025-08-01T01:00Z,1\n2025-08-01T02:00Z,1\n2025-08-01T02:30Z,1\n",
            ":5: 2025-08-01 02:30 UTC lies off the grid of 60 minutes",
        ),
        ("time;load_kw\n2025-08-01T00:00Z;1,5\n2025-08-01T01:00Z;2\n", r":2: .*'1,5', not a number"),
    ],
)
def test_bad_load_files(tmp_path, text, message):
    with pytest.raises(DataFileError, match=message):
        read_load(load_file(tmp_path / "l.csv", text))
