"""The demo, small: tables, pictures, a policy that is trained, evaluated and registered, and commands that are real."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient

from ebbflow.agents.rules import RULES
from ebbflow.configs.cli import main as ebbflow
from ebbflow.training.demo import NEXT, TRAINED, main
from ebbflow.training.run.settings import RunSettings


@pytest.mark.slow
def test_demo_trains_evaluates_registers_and_ends_with_the_next_commands(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    small = RunSettings(
        scenario=TRAINED, overrides=("ports=3",), updates=2,
        training=("training.candidates=4", "training.days=4"), train_days=16, validation_days=3,
    )  # fmt: skip
    assert main(Path("demo"), ["depot-workplace"], small, 1) == 0
    captured = capsys.readouterr()
    shown = captured.out
    for name in (*RULES, "do_nothing", "drain", "random"):
        assert f" {name} " in shown
    for name in (*RULES, "mpc", "learned", "optimum"):
        assert f"\n{name} " in shown
    pictures = [Path(line.removeprefix("picture: ")) for line in shown.splitlines() if "picture: " in line]
    assert [picture.stat().st_size > 20_000 for picture in pictures] == [True, True]
    assert "mlflow ui --backend-store-uri sqlite:///" in captured.err
    assert Path("demo/train/evaluation/report.html").exists()
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    (version,) = client.search_model_versions(f"name='ebbflow-{TRAINED}'")
    run = client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["training.candidates"] == "4"
    assert {"train/usd_per_car_day", "validation/captured_percent", "test/captured_percent"} <= set(run.data.metrics)
    assert {"train/energy_import_usd", "validation/acted_percent", "validation/moved_kwh_per_car_day"} <= set(
        run.data.metrics
    )
    assert shown.splitlines()[-1].strip() == NEXT[-1]
    command = NEXT[-1].split()
    assert ebbflow([*command[1:-1], "1", "--json", "-"]) == 0
