"""Settings written out again, complete, so that a run can be read, repeated and compared."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel


def resolved(model: BaseModel) -> dict[str, Any]:
    """Every setting with its value, defaults included, as plain JSON types."""
    values: dict[str, Any] = model.model_dump(mode="json")
    return values


def to_json(model: BaseModel) -> str:
    """The resolved settings as JSON, keys in the model's order."""
    return json.dumps(resolved(model), indent=2, ensure_ascii=False)


def to_toml(model: BaseModel) -> str:
    """The resolved settings as TOML that `load_model` reads back to an equal model.

    Settings without a value are left out, since TOML has no null.
    """
    return "\n".join(_table_lines(resolved(model), ())).strip() + "\n"


def config_hash(model: BaseModel) -> str:
    """16 hexadecimal digits that differ when any resolved setting differs.

    SHA-256 of the resolved JSON with sorted keys: neither order nor a default spelt out matters.
    """
    canonical = json.dumps(resolved(model), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _table_lines(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    """Plain values first, since in TOML whatever follows a table's head belongs to that table."""
    present = {key: value for key, value in table.items() if value is not None}
    plain = {key: value for key, value in present.items() if not _is_table(value) and not _is_tables(value)}
    lines = [f"{_key(key)} = {_value(value)}" for key, value in plain.items()]
    for key, value in present.items():
        inner = (*path, _key(key))
        if _is_table(value):
            lines += ["", f"[{'.'.join(inner)}]", *_table_lines(value, inner)]
        elif _is_tables(value):
            for row in value:
                lines += ["", f"[[{'.'.join(inner)}]]", *_table_lines(row, inner)]
    return lines


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _key(key: str) -> str:
    bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
    return key if bare else _text(key)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return f"[{', '.join(_value(item) for item in value)}]"
    if isinstance(value, dict):
        inner = (f"{_key(key)} = {_value(item)}" for key, item in value.items() if item is not None)
        return f"{{{', '.join(inner)}}}"
    return repr(value)


def _text(text: str) -> str:
    """A TOML basic string, which is a JSON string in which DEL is escaped too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
