"""Where the network of a run's folder comes from: what the run wrote, and some of the days that it trained on."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...agents.days import DayRequest, draw_days
from ...envs.world.parts import TRAIN
from ...envs.world.scenario import Scenario
from ...envs.world.sources import ScenarioFiles
from ..distribution import Distribution, draw_fleet, fleet_days
from ..run.days import FLEET_DAYS, fleets_beside
from ..run.folder import VALIDATIONS_FILE, RunFolder
from .bundle import Origin

OWN_DAYS, DAYS_EACH, MOST_FLEETS = 16, 2, 64
"""Days drawn again of the run's own scenario, of each fleet beside it, and of how many such fleets."""

VALIDATION = "validation days of"
FIGURES = ("net_cost_usd", "captured_percent", "unserved_kwh", "departures_met_percent")


def origin_of(place: Path, facts: Mapping[str, Any]) -> Origin:
    """The origin of the network at `place`, a run's folder or a file in it; nothing is known of a lone file.

    Args:
        place: what the network was loaded from.
        facts: what was written beside it.

    Raises:
        ConfigError: the run was written by a newer program.
        OSError: a file of real data is not there any more.
        ValueError: its scenario cannot be drawn.
    """
    folder = RunFolder(place if place.is_dir() else place.parent)
    if not folder.exists:
        return Origin()
    told = folder.told()
    asked = told["settings"]
    scenario, beside = asked["scenario"], _beside(asked)
    found = _validation(folder.path, facts)
    return Origin(
        trained_on=tuple(dict.fromkeys([scenario, *(beside.presets if beside else ())])),
        days=[_own_days(asked), *(_fleets_days(asked, beside) if beside else ())],
        run_id=str(folder.state().get("run_id", folder.path.resolve().name)),
        settings_hash=str(told.get("run_hash", "")),
        evaluation={f"{VALIDATION} {scenario}": found} if found else {},
    )


def _beside(asked: Mapping[str, Any]) -> Distribution | None:
    """What the fleets beside the scenario were drawn from; None: there were none."""
    if not asked.get("fleets"):
        return None
    return fleets_beside(asked["scenario"], tuple(asked.get("overrides", ())), asked.get("specialist", False))


def _own_days(asked: Mapping[str, Any]) -> Sequence[Scenario]:
    files = asked.get("files")
    request = DayRequest(
        asked["scenario"], tuple(asked.get("overrides", ())), asked.get("seed", 0),
        days=min(OWN_DAYS, asked.get("train_days", OWN_DAYS)), split=TRAIN,
        files=replace(ScenarioFiles.from_json(files), part=TRAIN) if files else None,
    )  # fmt: skip
    return draw_days(request).scenarios


def _fleets_days(asked: Mapping[str, Any], beside: Distribution) -> list[Sequence[Scenario]]:
    """The first training days of each fleet."""
    seed, numbers = asked.get("seed", 0), range(min(asked["fleets"], MOST_FLEETS))
    with tempfile.TemporaryDirectory() as folder:  # for tariffs and markets, which the built days no longer need
        drawn = [draw_fleet(beside, seed, number, Path(folder)) for number in numbers]
        return [fleet_days(one, seed, n * FLEET_DAYS, DAYS_EACH) for n, one in zip(numbers, drawn, strict=True)]


def _validation(folder: Path, facts: Mapping[str, Any]) -> dict[str, float | None]:
    """Figures of the validation at which the network was the best."""
    file = folder / VALIDATIONS_FILE
    rows = json.loads(file.read_text(encoding="utf-8"))["validations"] if file.is_file() else []
    row: dict[str, Any] = next((row for row in rows if row.get("update") == facts.get("update")), {})
    return {name: row[name] for name in FIGURES if isinstance(row.get(name), int | float)}
