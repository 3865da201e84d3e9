"""What must hold of every projected set-point, checked from the snapshot alone (contracts 5, issue 6 "Safety")."""

from __future__ import annotations

from typing import Any

import numpy as np

from ebbflow.envs.physics.state import NO_STAY
from ebbflow.envs.safety import Projection, make_projector
from ebbflow.envs.simulator import Simulator
from ebbflow.envs.snapshot import Snapshot

from ..worlds import Adversary  # noqa: TID252

Array = Any


def assert_safe(s: Snapshot, made: Projection, room_kw: float = 1e-6) -> None:
    """Every promise that a single set-point can break."""
    p, applied = s.ports, np.asarray(made.applied_kw, float)
    up, down = np.maximum(applied, 0.0), np.maximum(-applied, 0.0)
    tight = room_kw / 100
    assert np.isfinite(applied).all()
    assert (applied[~p.plugged] == 0).all()
    assert (up <= p.max_charge_kw + tight).all(), "charger's maximum"
    assert (down <= p.max_discharge_kw + tight).all(), "greatest export"
    stepped = p.step_kw > 0
    steps = applied / np.where(stepped, p.step_kw, 1.0)
    assert (np.abs(steps - np.rint(steps))[stepped] < room_kw * 100).all(), "current step"
    assert ((up == 0) | (up >= p.min_charge_kw - tight)).all(), "minimum current"
    assert ((down == 0) | (down >= p.min_discharge_kw - tight)).all(), "least export"
    assert_keeps_promises(s, up, down)
    assert_within_limits(s, applied, down, room_kw)


def assert_keeps_promises(s: Snapshot, up: Array, down: Array) -> None:
    """Consent, reserve, minimum and charge limit."""
    p, giving, taking = s.ports, down > 0, up > 0
    assert p.export_consent[giving].all(), "export without consent"
    assert not np.isnan(p.soc[giving]).any(), "export with unknown SoC"
    assert (p.soc[giving] > np.maximum(p.reserve_soc, p.min_soc)[giving]).all(), "export below reserve"
    known = taking & ~np.isnan(p.soc)
    assert (p.soc[known] < p.charge_limit_soc[known]).all(), "charge past the limit"
    assert (p.need_kwh[taking & np.isnan(p.soc)] > 0).all(), "charge past what was asked"


def assert_within_limits(s: Snapshot, applied: Array, down: Array, room_kw: float) -> None:
    """Imports net of exports; exports alone, since a charging car may draw less than it is offered."""
    site = np.eye(len(s.sites.feeder))[s.port_site]
    feeder = site @ np.eye(s.feeders.net_load_kw.shape[1])[s.sites.feeder]
    for columns, of in ((s.sites, site), (s.feeders, feeder)):
        load = np.asarray(columns.net_load_kw, float)
        most_in, most_out = columns.import_limit_kw.now(), columns.export_limit_kw.now()
        assert (applied @ of + load <= np.maximum(most_in, load) + room_kw).all(), "import limit"
        caused = (down @ of) > 0
        over = down @ of - load > np.maximum(most_out, -load) + room_kw
        assert not (caused & over).any(), "export limit"


def assert_explained(s: Snapshot, requested: Array, made: Projection, room_kw: float = 1e-6) -> None:
    """Where a set-point is not what was asked, a reason says why."""
    applied, reasons = np.asarray(made.applied_kw, float), np.asarray(made.reasons)
    asked = np.nan_to_num(np.asarray(requested, float), nan=0.0)
    changed = s.ports.plugged & (np.abs(applied - asked) > room_kw)
    assert (reasons[changed] != 0).all(), "changed without a reason"
    assert (reasons[~s.ports.plugged] == 0).all()


def rule_day(
    simulator: Simulator,
    backend: str,
    adversary: Adversary,
    rng: np.random.Generator,
    room_kw: float = 1e-6,
) -> None:
    """A day under an adversary behind the projection; every step is checked before and after."""
    projector = make_projector(backend)
    simulator.reset()
    soc_room = room_kw / 100
    for step in range(simulator.n_steps):
        snapshot = simulator.snapshot()
        requested = np.asarray(adversary(rng, snapshot, step), simulator.bank.dtype)
        made = projector.project(snapshot, requested)
        assert_safe(snapshot, made, room_kw)
        known, floor = ~np.isnan(snapshot.ports.soc), np.maximum(snapshot.ports.reserve_soc, snapshot.ports.min_soc)
        most = np.maximum(snapshot.ports.charge_limit_soc, simulator.state.soc)
        stay = simulator.state.stay.copy()
        gives, takes = made.applied_kw < 0, made.applied_kw > 0
        simulator.step(made.applied_kw)
        # A port that another car took at once shows that car's SoC.
        same = (simulator.state.stay == stay) | (simulator.state.stay == NO_STAY)
        after = simulator.state.soc
        assert (after[same & gives] >= floor[same & gives] - soc_room).all(), "drained below the reserve"
        over = same & takes & known & (after > most + soc_room)
        assert not over.any(), "charged past the limit"
