"""`ebbflow simulate` from the outside: exit codes, messages, JSON, files written whole or not at all."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from ebbflow.agents.rules import RULES
from ebbflow.configs.cli import main
from ebbflow.envs.ledger import Account

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
PRESET = "home-california"
SMALL = ["--set", "ports=4", "--backend", "numba"]
EVERY_FIGURE = {
    *(account.name.lower() for account in Account),
    "net_cost_usd", "feasible_energy_delivered_percent", "departures_met_percent", "worst_shortfall_kwh",
    "early_shortfall_kwh", "peak_kw", "overload_kwh", "co2_kg", "driver_earnings_usd", "commands_per_car_day",
}  # fmt: skip


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a command writes beside itself lands in the test's folder."""
    monkeypatch.chdir(tmp_path)


def test_json_on_stdout_is_json_and_nothing_else(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["simulate", PRESET, "-p", "cheapest_hours", "--days", "3", "--seed", "5", *SMALL]
    assert main([*arguments, "--json", "-"]) == 0
    out = json.loads(capsys.readouterr().out)
    assert out["scenario"] == PRESET
    assert (out["days"], out["seed"], out["split"], out["ports"]) == (3, 5, "test", 4)
    assert len(out["dates"]) == 3
    assert list(out["policies"]) == ["cheapest_hours"]
    figures = out["policies"]["cheapest_hours"]
    assert set(figures) >= EVERY_FIGURE
    assert all(value is None or isinstance(value, float | int) for value in figures.values())
    assert figures["driver_earnings_usd"] > 0
    assert set(out["timings"]) == {"cheapest_hours"}
    assert out["provenance"]["tariffs"]
    assert list(tmp_path.iterdir()) == []


def test_the_same_call_gives_the_same_figures(capsys: pytest.CaptureFixture[str]) -> None:
    documents = []
    for _ in range(2):
        assert main(["simulate", PRESET, "-p", "random", "-p", "round_robin", *SMALL, "--json", "-"]) == 0
        documents.append(json.loads(capsys.readouterr().out))
    for document in documents:
        del document["timings"]
    assert documents[0] == documents[1]


def test_everything_is_written_and_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["simulate", PRESET, "--all", "--days", "2", *SMALL, "--out", "out", "--json", "out/all.json"]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    names = [*RULES, "do_nothing", "drain", "random"]
    for name in names:
        assert name in shown
        picture = (tmp_path / "out" / f"{PRESET}-{name}.png").read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert len(picture) > 20_000
        assert f"wrote out/{PRESET}-{name}.png" in shown
    table = (tmp_path / "out" / f"{PRESET}-days.csv").read_text()
    rows = list(csv.DictReader(table.splitlines()))
    assert len(rows) == 2 * len(names)
    whole = json.loads((tmp_path / "out" / "all.json").read_text())["policies"]
    for name in names:
        total = sum(float(row["net_cost_usd"]) for row in rows if row["policy"] == name)
        assert total == pytest.approx(whole[name]["net_cost_usd"], abs=1e-9)
    assert not list(tmp_path.rglob("*.part"))
    assert "tariffs: " in shown


def test_written_settings_repeat_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", PRESET, *SMALL, "--out", "out", "--json", "first.json"]) == 0
    settings = f"out/{PRESET}-settings.toml"
    assert main(["simulate", settings, "--backend", "numba", "--json", "-"]) == 0
    again = json.loads(capsys.readouterr().out.partition("\n{")[2].join(["{", ""]))
    first = json.loads(Path("first.json").read_text())
    assert again["policies"] == first["policies"]
    assert again["config_hash"] == first["config_hash"]


def test_a_saved_day_replays(capsys: pytest.CaptureFixture[str]) -> None:
    drawn = ["--seed", "2", "--day", "7", "--set", "ports=4"]
    assert main(["scenarios", "save", PRESET, "kept.npz", *drawn]) == 0
    assert "wrote kept.npz" in capsys.readouterr().out
    figures = []
    for arguments in (["simulate", "kept.npz"], ["simulate", PRESET, *drawn]):
        assert main([*arguments, "-p", "uncontrolled", "--backend", "numba", "--json", "-"]) == 0
        figures.append(json.loads(capsys.readouterr().out)["policies"])
    assert figures[0]["uncontrolled"]["energy_import_usd"] == figures[1]["uncontrolled"]["energy_import_usd"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["home-californa"], "did you mean 'home-california'"),
        (["absent.toml"], "absent.toml"),
        (["absent.npz"], "absent.npz: no such file"),
        ([PRESET, "-p", "cheapest"], "did you mean 'cheapest_hours'"),
        ([PRESET, "-p", "no.module:X"], "no module 'no'"),
        ([PRESET, "--set", "feeder.import_limit=120"], "feeder.import_limit"),
        ([PRESET, "--set", "ports=none"], "ports"),
        ([PRESET, "--set", "ports"], "dotted.key=value"),
        ([PRESET, "--split", "tset"], "test"),
        ([PRESET, "--backend", "nump"], "nump"),
        ([PRESET, "--prices", "absent.csv"], "absent.csv"),
        ([PRESET, "--sessions", "absent.csv"], "absent.csv"),
        ([PRESET, "--days", "0"], "--days"),
        ([PRESET, "--out", "a-file"], "a-file is a file"),
        ([PRESET, "--json", "a-folder"], "a-folder is a folder"),
    ],
)
def test_bad_input_is_one_message_exit_2_and_nothing_written(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a-file").write_text("kept")
    (tmp_path / "a-folder").mkdir()
    assert main(["simulate", *arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a-file", "a-folder"]


def test_a_saved_day_takes_no_overrides(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenarios", "save", PRESET, "kept.npz", "--set", "ports=2"]) == 0
    assert main(["simulate", "kept.npz", "--set", "ports=4"]) == 2
    assert "one saved day" in capsys.readouterr().err


def test_a_policy_that_breaks_is_reported(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_policy.py").write_text(
        "class Broken:\n    name = 'broken'\n    def reset(self): ...\n"
        "    def act(self, snapshot):\n        raise OverflowError('too much')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["simulate", PRESET, "-p", "broken_policy:Broken", *SMALL, "--json", "-"]) == 0
    captured = capsys.readouterr()
    assert "the rules stood in" in captured.err
    assert "OverflowError: too much" in captured.err
    assert json.loads(captured.out)["policies"]["broken"]["unserved_kwh"] < 1.0


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data files are not beside this checkout")
def test_real_files_are_named_in_the_output(capsys: pytest.CaptureFixture[str]) -> None:
    data = DATA.resolve()
    arguments = [
        "simulate", "home-texas", "-p", "cheapest_hours", "--backend", "numba",
        "--sessions", str(data / "home_sessions_norway.csv.gz"),
        "--prices", str(data / "ercot_dam_spp_2021.csv.gz"), "--location", "LZ_HOUSTON",
        "--emissions", str(data / "moer_caiso_pge_2021-05.csv.gz"), "--json", "-",
    ]  # fmt: skip
    assert main(arguments) == 0
    out = json.loads(capsys.readouterr().out)
    told = " ".join(text for values in out["provenance"].values() for text in values)
    for word in ("ercot_dam_spp_2021", "home_sessions_norway", "moer_caiso_pge_2021-05", "LZ_HOUSTON"):
        assert word in told
    assert out["files"]["location"] == "LZ_HOUSTON"
    assert out["dates"][0].startswith("2021")
    assert out["policies"]["cheapest_hours"]["co2_kg"] is not None
