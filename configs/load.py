"""Strict loader of presets and of the user's own TOML files.

A preset is a `.toml` file in `presets/<kind>/`; a setting is named by its dotted path, e.g.
`feeder.import_limit_kw`. Whatever is wrong becomes one `ConfigError` that names the source, the setting, the
value and the rule.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .dump import config_hash
from .messages import ConfigError, describe, step_into, unknown_name

if TYPE_CHECKING:
    from pydantic import BaseModel

    Model = TypeVar("Model", bound=BaseModel)

__all__ = [
    "ConfigError",
    "config_hash",
    "load_model",
    "load_toml",
    "preset_names",
    "preset_path",
    "unknown_name",
]

PRESETS = Path(__file__).parent / "presets"


def load_toml(path: str | Path) -> dict[str, Any]:
    """Read a TOML file into plain Python values.

    Raises:
        ConfigError: the file is missing, unreadable or not TOML; names the file and, for bad TOML, the line.
    """
    file = Path(path)
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: not valid TOML: {error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: not UTF-8 text (byte {error.start}); save the file as UTF-8") from error
    except FileNotFoundError as error:
        raise ConfigError(f"{file}: no such file; check the path") from error
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error


def preset_names(kind: str) -> list[str]:
    """Names of the presets of a kind, sorted.

    Args:
        kind: folder under `presets`, e.g. `scenarios`, `tariffs`, `programmes`, `vehicles`.

    Raises:
        ConfigError: there is no such kind.
    """
    return sorted(file.stem for file in _preset_folder(kind).glob("*.toml"))


def preset_path(kind: str, name: str) -> Path:
    """Path of a preset's file.

    Raises:
        ConfigError: there is no such kind, or no such preset; offers the nearest valid name.
    """
    if name not in (names := preset_names(kind)):
        what = f"{kind.removesuffix('s')} preset"
        raise ConfigError(f"{unknown_name(what, name, names)}; the path of a .toml file will do too")
    return _preset_folder(kind) / f"{name}.toml"


def load_model(model: type[Model], kind: str, name_or_file: str | Path, overrides: Sequence[str] = ()) -> Model:
    """Load a preset or the user's own file into a strict model.

    Args:
        model: pydantic model that states every setting and its rule.
        kind: folder under `presets` in which a name is looked up.
        name_or_file: name of a preset, or path to a file (a `Path`, or text with a `/` or ending in `.toml`).
        overrides: `dotted.key=value` each, the value in TOML; a bare word is text. In a list, an entry is
            named by its number (`periods.0.price_usd_per_kwh=0.3`).

    Raises:
        ConfigError: unknown preset or setting (with the nearest valid name), or a value that breaks its rule.
    """
    from pydantic import ValidationError

    file, source = _find(kind, name_or_file)
    values = load_toml(file)
    keys = [_override(values, text, model) for text in overrides]
    try:
        # For JSON, strict means what it should for a text file: an array fills a tuple, but no text a number.
        return model.model_validate_json(json.dumps(values, default=_iso_text), strict=True)
    except ValidationError as error:
        raise ConfigError(describe(error, model, source, keys)) from error


def _preset_folder(kind: str) -> Path:
    kinds = [folder.name for folder in PRESETS.iterdir() if folder.is_dir() and any(folder.glob("*.toml"))]
    if kind not in kinds:
        raise ConfigError(unknown_name("kind of preset", kind, kinds))
    return PRESETS / kind


def _find(kind: str, name_or_file: str | Path) -> tuple[Path, str]:
    """The file, and what to call it in messages."""
    text = str(name_or_file)
    if isinstance(name_or_file, Path) or "/" in text or "\\" in text or text.endswith(".toml"):
        return Path(name_or_file), text
    return preset_path(kind, text), f"preset {kind}/{text}"


def _iso_text(value: Any) -> str:
    """TOML's dates and times as ISO 8601, which pydantic reads back; all else in TOML has a JSON form."""
    return str(value.isoformat())


def _override(values: dict[str, Any], text: str, model: type[BaseModel]) -> str:
    """Set one `dotted.key=value` in `values`; returns the dotted key."""
    key, equals, value = (part.strip() for part in text.partition("="))
    parts = key.split(".")
    if not equals or not all(parts):
        raise ConfigError(f"--set {text}: write it as dotted.key=value, e.g. feeder.import_limit_kw=120")
    table: Any = values
    here: list[Any] = [model]
    for part in parts[:-1]:
        table = _enter(table, part, here, text)
        _, here = step_into(here, part)
    _assign(table, parts[-1], _toml_value(value, text), text)
    return key


def _enter(table: Any, part: str, here: Sequence[Any], text: str) -> Any:
    if isinstance(table, list):
        inner = table[_index(table, part, text)]
    else:
        inner = table.setdefault(part, _default(here, part))
    if not isinstance(inner, dict | list):
        raise ConfigError(f"--set {text}: {part!r} holds the value {inner!r}, not a table of settings")
    return inner


def _default(here: Sequence[Any], part: str) -> Any:
    """What the setting holds when the file says nothing, so that overriding one entry keeps the others."""
    from pydantic_core import to_jsonable_python

    fields = [kind.model_fields[part] for kind in here if part in getattr(kind, "model_fields", {})]
    known = [
        to_jsonable_python(field.get_default(call_default_factory=True)) for field in fields if not field.is_required()
    ]
    return next((value for value in known if isinstance(value, dict | list)), {})


def _assign(table: Any, part: str, value: Any, text: str) -> None:
    if isinstance(table, list):
        table[_index(table, part, text)] = value
    else:
        table[part] = value


def _index(table: list[Any], part: str, text: str) -> int:
    if not part.isdecimal() or int(part) >= len(table):
        last = len(table) - 1
        raise ConfigError(f"--set {text}: {part!r} is no entry of this list; write a number from 0 to {last}")
    return int(part)


def _toml_value(value: str, text: str) -> Any:
    """`value` as TOML, or as text where it is a bare word such as `home-texas` or `../my.toml`."""
    try:
        parsed = tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError as error:
        if re.match(r"""[\[{"']|$""", value):
            raise ConfigError(f"--set {text}: the value is not valid TOML: {error}") from error
        return value
    return parsed["value"] if len(parsed) == 1 else value
