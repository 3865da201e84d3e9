"""Requests and policies drawn at random, the absurd among them, and what must hold of every answer."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from ebbflow.envs.snapshot import Snapshot
from ebbflow.serving.core.parameters import own_draw_kw
from ebbflow.serving.core.settings import ServingSettings
from ebbflow.serving.messages import DispatchAnswer, DispatchRequest, parse_request
from ebbflow.serving.messages.request import Ports
from ebbflow.serving.messages.vocabulary import DecisionReason, Mode

Array = Any
START = datetime(2026, 7, 15, 12, tzinfo=ZoneInfo("America/Los_Angeles"))


def odd(rng: np.random.Generator, column: Array, share: float = 0.06) -> Array:
    """The column with a few rows that cannot be true, or are not told."""
    wild = rng.choice([np.nan, -1.0, 0.0, 1e-12, 1.0, 1e9, -1e9, 1e300, -1e300], len(column))
    return np.where(rng.random(len(column)) < share, wild, column)


def fuzzed_document(rng: np.random.Generator, ports: int, step: int = 0, interval_s: int = 900) -> dict[str, Any]:
    """A request of `ports` ports on a few sites, at step `step` of a day."""
    n, s = ports, max(1, ports // 4)
    start = START + timedelta(seconds=step * interval_s)
    steps = 24 * 3600 // interval_s
    share = float(rng.choice([0.0, 0.003, 0.06], p=[0.4, 0.45, 0.15]))

    def wild(column: Array) -> Array:
        return odd(rng, column, share)

    reserve = rng.uniform(0.1, 0.4, n)
    soc = np.where(rng.random(n) < 0.1, reserve + rng.uniform(-0.01, 0.05, n), rng.beta(2.0, 1.0, n))
    ports_table = {
        "id": [f"p{at}" for at in range(n)],
        "site": [f"s{at % s}" for at in range(n)],
        "plugged": rng.choice(np.array([True, False, None], object), n, p=[0.85, 0.13, 0.02]).tolist(),
        "export_consent": rng.choice(np.array([True, False, None], object), n, p=[0.8, 0.1, 0.1]).tolist(),
        "override": rng.choice(["none", "charge_now", "opt_out"], n, p=[0.94, 0.03, 0.03]).tolist(),
        "override_for_s": wild(rng.uniform(-1000, 9000, n)),
        "soc": np.where(rng.random(n) < 0.1, np.nan, wild(soc)),
        "soc_age_s": wild(rng.choice([0.0, 30.0, 3000.0, 9000.0, -400.0], n, p=[0.7, 0.1, 0.1, 0.05, 0.05])),
        "need_kwh": wild(rng.uniform(-5, 50, n)),
        "power_kw": wild(rng.uniform(-11, 11, n)),
        "power_age_s": wild(rng.choice([0.0, 30.0, 5000.0, -300.0], n, p=[0.8, 0.1, 0.05, 0.05])),
        "capacity_kwh": wild(rng.uniform(20, 120, n)),
        "taper_soc": wild(rng.uniform(0.6, 0.95, n)),
        "battery_accept_kw": wild(rng.uniform(5, 150, n)),
        "max_charge_kw": wild(rng.choice([3.7, 7.4, 11.0, 22.0], n)),
        "max_discharge_kw": wild(rng.choice([0.0, 7.4, 11.0], n)),
        "min_charge_kw": wild(rng.choice([0.0, 1.38], n)),
        "min_discharge_kw": wild(rng.choice([0.0, 1.0], n)),
        "step_kw": wild(rng.choice([0.0, 0.24], n)),
        "charge_efficiency": wild(rng.uniform(0.85, 1.0, n)),
        "discharge_efficiency": wild(rng.uniform(0.85, 1.0, n)),
        "fixed_loss_kw": wild(rng.uniform(0.0, 0.3, n)),
        "target_soc": wild(rng.uniform(0.2, 0.9, n)),
        "departs_in_s": wild(rng.uniform(-3600, 60000, n)),
        "charge_limit_soc": wild(rng.uniform(0.5, 1.0, n)),
        "reserve_soc": wild(reserve),
        "min_soc": wild(rng.uniform(0.0, 0.3, n)),
    }
    series = {
        "import_limit_kw": np.where(
            rng.random((s, 1)) < 0.2, np.nan, rng.choice([0.0, 6.0, 40.0, 90.0], (s, steps), p=[0.02, 0.1, 0.4, 0.48])
        ),
        "export_limit_kw": np.where(rng.random((s, 1)) < 0.2, np.nan, rng.choice([0.0, 5.0, 20.0], (s, steps))),
        "net_load_forecast_kw": rng.uniform(-3, 8, (s, steps)),
    }
    prices = rng.choice([-0.2, 0.0, 0.1, 0.3, 5.0], (2, steps), p=[0.1, 0.1, 0.3, 0.4, 0.1])
    prices[rng.random((2, steps)) < (0.02 if rng.random() < 0.3 else 0.0)] = np.nan
    return {
        "fleet": "fuzz",
        "cycle_start": start.isoformat(),
        "interval_s": interval_s,
        "ports": ports_table,
        "sites": {
            "id": [f"s{at}" for at in range(s)],
            "feeder": [f"f{at % 2}" for at in range(s)],
            "tariff": [f"t{at % 2}" for at in range(s)],
            "net_load_kw": rng.uniform(-3, 8, s),
            **series,
        },
        "feeders": {
            "id": ["f0", "f1"],
            "import_limit_kw": rng.choice([5.0, 200.0, 900.0], (2, steps), p=[0.02, 0.4, 0.58]),
        },
        "prices": {
            "tariff": ["t0", "t1"],
            "import_usd_per_kwh": prices,
            "export_usd_per_kwh": prices - rng.choice([0.0, 0.05]),
            "known_steps": int(rng.integers(0, steps + 1)),
            "published_age_s": float(rng.choice([0.0, 40000.0, 400000.0], p=[0.8, 0.15, 0.05])),
        },
        **_events(rng),
    }


def _events(rng: np.random.Generator) -> dict[str, Any]:
    if rng.random() < 0.6:
        return {}
    start = float(rng.uniform(-7200, 7200))
    table = {
        "type": ["elrp"],
        "start_in_s": [start],
        "end_in_s": [start + float(rng.uniform(-100, 7200))],
        "rate_usd_per_kwh": [2.0],
        "pays_export": [bool(rng.random() < 0.5)],
        "binding": [bool(rng.random() < 0.3)],
    }
    return {"events": table}


def fuzzed_request(rng: np.random.Generator, ports: int, step: int = 0) -> DispatchRequest:
    """The request of `fuzzed_document`."""
    return parse_request(fuzzed_document(rng, ports, step))


class Faulty:
    """A policy that answers sensibly, absurdly, in part, or not at all, as its generator says."""

    name = "faulty"

    def __init__(self, rng: np.random.Generator, fault_share: float = 0.3) -> None:
        self._rng, self._share = rng, fault_share

    def reset(self) -> None: ...

    def act(self, snapshot: Snapshot) -> Any:
        shape, rng = (1, snapshot.n_ports), self._rng
        sound = rng.uniform(-12, 15, shape)
        if rng.random() > self._share:
            return sound
        kind = rng.integers(0, 6)
        if kind == 0:
            raise ZeroDivisionError("x")
        if kind == 1:
            return np.zeros((2, 2))
        if kind == 2:
            return np.full(shape, np.nan)
        if kind == 3:
            return np.full(shape, -np.inf)
        if kind == 4:
            return np.where(rng.random(shape) < 0.1, np.nan, sound)
        return rng.choice([1e300, -1e300, np.inf, 0.0], shape)


def assert_answer_safe(
    request: DispatchRequest, answer: DispatchAnswer, settings: ServingSettings, ledger_up: bool = True
) -> None:
    """What must hold of every answer, checked from the request alone."""
    d, p = answer.decisions, request.ports
    power, released = np.nan_to_num(d.setpoint_kw), d.mode == Mode.RELEASE
    assert len(power) == request.n_ports
    assert (np.isnan(d.setpoint_kw) == released).all()
    assert np.isfinite(d.valid_until_s).all()
    assert (d.valid_until_s > request.start_s).all()
    here = p.plugged == 1
    assert (power[~here] == 0).all()
    assert ((power > 0) == (d.mode == Mode.CHARGE)).all()
    assert ((power < 0) == (d.mode == Mode.EXPORT)).all()
    steered = here & ~released
    assert (power <= np.where(steered, p.max_charge_kw, 0.0) + 1e-9).all(), "charger's maximum"
    assert (-power <= np.where(steered, p.max_discharge_kw, 0.0) + 1e-9).all(), "greatest export"
    assert ((power <= 0) | (power >= p.min_charge_kw - 1e-9)).all(), "minimum current"
    _assert_exports(request, power, settings, ledger_up)
    _assert_limits(request, power, np.where(released, own_draw_kw(p), 0.0))
    told = d.reason != DecisionReason.AS_ASKED
    assert (told | (d.source == 0)).all(), "no reason for what is not the policy's wish"


def _assert_exports(request: DispatchRequest, power: Array, settings: ServingSettings, ledger_up: bool) -> None:
    gates, exports = settings.gates, power < 0
    p, given_kw = Ports(*(column[exports] for column in request.ports)), -power[exports]
    assert ledger_up or not exports.any(), "export without evidence"
    assert (p.export_consent == 1).all(), "export without consent"
    assert ((p.soc >= 0) & (p.soc <= 1)).all(), "export without a SoC"
    for age in (p.soc_age_s, p.power_age_s):
        assert ((age <= gates.export_max_age_s) & (age >= -gates.future_s)).all(), "export without a fresh reading"
    assert np.isfinite(p.power_kw).all(), "export without a power reading"
    assert ((p.override == 0) | ~(p.override_for_s > 0)).all(), "export against the driver"
    given_kwh = (given_kw + p.fixed_loss_kw) / p.discharge_efficiency * request.interval_s / 3600
    left = _soc_now(p) - given_kwh / p.capacity_kwh
    assert (left >= np.fmax(p.reserve_soc, p.min_soc) - 1e-6).all(), "export below the reserve"


def _soc_now(p: Ports) -> Array:
    """SoC with what the measured power has changed since it was read, where the power was not read long before it."""
    taken = np.maximum(p.charge_efficiency * p.power_kw - p.fixed_loss_kw, 0.0)
    given = (p.fixed_loss_kw - p.power_kw) / p.discharge_efficiency
    into_kw = np.where(p.power_kw > 0, taken, np.where(p.power_kw < 0, -given, 0.0))
    counts = np.maximum(p.power_age_s, 0.0) <= np.maximum(p.soc_age_s, 0.0) + 1.0
    since_h = np.where(counts, np.maximum(p.soc_age_s, 0.0), 0.0) / 3600
    return np.clip(p.soc + into_kw * since_h / p.capacity_kwh, 0.0, 1.0)


def _assert_limits(request: DispatchRequest, power: Array, own_kw: Array) -> None:
    s, f = request.sites, request.feeders
    of_sites = np.zeros(len(f.id))
    np.add.at(of_sites, s.feeder, s.net_load_kw)
    feeder_load = np.where(np.isnan(f.net_load_kw), of_sites, f.net_load_kw)
    site = request.ports.site
    for group, index, load in ((s, site, s.net_load_kw), (f, s.feeder[site], feeder_load)):
        n = len(load)
        drawn, given, own = (np.bincount(index, x, n) for x in (np.maximum(power, 0), np.maximum(-power, 0), own_kw))
        limit_in, limit_out = (
            np.nan_to_num(x[:, 0], nan=np.inf) for x in (group.import_limit_kw, group.export_limit_kw)
        )
        net = drawn - given
        assert (net <= np.maximum(np.maximum(limit_in - own, 0.0) - load, 0.0) + 1e-6).all(), "import limit"
        assert ((given == 0) | (given - load <= np.maximum(limit_out, -load) + 1e-6)).all(), "export limit"
