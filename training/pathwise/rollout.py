"""Whole days of many worlds under a network, played by the compiled back end and kept to look back on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...envs.action import requested_power
from ...envs.encoding import Observation, make_encoder
from ...envs.physics.team import team_of
from ...envs.safety.projection import Reserve, make_projector
from ...envs.safety.reasons import Reason
from ...envs.safety.survey import survey
from ...envs.simulator import Simulator
from ...envs.snapshot import Snapshot
from ...envs.world.bank import Bank
from ..policy.network import SetNetwork
from ..policy.torch_policy import groups_of_snapshot

Array = NDArray[Any]

RAISED = Reason.DEPARTURE | Reason.LOOK_AHEAD | Reason.MIN_SOC | Reason.OVERRIDE
"""The projection made the car charge."""

REFUSED = Reason.NO_EXPORT | Reason.REFILL | Reason.RESERVE | Reason.EXPORT_LIMIT
"""The projection cut an export."""

LEAST_ROOM_KW = 0.3
"""A limit with less room than this binds."""


@dataclass(frozen=True)
class Noise:
    """Noise on the action that holds for some steps, so that it moves energy.

    Args:
        scale: standard deviation.
        hold_steps: steps for which a draw is kept.
    """

    scale: float = 0.0
    hold_steps: int = 4


class Played(NamedTuple):
    """Days as they were played: `T` steps of `B` worlds, by port `N` or site `S`; powers in kW."""

    days: Array  # (B,)
    observations: Observation  # (T, B, ...)
    action: Array  # (T, B, N) of the network, without noise
    setpoint_kw: Array  # (T, B, N) as applied
    reasons: Array  # (T, B, N) of the projection
    stay: Array  # (T, B, N) row of the bank's stay table, negative where no car is
    soc: Array  # (T, B, N) before the step
    take_kw: Array  # (T, B, N) highest set-point that makes sense
    give_kw: Array  # (T, B, N) most export that keeps every promise
    import_full: Array  # (T, B, N) the site's or feeder's import limit leaves no room
    export_full: Array  # (T, B, N)
    dearest_usd_per_kwh: Array  # (T, B, N) highest price in force during the stay so far
    site_cars_kw: Array  # (T, B, S) mean power of the site's cars
    accounts_usd: Array  # (B, A)

    @property
    def cost_usd(self) -> Array:
        """Net cost of each world's day (B,)."""
        return np.asarray(self.accounts_usd.sum(axis=1))

    @property
    def decided_share(self) -> float:
        """Of the connected cars' steps, where the projection had the last word."""
        cut = RAISED | REFUSED | Reason.IMPORT_LIMIT
        here = self.stay >= 0
        return float(((self.reasons & int(cut)) != 0)[here].sum() / max(int(here.sum()), 1))


class Rollout:
    """Plays days of one bank, `n_worlds` at a time.

    Args:
        bank: packed days of one fleet.
        n_worlds: worlds side by side, `B`.
        reserve: what the projection keeps back.
        device: where the network is computed.
    """

    def __init__(self, bank: Bank, n_worlds: int, *, reserve: Reserve | None = None, device: str = "cpu") -> None:
        self.bank, self.n_worlds, self.device = bank, n_worlds, device
        self.simulator = Simulator(bank, n_worlds, backend="numba")
        self._project = make_projector("numba", reserve)
        self._encode = make_encoder("numba")
        self.simulator.reset()
        site, feeder = groups_of_snapshot(self.simulator.snapshot())
        self.site, self.feeder = site.to(device), feeder.to(device)

    def play(self, network: SetNetwork, days: Any, noise: Noise, rng: torch.Generator) -> Played:
        """Play `days` (B,) of the bank from reset to settlement."""
        simulator = self.simulator
        simulator.reset(days)
        rows, seen, shake = [], [], np.zeros(())
        for step in range(simulator.n_steps):
            snapshot = simulator.snapshot()
            if noise.scale > 0 and step % noise.hold_steps == 0:
                drawn = torch.randn((self.n_worlds, simulator.n_ports), generator=rng)
                shake = (noise.scale * drawn).numpy()
            observation = self._encode.encode(snapshot)
            action = self._act(network, observation)
            asked = requested_power(snapshot, np.clip(action + shake, -1.0, 1.0, dtype=np.float32), "numba")
            projected = self._project.project(snapshot, asked)
            row = [action, projected.applied_kw, projected.reasons, *self._now(snapshot, projected.applied_kw)]
            simulator.step(projected.applied_kw)
            state = simulator.state
            rows.append([*row, state.dearest_usd_per_kwh.copy(), state.site_cars_kw.copy()])
            seen.append(observation)
        columns = [np.stack(column) for column in zip(*rows, strict=True)]
        observations = Observation(*(np.stack(part) for part in zip(*seen, strict=True)))
        accounts = np.array(simulator.state.accounts, float)
        return Played._make([np.asarray(days), observations, *columns, accounts])

    def _act(self, network: SetNetwork, observation: Observation) -> Array:
        parts: list[Tensor] = [torch.from_numpy(part).to(self.device) for part in observation]
        with torch.inference_mode():
            action = network(parts[0], parts[1], parts[2].float(), self.site, self.feeder)
        return np.asarray(action.cpu().numpy())

    def _now(self, snapshot: Snapshot, setpoint_kw: Array) -> tuple[Array, ...]:
        """Stay, SoC, what each car can take and give, and whose limits are full."""
        state, here, cars = self.simulator.state, snapshot.ports.plugged, survey(snapshot, team_of(1))
        take, give = (np.where(here, power, 0.0) for power in (cars.take_kw, cars.give_kw))
        sites, feeders = snapshot.sites, snapshot.feeders
        days = self.bank.days
        at_sites = setpoint_kw @ np.eye(len(days.site_feeder))[days.port_site]
        at_feeders = at_sites @ np.eye(feeders.net_load_kw.shape[1])[days.site_feeder]
        loads = (sites.net_load_kw + at_sites, feeders.net_load_kw + at_feeders)

        def full(sign: float, site_limit: Any, feeder_limit: Any) -> Array:
            rooms = site_limit.now() - sign * loads[0], feeder_limit.now() - sign * loads[1]
            least = np.minimum(rooms[0], rooms[1][:, days.site_feeder])
            return np.asarray(least < LEAST_ROOM_KW)[:, days.port_site]

        imports = full(1.0, sites.import_limit_kw, feeders.import_limit_kw)
        exports = full(-1.0, sites.export_limit_kw, feeders.export_limit_kw)
        return state.stay.copy(), state.soc.copy(), take, give, imports, exports
