"""The days of a run: many to train on, and others on which the best network is chosen."""

from __future__ import annotations

from dataclasses import replace

from ...agents.days import SAVED, DayRequest, DrawnDays, Track, draw_days
from ...agents.evaluation.plan import Plan, make_plan
from .settings import RunSettings

VALIDATION_SEED = 0
"""Every run of a scenario is judged on the same validation days, whatever its own seed."""

REFERENCES = ("mpc",)
"""Beside charging at once and the optimum, which are always there."""


def training_days(settings: RunSettings, track: Track = iter) -> DrawnDays:
    """The days trained on: `train_days` of the run's own seed, drawn now.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: unknown scenario or setting, or a saved day, which is too little to train on.
    """
    if settings.scenario.endswith(SAVED):
        raise ValueError(f"{settings.scenario} is one saved day; name a preset or a settings file to train on")
    return draw_days(replace(_request(settings), seed=settings.seed, days=settings.train_days, split="train"), track)


def validation_plan(settings: RunSettings) -> Plan:
    """An evaluation of the references on the validation days, which no training ever sees.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: unknown scenario or setting.
    """
    from ...envs.world.build import load_settings

    request = _request(settings)
    request = replace(request, overrides=(*request.overrides, *settings.validation_overrides), split="validation")
    said = load_settings(request.scenario, request.overrides).behaviour.misreport
    split = "clean" if said == "off" else "misreport"
    return make_plan(request, settings.validation_days, split, REFERENCES)


def _request(settings: RunSettings) -> DayRequest:
    return DayRequest(settings.scenario, settings.overrides, VALIDATION_SEED, files=settings.files)
