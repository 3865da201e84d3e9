"""What the projection changed is counted by the constraint that did it, and adds up to the answer's own sum."""

from __future__ import annotations

from typing import Any

import pytest

from ebbflow.serving.core.clipping import clipped_by

from .small_fleet import Says, Service

CHEAPER_LATER = {"prices__import_usd_per_kwh": [[0.2] * 8 + [0.1] * 88]}
CASES: list[tuple[float, dict[str, Any], dict[str, float]]] = [
    (4.0, {}, {}),
    (11.0, {"sites__import_limit_kw": [[12.0]]}, {"import_limit": 22.0}),  # one has it all: the rest is below the least
    (-11.0, {"sites__export_limit_kw": [[12.0]]}, {"export_limit": 21.0}),
    (0.0, {"ports__departs_in_s": 3600.0}, {"departure": 11.0}),
    (0.0, {"ports__soc": 0.05}, {"minimum_soc": 11.0}),
    (0.0, {"ports__override": "charge_now", **CHEAPER_LATER}, {"driver": 11.0}),
    (20.0, {}, {"charger": 27.0}),
    (-4.0, {"ports__soc": 0.3}, {"reserve": 4.0}),
    (11.0, {"ports__departs_in_s": 3600.0, "sites__import_limit_kw": [[0.0]]}, {"import_limit": 33.0}),
    (4.0, {"ports__plugged_age_s": 90000.0}, {}),
]


@pytest.mark.parametrize(("asked_kw", "changes", "by"), CASES, ids=lambda x: str(x)[:50])
def test_each_kilowatt_is_counted_at_its_constraint(
    asked_kw: float, changes: dict[str, Any], by: dict[str, float]
) -> None:
    made = Service(Says(asked_kw)).cycle(**changes)
    told = clipped_by(made.record.requested_kw, made.answer.decisions.setpoint_kw, made.record.reasons)
    assert told == pytest.approx(by)
    assert sum(told.values()) == pytest.approx(made.answer.totals.clipped_kw)
