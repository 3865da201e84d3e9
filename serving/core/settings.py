"""What a serving preset may say: every key, its unit, its default and its rule."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, Strict

from ...agents.economy import Economy
from ...configs.load import load_model
from ...envs.safety.projection import Reserve
from ...envs.world.settings import Hour, NotNegative, Positive, ReserveSettings, Section, Share

Count = Annotated[int, Field(ge=1)]
LocalHours = Annotated[tuple[Hour, Hour], Strict(False)]


class DeadlineSettings(Section):
    """How long a cycle may take."""

    answer_s: Positive = 5.0  # from the request to the answer
    finish_share: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.4  # of it, kept for projection, answer and ledger


class GateSettings(Section):
    """What a reading must be to be trusted; older or stranger, and its car falls back by itself."""

    soc_max_age_s: Positive = 3600.0  # an idle car is asked once an hour
    export_max_age_s: Positive = 900.0  # of power and SoC; beyond it nothing is exported
    plugged_max_age_s: Positive = 7200.0  # beyond it the car is released
    future_s: NotNegative = 30.0  # by which a reading may seem to come from the future
    clock_skew_s: NotNegative = 120.0  # by which a cycle may lie off the service's clock, beside its interval
    check_clock: bool = True  # False: cycles of any time, for replays and simulated days
    frozen_share: Annotated[float, Field(gt=0.0, le=1.0)] = 0.05  # of the battery, in while the SoC stood still
    price_max_age_s: Positive = 129600.0  # 36 h
    range_margin: NotNegative = 0.25  # of a trained range's width, by which a value may lie outside
    export_must_pay: bool = True  # more than the wear: by price, by an event, or by what the site draws itself
    unusual_share: Share = 0.5  # of the cars; with more the policy is not used at all


class DefaultSettings(Section):
    """What holds for a driver who said nothing, and where nobody said a price."""

    departure_local_hour: Hour = 7.0
    target_soc: Annotated[float, Field(gt=0.0, le=0.995)] = 0.8
    night_local_hours: LocalHours = (0.0, 6.0)  # cheap where no price is known at all
    peak_local_hours: LocalHours = (16.0, 21.0)  # the rules leave them alone
    export_margin_usd_per_kwh: NotNegative = 0.02


class EconomySettings(Section):
    """Commands cost money; the numbers are those of `Economy`."""

    enabled: bool = True
    dead_band_kw: NotNegative = Economy.dead_band_kw
    min_dwell_s: NotNegative = Economy.min_dwell_s
    commands_per_day: Annotated[int, Field(ge=0)] = Economy.commands_per_day
    zero_between: bool = Economy.zero_between

    def economy(self) -> Economy | None:
        """What `decide` takes; None where it is off."""
        if not self.enabled:
            return None
        return Economy(self.dead_band_kw, self.min_dwell_s, self.commands_per_day, self.zero_between)


class BreakerSettings(Section):
    """When the policy is taken out, and how it comes back."""

    failures: Count = 3  # one after the other
    clean_cycles: Count = 5  # in shadow, one after the other
    not_finite_share: Share = 0.2  # of the cars; more is a failure
    shadow_share: Share = 0.05  # of the deadline, waited for in shadow; or twice what it took while it was well


class LeaseSettings(Section):
    """How long a set-point holds."""

    cycles: Count = 2


class ChallengerSettings(Section):
    """What a deployed challenger may do beside the champion."""

    shadow: bool = True  # it is asked after each answer, and measured
    most_canary_share: Share = 0.5  # of the cars that it may decide for; a deployment that says more is not taken up


class ServingSettings(Section):
    """A whole serving preset."""

    name: str = "default"
    description: str = ""
    deadline: DeadlineSettings = DeadlineSettings()
    gates: GateSettings = GateSettings()
    defaults: DefaultSettings = DefaultSettings()
    economy: EconomySettings = EconomySettings()
    breaker: BreakerSettings = BreakerSettings()
    lease: LeaseSettings = LeaseSettings()
    reserve: ReserveSettings = ReserveSettings()
    challenger: ChallengerSettings = ChallengerSettings()

    def kept_back(self) -> Reserve:
        """What the projection takes."""
        return Reserve(self.reserve.headroom_factor, self.reserve.expected_arrivals_factor)


def load_serving(name_or_file: str = "default", overrides: tuple[str, ...] = ()) -> ServingSettings:
    """A serving preset, or the user's own file.

    Raises:
        ConfigError: no such preset or setting, or a value that breaks its rule.
    """
    return load_model(ServingSettings, "serving", name_or_file, overrides)
