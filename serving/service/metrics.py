"""What the service tells Prometheus; no car, port or site is ever a label."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from ..core.cycle import Kit, Outcome
from ..messages.request import DispatchRequest
from ..messages.vocabulary import DecisionReason, DecisionSource, Mode

Array = Any

log = logging.getLogger("ebbflow.serving")

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
AGES_S = (10, 60, 300, 900, 1800, 3600, 7200, 21600, 86400)
SIGNALS = ("soc", "power")
KW = (0.1, 1, 10, 100, 1000, 10000)


class Ages(Collector):
    """A histogram that takes a column at once: a million readings one by one would take seconds."""

    def __init__(self) -> None:
        self._counts: dict[str, Array] = {}
        self._sums: dict[str, float] = {}
        self._lock = threading.Lock()

    def observe(self, signal: str, age_s: Array) -> None:
        """Count the ages (N,) of a signal's readings; a reading from the future counts as fresh."""
        places = np.searchsorted(AGES_S, age_s)
        found = np.bincount(places, minlength=len(AGES_S) + 1)
        with self._lock:
            self._counts[signal] = self._counts.get(signal, 0) + found
            self._sums[signal] = self._sums.get(signal, 0.0) + float(np.maximum(age_s, 0.0).sum())

    def collect(self) -> Iterator[Metric]:
        """See `prometheus_client.registry.Collector`."""
        family = HistogramMetricFamily("ebbflow_telemetry_age_seconds", "Age of readings", labels=["signal"])
        bounds = [*map(str, AGES_S), "+Inf"]
        for signal, counts in list(self._counts.items()):
            family.add_metric([signal], list(zip(bounds, np.cumsum(counts).tolist(), strict=True)), self._sums[signal])
        yield family


class Metrics:
    """All counters and gauges of one service, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        own: dict[str, Any] = {"namespace": "ebbflow", "registry": registry}
        self.cycles = Counter("cycles", "Cycles decided", ["state"], **own)
        self.repeats = Counter("cycles_repeated", "Cycles answered again from the ledger", **own)
        self.refused = Counter("requests_refused", "Requests that were not answered", ["code"], **own)
        self.decisions = Counter("decisions", "Set-points by source and mode", ["source", "mode"], **own)
        self.cycle_s = Histogram("cycle_seconds", "From the parsed request to the decision", buckets=SECONDS, **own)
        self.policy_s = Histogram("policy_seconds", "Time of the policy", buckets=SECONDS, **own)
        self.commit_s = Histogram("ledger_commit_seconds", "Time of writing a cycle", buckets=SECONDS, **own)
        self.ledger_errors = Counter("ledger_errors", "Times that the ledger could not be read or written", **own)
        self.late = Counter("deadline_missed", "Times that the policy was ended for being late", **own)
        self.policy_failures = Counter("policy_failures", "Cycles in which the policy's answer was not used", **own)
        self.breaker = Gauge("breaker_open", "1: the policy's breaker is open", ["fleet"], **own)
        self.fallback = Counter("fallback_vehicles", "Set-points other than asked, by reason", ["reason"], **own)
        self.clipped = Counter("clipped_kw", "kW between what was asked and what was safe", **own)
        self.ages = Ages()
        registry.register(self.ages)
        self.oldest = Gauge("telemetry_oldest_seconds", "Oldest reading of the last cycle", ["fleet", "signal"], **own)
        self.prices = Gauge("price_horizon_seconds", "How far ahead prices are published", ["fleet"], **own)
        self.unusual = Gauge("ood_share", "Share of the cars outside the trained ranges, last cycle", ["fleet"], **own)
        self.shortfall = Gauge(
            "departure_shortfall_kwh",
            "What full power until the said departures cannot deliver, at least",
            ["fleet"],
            **own,
        )
        self.setpoint = Gauge("setpoint_kw", "Sum of the set-points of the last cycle", ["fleet", "direction"], **own)
        self.commands = Counter("commands_due", "Commands that had to be sent", **own)
        self.last = Gauge("last_cycle_timestamp_seconds", "Start of the last cycle", ["fleet"], **own)
        self.disagreement_kw = Histogram(
            "shadow_disagreement_kw", "Between the answers and those of the challenger in shadow", buckets=KW, **own
        )
        self.disagreement_usd = Gauge("shadow_disagreement_usd", "What the challenger's last answer cost more", **own)
        self.shadow_cycles = Counter("shadow_cycles", "Cycles of the challenger in shadow", ["outcome"], **own)
        self.reload_failures = Counter("reload_failures", "Deployments that could not be taken up", **own)
        self.bundle = Gauge("bundle_info", "The policy in use", ["name", "version", "sha256"], **own)
        self.last_ledger_error = ""

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def show_kit(self, kit: Kit) -> None:
        """Tell which policy is in use."""
        self.bundle.clear()
        if kit.runner is not None:
            self.bundle.labels(*kit.runner.model).set(1)

    def forget_fleet(self, fleet: str) -> None:
        """Tell no longer of a fleet that is not in mind any more."""
        own = (self.last, self.breaker, self.prices, self.unusual, self.shortfall)
        series = [(gauge, (fleet,)) for gauge in own]
        series += [(self.setpoint, (fleet, way)) for way in ("import", "export")]
        series += [(self.oldest, (fleet, signal)) for signal in SIGNALS]
        for gauge, labels in series:
            with suppress(KeyError):
                gauge.remove(*labels)

    def show_last(self, fleet: str, start_s: float) -> None:
        """When a fleet's last cycle began, Unix seconds."""
        self.last.labels(fleet).set(start_s)

    def ledger_failed(self, why: str) -> None:
        """The ledger could not be read or written."""
        self.ledger_errors.inc()
        if why != self.last_ledger_error:
            log.warning("the ledger cannot be used: %s", why)
        self.last_ledger_error = why

    def count(self, request: DispatchRequest, outcome: Outcome, commit_s: float) -> None:
        """One cycle that was decided.

        Args:
            request: as sent.
            outcome: of `dispatch`.
            commit_s: how long the ledger took; 0: it was not written.
        """
        answer, record = outcome.answer, outcome.record
        if record.failure:
            log.warning("cycle %s: the policy's answer was not used: %s", answer.cycle_id, record.failure)
        if commit_s:
            self.last_ledger_error = ""
        self.cycles.labels(answer.state.word).inc()
        self.cycle_s.observe(record.cycle_s)
        if record.policy_s:
            self.policy_s.observe(record.policy_s)
        if commit_s:
            self.commit_s.observe(commit_s)
        self.late.inc(record.timed_out)
        self.policy_failures.inc(bool(record.failure))
        self.breaker.labels(answer.fleet).set(outcome.memory.breaker.is_open)
        self.commands.inc(answer.totals.commands_due)
        self.clipped.inc(answer.totals.clipped_kw)
        self.last.labels(answer.fleet).set(answer.cycle_start_s)
        self.setpoint.labels(answer.fleet, "import").set(answer.totals.import_kw)
        self.setpoint.labels(answer.fleet, "export").set(answer.totals.export_kw)
        self._count_decisions(outcome)
        self._count_readings(request, outcome)

    def _count_decisions(self, outcome: Outcome) -> None:
        decisions = outcome.answer.decisions
        pairs = decisions.source.astype(np.int64) * len(Mode) + decisions.mode
        for pair, number in enumerate(np.bincount(pairs)):
            if number:
                source, mode = DecisionSource(pair // len(Mode)), Mode(pair % len(Mode))
                self.decisions.labels(source.word, mode.word).inc(number)
        for reason, number in outcome.answer.totals.by_reason.items():
            if reason != DecisionReason.AS_ASKED.word:
                self.fallback.labels(reason).inc(number)

    def _count_readings(self, request: DispatchRequest, outcome: Outcome) -> None:
        here = request.ports.plugged == 1
        for signal, age in zip(SIGNALS, (request.ports.soc_age_s, request.ports.power_age_s), strict=True):
            known = age[here & np.isfinite(age)]
            self.oldest.labels(request.fleet, signal).set(float(known.max(initial=0.0)))
            self.ages.observe(signal, known)
        self.shortfall.labels(request.fleet).set(least_shortfall_kwh(request))
        self.prices.labels(request.fleet).set(request.prices.known_steps * request.interval_s)
        unusual = outcome.record.unusual
        share = 0.0 if unusual is None or not here.any() else float(unusual[here].mean())
        self.unusual.labels(request.fleet).set(share)


def least_shortfall_kwh(request: DispatchRequest) -> float:
    """What the plugged-in cars will lack at their said departures even at full power, kWh at the batteries.

    The taper is left out, so it may be more; a car whose need or departure nobody said counts as none.
    """
    p = request.ports
    need = np.where(np.isnan(p.need_kwh), (p.target_soc - p.soc) * p.capacity_kwh, p.need_kwh)
    full_kw = np.fmin(p.charge_efficiency * p.max_charge_kw - p.fixed_loss_kw, p.battery_accept_kw)
    lacking = need - np.maximum(full_kw, 0.0) * np.maximum(p.departs_in_s, 0.0) / 3600.0
    lacking = np.where((p.plugged == 1) & np.isfinite(lacking), lacking, 0.0)
    return float(np.maximum(lacking, 0.0).sum())
