"""The rule that a network begins as, by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ebbflow.envs.encoding import CONTEXT_FIELDS, CONTEXT_WIDTH, PORT_WIDTH
from ebbflow.envs.encoding.fields import DAY_H, POWER_SCALE, PRICE_SCALE
from ebbflow.training.policy.columns import COLUMN
from ebbflow.training.policy.meter import OWN_LOAD_UNTIL, own_load
from ebbflow.training.policy.pools import Groups
from ebbflow.training.policy.rule import NUMBERS, caps, evenness, fresh_numbers, scales
from ebbflow.training.policy.stay import Stay
from ebbflow.training.policy.wishes import wishes


def squash(usd_per_kwh: float) -> float:
    return usd_per_kwh / (PRICE_SCALE + abs(usd_per_kwh))


def context(**columns: list[float]) -> Tensor:
    made, at = torch.zeros(1, CONTEXT_WIDTH), 0
    for field in CONTEXT_FIELDS:
        if field.name in columns:
            made[0, at : at + len(columns[field.name])] = torch.tensor(columns[field.name])
        at += field.width
    return made


def car(**columns: float) -> Tensor:
    """One that needs energy, not now, from a site that pays for no peak."""
    usual = {"need": 0.5, "economic_laxity": 0.5, "peak_room": 1.0, "max_charge_kw": 0.5}
    made = torch.zeros(1, 1, PORT_WIDTH)
    for name, value in (usual | columns).items():
        made[0, 0, COLUMN[name]] = value
    return made


def told(ports: Tensor, around: Tensor, numbers: Tensor | None = None) -> Tensor:
    own = own_load(ports, torch.ones(ports.shape[:2]), Groups(torch.zeros(1, dtype=torch.int64), 1))
    return wishes(ports, around, own, fresh_numbers() if numbers is None else numbers)


def wish(around: Tensor | None = None, **columns: float) -> float:
    return float(told(car(**columns), context() if around is None else around)[0, 0])


def hours(*usd_per_kwh: float) -> list[float]:
    return [squash(x) for x in usd_per_kwh]


FULL = {"spare": 0.5, "capacity_kwh": 0.5, "can_export_kw": 10 / POWER_SCALE}
"""25 kWh to spare, given at 10 kW."""


def test_it_charges_in_the_cheapest_step_or_when_few_are_left() -> None:
    later = squash(0.2)
    assert wish() == 1.0  # nothing is saved by waiting
    assert wish(saving=later) == 0.0
    assert wish(saving=later, economic_laxity=-0.1) == 1.0
    assert wish(need=0.0) == 0.0
    assert wish(saving=later, peak_room=0.4) == 1.0  # the site's cap decides


def test_the_sun_charges_what_it_can_where_that_is_cheaper_than_the_needs_last_hour() -> None:
    # The cheapest hour is at 0.15: what the site has too much of would earn 0.05, or 0.20.
    sunny = {"import_price": squash(0.40), "saving": squash(0.25), "can_charge_kw": 0.5, "site_load": -0.3}
    assert wish(**sunny, export_price=squash(0.05)) == pytest.approx(0.3)
    assert wish(**sunny, export_price=squash(0.20)) == 0.0
    assert wish(**sunny, export_price=squash(0.05), need=0.0) == 0.0


def test_it_meets_the_own_load_and_sells_where_that_pays() -> None:
    # Bought again for 0.17 / 0.76 = 0.224 $/kWh: 0.228 with the loss of 10 kW, 0.243 with that of 2 kW.
    prices = FULL | {"import_price": squash(0.40), "saving": squash(0.23), "hours_left": 0.5, "site_load": 0.2}
    assert wish(**prices, export_price=squash(0.22)) == pytest.approx(-OWN_LOAD_UNTIL, abs=1e-3)
    assert wish(**prices, export_price=squash(0.40)) == pytest.approx(-1.0)
    assert wish(**(prices | {"can_export_kw": 0.0}), export_price=squash(0.40)) == 0.0
    assert wish(**(prices | {"import_price": squash(0.27), "saving": squash(0.10)}), export_price=0.0) < 0.0
    assert wish(**(prices | {"import_price": squash(0.26), "saving": squash(0.09)}), export_price=0.0) == 0.0


def test_a_small_own_load_loses_more_to_the_fixed_loss() -> None:
    # 0.17 kW weigh 8 % of 2 kW and 28 % of 0.6 kW: 0.243 or 0.287 $/kWh, and 0.024 of wear.
    prices = FULL | {"import_price": squash(0.29), "saving": squash(0.12), "hours_left": 0.5}
    assert wish(**prices, site_load=0.2) == pytest.approx(-OWN_LOAD_UNTIL, abs=1e-3)
    assert wish(**prices, site_load=0.06) == 0.0


def test_it_keeps_for_the_hours_that_pay_more_until_it_can_buy_again() -> None:
    # 25 kWh at 10 kW are two hours and a half. In 5.5 h two and a half hours pay more.
    now = FULL | {"import_price": squash(0.40), "saving": squash(0.30), "export_price": squash(0.20)}
    paid = hours(0.2, 0.1, 0.3, 0.2, 0.3, 0.4, 0.5)
    dear, cheap = hours(*[0.4] * 7, 0.1), hours(0.4, 0.4, 0.4, 0.1)
    around = context(export_outlook=paid, import_outlook=dear)
    assert wish(around, **now, hours_left=5.25 / DAY_H) == pytest.approx(-1.0)
    assert wish(around, **now, hours_left=5.5 / DAY_H) == pytest.approx(-0.5)  # none is to spare
    assert wish(around, **now, hours_left=5.75 / DAY_H) == 0.0
    # After the third hour it is full again, so what then pays more does not count.
    assert wish(context(export_outlook=paid, import_outlook=cheap), **now, hours_left=7.5 / DAY_H) == -1.0


def test_it_buys_for_a_peak_that_it_could_not_serve() -> None:
    # Bought at 0.40 and sold at 0.90: worth it for the fourth hour of the peak, after two and a half that it has.
    around = context(export_outlook=hours(0.0, 0.9, 0.9, 0.9, 0.9), import_outlook=hours(*[0.4] * 9, 0.1))
    now = FULL | {"import_price": squash(0.40), "saving": squash(0.30), "room": 0.5}
    assert wish(around, **now, hours_left=9.5 / DAY_H) == 1.0
    assert wish(around, **(now | {"room": 0.0}), hours_left=9.5 / DAY_H) == 0.0
    assert wish(around, **(now | {"spare": 0.9}), hours_left=9.5 / DAY_H) == 0.0


def test_what_is_bought_for_a_peak_is_bought_in_any_hour_as_cheap() -> None:
    # Two more hours at 0.1 come before the peak: nothing is saved by waiting for them. At 0.05 it is.
    full = FULL | {"need": 0.0, "room": 0.5, "import_price": squash(0.1), "hours_left": 9.5 / DAY_H}
    paid = hours(0.0, 0.0, 0.0, 0.9, 0.9, 0.9, 0.9)
    assert wish(context(export_outlook=paid, import_outlook=hours(*[0.1] * 3, *[0.4] * 7)), **full) == 1.0
    cheaper = context(export_outlook=paid, import_outlook=hours(0.1, 0.05, *[0.4] * 8))
    assert wish(cheaper, **(full | {"saving": squash(0.05)})) == 0.0


def rise(taken_h: float, *, stays_h: float, clock_h: float = 0.0) -> float:
    turn = 2 * math.pi * clock_h / DAY_H
    around = context(import_outlook=hours(0.5, 0.1, 0.2, 0.1, 0.4, 0.05), clock=[math.sin(turn), math.cos(turn)])
    stay = Stay(car(hours_left=stays_h / DAY_H), around)
    return float(stay.refill_rise(torch.tensor([[taken_h]]))[0, 0])


def test_buying_again_costs_what_the_need_leaves() -> None:
    # In the stay: 0.5, 0.1, 0.2, 0.1 and half of the hour at 0.4; the cheapest hour of all comes too late.
    for taken_h, dearer in ((0.0, 0.0), (1.5, 0.0), (2.0, 0.0), (2.5, 0.1), (3.2, 0.3), (4.2, 0.4)):
        assert rise(taken_h, stays_h=4.5) == pytest.approx(dearer, abs=1e-5), taken_h
    assert rise(1.0, stays_h=0.5) == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("clock_h", [0.75, 13.75, 23.75])
def test_prices_change_at_full_hours(clock_h: float) -> None:
    # A quarter of an hour at 0.5 is left, then 0.1, 0.2, 0.1, and at 4.25 h begins the cheapest of all, after 0.4.
    assert rise(2.1, stays_h=3.25, clock_h=clock_h) == pytest.approx(0.1, abs=1e-5)
    assert rise(3.2, stays_h=3.3, clock_h=clock_h) == pytest.approx(0.4, abs=1e-5)  # 0.05 h at 0.4, then 0.5
    assert rise(0.9, stays_h=5.25, clock_h=clock_h) == pytest.approx(0.0, abs=1e-5)


def test_it_sells_nothing_that_only_a_dear_hour_could_bring_back() -> None:
    # Two hours at 0.10 are ahead, then 0.39, for whose refill 0.39 / 0.76 is paid: more than selling brings.
    around = context(import_outlook=hours(0.40, 0.10, 0.10, 0.39, 0.39))
    now = FULL | {"import_price": squash(0.40), "saving": squash(0.30), "export_price": squash(0.40)}
    wished = [wish(around, **now, hours_left=5 / DAY_H, hours_needed=taken_h / DAY_H) for taken_h in (1.0, 2.5)]
    assert wished == [-1.0, 0.0]


def test_in_an_event_it_waits_and_sells_where_export_is_paid() -> None:
    around = {"event_active": [1.0], "event_rate": [2.0 / 3.0]}  # 2 $/kWh
    flat = {"import_price": squash(0.2), "export_price": squash(0.0)}
    assert wish(**flat) == 1.0
    assert wish(context(**around), **flat) == 0.0
    full = flat | FULL | {"need": 0.0, "hours_left": 0.5, "site_load": 0.1}
    for pays, wished in ((0.0, -OWN_LOAD_UNTIL), (1.0, -1.0)):
        assert wish(context(**around, event_pays_export=[pays]), **full) == pytest.approx(wished)


def test_numbers_of_each_world_are_its_own() -> None:
    both = torch.stack([fresh_numbers(), fresh_numbers()])
    both[1, NUMBERS.index("laxity")] = 1.0
    ports, around = car(saving=0.5).expand(2, -1, -1), context().expand(2, -1)
    assert told(ports, around, both)[:, 0].tolist() == [0.0, 1.0]


def test_what_all_cars_share_moves_a_threshold() -> None:
    numbers = fresh_numbers()
    numbers[NUMBERS.index("laxity_plugged")] = 1.0
    crowded = context(clock=[0.0, 1.0], plugged=[1.0])
    assert float(told(car(saving=0.5), crowded, numbers)[0, 0]) == 1.0


def test_a_cap_is_straight_in_the_sites_figures() -> None:
    numbers = fresh_numbers()
    numbers[NUMBERS.index("planned_need")], numbers[NUMBERS.index("planned_weekend")] = 2.0, -1.0
    levels = torch.tensor([[[0.1, 0.2, 0.3, 0.4]]])
    told = caps(levels, context(weekend=[1.0]), numbers)
    torch.testing.assert_close(told, torch.tensor([[[0.005 + 2.0 * 0.1 - 1.0]]]))
    torch.testing.assert_close(caps(levels, context(weekend=[1.0]), numbers[None]), told)


def test_what_is_shared_evenly_is_a_share() -> None:
    numbers = fresh_numbers().repeat(3, 1)
    numbers[:, NUMBERS.index("even")] = torch.tensor([-0.5, 0.4, 2.0])
    torch.testing.assert_close(evenness(numbers), torch.tensor([[0.0], [0.4], [1.0]]))
    assert evenness(fresh_numbers()).tolist() == [0.0]


def test_every_number_has_a_scale() -> None:
    assert len(NUMBERS) == len(set(NUMBERS)) == len(fresh_numbers()) == len(scales())
    assert bool((scales() > 0).all())
