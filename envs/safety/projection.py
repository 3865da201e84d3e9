"""The one safety projection: what a controller asks goes in, what is safe to send comes out. There is no way round it.

In this order (contracts 5): the port's box; consent, reserve and latest start for export; export limits; a refill test
for exports; mandatory power, from each car's own latest start or, where the shared limits bind, from the latest
feasible schedule of all cars (`plan_kernels`); the import limits, mandatory power first by least laxity, elective
power by least economic laxity, full power to few. Later arrivals and wrong forecasts are met by a `Reserve`.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..physics.backends import rounding_of
from ..physics.team import Team, team_of
from ..snapshot import Snapshot, require_shape
from .survey import survey

Array = NDArray[Any]


@dataclass(frozen=True)
class Reserve:
    """Margins of the look-ahead: a setting whose price in flexibility is measured, not a constant.

    They raise the mandatory total only, and never change whom the exact plan serves.

    Args:
        headroom_factor: share of the forecast headroom that the plan may count on, 0..1.
        expected_arrivals_factor: how many times the expected later arrivals are planned for.
    """

    headroom_factor: float = 0.9
    expected_arrivals_factor: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 < self.headroom_factor <= 1.0:
            raise ValueError(f"headroom_factor is {self.headroom_factor}; it must be above 0 and at most 1")
        if self.expected_arrivals_factor < 0.0:
            raise ValueError(f"expected_arrivals_factor is {self.expected_arrivals_factor}; it must not be negative")


class Projection(NamedTuple):
    """Safe set-points and why they differ from the request."""

    applied_kw: Any  # (B, N)
    reasons: Any  # (B, N) bits of `Reason`


class Projector(Protocol):
    """Makes requests safe."""

    def project(self, snapshot: Snapshot, requested_kw: Any) -> Projection:
        """Project `requested_kw` (B, N); any number is accepted, NaN pauses."""
        ...


def make_projector(backend: str = "numpy", reserve: Reserve | None = None, threads: int | Team = 1) -> Projector:
    """The projection of a back end: `numpy` (the reference), `numba`, or `torch`.

    Raises:
        ValueError: no such back end.
    """
    reserve = reserve or Reserve()
    if backend == "numba":
        return CompiledProjector(reserve, threads)
    if backend in ("numpy", "torch"):
        from .arrays import ArrayProjector

        return ArrayProjector(reserve, backend)
    raise ValueError(f"back end is {backend!r}; choose one of numpy, numba, torch")


class ExpectedLoad:
    """kW that cars which are still to come will draw, by hour of issue and hour ahead; computed once per table.

    The table holds kWh by hour of arrival and departure from other days; each is spread evenly over its stay.
    """

    def __init__(self) -> None:
        self._table: Any = None
        self._feeder: Any = None
        self._sites: Any = None

    def of(self, snapshot: Snapshot) -> tuple[Any, Any]:
        """Arrays (U, S, A, C) and (U, F, A, C); C is 0 where nothing is known."""
        table = snapshot.sites.expected_arrivals_kwh
        if table is not self._table and not _equal(table, self._table):
            self._table = table
            self._sites = _expected_load(np.asarray(table, float))
            feeder_of = np.eye(snapshot.feeders.net_load_kw.shape[1])[np.asarray(snapshot.sites.feeder)]
            self._feeder = np.ascontiguousarray(np.einsum("usac,sf->ufac", self._sites, feeder_of))
        return self._sites, self._feeder


def _equal(table: Any, known: Any) -> bool:
    """Whether two tables say the same: telemetry brings a new one with every message."""
    if not (isinstance(table, np.ndarray) and isinstance(known, np.ndarray)):
        return False
    # `known` is held, so its memory is nobody else's.
    return table.__array_interface__ == known.__array_interface__ or np.array_equal(table, known)


def _expected_load(table_kwh: Array) -> Array:
    arrivals, departures = table_kwh.shape[2:]
    came, leaves = np.arange(arrivals)[:, None], np.arange(departures)
    rate = np.where(leaves > came, table_kwh / np.maximum(leaves - came, 1), 0.0)
    # Of those that came in an hour, the ones that leave later than `t` draw at `t`; then all that come after `hour`.
    drawing = np.zeros_like(rate)
    drawing[..., :-1] = np.cumsum(rate[..., :0:-1], axis=-1)[..., ::-1]
    drawing *= leaves >= came
    load = np.zeros_like(rate)
    load[:, :, :-1] = np.cumsum(drawing[:, :, :0:-1], axis=2)[:, :, ::-1]
    return load


class RoomBounds:
    """The least limit and the greatest loads of each site or feeder; computed once per set of tables."""

    def __init__(self, kind: Any) -> None:
        self._kind, self._tables, self._bounds = kind, (None, None, None), None

    def of(self, group: Any, expected: Any) -> Any:
        """The bounds of a `SiteColumns` or `FeederColumns` and of its expected load (U, G, A, C)."""
        tables = (group.import_limit_kw.values, group.net_load_forecast_kw.values, expected)
        if any(table is not known for table, known in zip(tables, self._tables, strict=True)):
            self._tables = tables
            self._bounds = self._kind(
                tables[0].min(axis=2), tables[1].max(axis=2), tables[2].max(axis=(2, 3), initial=0.0)
            )
        return self._bounds


class CompiledProjector:
    """Numba loops over worlds; see `kernels`."""

    def __init__(self, reserve: Reserve, threads: int | Team) -> None:
        from ..physics.compiling import direct
        from . import kernels, plan_kernels, room_kernels

        self._project = direct(kernels.project)
        self._kernels, self._plan, self._limits = kernels, plan_kernels, room_kernels.Limits
        self._local = threading.local()
        self._reserve, self._team, self._expected = reserve, team_of(threads), ExpectedLoad()
        self._margins = float(reserve.headroom_factor), float(reserve.expected_arrivals_factor)
        self._site_bounds, self._feeder_bounds = RoomBounds(room_kernels.Bounds), RoomBounds(room_kernels.Bounds)

    def project(self, snapshot: Snapshot, requested_kw: Any) -> Projection:
        requested = np.ascontiguousarray(requested_kw, snapshot.ports.soc.dtype)
        require_shape("requested_kw", requested, snapshot.ports.soc.shape)
        applied, reasons = np.empty_like(requested), np.empty(requested.shape, np.int64)
        s, f, c = snapshot.sites, snapshot.feeders, snapshot.context
        at_sites, at_feeders = self._expected.of(snapshot)
        view = survey(snapshot, self._team)
        limits = self._limits(
            s.import_limit_kw, s.net_load_forecast_kw, f.import_limit_kw, f.net_load_forecast_kw, at_sites, at_feeders,
            s.arrivals_row, s.arrivals_hour, self._site_bounds.of(s, at_sites), self._feeder_bounds.of(f, at_feeders),
            s.feeder, snapshot.horizon, snapshot.step_h, rounding_of(requested),
        )  # fmt: skip
        sites = SiteNow(s.feeder, s.tariff, s.net_load_kw, s.import_limit_kw, s.export_limit_kw)

        def part(lo: int, hi: int) -> None:
            cars, desk = self._scratch(snapshot)
            self._project(
                snapshot.layout, lo, hi, snapshot.ports, view, snapshot.port_site, sites, f, limits,
                c.import_price_usd_per_kwh, c.import_price_now_usd_per_kwh, snapshot.step_h,
                *self._margins, requested, applied, reasons, cars, desk,
            )  # fmt: skip

        self._team.share(part, snapshot.n_worlds)
        return Projection(applied, reasons)

    def _scratch(self, snapshot: Snapshot) -> tuple[Any, Any]:
        """Scratch arrays of this thread, kept between calls for fleets of one shape."""
        sites, feeders = len(snapshot.sites.feeder), snapshot.feeders.net_load_kw.shape[1]
        tariffs = snapshot.context.import_price_now_usd_per_kwh.shape[1]
        shape = (snapshot.n_ports, sites, feeders, tariffs, snapshot.horizon)
        if getattr(self._local, "shape", None) != shape:
            self._local.shape = shape
            self._local.cars = self._plan.scratch(snapshot.n_ports, sites, feeders, snapshot.horizon)
            self._local.desk = self._kernels.desk(*shape)
        return self._local.cars, self._local.desk

    def __getstate__(self) -> dict[str, Any]:
        return {"reserve": self._reserve, "threads": self._team.threads}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]


class SiteNow(NamedTuple):
    """What the compiled projection needs of the sites beside the look-ahead."""

    feeder: Any
    tariff: Any
    net_load_kw: Any
    import_limit_kw: Any
    export_limit_kw: Any
