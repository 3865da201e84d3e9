"""Fleets to train on: presets with their properties drawn anew, reproducible by seed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from ...configs.dump import config_hash, to_toml
from ...configs.load import preset_names
from ...envs.world.build import load_settings
from ...envs.world.settings import ScenarioSettings
from ...envs.world.tariffs import Tariff, load_tariff
from ...envs.world.wholesale import Market
from .prices import market_tariff, scaled_tariff, varied_market

PRESETS = ("home-california", "home-texas", "depot-workplace")
SMALL_PORTS = 10
FLEET_STREAM = 7
"""Of the seed's streams; the days' own are those of their splits (`envs.world.streams`)."""

Rng = np.random.Generator
T = TypeVar("T")


@dataclass(frozen=True)
class Distribution:
    """What fleets are drawn from.

    Args:
        presets: one of them stands behind each fleet, evenly.
        overrides: of every preset, `dotted.key=value` each; what is drawn stands above them.
        own_share: of the fleets that are a preset as it stands.
        variety: how likely each property of the others (prices, limits, cars, drivers) is drawn anew.
        least_ports: of the others.
        most_ports: of the others; sizes are log-uniform between the two.
        small_share: of the others, that have at most `SMALL_PORTS`; small fleets are the harder direction.

    Raises:
        ValueError: a number outside its range, or no preset.
    """

    presets: tuple[str, ...] = PRESETS
    overrides: tuple[str, ...] = ()
    own_share: float = 0.2
    variety: float = 0.6
    least_ports: int = 2
    most_ports: int = 64
    small_share: float = 0.25

    def __post_init__(self) -> None:
        for name in ("own_share", "variety", "small_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}; give a share, 0 to 1")
        if not 1 <= self.least_ports <= self.most_ports:
            raise ValueError(f"ports from {self.least_ports} to {self.most_ports}; give at least 1, the lesser first")
        if not self.presets:
            raise ValueError("presets is empty; name at least one")


def specialist(preset: str, overrides: tuple[str, ...] = ()) -> Distribution:
    """Around one preset: mostly itself, else of another size and now and then with another property."""
    return Distribution((preset,), overrides, own_share=0.7, variety=0.15, least_ports=4, small_share=0.1)


def draw_fleet(distribution: Distribution, seed: int, number: int, folder: Path) -> ScenarioSettings:
    """Fleet `number` of a seed: depends on these alone.

    Args:
        distribution: what it is drawn from.
        seed: of all fleets.
        number: of this one.
        folder: where tariffs and markets of its own are written, by digest; its settings name them.

    Raises:
        ValueError: unknown preset or override.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(FLEET_STREAM, number)))
    preset = str(rng.choice(distribution.presets))
    base = load_settings(preset, distribution.overrides)
    if rng.random() < distribution.own_share:
        return base
    overrides = [*distribution.overrides, f"ports={(ports := _ports(rng, distribution))}"]
    for draw in (_cars, _export, _unknown, _drivers, _current, _visits, _load, _wear):
        # Drawn in any case, so that one property more or less leaves the others as they are.
        drawn, taken = draw(rng, base), rng.random() < distribution.variety
        overrides += drawn if taken else []
    limits = rng.random(4) < distribution.variety
    overrides += _limits(rng, base, ports, limits)
    tariff, market = _prices(rng, base, distribution.variety)
    overrides += [f"site.tariff={_kept(tariff, folder)}"] if tariff else []
    overrides += [f"prices.market={_kept(market, folder)}"] if market else []
    if rng.random() < distribution.variety:
        overrides += [f"prices.kind={_one_of(rng, {'day_ahead': 0.5, 'real_time': 0.5})}"]
    if rng.random() < 0.5 * distribution.variety:
        overrides += ["programme.name=none"]
    return load_settings(preset, overrides)


def _ports(rng: Rng, distribution: Distribution) -> int:
    least, most = distribution.least_ports, distribution.most_ports
    small = rng.random() < distribution.small_share
    return round(_log_uniform(rng, least, max(least, min(most, SMALL_PORTS)) if small else most))


def _cars(rng: Rng, base: ScenarioSettings) -> list[str]:
    share = _one_of(rng, {0.0: 0.15, 1.0: 0.1, float(rng.random()): 0.75})
    return [f"fleet.v2g_share={share}"]


def _export(rng: Rng, base: ScenarioSettings) -> list[str]:
    return [f"fleet.export_consent_share={rng.uniform(0.3, 1.0)}", f"fleet.reserve_soc={rng.uniform(0.2, 0.6)}"]


def _unknown(rng: Rng, base: ScenarioSettings) -> list[str]:
    return [f"fleet.soc_unknown_share={rng.uniform(0.0, 0.5)}"]


def _drivers(rng: Rng, base: ScenarioSettings) -> list[str]:
    return [f"behaviour.misreport={_one_of(rng, {'off': 0.4, 'acn': 0.6})}"]


def _current(rng: Rng, base: ScenarioSettings) -> list[str]:
    current = rng.choice([16.0, 24.0, 32.0, 40.0, 48.0])
    return [f"fleet.chargers.{name}.max_current_a={current}" for name in base.fleet.chargers]


def _visits(rng: Rng, base: ScenarioSettings) -> list[str]:
    b, factor = base.behaviour, rng.uniform(0.6, 1.3)
    names = ("sessions_per_port_day", "weekend_sessions_per_port_day")
    return [f"behaviour.{name}={factor * getattr(b, name)}" for name in names]


def _load(rng: Rng, base: ScenarioSettings) -> list[str]:
    factor, pv = rng.uniform(0.3, 1.6), rng.choice([0.0, rng.random()])
    names = ("base_load_kwh_per_day", "base_load_kwh_per_day_per_port")
    return [*(f"site.{name}={factor * getattr(base.site, name)}" for name in names), f"site.pv_share={pv}"]


def _wear(rng: Rng, base: ScenarioSettings) -> list[str]:
    return [f"money.wear_usd_per_kwh={_log_uniform(rng, 0.005, 0.1)}"]


SITE_IMPORT = ("panel_kw", "panel_kw_per_port", "transformer_kw", "transformer_kw_per_port")
SITE_EXPORT = ("export_limit_kw", "export_limit_kw_per_port")
FEEDER_IMPORT = ("import_limit_kw", "import_limit_kw_per_port")
FEEDER_EXPORT = ("export_limit_kw", "export_limit_kw_per_port")


def _limits(rng: Rng, base: ScenarioSettings, ports: int, drawn: np.ndarray) -> list[str]:
    """Loose to tight; fewer ports need more for each, since their peaks even out less."""
    evened = _evened(ports) / _evened(base.ports)
    many = 1.0 if base.fleet.ports_per_site else evened
    groups = (("site", SITE_IMPORT, many), ("site", SITE_EXPORT, 1.0), ("feeder", FEEDER_IMPORT, evened))
    overrides = []
    for (section, names, size), anew in zip((*groups, ("feeder", FEEDER_EXPORT, 1.0)), drawn, strict=True):
        factor = size * (_log_uniform(rng, 0.75, 2.5) if anew else 1.0)
        table = getattr(base, section)
        present = {name: getattr(table, name) for name in names if getattr(table, name) != "none"}
        overrides += [f"{section}.{name}={factor * limit}" for name, limit in present.items()]
    return overrides


def _evened(ports: int) -> float:
    return 1.0 + 1.5 / float(np.sqrt(ports))


def _prices(rng: Rng, base: ScenarioSettings, variety: float) -> tuple[Tariff | None, Market | None]:
    """The tariff and the market of a fleet; None: the preset's own."""
    anew, bills_peaks = rng.random() < variety, rng.random() < variety
    level, spread = _log_uniform(rng, 0.5, 2.0), rng.uniform(0.4, 1.8)
    kind = _one_of(rng, {"time_of_use": 0.4, "flat": 0.1, "market": 0.5})
    demand = _one_of(rng, {0.0: 0.5, _log_uniform(rng, 4.0, 25.0): 0.5})
    market = varied_market(
        str(rng.choice(preset_names("markets"))), level=level, spread=rng.uniform(0.6, 1.6),
        scarce_days=_one_of(rng, {0.0: 0.3, 0.01: 0.4, 0.05: 0.3}),
        noon_shift=_one_of(rng, {0.0: 0.6, rng.uniform(0.5, 2.0): 0.4}), error=rng.uniform(0.5, 2.0),
    )  # fmt: skip
    delivery, share = rng.uniform(0.0, 0.15), _one_of(rng, {0.0: 0.25, 1.0: 0.5, 0.7: 0.25})
    plan = str(rng.choice(sorted(_plans())))
    if not anew:
        return (_with_demand(base, demand) if bills_peaks else None), None
    if kind == "market":
        return market_tariff(market, base.timezone, delivery, demand if bills_peaks else 0.0, share), market
    made = scaled_tariff(plan, level, 0.0 if kind == "flat" else spread, demand if bills_peaks else None)
    return made.model_copy(update={"timezone": base.timezone}), None


def _with_demand(base: ScenarioSettings, demand_usd_per_kw: float) -> Tariff | None:
    """The preset's own plan with another demand charge; None where it follows the market or is a mix of plans."""
    names = _tariffs(base)
    if len(names) != 1 or load_tariff(names[0]).needs_wholesale:
        return None
    return scaled_tariff(names[0], 1.0, 1.0, demand_usd_per_kw)


def _tariffs(base: ScenarioSettings) -> list[str]:
    return [base.site.tariff] if isinstance(base.site.tariff, str) else list(base.site.tariff)


def _plans() -> list[str]:
    """The time-of-use plans among the presets."""
    return [name for name in preset_names("tariffs") if load_tariff(name).kind == "time_of_use"]


def _kept(record: Tariff | Market, folder: Path) -> str:
    """Write a record beside the others, once, and how settings name it."""
    file = folder / f"{type(record).__name__.lower()}-{config_hash(record)}.toml"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".part")
        partial.write_text(to_toml(record), encoding="utf-8")
        partial.replace(file)
    return json.dumps(str(file))


def _log_uniform(rng: Rng, least: float, most: float) -> float:
    return float(np.exp(rng.uniform(np.log(least), np.log(most))))


def _one_of(rng: Rng, shares: dict[T, float]) -> T:
    return list(shares)[int(rng.choice(len(shares), p=list(shares.values())))]
