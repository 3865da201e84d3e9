"""The cars of all worlds as columns that every part of the projection in array form shares; see `kernels.gather`."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..physics.backends import rounding_of
from ..physics.port import PortModel
from ..snapshot import Snapshot
from .car import CarModel
from .library import Library


class Tools(NamedTuple):
    """What the parts of one projection work with."""

    lib: Library
    car: CarModel
    port: PortModel
    sites: Any  # groups of ports
    feeders: Any
    feeder_of: Any  # (S,)
    n_feeders: int
    one_site: bool
    step_h: float
    horizon: int
    rounding: float


class Fleet(NamedTuple):
    """Plan-ready quantities of all ports, each (B, N); an empty port holds harmless values and needs nothing."""

    here: Any
    known: Any
    override: Any
    may_export: Any
    below: Any  # under the minimum SoC
    soc: Any
    target: Any
    top: Any  # highest set-point that makes sense now
    left: Any  # steps, at least 1
    need: Any  # steps of full power
    power: Any  # set-point that full power takes before the taper, kW
    base: Any  # the part of it that the charger's fixed loss takes, kW
    bend: Any  # steps of full power before the target that lie in the taper
    rate: Any  # by which the power falls in the taper, per step
    min_soc: Any
    reserve_soc: Any
    capacity: Any
    taper: Any
    accept: Any
    eta_in: Any
    eta_out: Any
    loss: Any
    max_charge: Any
    min_charge: Any
    max_discharge: Any
    min_discharge: Any
    step: Any

    @property
    def battery(self) -> tuple[Any, ...]:
        """The arguments with which most functions of the car model end."""
        return (self.max_charge, self.capacity, self.taper, self.accept, self.eta_in, self.loss)


def make_tools(lib: Library, car: CarModel, port: PortModel, snapshot: Snapshot) -> Tools:
    """The tools for the projection of `snapshot`."""
    feeder_of = snapshot.sites.feeder
    sites = lib.group(snapshot.port_site, len(feeder_of))
    n_feeders = snapshot.feeders.net_load_kw.shape[1]
    feeders = lib.group(feeder_of[snapshot.port_site], n_feeders)
    return Tools(
        lib, car, port, sites, feeders, feeder_of, n_feeders, len(feeder_of) == 1, snapshot.step_h, snapshot.horizon,
        rounding_of(snapshot.ports.soc),
    )  # fmt: skip


def gather(t: Tools, snapshot: Snapshot) -> Fleet:
    """The plugged-in cars of `snapshot`."""
    o, p, here = t.lib.ops, snapshot.ports, snapshot.ports.plugged

    def column(values: Any, empty: float = 0.0) -> Any:
        return o.where(here, t.lib.doubles(values), empty)

    known = (p.soc == p.soc) & here
    soc, need_kwh = column(o.where(known, p.soc, 0.0)), column(o.where(p.need_kwh == p.need_kwh, p.need_kwh, 0.0))
    min_soc, charge_limit = column(p.min_soc), column(p.charge_limit_soc)
    goal = o.where(p.target_soc == p.target_soc, column(p.target_soc), charge_limit)
    capacity, taper, accept = column(p.capacity_kwh, 1.0), column(p.taper_soc, 0.5), column(p.battery_accept_kw, 1.0)
    eta_in, eta_out = column(p.charge_efficiency, 1.0), column(p.discharge_efficiency, 1.0)
    loss, max_charge, max_discharge = column(p.fixed_loss_kw), column(p.max_charge_kw), column(p.max_discharge_kw)
    battery = (max_charge, capacity, taper, accept, eta_in, loss)

    target = t.car.plan_target(soc, known, goal, charge_limit, min_soc)
    top = t.car.can_charge(soc, known, need_kwh, charge_limit, max_charge)
    below = known & (soc < min_soc)
    soc = t.car.plan_soc(soc, known, need_kwh, capacity)
    left = o.maximum(o.where(here, p.steps_left, 1), 1)
    need = o.where(here & (top > 0), t.car.hours_to(target, soc, *battery) / t.step_h, 0.0)
    bend = o.where(known, t.car.taper_hours(target, *battery) / t.step_h, 0.0)
    # What no plan can serve any more is not planned: the car leaves that much higher up in its taper.
    missed = o.maximum(need - left, 0.0)
    return Fleet(
        here=here, known=known, override=here & (p.override > 0), below=below, soc=soc, target=target, top=top,
        left=left, may_export=known & p.export_consent & (p.steps_left > 0) & (max_discharge > 0),
        need=need - missed, bend=bend - missed, power=o.minimum(max_charge, (accept + loss) / eta_in),
        base=loss / eta_in, rate=t.step_h * accept / (capacity * (1.0 - taper)), min_soc=min_soc,
        reserve_soc=column(p.reserve_soc), capacity=capacity, taper=taper, accept=accept, eta_in=eta_in,
        eta_out=eta_out, loss=loss, max_charge=max_charge, min_charge=column(p.min_charge_kw),
        max_discharge=max_discharge, min_discharge=column(p.min_discharge_kw), step=column(p.step_kw),
    )  # fmt: skip
