"""A run from its first update, or its last checkpoint, to its end: what happens behind every update."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ..tracking.tracker import FAILED, FINISHED, GIVEN_UP, INTERRUPTED, Tracker
from ..weights import WeightsError
from .folder import RUNNING, RunFolder
from .interrupt import Interrupt
from .learners import Learner, Tick
from .references import MPC, References
from .screen import Screen, validation_line
from .settings import RunSettings
from .validation import Validation, Validator


class RunStoppedError(ValueError):
    """A run that cannot go on: why, what is kept, and what to do."""


class GivenUpError(Exception):
    """Raised by whoever watches a run that shall not go on: it is worse than others."""


Watch = Callable[[Validation, int], None]
"""Told of every validation, and of how many updates the run will make; may raise `GivenUpError`."""


class Session:
    """Drives a learner, keeps its checkpoints, tries it on validation days, and tells everybody.

    Args:
        folder: of the run, begun.
        settings: of the run.
        learner: fresh; `go_on` gives it a state.
        validator: plays the validation days.
        references: who it is compared with.
        tracker: where to record it.
        screen: what people see.
        run_hash: of all that the run was told; a checkpoint of another is refused.
        watch: see `Watch`.
    """

    def __init__(
        self,
        folder: RunFolder,
        settings: RunSettings,
        learner: Learner,
        validator: Validator,
        references: References,
        tracker: Tracker,
        screen: Screen,
        run_hash: str,
        watch: Watch | None = None,
    ) -> None:
        self._folder, self._learner, self._validator = folder, learner, validator
        self._references, self._tracker, self._screen = references, tracker, screen
        self._hash, self._checkpoint_s, self._watch = run_hash, settings.checkpoint_s, watch
        self._every = max(1, -(-learner.total // settings.validations))
        self._curve: list[dict[str, Any]] = []
        self._tried: list[dict[str, Any]] = []  # validations, as JSON
        self._best: dict[str, Any] | None = None
        self._shares_told = False  # to the tracker, before the run was gone on with
        self._done, self._saved_at, self._cpu_before = 0, time.monotonic(), -time.process_time()

    @property
    def best(self) -> dict[str, Any]:
        """The best validation; empty before the first."""
        return dict(self._best["facts"]) if self._best else {}

    def go_on(self) -> int:
        """Take the last checkpoint, if there is one; returns the updates made so far.

        Raises:
            RunStoppedError: it was written under other settings.
        """
        kept = self._folder.checkpoint()
        if kept is None:
            self._folder.curve(0)
            return 0
        if kept["run_hash"] != self._hash:
            raise RunStoppedError(
                f"{self._folder.path}: the settings behind this run have changed since (a preset, or a default of the "
                "program); go back to the program that began it, or start a new run with --start"
            )
        self._learner.load_state_dict(kept["learner"])
        self._best, self._tried, self._done = kept["best"], kept["validations"], kept["done"]
        self._cpu_before += kept["cpu_s"]
        curve = self._folder.curve(self._done)  # what came after the checkpoint is made again
        self._screen.known(row["update"] for row in self._tried)
        if self._folder.state().get("record_lacks"):
            self._tell_again(curve)
        self._shares_told = self._folder.shares_known() and not self._folder.state().get("record_lacks")
        return self._done

    def run(self, interrupt: Interrupt) -> None:
        """Make the updates that are left.

        Raises:
            KeyboardInterrupt: asked to stop; everything is saved.
            RunStoppedError: a loss that is no number, a disk that is full; the last good checkpoint is kept.
        """
        self._folder.write_state(status=RUNNING, total=self._learner.total, reason="")
        how, reason = FAILED, ""
        try:
            self._references.start()
            if not self._tried:
                self._validate()
            elif not self._shares_told:
                self._refresh()
            self._learner.run(lambda tick: self._after(tick, interrupt))
            self._save()
            how = FINISHED
        except KeyboardInterrupt:
            how = INTERRUPTED
            raise
        except GivenUpError as error:
            how, reason = GIVEN_UP, str(error)
            raise
        except (FloatingPointError, WeightsError, OSError) as error:
            reason = str(error)
            raise RunStoppedError(f"{reason}\n{self._kept()}") from error
        finally:
            self._end(how, reason)

    def finish_references(self) -> None:
        """Wait for the references, and complete the table of validations."""
        if self._references.poll(wait=True):
            self._refresh()
        if self._references.failure:
            self._screen.say(f"a reference could not be computed: {self._references.failure}")

    def summary(self) -> str:
        """How the best network does on the validation days, in a line."""
        row = next(row for row in self._tried if row["update"] == self.best["update"])
        captured, mpc = self._references.captured(row["net_cost_usd"]), self._references.captured(MPC)
        return f"best network: {validation_line(row, captured, mpc)}"

    def _after(self, tick: Tick, interrupt: Interrupt) -> None:
        self._done = tick.number
        row = {"update": tick.number, "cpu_s": round(self._cpu_s(), 3), "update_cpu_s": tick.seconds, **tick.metrics}
        self._curve.append(row)
        self._tell(row)
        if self._references.poll():
            self._refresh()
        if tick.number % self._every == 0 or tick.number == self._learner.total:
            self._validate()
        if interrupt.asked or time.monotonic() - self._saved_at >= self._checkpoint_s:
            self._save()
        if interrupt.asked:
            raise KeyboardInterrupt

    def _validate(self) -> None:
        """Play the validation days; the cheapest network so far is the best one."""
        made = self._validator.play(self._learner.policy(), self._done)
        row = {**made.to_json(), "cpu_s": round(self._cpu_s(), 3)}
        self._tried.append(row)
        if self._best is None or made.net_cost_usd < self._best["facts"]["net_cost_usd"]:
            self._best = {**self._learner.network_values(), "facts": self._facts(made)}
            self._folder.write_best(self._best)
        self._tell_validation(row)
        self._write_table()
        if self._watch is not None:
            self._watch(made, self._learner.total)

    def _facts(self, made: Validation) -> dict[str, Any]:
        return {"update": made.update, "net_cost_usd": made.net_cost_usd, "run_hash": self._hash}

    def _save(self) -> None:
        """Write the checkpoint and what belongs to it; the curve first, since it can be cut back."""
        self._folder.add_to_curve(self._curve)
        self._curve = []
        self._folder.write_checkpoint({
            "run_hash": self._hash, "done": self._done, "cpu_s": self._cpu_s(), "best": self._best,
            "validations": self._tried, "learner": self._learner.state_dict(),
        })  # fmt: skip
        self._folder.write_state(update=self._done, cpu_s=round(self._cpu_s(), 3), best=self.best)
        self._saved_at = time.monotonic()

    def _refresh(self) -> None:
        """Tell of the captured shares, now that the references are known."""
        for row in self._tried:
            self._tell_share(row)
        self._write_table()

    def _write_table(self) -> None:
        table = [{**row, "captured_percent": self._references.captured(row["net_cost_usd"])} for row in self._tried]
        captured = {MPC: self._references.captured(MPC)}
        self._folder.write_validations({"captured_percent": captured, "best": self.best, "validations": table})

    def _tell(self, row: Mapping[str, Any]) -> None:
        self._screen.update(row)
        values = {f"train/{name}": value for name, value in row.items() if name != "update"}
        self._tracker.log(row["update"], values)

    def _tell_again(self, curve: Sequence[Mapping[str, Any]]) -> None:
        """Give the tracker all that it may lack; points that it has are then there twice."""
        for row in curve:
            self._tell(row)
        for row in self._tried:
            self._tell_validation(row)

    def _tell_validation(self, row: Mapping[str, Any]) -> None:
        plain = {name: value for name, value in row.items() if isinstance(value, int | float) and name != "update"}
        figures = {f"validation/{name}": value for name, value in {**plain, **row["figures"]}.items()}
        self._tracker.log(row["update"], figures)
        self._tell_share(row)

    def _tell_share(self, row: Mapping[str, Any]) -> None:
        captured, mpc = self._references.captured(row["net_cost_usd"]), self._references.captured(MPC)
        self._screen.validated(row, captured, mpc, best=self.best.get("update") == row["update"])
        shares = {"validation/captured_percent": captured, "validation/mpc_captured_percent": mpc}
        self._tracker.log(row["update"], shares)

    def _cpu_s(self) -> float:
        """CPU time of the session, and of the earlier ones up to the checkpoint that was gone on from."""
        return self._cpu_before + time.process_time()

    def _kept(self) -> str:
        where = self._folder.path
        update = self._folder.state().get("update")
        if update is None:
            return f"no checkpoint had been written yet in {where}"
        return f"the last good checkpoint, of update {update}, is kept; go on with: ebbflow train --resume {where}"

    def _end(self, how: str, reason: str) -> None:
        if self._references.poll():
            self._refresh()
        with suppress(OSError):  # a full disk has been told of already
            self._folder.write_state(status=how, reason=reason)
        if how != FINISHED:
            self._references.close()
            self._tracker.tag({"ended": reason or how})
