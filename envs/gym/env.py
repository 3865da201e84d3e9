"""The Gymnasium environment: one fleet, one day an episode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from ..safety.projection import Reserve
from ..world.sources import ScenarioFiles
from .days import Source, draw_day, open_days, reset_option
from .fleet import ACCOUNTS, Fleet, row_sums
from .record import Recorder
from .spaces import (
    RENDER_MODES,
    Obs,
    action_space,
    batch_of_actions,
    check_render_mode,
    observation_space,
    single,
)

FloatArray = NDArray[np.float32]


class FleetEnv(gymnasium.Env[Obs, FloatArray]):
    """A fleet of electric cars through one day: charge, wait or export, under limits, tariffs and departures.

    ## Description

    `N` chargers behind one or many utility meters, those behind feeders. Whatever is asked for, the safety
    projection lets through only what keeps limits, consent, reserve and departures; the ledger counts every
    dollar. A day is drawn whole at reset, so `step` is deterministic. Powers are kW at the grid side, import
    positive.

    ## Action Space

    `Box(-1, 1, (N,), float32)`, a number per charger: positive is a share of what the car can take now,
    negative of what it can give, 0 pauses. `wrappers.PauseChargeExport` offers three choices per charger.

    ## Observation Space

    `Dict` of three float32 `Box`es, finite and clipped to their bounds. The tables of the columns (name,
    unit, scale, bounds, width) are `encoding.PORT_FIELDS` and `encoding.CONTEXT_FIELDS`.

    | key | shape | content |
    |---|---|---|
    | `ports` | (N, K) | what is known of each charger and its car; zero where no car is connected |
    | `context` | (M,) | prices, limits, events and the clock |
    | `mask` | (N,) | 1 where a car is connected, otherwise 0 |

    ## Rewards

    Minus the change of the ledger's net cost over the step, whole fleet, in dollars; their sum is minus the
    day's net cost. `info` has each account by its name (`energy_import_usd`, ... `net_cost_usd`),
    `requested_kw` and `applied_kw` (N,), and `clipped_kw`, the sum of |applied - requested|: how hard the
    projection acted.

    ## Starting State

    A day drawn by the env's own generator (`reset(seed=...)`); `reset(options={"day": i})` replays day `i`.
    The reset's `info["day"]` is its number.

    ## Episode End

    `terminated` at the end of the day (24 h unless the preset says otherwise): every stay is settled, so
    nothing is left to bootstrap. `truncated` is never set by the environment itself. The last `info` has
    `ledger`, the day's accounts and physical tallies by name; `co2_kg` is NaN without emission data.

    ## Arguments

    - `scenario`: a preset's name, a settings file, settings, a saved day (`.npz`), a `Scenario`, several, or
      a `Bank`.
    - `overrides`: settings of the preset, `"dotted.key=value"` each.
    - `scenario_seed`, `split`: which days; `train`, `validation` and `test` never share one.
    - `bank_days`: draw so many days beforehand and take resets from them; None: a fresh day at each reset.
    - `files`: real sessions, prices, emissions or load (`ScenarioFiles`) instead of drawn ones.
    - `backend`: `numba`, `numpy`, or `auto` (Numba where it is installed).
    - `dtype`: of the world's arrays, `float64` or `float32`.
    - `reserve`: what the projection keeps back for the unknown; None: the preset's.
    - `render_mode`: None or `rgb_array`.

    ## Version History

    - v0: initial release.
    """

    metadata: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": 4}  # noqa: RUF012 - as the base has it

    def __init__(
        self,
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
        render_mode: str | None = None,
    ) -> None:
        check_render_mode(render_mode)
        self.render_mode = render_mode
        self._days = open_days(
            scenario,
            overrides,
            scenario_seed=scenario_seed,
            split=split,
            bank_days=bank_days,
            files=files,
            dtype=dtype,
        )
        self._fleet = Fleet(1, backend=backend, reserve=reserve or self._days.reserve)
        self._running = False
        self._recorder: Recorder | None = None
        self.observation_space = cast(gymnasium.Space[Obs], observation_space(self._days.n_ports))
        self.action_space = cast(gymnasium.Space[FloatArray], action_space(self._days.n_ports))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Obs, dict[str, Any]]:
        """Start a day; `options={"day": i}` starts day `i`.

        Raises:
            ValueError: unknown option, or a day that there is not.
        """
        super().reset(seed=seed)
        asked = reset_option(options)
        day = draw_day(self._days, self.np_random) if asked is None else int(asked)
        bank, index = self._days.locate(day)
        self._fleet.play(bank)
        self._fleet.start([index])
        self._running = True
        if self.render_mode is not None:
            self._recorder = Recorder(self._fleet.simulator)
        return single(self._fleet.observe()), {"day": day}

    def step(self, action: FloatArray) -> tuple[Obs, float, bool, bool, dict[str, Any]]:
        """Play one step under `action` (N,).

        Raises:
            ResetNeeded: the day has ended or has not begun.
            ValueError: an action of another shape.
        """
        if not self._running:
            raise ResetNeeded("no day is running; call reset first")
        shares = batch_of_actions(action, 1, self._days.n_ports)
        if self._recorder is not None:
            self._recorder.before(self._fleet.simulator)
        done_step = self._fleet.step(shares)
        if self._recorder is not None:
            self._recorder.after(self._fleet.simulator, done_step.applied_kw)
        net_cost = float(row_sums(done_step.change_usd)[0])
        info: dict[str, Any] = dict(zip(ACCOUNTS, done_step.change_usd[0].tolist(), strict=True))
        info["net_cost_usd"] = net_cost
        info["requested_kw"], info["applied_kw"] = done_step.requested_kw[0], done_step.applied_kw[0]
        info["clipped_kw"] = float(done_step.clipped_kw[0])
        terminated = bool(done_step.done[0])
        if terminated:
            self._running = False
            info["ledger"] = self.ledger()
        return single(done_step.observation), -net_cost, terminated, False, info

    def ledger(self) -> dict[str, float]:
        """The day's accounts and tallies so far, by name."""
        return {name: float(values[0]) for name, values in self._fleet.ledgers(np.array([0])).items()}

    def render(self) -> NDArray[np.uint8] | None:
        """The day so far as pixels (height, width, 3); None without a render mode."""
        if self._recorder is None:
            return None
        from .render import frame

        return frame(self._recorder.day(self._fleet.simulator))
