"""What the OpenAPI document says of the answers to people."""

from __future__ import annotations

from typing import Any

from ..http.describe import ACCESS, DOWN, ERROR

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
TIME: Schema = {"type": "string", "format": "date-time"}
KW: Schema = {"type": "array", "items": {"type": ["number", "null"]}}
FIGURE: Schema = {"type": ["number", "null"]}

HEAD: Schema = {"fleet": TEXT, "cycle_id": TEXT, "start": TIME, "interval_s": {"type": "integer"},
                "steps": {"type": "integer"}, "by": TEXT}  # fmt: skip

DRIVER: Schema = {
    "port": TEXT, "car": TEXT, "sentence": TEXT, "mode": TEXT, "source": TEXT, "reason": TEXT, "setpoint_kw": FIGURE,
    "soc": FIGURE, "soc_expected": FIGURE, "target_soc": FIGURE, "missing_kwh": {"type": "number"},
    "departs_at": {"type": ["string", "null"], "format": "date-time"}, "departure_said": {"type": "boolean"},
    "cause": TEXT,
}  # fmt: skip

GROUP: Schema = {
    "id": TEXT, "import_limit_kw": KW, "export_limit_kw": KW, "without_cars_kw": KW, "planned_cars_kw": KW,
    "released_kw": {"type": "number"},
}  # fmt: skip

SENTENCE = (
    "Your car is paused as power costs $0.131/kWh from 00:00 tomorrow, and $0.802/kWh now; 90% is expected at 07:45 "
    "tomorrow, as asked."
)


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _object(properties: Schema, required: tuple[str, ...] | None = None) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties if required is None else required)}


def answers_of(schema: Schema, more: dict[int, str], example: Schema | None = None) -> dict[int | str, dict[str, Any]]:
    """The responses of an operation: what it answers, and the errors of all, with `more` by code."""
    content = {"schema": schema} | ({"example": example} if example else {})
    codes = {400: "Cannot be read", **more, **ACCESS, **DOWN}
    wrong: dict[int | str, dict[str, Any]] = {
        code: {"description": why, "content": {"application/json": {"schema": ERROR}}} for code, why in codes.items()
    }
    return {200: {"description": "Answered", "content": {"application/json": content}}, **wrong}


OF_MANY_CYCLES = {413: "More cycles of more ports than one call reads"}
OF_A_PLAN = {404: "No cycle of this fleet", 413: "More cars than a plan is made for"}

FLEETS = answers_of(_object({"fleets": _list(TEXT)}), {})
DRIVERS = answers_of(
    _object(HEAD | {"drivers": _list(_object(DRIVER))}),
    OF_A_PLAN,
    {
        "fleet": "depot-7", "cycle_id": "depot-7.20260716T010000Z", "start": "2026-07-15T18:00:00-07:00",
        "interval_s": 900, "steps": 96, "by": "learned",
        "drivers": [{
            "port": "p1", "car": "", "sentence": SENTENCE, "mode": "pause", "source": "policy", "reason": "as_asked",
            "setpoint_kw": 0.0, "soc": 0.55, "soc_expected": 0.9, "target_soc": 0.9, "missing_kwh": 0.0,
            "departs_at": "2026-07-16T07:45:00-07:00", "departure_said": True, "cause": "none",
        }],
    },
)  # fmt: skip
PLAN = answers_of(
    _object(
        HEAD
        | {
            "cars_kw": KW, "without_cars_kw": KW, "released_kw": {"type": "number"},
            "flexibility": _list(_object({"at": TIME, "hours": KW, "down_kw": KW, "up_kw": KW})),
        }
    ),
    OF_A_PLAN,
)  # fmt: skip
LIMITS = answers_of(_object(HEAD | {"sites": _list(_object(GROUP)), "feeders": _list(_object(GROUP))}), OF_A_PLAN)
EVENTS = answers_of(
    _object({
        "fleet": TEXT,
        "events": _list(_object({
            "type": TEXT, "start": TIME, "end": TIME, "rate_usd_per_kwh": {"type": "number"},
            "pays_export": {"type": "boolean"}, "cycles": {"type": "integer"}, "cycles_missing": {"type": "integer"},
            "measured_share": {"type": "number"}, "finished": {"type": "boolean"},
            "rows": _list({"type": "object"}), "totals": {"type": "object"}, "payment_usd": {"type": "number"},
        })),
    }),
    OF_MANY_CYCLES,
)  # fmt: skip
STORY = answers_of(_object({"fleet": TEXT, "port": TEXT, "story": _list({"type": "object"})}), OF_MANY_CYCLES)
