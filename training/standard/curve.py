"""Learning curves: captured share on validation days over the CPU seconds of the updates, for several presets alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from ...agents.report import write_text
from ...envs.bench import machine
from ...envs.encoding import observation_hash
from ..run.days import training_days, validation_plan
from ..run.learners import Learner, Make, Tick, make_learner, updates_in
from ..run.program import program_digest
from ..run.references import FOLDER, MPC, References
from ..run.settings import RunSettings
from ..run.validation import Validator
from ..weights import load_torch, save_torch

POINTS = 40
"""Validations on a curve, evenly spread over its updates, beside the one before the first."""

Said = Callable[[str], None]


class _Judge(NamedTuple):
    """The validation days and what the references cost on them."""

    validator: Validator
    references: References

    def point(self, learner: Learner, update: int, cpu_s: float) -> dict[str, float | int | None]:
        played = self.validator.play(learner.policy(), update)
        return {
            "update": update,
            "cpu_s": round(cpu_s, 2),
            "captured_percent": self.references.captured(played.net_cost_usd),
            "net_cost_usd": played.net_cost_usd,
            "unserved_kwh": played.figures["unserved_kwh"],
        }


def draw_curve(
    settings: RunSettings, path: Path, say: Said = lambda text: None, points: int = POINTS
) -> dict[str, Any]:
    """Train under a training preset, and add its curve to the JSON file `path`; what was interrupted goes on.

    A finished curve of the same settings and program is left as it is. Beside the file lies a checkpoint until the
    curve is finished; after an interruption nothing but the time since the last point is lost.

    Args:
        settings: scenario, preset, seed, minutes of CPU time, days.
        path: the JSON file; curves of other presets and seeds in it are kept.
        say: told each point in words.
        points: see `POINTS`.

    Raises:
        ValueError: unknown scenario, preset or setting, or a file of another scenario or observation.
    """
    terms = _terms(settings)
    name = f"{settings.algorithm}/{settings.seed}"
    asked = {"minutes": settings.minutes, "overrides": list(settings.training), "program": program_digest()}
    known = (report := _kept(path, terms))["curves"].get(name, {})
    if known.get("finished") and {key: known.get(key) for key in asked} == asked:
        say(f"{name} is finished; its last point: {_words(known['points'][-1])}")
        return report
    judge = _judge(settings, say)
    mpc = {MPC: judge.references.captured(MPC)}
    checkpoint = path.with_name(f".{path.stem}-{name.replace('/', '-')}.pt")

    def note(learner: Learner, drawn: list[dict[str, Any]]) -> None:
        finished = drawn[-1]["update"] == learner.total
        mine = {**asked, "finished": finished, "settings": asdict(learner.settings), "points": drawn}
        # Read again: other processes may draw other curves into the same file.
        now = _kept(path, terms)
        now |= {"references": mpc, "curves": {**now["curves"], name: mine}}
        save_torch({**asked, "total": learner.total, "points": drawn, "state": learner.state_dict()}, checkpoint)
        write_text(json.dumps(now, indent=1, allow_nan=False) + "\n", path)
        say(f"{name}: {_words(drawn[-1])}")

    _train(
        make_learner(settings, training_days(settings)), settings, judge, _checkpoint(checkpoint, asked), note, points
    )
    checkpoint.unlink()
    return _kept(path, terms)


def _train(
    make: Make, settings: RunSettings, judge: _Judge, kept: dict[str, Any], note: Callable[..., None], points: int
) -> None:
    assert settings.minutes is not None
    total = kept.get("total") or updates_in(settings.minutes, make)
    learner, drawn = make(total), list(kept.get("points", []))
    if kept:
        learner.load_state_dict(kept["state"])
    else:
        drawn.append(judge.point(learner, 0, 0.0))
        note(learner, drawn)
    seconds, every = float(drawn[-1]["cpu_s"]), max(1, total // points)

    def after(tick: Tick) -> None:
        nonlocal seconds
        seconds += tick.seconds
        if tick.number % every == 0 or tick.number == total:
            drawn.append(judge.point(learner, tick.number, seconds))
            note(learner, drawn)

    learner.run(after)


def _judge(settings: RunSettings, say: Said) -> _Judge:
    plan = validation_plan(settings)
    references = References(plan, FOLDER)
    references.start()
    say("costs of the references on the validation days ...")
    references.poll(wait=True)
    if references.failure:
        raise ValueError(f"a reference could not be computed: {references.failure}")
    return _Judge(Validator(plan), references)


def _terms(settings: RunSettings) -> dict[str, Any]:
    """What all curves of a file share."""
    return {
        "scenario": settings.scenario,
        "overrides": list(settings.overrides),
        "validation_days": settings.validation_days,
        "train_days": settings.train_days,
        "observation": observation_hash(),
    }


def _kept(path: Path, terms: dict[str, Any]) -> dict[str, Any]:
    if not path.exists():
        return {"machine": machine(1), **terms, "references": {}, "curves": {}}
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for key, value in terms.items():
        if report.get(key) != value:
            raise ValueError(f"{path} holds curves with {key} {report.get(key)}, not {value}; name another file")
    return report


def _checkpoint(file: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """What an interrupted curve of the same settings has left; empty without one."""
    kept = load_torch(file) if file.exists() else {}
    return kept if {key: kept.get(key) for key in asked} == asked else {}


def _words(point: dict[str, Any]) -> str:
    share = point["captured_percent"]
    captured = "no captured share" if share is None else f"{share:.1f} % captured"
    return f"update {point['update']}, {point['cpu_s']:.0f} CPU s, {captured}"
