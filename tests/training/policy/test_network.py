"""The set network: any number of ports, permuted cars get permuted answers, and its site-wide parts by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from ebbflow.envs.encoding import CONTEXT_FIELDS, PORT_FIELDS, bounds
from ebbflow.training.policy import SetNetwork
from ebbflow.training.policy.columns import COLUMN
from ebbflow.training.policy.levels import cap_charging
from ebbflow.training.policy.meter import LEAST_SHARE, meter_export, own_load
from ebbflow.training.policy.network import by_rule, fresh_network
from ebbflow.training.policy.pools import Groups

WORLDS = 3


@pytest.fixture(scope="module")
def network() -> SetNetwork:
    torch.manual_seed(0)
    made = SetNetwork()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return made


def observation(rng: np.random.Generator, n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Anything within the bounds of the field table."""
    low, high = (np.array(side, np.float32) for side in bounds(PORT_FIELDS))
    mask = torch.from_numpy((rng.random((WORLDS, n)) < 0.7).astype(np.float32))
    ports = torch.from_numpy(rng.uniform(low, high, (WORLDS, n, len(low))).astype(np.float32)) * mask[..., None]
    low, high = (np.array(side, np.float32) for side in bounds(CONTEXT_FIELDS))
    return ports, torch.from_numpy(rng.uniform(low, high, (WORLDS, len(low))).astype(np.float32)), mask


def groups(rng: np.random.Generator, n: int) -> tuple[Groups, Groups]:
    count = max(1, n // 3)
    site = torch.from_numpy(rng.integers(0, count, n))
    return Groups(site, count), Groups(site % 2, 2)


@pytest.mark.parametrize("n", [1, 2, 25, 700])
def test_any_number_of_ports_gets_a_bounded_answer(network: SetNetwork, n: int) -> None:
    rng = np.random.default_rng(n)
    ports, context, mask = observation(rng, n)
    answer = network(ports, context, mask, *groups(rng, n))
    assert answer.shape == (WORLDS, n)
    assert bool((answer.abs() <= 1.0).all())
    assert not bool(answer[mask == 0].any())


@pytest.mark.parametrize("seed", range(5))
def test_permuted_cars_get_permuted_answers(network: SetNetwork, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 60))
    ports, context, mask = observation(rng, n)
    site, feeder = groups(rng, n)
    order = torch.from_numpy(rng.permutation(n))
    answer = network(ports, context, mask, site, feeder)
    moved = network(
        ports[:, order], context, mask[:, order], Groups(site.index[order], site.count), Groups(feeder.index[order], 2)
    )
    torch.testing.assert_close(moved, answer[:, order], atol=2e-5, rtol=1e-4)


def test_renumbered_sites_change_nothing(network: SetNetwork) -> None:
    rng = np.random.default_rng(9)
    ports, context, mask = observation(rng, 30)
    site, feeder = groups(rng, 30)
    number = torch.from_numpy(rng.permutation(site.count))
    answer = network(ports, context, mask, site, feeder)
    renamed = network(ports, context, mask, Groups(number[site.index], site.count), feeder)
    torch.testing.assert_close(renamed, answer, atol=2e-5, rtol=1e-4)


def test_worlds_do_not_see_each_other(network: SetNetwork) -> None:
    rng = np.random.default_rng(7)
    ports, context, mask = observation(rng, 12)
    where = groups(rng, 12)
    together = network(ports, context, mask, *where)
    alone = network(ports[1:2], context[1:2], mask[1:2], *where)
    torch.testing.assert_close(alone, together[1:2], atol=1e-5, rtol=1e-5)


def cars(n: int, **columns: list[float]) -> torch.Tensor:
    ports = torch.zeros(1, n, len(PORT_FIELDS))
    for name, values in columns.items():
        ports[0, :, COLUMN[name]] = torch.tensor(values)
    return ports


def capped(
    ports: Tensor, wish: list[float], peak_room: float, planned_room: float, shift: float = 0.0, *,
    even: float = 0.0, headroom: float = 0.0,
) -> Tensor:  # fmt: skip
    """What the first site's cars may have of their wishes; the third car stands at another one, which pays no peak."""
    site, mask = Groups(torch.tensor([0, 0, 1]), 2), torch.ones(1, 3)
    ports[..., COLUMN["peak_room"]] = torch.tensor([peak_room, peak_room, 1.0])
    levels = torch.tensor([[[0.0, peak_room, planned_room, headroom], [0.0, 1.0, 1.0, headroom]]])
    cap, step_h = torch.tensor([[[shift], [-9.0]]]), torch.tensor([[0.25]])
    return cap_charging(torch.tensor([wish]), ports, mask, site, cap, torch.tensor([even]), levels, step_h)


def test_a_cap_is_filled_by_laxity_and_for_its_site_alone() -> None:
    far = [1.0] * 3
    ports = cars(3, can_charge_kw=[0.5] * 3, max_charge_kw=[0.5] * 3, laxity=[0.3, 0.1, 0.2], hours_needed=far)
    wish = [1.0, 0.5, 1.0]
    # A quarter of 20 kW, all of them for the second car, which has the least laxity; the other site is open.
    torch.testing.assert_close(capped(ports, wish, 0.0, 0.25), torch.tensor([[0.0, 0.5, 1.0]]))
    # Half of 20 kW are left below the peak so far, or (shifted by 0.05) below the plan: 5 kW for the first car.
    torch.testing.assert_close(capped(ports, wish, 0.5, 0.0), torch.tensor([[0.5, 0.5, 1.0]]))
    torch.testing.assert_close(capped(ports, wish, 0.0, 0.45, 0.05), torch.tensor([[0.5, 0.5, 1.0]]))
    # A site that pays for no peak tells a room of 1, whatever the shift.
    torch.testing.assert_close(capped(ports, wish, 1.0, 1.0, -9.0), torch.tensor([wish]))


def test_a_car_that_ends_within_the_step_leaves_the_rest_of_its_power_to_others() -> None:
    # Of 10 kW each; the second car needs 6 minutes of a quarter of an hour, 4 kW of it on average.
    known, needed = [1.0, 1.0, 1.0], [1.0, 0.1 / 24, 1.0]
    columns = {
        "can_charge_kw": [0.5] * 3,
        "max_charge_kw": [0.5] * 3,
        "laxity": [0.3, 0.1, 0.2],
        "hours_needed": needed,
    }
    wish = [1.0, 1.0, 1.0]
    torch.testing.assert_close(
        capped(cars(3, **columns, soc_known=known), wish, 0.0, 0.5), torch.tensor([[0.6, 1.0, 1.0]])
    )
    # Where only 3 kW are left for it, it is told so.
    torch.testing.assert_close(
        capped(cars(3, **columns, soc_known=known), wish, 0.0, 0.15), torch.tensor([[0.0, 0.3, 1.0]])
    )
    # A car that tells no SoC may take more than it was asked for, so it is told what is still missing, or nothing.
    unknown = [1.0, 0.0, 1.0]
    for room, first in ((0.5, 0.6), (0.9, 1.0)):
        told = capped(cars(3, **columns, soc_known=unknown), wish, 0.0, room)
        torch.testing.assert_close(told, torch.tensor([[first, 0.4, 1.0]]))
    full = columns | {"hours_needed": [1.0, 1e-6, 1.0]}
    told = capped(cars(3, **full, soc_known=unknown), wish, 0.0, 0.5)
    torch.testing.assert_close(told, torch.tensor([[1.0, 0.0, 1.0]]))


def test_a_part_below_the_least_set_point_is_a_pause() -> None:
    columns = {"can_charge_kw": [0.5] * 3, "max_charge_kw": [0.5] * 3, "laxity": [0.3, 0.1, 0.2]}
    ports = cars(3, **columns, hours_needed=[1.0] * 3, min_charge=[0.125] * 3)
    # One of 20 kW is left for the first car: a tenth of its 10 kW, which the charger would raise to an eighth.
    torch.testing.assert_close(capped(ports, [1.0] * 3, 0.0, 0.55), torch.tensor([[0.0, 1.0, 1.0]]))
    torch.testing.assert_close(capped(ports, [1.0] * 3, 0.0, 0.575), torch.tensor([[0.15, 1.0, 1.0]]))


def test_what_is_charged_whatever_is_asked_comes_first() -> None:
    columns = {"can_charge_kw": [0.5] * 3, "max_charge_kw": [0.5] * 3, "laxity": [0.3, 0.1, 0.2]}
    ports = cars(3, **columns, hours_needed=[1.0] * 3, at_once=[1.0, 0.0, 0.0])
    torch.testing.assert_close(capped(ports, [0.0, 1.0, 1.0], 0.0, 0.75), torch.tensor([[0.0, 0.5, 1.0]]))


def test_a_cap_is_shared_out_evenly_below_the_limit_and_where_a_peak_is_paid_for() -> None:
    columns = {"can_charge_kw": [0.5] * 3, "max_charge_kw": [0.5] * 3, "laxity": [0.3, 0.1, 0.2]}
    ports, wish = cars(3, **columns, hours_needed=[1.0] * 3, soc_known=[1.0] * 3), [1.0] * 3
    # 12 of 20 kW, 6 for each; the limit leaves 8, 4 for each; half of it evenly, the rest to the least lax.
    for even, headroom, first, second in ((1.0, 1.0, 0.6, 0.6), (1.0, 0.4, 0.4, 0.4), (0.5, 1.0, 0.4, 0.8)):
        told = capped(ports, wish, 0.0, 0.6, even=even, headroom=headroom)
        torch.testing.assert_close(told, torch.tensor([[first, second, 1.0]]))
    # Nobody is refused what is charged whatever is asked.
    at_once = cars(3, **columns, hours_needed=[1.0] * 3, soc_known=[1.0] * 3, at_once=[1.0, 0.0, 0.0])
    told = capped(at_once, wish, 0.0, 0.6, even=1.0, headroom=1.0)
    torch.testing.assert_close(told, torch.tensor([[1.0, 0.6, 1.0]]))


@pytest.mark.parametrize("pays", [False, True])
def test_the_rule_sees_by_itself_whether_a_peak_is_paid_for(pays: bool) -> None:
    rng = np.random.default_rng(4)
    ports, context, mask = observation(rng, 25)
    site, numbers = groups(rng, 25)[0], fresh_network(0).rule.detach()
    can, most = COLUMN["can_charge_kw"], COLUMN["max_charge_kw"]
    ports[..., can] = torch.minimum(ports[..., can], ports[..., most])
    for room in ("peak_room", "planned_room"):
        ports[..., COLUMN[room]] = torch.where(site.index == 0, 0.1, 1.0) if pays else 1.0

    def answer(capped: bool | None) -> Tensor:
        return by_rule(ports, context, mask, site, numbers, capped=capped)

    torch.testing.assert_close(answer(None), answer(True), rtol=0, atol=2e-6)
    assert (not torch.allclose(answer(None), answer(False), atol=1e-3)) == pays


@pytest.mark.parametrize("seed", range(3))
def test_sums_before_a_car_are_those_of_its_own_site(seed: int) -> None:
    rng = np.random.default_rng(seed)
    site, values, key = rng.integers(0, 4, 12), rng.random((2, 12)), rng.integers(0, 5, (2, 12)) / 5
    site_of, columns = torch.from_numpy(site), (torch.from_numpy(values).float(), torch.from_numpy(key).float())
    before, together = Groups(site_of, 5).before(*columns)
    for b, n in np.ndindex(values.shape):
        lower = (site == site[n]) & (key[b] < key[b, n])
        equal = (site == site[n]) & (key[b] == key[b, n])
        assert float(before[b, n]) == pytest.approx(values[b, lower].sum(), abs=1e-6)
        assert float(together[b, n]) == pytest.approx(values[b, equal].sum(), abs=1e-6)


def test_keys_a_rounding_apart_stay_apart_behind_ten_thousand_sites() -> None:
    near = torch.tensor([1.0, torch.nextafter(torch.tensor(1.0), torch.tensor(2.0))])
    keys, site = torch.cat([torch.zeros(9_999), near.flip(0)])[None], torch.arange(10_001).clamp(max=9_999)
    before, together = Groups(site, 10_000).before(torch.ones_like(keys), keys)
    assert before[0, -2:].tolist() == [1.0, 0.0]
    assert together[0, -2:].tolist() == [1.0, 1.0]


def test_exports_meet_the_own_load_then_wait_then_go_to_the_grid() -> None:
    n = 5
    ports = cars(n, can_charge_kw=[0.5] * n, can_export_kw=[0.5] * n, site_load=[0.2] * n)
    wish = torch.tensor([[1 / 6, 1 / 3, 0.5, 0.8, 1.0]], requires_grad=True)
    share = meter_export(wish, own_load(ports, torch.ones(1, n), Groups(torch.arange(n), n)))
    torch.testing.assert_close(share.detach(), torch.tensor([[0.1, 0.2, 0.2, 0.6, 1.0]]))
    (slope,) = torch.autograd.grad(share.sum(), wish)
    assert bool((slope > 0).all())


def test_a_small_own_load_is_met_by_the_least_export() -> None:
    ports = cars(4, can_charge_kw=[0.5] * 4, can_export_kw=[0.5] * 4, site_load=[0.2, 0.04, 0.02, 0.04])
    # The last two share a site, and its load: a part of 0.01 each.
    own = own_load(ports, torch.ones(1, 4), Groups(torch.tensor([0, 1, 2, 2]), 3))
    torch.testing.assert_close(own.met, torch.tensor([[0.2, 0.04, 0.01, 0.02]]))
    torch.testing.assert_close(own.given, torch.tensor([[0.2, LEAST_SHARE, 0.01, 0.02]]))
