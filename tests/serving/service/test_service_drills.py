"""Fault drills of the whole service, each a test and a line in a table, judged from what was told and the ledger alone.

Hours of the small fleet for each: every cycle is answered within the deadline or refused in a sentence, what was
acknowledged stands in the ledger once and as it was told, and without the ledger nothing is exported.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from ebbflow.agents.bundle import load_bundle, write_bundle
from ebbflow.serving.core.cycle import CycleRefused
from ebbflow.serving.core.settings import load_serving
from ebbflow.serving.http.start import make_service
from ebbflow.serving.ledger import tables
from ebbflow.serving.ledger.documents import unsqueezed
from ebbflow.serving.ledger.verify import verify
from ebbflow.serving.messages import parse_request
from ebbflow.serving.service import CycleConflict, Service

from ...agents.bundle.graphs import manifest  # noqa: TID252
from ..core.small_fleet import document  # noqa: TID252
from ..core.test_runners import slow_model  # noqa: TID252
from ..deploy.conftest import constant  # noqa: TID252

DEADLINE_S, LIMIT_KW, CYCLES = 2.0, 20.0, 16
FAULT = range(5, 10)
"""Steps in which a fault lasts."""
SETTINGS = (f"deadline.answer_s={DEADLINE_S}", "economy.enabled=false", "gates.check_clock=false")


class Row(NamedTuple):
    name: str
    asked: int
    refused: int
    recorded: int
    by_policy: int
    exported_kwh: float
    slowest_ms: float


class Stage:
    """A service on a fresh ledger, and all that it told.

    Args:
        folder: of ledger and bundle.
        bundle: that it is started with; None: none.
    """

    def __init__(self, folder: Path, bundle: str | None) -> None:
        self.folder, self.told, self.asked, self.refused = folder, dict[str, bytes](), 0, list[str]()
        self.recorded, self.by_policy, self.exported_kwh, self.slowest_s = set[str](), 0, 0.0, 0.0
        self.service: Service = make_service(load_serving("default", SETTINGS), str(folder / "ledger.db"), bundle)

    def cycle(self, step: int, **changes: Any) -> None:
        """Ask for a cycle; a refusal is counted."""
        changes = {"sites__import_limit_kw": [[LIMIT_KW]], "sites__export_limit_kw": [[LIMIT_KW]], **changes}
        request = parse_request(document(step, **changes))
        self.asked, began = self.asked + 1, time.perf_counter()
        try:
            made = self.service.dispatch(request)
        except (CycleRefused, CycleConflict) as refusal:
            self.refused.append(str(refusal))
            return
        finally:
            self.slowest_s = max(self.slowest_s, time.perf_counter() - began)
        totals, name = made.answer.totals, made.answer.cycle_id
        assert max(totals.import_kw, totals.export_kw) <= LIMIT_KW + 1e-6
        assert made.recorded or totals.export_kw == 0.0, "no evidence, no export"
        assert self.told.setdefault(name, made.body) == made.body, "one cycle, one answer"
        self.recorded |= {name} if made.recorded else set()
        self.by_policy += 0 if made.repeated else totals.by_source.get("policy", 0)
        self.exported_kwh += 0.0 if made.repeated else totals.export_kw * request.interval_s / 3600

    def day(self, fault: Callable[[int], None] | None = None, steps: range = range(CYCLES)) -> None:
        """Cycle after cycle; `fault` is called before each step in which it lasts."""
        for step in steps:
            if fault is not None and step in FAULT:
                fault(step)
            self.cycle(step)

    def close(self) -> None:
        """Hold the ledger to what was told."""
        assert all(len(why.split()) > 5 for why in self.refused), "a refusal says why"
        found = verify(self.service.ledger, replay=True)
        assert found.whole, found.problems
        assert self.service.ledger.count(tables.cycles) == len(self.recorded)
        for name in self.recorded:
            row = self.service.ledger.cycle(cycle_id=name)
            assert row is not None
            assert unsqueezed(row["answer"]) == self.told[name]
        self.service.close()


def model_corrupt(folder: Path) -> str:
    write_bundle(folder / "b", constant(-0.5), manifest())
    (folder / "b" / "model.onnx").write_bytes(constant(-0.5)[:-20])
    return str(folder / "b")


def model_swapped(folder: Path) -> str:
    write_bundle(folder / "a", constant(-0.5), manifest(run_id="a"))
    write_bundle(folder / "b", constant(-1.0), manifest(run_id="b"))
    return f"{folder / 'b'}#{load_bundle(folder / 'a').digest}"


def model_slow(folder: Path) -> str:
    write_bundle(folder / "b", slow_model(), manifest())
    return str(folder / "b")


def model_sound(folder: Path) -> str:
    write_bundle(folder / "b", constant(-0.2), manifest())
    return str(folder / "b")


def no_model(folder: Path) -> None:
    return None


def locked(stage: Stage) -> None:
    stage.day(steps=range(FAULT.start))
    other = sqlite3.connect(stage.folder / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    stage.day(steps=range(FAULT.start, FAULT.start + 3))
    other.execute("ROLLBACK")
    other.close()
    stage.day(steps=range(FAULT.start + 3, CYCLES))


def swapped_while_it_serves(stage: Stage) -> None:
    stage.day(lambda step: (stage.folder / "b" / "model.onnx").write_bytes(constant(-1.0)) and None)


def wrong_clock(stage: Stage, jump_steps: int) -> None:
    """The service looks at its clock, and the sender's is wrong for a while."""
    settings = load_serving("default", (*SETTINGS[:2], "gates.check_clock=true"))
    stage.service.replace_kit(stage.service.kit.__class__(**{**vars(stage.service.kit), "settings": settings}))
    for step in range(CYCLES):
        right = parse_request(document(step)).start_s
        stage.service.clock = lambda now=right: now + 2.0  # type: ignore[misc]
        if step in FAULT:
            stage.cycle(step + jump_steps)
        stage.cycle(step)


def long_day(stage: Stage, day: str) -> None:
    zone = ZoneInfo("America/Los_Angeles")
    start = datetime.fromisoformat(day).replace(tzinfo=zone)
    end_s = (datetime.fromisoformat(day) + timedelta(days=1)).replace(tzinfo=zone).timestamp()
    for at, now in enumerate(range(int(start.timestamp()), int(end_s), 3600)):
        assert stage.asked == at
        stage.cycle(0, cycle_start=datetime.fromtimestamp(now, zone).isoformat())


class Drill(NamedTuple):
    name: str
    model: Callable[[Path], str | None]
    run: Callable[[Stage], None]
    refused: int = 0
    lost: int = 0  # cycles that are answered while the ledger cannot take them
    by_policy: bool = True


N = len(FAULT)
DRILLS = [
    Drill("no fault", model_sound, Stage.day),
    Drill("model missing", no_model, Stage.day, by_policy=False),
    Drill("model corrupt", model_corrupt, Stage.day, by_policy=False),
    Drill("model of another digest", model_swapped, Stage.day, by_policy=False),
    Drill("model swapped while it serves", model_sound, swapped_while_it_serves),
    Drill("model slow, beyond any deadline", model_slow, lambda s: s.day(steps=range(4)), by_policy=False),
    Drill("each request twice", model_sound, lambda s: s.day(s.cycle)),
    Drill("an old request again", model_sound, lambda s: s.day(lambda step: s.cycle(step - 4))),
    Drill("answered, then another request", model_sound, lambda s: s.day(lambda t: s.cycle(t - 1, ports__soc=0.3)), N),
    Drill(
        "requests out of order", model_sound, lambda s: s.day(steps=range(0, 24, 2)) or s.day(steps=range(1, 24)), 11
    ),
    Drill("clock forward an hour", model_sound, lambda s: wrong_clock(s, 4), N),
    Drill("clock back a day", model_sound, lambda s: wrong_clock(s, -96), N),
    Drill("day of 23 hours", model_sound, lambda s: long_day(s, "2026-03-08")),
    Drill("day of 25 hours", model_sound, lambda s: long_day(s, "2026-11-01")),
    Drill("ledger locked", model_sound, locked, lost=3),
]


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[list[Row]]:
    """Rows of the drills that ran, printed when all have."""
    rows: list[Row] = []
    yield rows
    out = request.config.pluginmanager.get_plugin("terminalreporter")
    head = f"{'drill of the service':34}{'asked':>7}{'refused':>9}{'recorded':>10}{'by policy':>11}"
    out.write_line("")
    out.write_line(f"{head}{'exported kWh':>14}{'slowest ms':>12}")
    for r in rows:
        line = f"{r.name:34}{r.asked:7d}{r.refused:9d}{r.recorded:10d}{r.by_policy:11d}"
        out.write_line(f"{line}{r.exported_kwh:14.1f}{r.slowest_ms:12.1f}")


@pytest.mark.parametrize("drill", DRILLS, ids=lambda drill: drill.name)
def test_every_cycle_is_answered_or_refused_and_none_is_lost(drill: Drill, tmp_path: Path, table: list[Row]) -> None:
    stage = Stage(tmp_path, drill.model(tmp_path))
    drill.run(stage)
    told = (stage.asked, len(stage.refused), len(stage.recorded), stage.by_policy)
    table.append(Row(drill.name, *told, stage.exported_kwh, 1000 * stage.slowest_s))
    stage.close()
    assert len(stage.refused) == drill.refused
    assert len(stage.told) - len(stage.recorded) == drill.lost
    assert (stage.by_policy > 0) == drill.by_policy
    assert stage.slowest_s < DEADLINE_S
