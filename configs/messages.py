"""Clear sentences for wrong settings: the dotted path, the value, the rule and the nearest valid name."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

_SHOWN_PROBLEMS = 8


class ConfigError(ValueError):
    """A setting, preset or settings file that cannot be used, with what to do about it."""


def unknown_name(what: str, name: str, valid: Iterable[str]) -> str:
    """One sentence that refuses `name` and offers the nearest of the valid names.

    Args:
        what: what the name should have named, e.g. `scenario preset`.
        name: the name that is not valid.
        valid: the names that are.
    """
    names = sorted(valid)
    if not names:
        return f"unknown {what} {name!r}; there is none here"
    folded = {candidate.casefold().replace("_", "-"): candidate for candidate in names}
    near = difflib.get_close_matches(name.casefold().replace("_", "-"), folded, n=1, cutoff=0.5)
    hint = f"; did you mean {folded[near[0]]!r}?" if near else ""
    return f"unknown {what} {name!r}{hint} (valid: {', '.join(names)})"


def describe(error: ValidationError, model: type[BaseModel], source: str, overrides: Collection[str]) -> str:
    """One message for all that pydantic found wrong in the settings from `source`.

    Args:
        error: pydantic's findings.
        model: the model that the settings were checked against.
        source: the file or preset that they came from.
        overrides: dotted keys that the user has set on top; their problems are named as `--set`.
    """
    problems = [_problem(details, model, source, overrides) for details in error.errors(include_url=False)]
    problems = list(dict.fromkeys(problems))
    if len(problems) == 1:
        return problems[0]
    rest = len(problems) - _SHOWN_PROBLEMS
    more = [f"... and {rest} more"] if rest > 0 else []
    return "\n  ".join([f"{len(problems)} settings are wrong:", *problems[:_SHOWN_PROBLEMS], *more])


def _problem(details: ErrorDetails, model: type[BaseModel], source: str, overrides: Collection[str]) -> str:
    path, valid = locate(model, details["loc"])
    dotted = ".".join(path)
    by_hand = any(f"{dotted}.".startswith(f"{key}.") for key in overrides)
    if details["type"] == "extra_forbidden":
        by_hand = by_hand or any(key.startswith(f"{dotted}.") for key in overrides)
    where = f"--set {dotted}" if by_hand else source
    return f"{where}: {_rule(details, dotted, valid)}"


def _rule(details: ErrorDetails, dotted: str, valid: Collection[str]) -> str:
    if details["type"] == "extra_forbidden":
        return unknown_name("setting", dotted, _beside(dotted, valid))
    if details["type"] == "missing":
        return f"{dotted} is missing; it has no default, so give it a value"
    message = details["msg"]
    if details["type"] in ("value_error", "assertion_error"):
        sentence = message.partition(", ")[2]
        return f"{dotted}: {sentence}" if dotted else sentence
    if details["type"] == "union_tag_invalid":
        key = details["ctx"]["discriminator"].strip("'")
        tag, tags = details["ctx"]["tag"], details["ctx"]["expected_tags"]
        return f"{dotted}.{key} is {tag!r}; it should be one of {tags}".removeprefix(".")
    sentence = message.replace("Input should", "it should", 1).replace("an object", "a table")
    return f"{dotted or 'the file'} is {_short(details['input'])}; {sentence}"


def _beside(dotted: str, valid: Collection[str]) -> list[str]:
    """The valid names as dotted paths in the table of `dotted`."""
    table, dot, _ = dotted.rpartition(".")
    return [f"{table}{dot}{name}" for name in valid]


def _short(value: object) -> str:
    if isinstance(value, dict):
        return "a table"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def locate(model: type[BaseModel], loc: Sequence[str | int]) -> tuple[list[str], list[str]]:
    """Path of the settings named by pydantic's `loc`, and the names valid beside its last part.

    Pydantic puts the tag of a union's member into `loc`; the user never wrote it, so it is left out.
    """
    here: list[Any] = [model]
    path: list[str] = []
    for part in loc[:-1]:
        found, here = step_into(here, part)
        path += [str(part)] if found else []
    names = {name for kind in here if _is_model(kind) for name in kind.model_fields}
    last = [str(part) for part in loc[-1:] if part in names or not _is_tag(here, part)]
    return path + last, sorted(names)


def step_into(here: Sequence[Any], part: str | int) -> tuple[bool, list[Any]]:
    """Types that `part` leads to from any of the types `here`, and whether it leads anywhere.

    A part that is no setting but the tag of a union's member narrows `here` to that member.
    """
    found = [kind for parent in here for kind in _children(parent, part)]
    if found:
        return True, found
    return False, [kind for kind in here if _has_tag(kind, part)] or list(here)


def _children(parent: Any, part: str | int) -> list[Any]:
    if _is_model(parent):
        field = parent.model_fields.get(part)
        return [] if field is None else _members(field.annotation)
    origin, args = typing.get_origin(parent), typing.get_args(parent)
    if origin is dict:
        return _members(args[1])
    if isinstance(part, int) or part.isdecimal():
        return [kind for arg in args if arg is not Ellipsis for kind in _members(arg)]
    return []


def _members(annotation: Any) -> list[Any]:
    """The plain types that a union, an optional or an annotated type stands for."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _members(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return [kind for arg in typing.get_args(annotation) for kind in _members(arg)]
    return [annotation]


def _is_model(kind: Any) -> bool:
    return hasattr(kind, "model_fields")


def _is_tag(here: Sequence[Any], part: str | int) -> bool:
    return any(_has_tag(kind, part) for kind in here) or str(part).startswith("function-")


def _has_tag(kind: Any, part: str | int) -> bool:
    if not _is_model(kind):
        return False
    literals = (f.annotation for f in kind.model_fields.values() if typing.get_origin(f.annotation) is typing.Literal)
    return part == kind.__name__ or any(part in typing.get_args(literal) for literal in literals)
