"""Where the network of a run's folder comes from, read from what the run wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...envs.world.sources import ScenarioFiles
from ..run.folder import VALIDATIONS_FILE, RunFolder
from .bundle import Origin

VALIDATION = "validation days of"
FIGURES = ("net_cost_usd", "captured_percent", "unserved_kwh", "departures_met_percent")


def origin_of(place: Path, facts: Mapping[str, Any]) -> Origin:
    """The origin of the network at `place`, a run's folder or a file in it; nothing is known of a lone file.

    Args:
        place: what the network was loaded from.
        facts: what was written beside it.

    Raises:
        ConfigError: the run was written by a newer program.
    """
    folder = RunFolder(place if place.is_dir() else place.parent)
    if not folder.exists:
        return Origin()
    told = folder.told()
    asked = told["settings"]
    files: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in (asked.get("files") or {}).items()}
    return Origin(
        trained_on=(asked["scenario"],),
        overrides=tuple(asked.get("overrides", ())),
        files=ScenarioFiles(**files) if files else None,
        run_id=str(folder.state().get("run_id", folder.path.resolve().name)),
        settings_hash=str(told.get("run_hash", "")),
        evaluation={f"{VALIDATION} {asked['scenario']}": found} if (found := _validation(folder.path, facts)) else {},
    )


def _validation(folder: Path, facts: Mapping[str, Any]) -> dict[str, float | None]:
    """Figures of the validation at which the network was the best."""
    file = folder / VALIDATIONS_FILE
    rows = json.loads(file.read_text(encoding="utf-8"))["validations"] if file.is_file() else []
    row: dict[str, Any] = next((row for row in rows if row.get("update") == facts.get("update")), {})
    return {name: row[name] for name in FIGURES if isinstance(row.get(name), int | float)}
