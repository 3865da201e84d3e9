"""What stands at the chargers is what was accepted, until its lease ends."""

from __future__ import annotations

import numpy as np

from ebbflow.serving.core.cycle import Outcome
from ebbflow.serving.loop.standing import Standing
from ebbflow.serving.ports.port import Receipt

from ..core.small_fleet import INTERVAL_S, Says, Service, request  # noqa: TID252


def after(standing: Standing, made: Outcome, step: int = 0, *accepted: bool, **changes: object) -> None:
    receipt = Receipt(np.array(accepted or (True, True, True)))
    standing.after(request(step, **changes), made.answer.decisions, receipt)


def test_a_request_tells_what_was_accepted_and_since_when() -> None:
    service, standing = Service(Says(5.0)), Standing()
    for step in range(2):
        after(standing, service.cycle(step), step)
    told = standing.told(request(2)).ports
    np.testing.assert_array_equal(told.last_setpoint_kw, [5.0, 5.0, 5.0])
    np.testing.assert_array_equal(told.last_setpoint_age_s, np.full(3, 2.0 * INTERVAL_S))


def test_what_was_refused_is_not_told_as_sent() -> None:
    standing = Standing()
    after(standing, Service(Says(5.0)).cycle(0), 0, True, False, True)
    told = standing.told(request(1)).ports
    assert np.isnan(told.last_setpoint_kw[1])
    assert np.isnan(told.last_setpoint_age_s[1]), "there the service's own memory counts"


def test_a_refused_change_leaves_the_old_lease_until_it_ends_and_is_due_again() -> None:
    service, standing = Service(Says(5.0)), Standing()
    after(standing, service.cycle(0), 0)
    service.kit.runner._policy.answer = 8.0  # type: ignore[union-attr]
    made = service.cycle(1)
    after(standing, made, 1, True, True, False)
    np.testing.assert_array_equal(standing.setpoints_kw(request(1).ports.id, request(1).start_s), [8.0, 8.0, 5.0])
    told = standing.told(request(2)).ports
    np.testing.assert_array_equal(told.last_setpoint_kw, [8.0, 8.0, np.nan])
    np.testing.assert_array_equal(told.last_setpoint_age_s, [900.0, 900.0, 0.0])
    columns = {f"ports__{name}": getattr(told, name).tolist() for name in ("last_setpoint_kw", "last_setpoint_age_s")}
    np.testing.assert_array_equal(service.cycle(2, **columns).answer.decisions.command_due, [False, False, True])


def test_a_lapsed_lease_is_told_as_a_release_at_its_end() -> None:
    standing = Standing()
    after(standing, Service(Says(5.0)).cycle(0))
    told = standing.told(request(5)).ports  # leases are two intervals long
    assert np.isnan(told.last_setpoint_kw).all()
    np.testing.assert_array_equal(told.last_setpoint_age_s, np.full(3, 3.0 * INTERVAL_S))


def test_a_car_that_went_or_another_one_in_its_place_has_no_lease() -> None:
    service, standing = Service(Says(5.0)), Standing()
    cars = {"ports__car": ["x", "y", "z"]}
    after(standing, service.cycle(0, **cars), 0, **cars)
    gone = {"ports__car": ["x", "y", "z"], "ports__plugged": [False, True, True]}
    after(standing, service.cycle(1, **gone), 1, **gone)
    told = standing.told(request(2, ports__car=["x", "other", "z"])).ports
    assert np.isnan(told.last_setpoint_age_s[:2]).all()
    assert told.last_setpoint_kw[2] == 5.0


def test_a_site_that_tells_by_itself_is_believed() -> None:
    standing = Standing()
    after(standing, Service(Says(5.0)).cycle(0))
    asked = request(1, ports__last_setpoint_kw=[1.0, None, None], ports__last_setpoint_age_s=[9.0, None, None])
    assert standing.told(asked) is asked
