"""Many fleets, what is counted, and a machine that restarts, loses its ledger and repeats itself at random."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ebbflow.serving.ledger import tables
from ebbflow.serving.ledger.reader import LedgerDown
from ebbflow.serving.ledger.store import Ledger
from ebbflow.serving.ledger.verify import verify
from ebbflow.serving.service import CycleConflict, service
from ebbflow.serving.service.metrics import Ages, least_shortfall_kwh

from ..core.small_fleet import Says, request  # noqa: TID252
from .services import Rig


def test_more_fleets_than_are_kept_in_mind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MOST_FLEETS", 3)
    rig = Rig(str(tmp_path / "l.db"), Says(5.0))
    for step in range(2):
        for at in range(6):
            told = rig.cycle(step, fleet=f"fleet-{at}")
            assert told.answer.decisions.command_due.any() == (step == 0), "what it forgot, the ledger told it"
    assert len(rig.service._fleets) == 3
    text = rig.service.metrics.text().decode()
    assert text.count("ebbflow_last_cycle_timestamp_seconds{") == 3
    assert verify(rig.ledger, replay=True).whole
    rig.ledger.close()


def test_no_fleet_hides_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every gauge of a fleet's last cycle bears its name, and goes when the fleet is forgotten."""
    monkeypatch.setattr(service, "MOST_FLEETS", 2)
    rig = Rig(str(tmp_path / "l.db"), Says(5.0))
    rig.cycle(fleet="bad", ports__departs_in_s=-5.0, ports__soc_age_s=900.0)
    rig.cycle(fleet="good")
    text = rig.service.metrics.text().decode()
    lacking = dict(re.findall(r'ebbflow_departure_shortfall_kwh\{fleet="(\w+)"\} (.*)', text))
    assert float(lacking["bad"]) == pytest.approx(18.0)
    assert float(lacking["good"]) == 0.0
    assert 'ebbflow_telemetry_oldest_seconds{fleet="bad",signal="soc"} 900.0' in text
    for name in ("breaker_open", "ood_share", "price_horizon_seconds", "departure_shortfall_kwh"):
        assert f'ebbflow_{name}{{fleet="good"}}' in text
    rig.cycle(fleet="third")
    assert 'fleet="bad"' not in rig.service.metrics.text().decode()
    rig.ledger.close()


def test_a_loop_that_died_is_missed_after_a_restart_too(tmp_path: Path) -> None:
    rig = Rig(str(tmp_path / "l.db"))
    rig.cycle(0, fleet="closed")
    rig.cycle(96 * 8, fleet="dead")
    again = Rig(rig.ledger)
    again.clock.now_s = request(96 * 8).start_s + 7200.0
    again.service.recall()
    text = again.service.metrics.text().decode()
    (told,) = re.findall(r"^ebbflow_last_cycle_timestamp_seconds(.*)$", text, re.MULTILINE)
    assert told.startswith('{fleet="dead"} ')
    assert float(told.split()[1]) == request(96 * 8).start_s
    rig.ledger.close()


def test_ages_are_counted_into_the_same_buckets_as_one_by_one() -> None:
    ages = Ages()
    ages.observe("soc", np.array([0.0, 10.0, 10.1, 59.0, 1e7, -5.0]))
    ages.observe("soc", np.array([3600.0]))
    ((family,)) = list(ages.collect())
    buckets = {sample.labels["le"]: sample.value for sample in family.samples if sample.name.endswith("_bucket")}
    assert buckets["10"] == 3
    assert buckets["60"] == 5
    assert buckets["1800"] == 5
    assert buckets["3600"] == 6
    assert buckets["+Inf"] == 7


def test_the_shortfall_by_hand() -> None:
    """60 kWh from 0.5 to 0.8 are 18 kWh; an hour at 11 kW brings 0.9 x 11 - 0.1 = 9.8: 8.2 are lacking."""
    assert least_shortfall_kwh(request(ports__departs_in_s=3600.0)) == pytest.approx(8.2)
    assert least_shortfall_kwh(request(ports__departs_in_s=-5.0)) == pytest.approx(18.0)
    assert least_shortfall_kwh(request(ports__departs_in_s=-5.0, ports__soc=None)) == 0.0


class Machine(RuleBasedStateMachine):
    """Against a reference that only knows: a cycle that was acknowledged stays, and is answered the same for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.policy = Says(5.0)
        self.broken = False
        self.step = -1
        self.answers: dict[int, tuple[bytes, dict[str, Any]]] = {}
        self.recorded: set[int] = set()
        self.rig = self._start()

    def _start(self) -> Rig:
        rig = Rig(str(Path(self.folder.name) / "ledger.db"), self.policy, "economy.min_dwell_s=1800")
        rig.clock.now_s = request(max(self.step, 0)).start_s + 2.0
        writing = rig.ledger.record_cycle

        def write(*arguments: Any) -> int:
            if self.broken:
                raise LedgerDown("drill")
            return writing(*arguments)

        rig.ledger.record_cycle = write  # type: ignore[method-assign]
        return rig

    @rule(skip=st.integers(1, 3), soc=st.sampled_from([None, 0.1, 0.5, 0.9]), fault=st.booleans())
    def cycle(self, skip: int, soc: float | None, fault: bool) -> None:
        self.step += skip
        changes = {"ports__soc": soc}
        self.policy.answer = RuntimeError("drill") if fault else 5.0 - 10.0 * (self.step % 3 == 0)
        told = self.rig.cycle(self.step, **changes)
        assert told.recorded != self.broken
        assert not told.repeated
        if self.broken:
            assert told.answer.totals.export_kw == 0.0
        else:
            self.recorded.add(self.step)
        self.answers[self.step] = told.body, changes

    @precondition(lambda self: self.answers)
    @rule(back=st.integers(0, 3))
    def again(self, back: int) -> None:
        step = sorted(self.answers)[-1 - back % len(self.answers)]
        body, changes = self.answers[step]
        if step not in self.recorded and step != self.step:
            return  # without a ledger only the last cycle is remembered
        assert self.rig.cycle(step, **changes).body == body
        with pytest.raises(CycleConflict):
            self.rig.cycle(step, ports__soc=0.77)

    @rule()
    def ledger_breaks(self) -> None:
        self.broken = True

    @rule()
    def ledger_is_mended(self) -> None:
        self.broken = False

    @rule(control=st.sampled_from(["hold", "release", "no_export", "rules_only", "auto"]))
    def order(self, control: str) -> None:
        self.rig.order(control, minutes=40)

    @rule()
    def restart(self) -> None:
        self.rig.ledger.close()
        self.rig = self._start()
        if self.step not in self.recorded:
            self.answers.pop(self.step, None)
            self.step = max(self.recorded, default=self.step)

    @invariant()
    def each_acknowledged_cycle_stands_once(self) -> None:
        assert self.rig.ledger.count(tables.cycles) == len(self.recorded)

    def teardown(self) -> None:
        found = verify(self.rig.ledger, replay=True)
        self.rig.ledger.close()
        self.folder.cleanup()
        assert found.whole, found.problems


Machine.TestCase.settings = settings(
    max_examples=25, stateful_step_count=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
TestMachine = Machine.TestCase


def test_a_ledger_in_memory_serves_too() -> None:
    rig = Rig(Ledger("sqlite://"), Says(5.0))
    assert rig.cycle(0).recorded
    assert rig.cycle(0).repeated
    rig.ledger.close()
