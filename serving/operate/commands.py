"""`ebbflow runbook` and `ebbflow template`: what is shipped for whoever runs the service."""

from __future__ import annotations

import re
from datetime import datetime
from importlib.resources import files
from typing import Annotated

import typer

TEMPLATES = {
    "systemd": "ebbflow.service",
    "dispatch": "ebbflow-dispatch.service",
    "container": "Containerfile",
    "alerts": "alerts.yml",
    "runbook": "runbook.md",
    "state": "state.json",
    "request": "state.json",
}
NOW = "NOW"
"""Stands in a template for the time at which it is printed."""

OF_STATE = f'"as_of": "{NOW}"'
OF_REQUEST = f'"fleet": "fleet",\n  "cycle_start": "{NOW}",\n  "interval_s": 900'
"""A request is a state with its fleet, and with the interval that is decided."""


def runbook(
    alert: Annotated[str | None, typer.Argument(help="Name of an alert; the whole runbook by default.")] = None,
) -> None:
    """What to do when an alert of the service fires."""
    text = read("runbook")
    typer.echo(text if alert is None else section(text, alert), nl=False)


def template(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(TEMPLATES)}.", show_default=False)],
) -> None:
    """Print a systemd unit of the service or its loop, a container file, alert rules for Prometheus, the runbook, a
    site's state as `ebbflow dispatch --port files:FOLDER` reads it, or the request that asks `/v1/dispatch` of that
    state; both are true at this moment.
    """
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    typer.echo(read(name).replace(NOW, now), nl=False)


def read(name: str) -> str:
    """The text of a template.

    Raises:
        ConfigError: there is none of that name.
    """
    from ...configs.messages import ConfigError, unknown_name

    if name not in TEMPLATES:
        raise ConfigError(unknown_name("template", name, TEMPLATES))
    text = files(__package__).joinpath(TEMPLATES[name]).read_text(encoding="utf-8")
    return text.replace(OF_STATE, OF_REQUEST) if name == "request" else text


def section(text: str, alert: str) -> str:
    """The runbook's section of an alert.

    Raises:
        ConfigError: there is none of that name.
    """
    from ...configs.messages import ConfigError, unknown_name

    parts = {name: body for name, body in re.findall(r"^## (\w+)\n(.*?)(?=^#)", text, re.MULTILINE | re.DOTALL)}
    known = {name.casefold(): name for name in parts}
    if alert.casefold() not in known:
        raise ConfigError(unknown_name("alert", alert, parts))
    name = known[alert.casefold()]
    return f"## {name}\n{parts[name].rstrip()}\n"
