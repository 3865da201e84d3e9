"""The rule that a network begins as, by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ebbflow.envs.encoding import CONTEXT_FIELDS, CONTEXT_WIDTH, PORT_WIDTH
from ebbflow.envs.encoding.fields import DAY_H, ENERGY_SCALE, POWER_SCALE, PRICE_SCALE
from ebbflow.training.policy.columns import COLUMN
from ebbflow.training.policy.meter import OWN_LOAD_UNTIL
from ebbflow.training.policy.rule import NUMBERS, caps, fresh_numbers, scales, wishes
from ebbflow.training.policy.stay import refill_rise, spare_hours


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


def wish(**columns: float) -> float:
    return float(wishes(car(**columns), context(), fresh_numbers())[0, 0])


def test_it_charges_in_the_cheapest_step_or_when_few_are_left() -> None:
    later = squash(0.2)
    assert wish() == 1.0  # nothing is saved by waiting
    assert wish(saving=later) == 0.0
    assert wish(saving=later, economic_laxity=-0.1) == 1.0
    assert wish(need=0.0) == 0.0
    assert wish(saving=later, peak_room=0.4) == 1.0  # the site's cap decides


def test_it_meets_the_own_load_and_sells_where_that_pays() -> None:
    # Bought again for 0.17 / 0.85 = 0.20 $/kWh: the own load is worth 0.20 more, a sold kWh 0.05 or 0.20 more.
    prices = {"import_price": squash(0.40), "saving": squash(0.23), "can_export_kw": 0.5}
    assert wish(**prices, export_price=squash(0.25)) == pytest.approx(-OWN_LOAD_UNTIL, abs=1e-3)
    full = {"spare": 0.5, "capacity_kwh": 0.5, "hours_left": 0.5}
    assert wish(**prices, export_price=squash(0.40), **full) == pytest.approx(-1.0)
    assert wish(**(prices | {"can_export_kw": 0.0}), export_price=squash(0.40), **full) == 0.0


def test_it_keeps_for_the_hours_that_pay_more() -> None:
    # 20 kWh at 10 kW are two hours; three of the six hours left pay more than now, of which the last counts half.
    ports = car(spare=0.5, capacity_kwh=40 / ENERGY_SCALE, can_export_kw=10 / POWER_SCALE, hours_left=5.5 / DAY_H)
    paid = [squash(x) for x in (0.2, 0.1, 0.3, 0.2, 0.3, 0.4, 0.5)]
    around = context(export_outlook=paid)
    assert float(spare_hours(ports, around)[0, 0]) == pytest.approx(2.0 - 2.5, abs=1e-5)


def rise(hours: float, *, stays_h: float) -> float:
    prices = context(import_outlook=[squash(x) for x in (0.5, 0.1, 0.2, 0.1, 0.4, 0.05)])
    told = refill_rise(car(hours_left=stays_h / DAY_H), prices, torch.tensor([[hours]]))
    return float(told[0, 0])


def test_buying_again_costs_what_the_need_leaves() -> None:
    # In the stay: 0.5, 0.1, 0.2, 0.1 and half of the hour at 0.4; the cheapest hour of all comes too late.
    for hours, dearer in ((0.0, 0.0), (1.5, 0.0), (2.0, 0.0), (2.5, 0.1), (3.2, 0.3), (4.2, 0.4)):
        assert rise(hours, stays_h=4.5) == pytest.approx(dearer, abs=1e-5), hours
    assert rise(1.0, stays_h=0.5) == pytest.approx(0.0, abs=1e-5)


def test_it_sells_nothing_that_only_a_dear_hour_could_bring_back() -> None:
    # Two hours at 0.10 are ahead, then 0.39, for whose refill 0.39 / 0.85 is paid: more than selling brings.
    around = context(import_outlook=[squash(x) for x in (0.40, 0.10, 0.10, 0.39, 0.39)])
    columns = {
        "import_price": squash(0.40), "saving": squash(0.30), "export_price": squash(0.40), "can_export_kw": 0.5,
        "spare": 0.5, "capacity_kwh": 0.5, "hours_left": 5.0 / DAY_H,
    }  # fmt: skip
    wished = [
        float(wishes(car(**columns, hours_needed=hours / DAY_H), around, fresh_numbers())[0, 0]) for hours in (1.0, 2.5)
    ]
    assert wished == [-1.0, 0.0]


def test_in_an_event_it_waits_and_sells_where_export_is_paid() -> None:
    around = {"event_active": [1.0], "event_rate": [2.0 / 3.0]}  # 2 $/kWh
    flat = {"import_price": squash(0.2), "export_price": squash(0.0)}
    assert float(wishes(car(**flat), context(), fresh_numbers())[0, 0]) == 1.0
    assert float(wishes(car(**flat), context(**around), fresh_numbers())[0, 0]) == 0.0
    full = flat | {"need": 0.0, "can_export_kw": 0.5, "spare": 0.5, "capacity_kwh": 0.5, "hours_left": 0.5}
    for pays, wished in ((0.0, -OWN_LOAD_UNTIL), (1.0, -1.0)):
        told = wishes(car(**full), context(**around, event_pays_export=[pays]), fresh_numbers())
        assert float(told[0, 0]) == pytest.approx(wished)


def test_numbers_of_each_world_are_its_own() -> None:
    both = torch.stack([fresh_numbers(), fresh_numbers()])
    both[1, NUMBERS.index("laxity")] = 1.0
    ports, around = car(saving=0.5).expand(2, -1, -1), context().expand(2, -1)
    assert wishes(ports, around, both)[:, 0].tolist() == [0.0, 1.0]


def test_what_all_cars_share_moves_a_threshold() -> None:
    numbers = fresh_numbers()
    numbers[NUMBERS.index("laxity_plugged")] = 1.0
    crowded = context(clock=[0.0, 1.0], plugged=[1.0])
    assert float(wishes(car(saving=0.5), crowded, numbers)[0, 0]) == 1.0


def test_caps_are_straight_in_the_sites_figures() -> None:
    numbers = fresh_numbers()
    numbers[NUMBERS.index("typical_need")], numbers[NUMBERS.index("deadline_weekend")] = 2.0, -1.0
    levels = torch.tensor([[[0.1, 0.2, 0.3, 0.4, 0.5]]])
    told = caps(levels, context(weekend=[1.0]), numbers)
    torch.testing.assert_close(told, torch.tensor([[[0.25 - 1.0, 0.03 + 2.0 * 0.2]]]))
    torch.testing.assert_close(caps(levels, context(weekend=[1.0]), numbers[None]), told)


def test_every_number_has_a_scale() -> None:
    assert len(NUMBERS) == len(set(NUMBERS)) == len(fresh_numbers()) == len(scales())
    assert bool((scales() > 0).all())
