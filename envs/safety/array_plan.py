"""The look-ahead in array form: reverse-time level filling for all worlds at once; see `plan_kernels`."""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

import numpy as np

from ..physics.backends import operations
from ..snapshot import Outlook, Snapshot

TOLERANCE = 1e-9
MAX_LEVEL_STEPS = 60


class Library:
    """The few array functions that NumPy and torch spell differently."""

    def __init__(self, torch_wanted: bool) -> None:
        self.torch: Any = None
        if torch_wanted:
            self.torch = importlib.import_module("torch")

    def array(self, value: Any, like: Any) -> Any:
        if self.torch is not None:
            return self.torch.as_tensor(value, dtype=like.dtype, device=like.device)
        return np.asarray(value, like.dtype)

    def zeros(self, like: Any) -> Any:
        return self.torch.zeros_like(like) if self.torch is not None else np.zeros_like(like)

    def any(self, flags: Any) -> bool:
        return bool(flags.any())

    def all(self, flags: Any) -> bool:
        return bool(flags.all())

    def any_of(self, flags: Any) -> Any:
        """Whether any port of each world (B,)."""
        return flags.any(1)

    def floor(self, value: Any) -> Any:
        return self.torch.floor(value) if self.torch is not None else np.floor(value)

    def take(self, column: Any, index: Any) -> Any:
        return column.gather(1, index) if self.torch is not None else np.take_along_axis(column, index, 1)

    def arange(self, count: int, like: Any) -> Any:
        return self.torch.arange(count, device=like.device) if self.torch is not None else np.arange(count)

    def finite(self, value: Any) -> Any:
        """Infinite limits as a large number: 0 times infinity is no room at all."""
        if self.torch is not None:
            return self.torch.clamp(value, max=1e9)
        return np.minimum(value, 1e9)

    def groups(self, snapshot: Snapshot, like: Any) -> tuple[Group, Group]:
        """The ports' sites and feeders."""
        site = snapshot.port_site
        feeder = snapshot.sites.feeder[site]
        counts = (len(snapshot.sites.feeder), snapshot.feeders.net_load_kw.shape[1])
        return Group(self._eye(counts[0], site, like), site), Group(self._eye(counts[1], feeder, like), feeder)

    def _eye(self, count: int, index: Any, like: Any) -> Any:
        if self.torch is not None:
            return self.torch.eye(count, dtype=like.dtype, device=like.device)[index]
        return np.eye(count, dtype=like.dtype)[index]


class Group(NamedTuple):
    """Which group (site or feeder) each port belongs to."""

    of: Any  # (N, G) membership
    index: Any  # (N,)

    def total(self, ports: Any) -> Any:
        """Sum of (B, N) by group, (B, G)."""
        return ports @ self.of

    def each(self, groups: Any) -> Any:
        """The port's group's value, (B, N)."""
        return groups[:, self.index]


class ArrayPlan:
    """The plan of one snapshot; `left` (B, N) are the steps until the said departures, at least 1."""

    def __init__(self, snapshot: Snapshot, left: Any, backend: str, at_sites: Any, at_feeders: Any) -> None:
        self._o, self._lib = operations(backend), Library(backend == "torch")
        s, f = snapshot.sites, snapshot.feeders
        self._left, self._power, self._here = left, snapshot.ports.max_charge_kw, snapshot.ports.plugged
        self._h = snapshot.horizon
        self._snapshot = snapshot
        self._at_site, self._at_feeder = self._lib.groups(snapshot, self._power)
        self._one_site = len(s.feeder) == 1
        self._sites = self._headroom(s.import_limit_kw, s.net_load_forecast_kw)
        self._feeders = self._headroom(f.import_limit_kw, f.net_load_forecast_kw)
        self._expected = (at_sites, at_feeders)
        self._steps = self._lib.arange(self._h, left)

    def _headroom(self, limit: Outlook, load: Outlook) -> Any:
        return self._lib.finite(self._o.maximum(limit.window(self._h) - load.window(self._h), 0.0))

    def _rooms(self, headroom: float, arrivals: float) -> tuple[Any, Any]:
        """kW that sites (B, S, H) and feeders (B, F, H) can give their cars, less the reserve's margins."""
        sites, feeders = self._sites * headroom, self._feeders * headroom
        if arrivals > 0.0:
            sites = self._o.maximum(sites - arrivals * self._later(self._expected[0], sites), 0.0)
            feeders = self._o.maximum(feeders - arrivals * self._later(self._expected[1], feeders), 0.0)
        if self._one_site:
            sites = self._o.minimum(sites, feeders[:, self._snapshot.sites.feeder])
        return sites, feeders

    def _later(self, table: Any, like: Any) -> Any:
        """Expected load (B, G, H) of later arrivals, by hour of issue and hour ahead."""
        if table.shape[3] == 0:
            return like * 0
        s = self._snapshot.sites
        row, issued = np.asarray(s.arrivals_row), np.minimum(np.asarray(s.arrivals_hour), table.shape[2] - 1)
        ahead = np.asarray(s.arrivals_hour)[:, None] + (np.arange(self._h) * self._snapshot.step_h).astype(int)
        known = ahead < table.shape[3]
        load = table[row, :, issued][np.arange(len(row))[:, None], :, np.minimum(ahead, table.shape[3] - 1)]
        return self._lib.array((load * known[..., None]).transpose(0, 2, 1), like)

    def latest_starts_fit(self, need: Any, headroom: float, arrivals: float) -> Any:
        """Whether everybody can wait for the own latest start (B,): then these starts are the floors, exactly."""
        start = (self._left - need)[..., None]
        share = self._o.minimum(self._o.maximum(self._steps + 1 - start, 0.0), 1.0)
        due = self._here & (need > 0)
        share = share * (self._steps < self._left[..., None]) * due[..., None] * self._power[..., None]
        sites, feeders = self._rooms(headroom, arrivals)
        at_sites = (share.swapaxes(1, 2) @ self._at_site.of).swapaxes(1, 2)
        fits = (at_sites <= sites + TOLERANCE)[..., 1:].all(-1).all(-1)
        if self._one_site:
            return fits
        at_feeders = (share.swapaxes(1, 2) @ self._at_feeder.of).swapaxes(1, 2)
        return fits & (at_feeders <= feeders + TOLERANCE)[..., 1:].all(-1).all(-1)

    def fill(self, need: Any, headroom: float, arrivals: float, worlds: Any) -> Any:
        """Reverse-time level filling in `worlds` (B, 1): steps of full power that this step must give (B, N)."""
        o = self._o
        sites, feeders = self._rooms(headroom, arrivals)
        beyond = o.maximum(self._left - self._h, 0)
        now = o.where(self._here & worlds, o.maximum(need - beyond, 0.0), need * 0)
        last = min(int(self._left.max()), self._h)
        for h in range(last - 1, 0, -1):
            share = o.where(self._left > h, o.minimum(now, 1.0), now * 0)
            load = self._at_site.total(self._power * share)
            room = sites[..., h]
            if self._lib.any(load > room + TOLERANCE):
                share = self._level(now, share, self._at_site, room, load > room + TOLERANCE)
            if not self._one_site:
                load, room = self._at_feeder.total(self._power * share), feeders[..., h]
                if self._lib.any(load > room + TOLERANCE):
                    waiting = o.where(self._left > h, now, now * 0)
                    clears = self._at_site.total(self._power * waiting) / o.maximum(sites[..., h], 1e-6)
                    key = o.maximum(now, self._at_site.each(o.minimum(clears, 1e6)))
                    share = self._level(key, share, self._at_feeder, room, load > room + TOLERANCE)
            now = o.maximum(now - share, 0.0)
        return now

    def _level(self, key: Any, share: Any, group: Group, room: Any, over: Any) -> Any:
        """Cut the shares of the groups that are `over` (B, G) to `room`, largest keys first, to a common level."""
        o = self._o
        member = group.of[None] * (share > 0)[..., None]
        hi = (key[..., None] * member).max(1)
        hi = hi.values if self._lib.torch is not None else hi
        lo = hi * 0
        at = lo
        for _ in range(MAX_LEVEL_STEPS):
            above = key - group.each(at)
            excess = group.total(self._power * o.minimum(o.maximum(above, 0.0), share)) - room
            open_ = over & (o.maximum(excess, -excess) > TOLERANCE) & (hi - lo > 1e-13)
            if not self._lib.any(open_):
                break
            slope = group.total(self._power * ((above > 0) & (above < share)))
            lo, hi = o.where(excess > 0, at, lo), o.where(excess > 0, hi, at)
            middle = 0.5 * (lo + hi)
            newton = at + excess / o.maximum(slope, 1e-12)
            inside = (slope > 0) & (newton > lo) & (newton < hi)
            at = o.where(open_, o.where(inside, newton, middle), at)
        cut = o.minimum(o.maximum(key - group.each(at), 0.0), share)
        return o.where(group.each(over), cut, share)
