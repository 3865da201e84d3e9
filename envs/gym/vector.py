"""Many fleets at once behind Gymnasium's vector interface: one batched simulator, no processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from ..encoding import Observation
from ..safety.projection import Reserve
from ..simulator import Simulator
from ..world.bank import Bank
from ..world.sources import ScenarioFiles
from .days import FreshDays, Source, open_days, reset_option
from .fleet import ACCOUNTS, Fleet, Step, row_sums, usable_cores
from .record import Recorder
from .spaces import (
    RENDER_MODES,
    Obs,
    action_space,
    as_dict,
    batch_of_actions,
    check_render_mode,
    observation_space,
)

Array = NDArray[Any]
Infos = dict[str, Any]

BANK_DAYS = 256
"""Days drawn beforehand where nothing else is asked for."""


class FleetVectorEnv(VectorEnv[Obs, Array, Array]):
    """`num_envs` worlds of one fleet in one batch; each does exactly what a `FleetEnv` of the same days does.

    A world that ends is reset in the same step (`AutoresetMode.SAME_STEP`): `final_obs` and `final_info` hold
    its last observation and info. World `i` draws its days with a generator of its own, seeded `seed + i`.

    Args:
        num_envs: worlds, `B`.
        scenario: see `FleetEnv`, as for all arguments that are not named here.
        bank_days: days drawn beforehand, from which resets take theirs; None: 256.
        threads: threads that share the worlds; None: one per usable core.
        copy: give out fresh observations; False: write over the last ones, which saves time with many worlds.
            `final_obs` is always fresh.
        max_episode_steps: cut an episode after so many steps: `truncated`, not settled, to be bootstrapped.

    Raises:
        ValueError: see `FleetEnv`; also fewer than one world.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - Gymnasium declares it so
        "render_modes": list(RENDER_MODES),
        "render_fps": 4,
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }
    reset_options: ClassVar[tuple[str, ...]] = ("reset_mask",)

    def __init__(
        self,
        num_envs: int = 1,
        scenario: Source = "home-california",
        *,
        overrides: Sequence[str] = (),
        scenario_seed: int = 0,
        split: str = "train",
        bank_days: int | None = None,
        files: ScenarioFiles | None = None,
        backend: str = "auto",
        dtype: str = "float64",
        reserve: Reserve | None = None,
        threads: int | None = None,
        copy: bool = True,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs is {num_envs}; it must be at least 1")
        check_render_mode(render_mode)
        days = open_days(
            scenario,
            overrides,
            scenario_seed=scenario_seed,
            split=split,
            bank_days=bank_days,
            files=files,
            dtype=dtype,
        )
        self._days = days.stored(BANK_DAYS) if isinstance(days, FreshDays) else days
        self.num_envs, self.copy, self.render_mode = num_envs, copy, render_mode
        self.max_episode_steps = max_episode_steps
        self._fleet = Fleet(
            num_envs, backend=backend, reserve=reserve or days.reserve, threads=threads or usable_cores()
        )
        self._fleet.play(self._days.locate(0)[0])
        self.single_observation_space = observation_space(days.n_ports)
        self.single_action_space = action_space(days.n_ports)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._generators: list[np.random.Generator] = []
        self._buffer: Observation | None = None
        self._recorder = Recorder(self._fleet.simulator) if render_mode is not None else None

    @property
    def bank(self) -> Bank:
        """The days that are played."""
        return self._fleet.simulator.bank

    @property
    def simulator(self) -> Simulator:
        """The worlds themselves; what happens in them is not for controllers."""
        return self._fleet.simulator

    @property
    def reserve(self) -> Reserve | None:
        """What the projection keeps back; None: its default."""
        return self._fleet.reserve

    @property  # type: ignore[misc]
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """The generators of the worlds."""
        return tuple(self._generators)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Obs, Infos]:
        """Start days in all worlds, or in those of `options["reset_mask"]`.

        Args:
            seed: one for the batch (world `i` gets `seed + i`), or one per world.
            options: `day`, a number or one per world (negative: drawn); `reset_mask`, booleans (B,).

        Raises:
            ValueError: unknown option, wrong length, or a day that there is not.
        """
        asked = reset_option(options, "day", self.reset_options)
        mask = (options or {}).get("reset_mask")
        worlds = np.arange(self.num_envs) if mask is None else np.flatnonzero(self._mask(mask))
        self._seed(seed, worlds)
        days = self._draw(worlds)
        if asked is not None:
            wanted = np.broadcast_to(np.asarray(asked, np.int64), (self.num_envs,))[worlds]
            days = np.where(wanted >= 0, wanted, days)
        self._fleet.start(days, worlds)
        return self._observe(), self._reset_infos(worlds, days)

    def step(self, actions: Array) -> tuple[Obs, Array, Array, Array, Infos]:
        """Play one step in every world under `actions` (B, N); worlds that end begin a new day.

        Raises:
            ValueError: actions of another shape.
        """
        shares = batch_of_actions(actions, self.num_envs, self._days.n_ports)
        if self._recorder is not None:
            self._recorder.before(self._fleet.simulator)
        played = self._fleet.step(shares, None if self.copy else self._buffer)
        if self._recorder is not None:
            self._recorder.after(self._fleet.simulator, played.applied_kw)
        cost = row_sums(played.change_usd)
        truncated = self._cut() & ~played.done
        ended = played.done | truncated
        infos = step_infos(played, cost)
        if not ended.any():
            infos |= dict.fromkeys((f"_{name}" for name in infos), np.ones(self.num_envs, bool))
            return as_dict(played.observation), -cost, played.done, truncated, infos
        infos = self._autoreset(played, infos, ended)
        return self._observe(), -cost, played.done, truncated, infos

    def ledger(self, world: int) -> dict[str, float]:
        """Accounts and tallies so far of one world's day, by name."""
        return {name: float(value[0]) for name, value in self._fleet.ledgers(np.array([world])).items()}

    def frame(self, world: int) -> NDArray[np.uint8] | None:
        """The day so far of one world as pixels; None without a render mode."""
        if self._recorder is None:
            return None
        from .render import frame

        return frame(self._recorder.day(self._fleet.simulator, world))

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """The day so far of every world; None without a render mode."""
        frames = [self.frame(world) for world in range(self.num_envs)]
        return None if self._recorder is None else tuple(f for f in frames if f is not None)

    def _autoreset(self, played: Step, infos: Infos, ended: Array) -> Infos:
        """Move what the ended worlds did to `final_obs` and `final_info`, and start new days in them."""
        worlds = np.flatnonzero(ended)
        final = _part(infos, ended)
        if played.done.any():
            final["ledger"], final["_ledger"] = self._settled(played.done), played.done.copy()
        final_obs = np.full(self.num_envs, None, object)
        last = as_dict(played.observation)
        parts = zip(*(values[ended] for values in last.values()), strict=True)  # copies, whatever becomes of the buffer
        final_obs[worlds] = [dict(zip(last, part, strict=True)) for part in parts]
        days = self._draw(worlds)
        self._fleet.start(days, worlds)
        rest = _part(infos, ~ended) if not ended.all() else {}
        rest |= self._reset_infos(worlds, days)
        rest |= {"final_obs": final_obs, "final_info": final}
        return rest | {"_final_obs": ended.copy(), "_final_info": ended.copy()}

    def _settled(self, settled: Array) -> Infos:
        worlds, ledgers = np.flatnonzero(settled), {}
        for name, values in self._fleet.ledgers(worlds).items():
            ledgers[name] = np.zeros(self.num_envs)
            ledgers[name][worlds] = values
        return ledgers | _masks(ledgers, settled)

    def _reset_infos(self, worlds: Array, days: Array) -> Infos:
        numbers, mask = np.zeros(self.num_envs, np.int64), np.zeros(self.num_envs, bool)
        numbers[worlds], mask[worlds] = days, True
        return {"day": numbers, "_day": mask}

    def _observe(self) -> Obs:
        if self.copy:
            return as_dict(self._fleet.observe())
        self._buffer = self._fleet.observe(self._buffer)
        return as_dict(self._buffer)

    def _cut(self) -> Array:
        """Worlds that have reached the user's limit of steps."""
        if not self.max_episode_steps:
            return np.zeros(self.num_envs, bool)
        return np.asarray(self._fleet.simulator.state.step >= self.max_episode_steps)

    def _draw(self, worlds: Array) -> Array:
        n_days = self._days.n_days  # asked for once: thousands of worlds may end together
        return np.fromiter((self._generators[world].integers(n_days) for world in worlds), np.int64, len(worlds))

    def _seed(self, seed: int | Sequence[int | None] | None, worlds: Array) -> None:
        if seed is None or isinstance(seed, int | np.integer):
            seeds = [None if seed is None else int(seed) + world for world in range(self.num_envs)]
        else:
            seeds = list(seed)
        if len(seeds) != self.num_envs:
            raise ValueError(f"{len(seeds)} seeds given for {self.num_envs} worlds; give one number or one each")
        if not self._generators:
            self._generators = [seeding.np_random(value)[0] for value in seeds]
            return
        for world in worlds:
            if seeds[world] is not None:
                self._generators[world] = seeding.np_random(seeds[world])[0]

    def _mask(self, mask: Any) -> Array:
        chosen = np.asarray(mask)
        if chosen.shape != (self.num_envs,) or chosen.dtype != np.bool_ or not chosen.any():
            raise ValueError(
                f"reset_mask is {mask!r}; it must be {self.num_envs} booleans of which at least one is true"
            )
        if len(self._generators) == 0 and not chosen.all():
            raise ValueError("reset_mask is given to a first reset; start all worlds once before")
        return chosen


def step_infos(played: Step, cost: Array) -> Infos:
    """What a step did, by name: accounts and net cost (B,), powers (B, N), the projection's change (B,)."""
    infos: Infos = dict(zip(ACCOUNTS, np.array(played.change_usd.T, float), strict=True))
    return infos | {
        "net_cost_usd": cost,
        "requested_kw": played.requested_kw,
        "applied_kw": played.applied_kw,
        "clipped_kw": played.clipped_kw,
    }


def _part(infos: Infos, mask: Array) -> Infos:
    """The infos of the worlds in `mask`, zero elsewhere, with their masks, as Gymnasium batches them."""
    kept = {}
    for name, values in infos.items():
        kept[name] = np.zeros_like(values)
        kept[name][mask] = values[mask]
    return kept | _masks(kept, mask)


def _masks(infos: Infos, mask: Array) -> Infos:
    return {f"_{name}": mask.copy() for name in infos}
