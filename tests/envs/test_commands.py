"""`ebbflow scenarios` and `ebbflow prices fit` from the outside."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from ebbflow.configs.cli import main
from ebbflow.configs.load import preset_names
from ebbflow.envs.world.scenario import Scenario

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"


def test_list_names_every_preset(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenarios", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in listed] == preset_names("scenarios")
    assert all(row["description"] and row["ports"] > 0 for row in listed)
    assert main(["scenarios", "list"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in preset_names("scenarios"))


def test_show_prints_settings_that_load_again(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["scenarios", "show", "depot-workplace", "--set", "ports=60"]) == 0
    shown = capsys.readouterr().out
    assert tomllib.loads(shown)["ports"] == 60
    (tmp_path / "mine.toml").write_text(shown)
    assert main(["scenarios", "show", str(tmp_path / "mine.toml")]) == 0
    assert capsys.readouterr().out == shown
    assert main(["scenarios", "show", "depot-workplace", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ports"] == 25


def test_save_keeps_the_day_that_seed_and_number_name(tmp_path: Path) -> None:
    days = []
    for name, day in (("a", "3"), ("b", "3"), ("c", "4")):
        file = tmp_path / f"{name}.npz"
        assert main(["scenarios", "save", "home-texas", str(file), "--day", day, "--set", "ports=3"]) == 0
        days.append(Scenario.load(file))
    np.testing.assert_array_equal(days[0].site_net_load_kw, days[1].site_net_load_kw)
    assert not np.array_equal(days[0].site_net_load_kw, days[2].site_net_load_kw)
    assert days[0].n_ports == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["save", "home-texas", "day.csv"], "name it day.npz"),
        (["save", "home-texa", "day.npz"], "did you mean 'home-texas'"),
        (["save", "home-texas", "day.npz", "--split", "tests"], "test"),
        (["show", "depot-workplace", "--set", "site.panel=3"], "site.panel"),
    ],
)
def test_bad_input_is_refused_and_nothing_written(
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["scenarios", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def write_prices(path: Path, minutes: int, days: int, usd_per_mwh: np.ndarray) -> str:
    """A gridstatus price file that starts on 1 June 2025, UTC."""
    starts = np.datetime64("2025-06-01T00:00") + np.arange(days * 1440 // minutes) * np.timedelta64(minutes, "m")
    rows = ["Interval Start,Interval End,Market,Location,LMP"]
    for start, price in zip(starts, usd_per_mwh, strict=True):
        end = start + np.timedelta64(minutes, "m")
        rows.append(f"{start}:00+00:00,{end}:00+00:00,M{minutes},NODE,{price:.5f}")
    path.write_text("\n".join(rows) + "\n")
    return str(path)


def test_fit_recovers_what_the_files_were_made_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(3)
    days = 30
    hourly = np.tile(40 + 20 * np.sin(np.arange(24) / 24 * 2 * np.pi), days) + rng.normal(0, 1, 24 * days)
    deviation = np.zeros(days * 288)
    for k in range(1, len(deviation)):
        deviation[k] = 0.8 * deviation[k - 1] + rng.normal(0, 3.0)
    day_ahead = write_prices(tmp_path / "da.csv", 60, days, hourly)
    real_time = write_prices(tmp_path / "rt.csv", 5, days, np.repeat(hourly, 12) + deviation)
    assert main(["prices", "fit", day_ahead, real_time, "--json"]) == 0
    fitted = json.loads(capsys.readouterr().out)
    assert fitted["deviation"]["correlation"] == pytest.approx(0.8, abs=0.03)
    assert fitted["deviation"]["innovation_sd_usd_per_kwh"] == pytest.approx(0.003, rel=0.05)
    assert fitted["deviation"]["jump_probability"] < 1e-3
    mean = 0.02 * np.sinh(np.array(fitted["day_ahead"]["mean"][5]))
    assert mean.mean() == pytest.approx(0.040, abs=0.001)
    assert mean.max() - mean.min() == pytest.approx(0.040, abs=0.003)
    assert main(["prices", "fit", day_ahead, real_time]) == 0
    assert tomllib.loads(capsys.readouterr().out) == fitted


def test_fit_refuses_files_of_different_days(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    day_ahead = write_prices(tmp_path / "da.csv", 60, 20, np.full(480, 30.0))
    text = Path(day_ahead).read_text().replace("2025-06", "2024-06").replace("M60", "M5")
    (tmp_path / "rt.csv").write_text(text)
    assert main(["prices", "fit", day_ahead, str(tmp_path / "rt.csv")]) == 2
    assert "no time in common" in capsys.readouterr().err


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data files are not beside this checkout")
def test_fit_reads_real_files_with_gaps(capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(DATA / f"caiso_sp15_{kind}_2025.csv.gz") for kind in ("da", "rt")]
    assert main(["prices", "fit", *files, "--least", "0.005", "--json"]) == 0
    fitted = json.loads(capsys.readouterr().out)
    assert np.isfinite(fitted["day_ahead"]["mean"]).all()
    assert 0.5 < fitted["deviation"]["correlation"] < 0.8
