"""What the OpenAPI document says of bodies that are read in columns: made from the very field tables that read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from ..messages import fields as f
from ..messages.columns import LONGEST_NAME, Column
from ..messages.parse import INTERVALS_S
from ..messages.request import SCHEMA
from ..messages.vocabulary import Control, DecisionReason, DecisionSource, Mode, OnExpiry, Override, ServiceState, Word
from .arrow import MEDIA

Schema = dict[str, Any]

NAME: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME}
YES_NO: Schema = {"type": ["boolean", "null"]}
TIME: Schema = {"type": "string", "format": "date-time"}
BINARY: Schema = {"schema": {"type": "string", "format": "binary"}}


def _object(properties: Schema, required: tuple[str, ...] = (), meaning: str = "") -> Schema:
    made: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return made | ({"required": list(required)} if required else {}) | ({"description": meaning} if meaning else {})


def _list(items: Schema, meaning: str = "") -> Schema:
    return {"type": "array", "items": items} | ({"description": meaning} if meaning else {})


def _words(vocabulary: type[Word]) -> Schema:
    return {"type": "string", "enum": list(vocabulary.words())}


def _column(field: Column) -> Schema:
    unit = f" ({field.unit}, {field.low:g} to {field.high:g})"
    return _list({"type": ["number", "null"]}, field.meaning + unit)


def _columns(fields: Mapping[str, Column]) -> Schema:
    return {name: _column(field) for name, field in fields.items()}


def _series(fields: Mapping[str, Column]) -> Schema:
    return {name: _list(_list({"type": ["number", "null"]}), field.meaning) for name, field in fields.items()}


def _needed(fields: Mapping[str, Column]) -> tuple[str, ...]:
    return tuple(name for name, field in fields.items() if field.default is None)


def _ports() -> Schema:
    plain = {
        "id": _list(NAME) | {"minItems": 1, "uniqueItems": True},
        "car": _list(NAME, "which car is there; a new one is a new stay"),
        "site": _list(NAME, "id of its site; may be left out where there is one"),
        "plugged": _list(YES_NO, "null: unknown, the car is released"),
        "export_consent": _list(YES_NO),
        "override": _list({"enum": [*Override.words(), None]}, "what the driver ordered"),
    }
    return _object(plain | _columns(f.PORT_FIELDS), ("id", "plugged", *_needed(f.PORT_FIELDS)), "A row a port.")


REQUEST: Schema = _object(
    {
        "schema": {"type": "string", "const": SCHEMA},
        "fleet": {"type": "string", "pattern": f.FLEET},
        "cycle_start": TIME | {"description": "start of the interval, whole seconds, with the local offset"},
        "interval_s": {"type": "integer", "enum": list(INTERVALS_S)},
        "wear_usd_per_kwh": {"type": "number", "minimum": 0, "maximum": 10},
        "ports": _ports(),
        "sites": _object(
            {"id": _list(NAME), "feeder": _list(NAME), "tariff": _list(NAME)}
            | _columns(f.SITE_FIELDS)
            | _series(f.SITE_SERIES),
            meaning="A row a meter; left out: one without limits.",
        ),
        "feeders": _object({"id": _list(NAME)} | _columns(f.FEEDER_FIELDS) | _series(f.FEEDER_SERIES)),
        "prices": _object(
            {"tariff": _list(NAME), "known_steps": {"type": "integer", "minimum": 0}, "source": NAME}
            | {"published_age_s": {"type": ["number", "null"]}}
            | _series(f.PRICE_SERIES),
            meaning="A row a tariff; left out: none is known.",
        ),
        "events": _object(
            {"type": _list(NAME), "pays_export": _list(YES_NO), "binding": _list(YES_NO)} | _columns(f.EVENT_FIELDS)
        ),
        "arrivals": _object({"site": _list(NAME)} | _columns(f.ARRIVAL_FIELDS)),
        "emissions": _object({"kg_per_kwh": _list({"type": ["number", "null"]})}),
    },
    ("fleet", "cycle_start", "interval_s", "ports"),
    "One cycle's state of a fleet, in columns of equal length. kW at the grid, positive = import; missing is null.",
)

COUNTS: Schema = {"type": "object", "additionalProperties": {"type": "integer"}}
NUMBER: Schema = {"type": "number"}
TEXT: Schema = {"type": "string"}

DECISIONS_TABLE: Schema = {
    "id": _list(TEXT),
    "mode": _list(_words(Mode)),
    "setpoint_kw": _list({"type": ["number", "null"]}, "null with `release`: the car's own schedule applies"),
    "valid_until": _list(TIME, "end of the lease"),
    "on_expiry": _list(_words(OnExpiry)),
    "source": _list(_words(DecisionSource)),
    "reason": _list(_words(DecisionReason)),
    "command_due": _list({"type": "boolean"}, "whether anything new has to be sent"),
}

ANSWER: Schema = _object(
    {
        "schema": TEXT,
        "fleet": TEXT,
        "cycle_id": TEXT,
        "cycle_start": TIME,
        "decided_at": TIME,
        "state": _words(ServiceState),
        "model": {"type": ["object", "null"], "properties": {"name": TEXT, "version": TEXT, "sha256": TEXT}},
        "input_sha256": TEXT,
        "decisions": _object(DECISIONS_TABLE, tuple(DECISIONS_TABLE)),
        "totals": _object(
            {"import_kw": NUMBER, "export_kw": NUMBER, "clipped_kw": NUMBER}
            | {"by_source": COUNTS, "by_reason": COUNTS, "commands_due": {"type": "integer"}}
        ),
        "problems": _list(TEXT),
    },
    ("schema", "fleet", "cycle_id", "cycle_start", "decided_at", "state", "model", "decisions", "totals", "problems"),
)

EXAMPLE: Schema = {
    "fleet": "depot-7",
    "cycle_start": "2026-07-15T18:00:00-07:00",
    "interval_s": 900,
    "ports": {
        "id": ["p1", "p2"],
        "plugged": [True, True],
        "export_consent": [True, False],
        "soc": [0.55, None],
        "soc_age_s": [40, None],
        "need_kwh": [None, 12.5],
        "power_kw": [0.0, 7.2],
        "power_age_s": [5, 5],
        "capacity_kwh": [60, 75],
        "max_charge_kw": [11, 7.4],
        "max_discharge_kw": [11, 0],
        "target_soc": [0.8, None],
        "departs_in_s": [46800, 43200],
    },
    "sites": {"id": ["depot"], "net_load_kw": [20], "import_limit_kw": [[60]], "export_limit_kw": [[30]]},
    "prices": {
        "tariff": ["tou"],
        "import_usd_per_kwh": [[0.54, 0.54, 0.54, 0.54, 0.23]],
        "export_usd_per_kwh": [[0.08, 0.08, 0.08, 0.08, 0.08]],
        "published_age_s": 3600,
        "source": "utility file of 1 March 2026",
    },
}

ERROR: Schema = _object({"error": TEXT}, ("error",))


def _errors(codes: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    return {
        code: {"description": meaning, "content": {"application/json": {"schema": ERROR}}}
        for code, meaning in codes.items()
    }


ACCESS = {401: "No token that holds", 403: "The token does not allow this", 421: "Called by another name"}
DOWN = {503: "Busy, or the ledger cannot be read"}

DISPATCH: Schema = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": REQUEST, "example": EXAMPLE}, MEDIA: BINARY},
    }
}


def _answers(schema: Schema, codes: Mapping[int, str], arrow: bool = False) -> dict[int | str, dict[str, Any]]:
    content: Schema = {"application/json": {"schema": schema}} | ({MEDIA: BINARY} if arrow else {})
    return {200: {"description": "Answered", "content": content}} | _errors({**codes, **ACCESS})


DISPATCH_ANSWERS = _answers(
    ANSWER,
    {
        400: "Cannot be read",
        408: "The body was too slow",
        409: "Answered before, for another request",
        413: "Too large",
        415: "Another media type, or compressed",
        422: "The cycle's time cannot be right",
    }
    | DOWN,
    arrow=True,
)
CYCLE_ANSWERS = _answers(ANSWER, {400: "Cannot be read", 404: "No such cycle"} | DOWN, arrow=True)
DECISIONS_ANSWERS = _answers(
    _object(
        {
            "fleet": TEXT,
            "port": TEXT,
            "decisions": _list(
                _object(
                    {"cycle_id": TEXT, "cycle_start": TIME, "decided_at": TIME, "state": _words(ServiceState)}
                    | {name: column["items"] for name, column in DECISIONS_TABLE.items() if name != "id"}
                )
            ),
        },
        ("fleet", "port", "decisions"),
    ),
    {400: "Cannot be read", 413: "More cycles of more ports than one call reads"} | DOWN,
)

CONTROLS = Control.words()
ORDER_EXAMPLE: Schema = {
    "fleet": "depot-7",
    "control": "no_export",
    "actor": "night shift",
    "reason": "works at the transformer",
    "until": "2026-07-16T06:00:00-07:00",
}
_ORDER: Schema = {name: TEXT for name in ("control", "actor", "reason")} | {
    "issued": TIME, "until": TIME, "ports": _list(TEXT),
}  # fmt: skip


def order(body: type[BaseModel]) -> Schema:
    """The request body of an order."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": body.model_json_schema()}}}}


ORDER_ANSWERS = {
    201: {
        "description": "In force from the next cycle on",
        "content": {"application/json": {"schema": _object(_ORDER | {"fleet": TEXT, "recorded": {"type": "boolean"}})}},
    }
} | _errors(
    {400: "Cannot be read", 408: "Too slow", 413: "Too large", 415: "Another media type", 422: "Cannot be"}
    | ACCESS
    | DOWN
)
ORDERS_ANSWERS = _answers(
    _object({"fleet": TEXT, "orders": _list(_object(_ORDER))}, ("fleet", "orders")), {400: "Cannot be read"} | DOWN
)
MODEL_ANSWERS = _answers(
    _object(
        {"model": {"type": ["object", "null"]}, "shadow": {"type": ["object", "null"]}, "problems": _list(TEXT)},
        ("model", "problems"),
    ),
    {},
)
LIVE_ANSWERS = _answers(_object({"live": {"type": "boolean"}}, ("live",)), {})
_READY = _object(
    {"ready": {"type": "boolean"}, "state": _words(ServiceState), "problems": _list(TEXT)}, ("ready", "state")
)
READY_ANSWERS = _answers(_READY, {}) | {
    503: {"description": "Not ready", "content": {"application/json": {"schema": _READY}}}
}
METRICS_ANSWERS = {200: {"description": "Answered", "content": {"text/plain": {"schema": TEXT}}}} | _errors(ACCESS)
