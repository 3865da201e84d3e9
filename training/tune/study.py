"""A study: trials are runs of their own, short, stopped early where they lag behind, and kept in a shared storage."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...configs.messages import ConfigError
from ..run.folder import free_folder
from ..run.recording import Recording
from ..run.screen import Screen
from ..run.session import GivenUpError, RunStoppedError
from ..run.settings import RunSettings, algorithm_of
from ..run.validation import Validation
from ..run.work import train_and_tell
from .space import USUAL, Dimension, parse_space

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

HEARTBEAT_S, GRACE_S = 30, 180
"""A trial whose process was killed is found by its silence, and made again."""

STARTUP_TRIALS, WARM_UP_SHARE = 4, 0.25
"""No trial is stopped early before so many have ended, and none in the first part of its updates."""

RUNS = Path("runs/tune")


@dataclass(frozen=True)
class Search:
    """What is searched, and how long.

    Args:
        name: of the study.
        storage: its address, which several machines may share.
        settings: of every trial, but for what is searched.
        space: the searched settings.
        trials: how many the study shall have, those of other processes and earlier calls included.
        tracking: address of the MLflow store; None: nowhere.
    """

    name: str
    storage: str
    settings: RunSettings
    space: tuple[Dimension, ...]
    trials: int
    tracking: str | None


def search_of(name: str | None, storage: str, settings: RunSettings, asked: tuple[str, ...], **more: Any) -> Search:
    """The search that was asked for.

    Raises:
        ConfigError: an unknown algorithm, or a range that is none.
    """
    algorithm = algorithm_of(settings.algorithm)
    texts = asked or USUAL.get(algorithm, ())
    if not texts:
        raise ConfigError(f"nothing is known to search for {algorithm}; say what by --search")
    return Search(name or f"{settings.scenario}-{settings.algorithm}", storage, settings, parse_space(texts), **more)


def run_search(search: Search, say: Callable[[str], None]) -> Study:
    """Make the trials that are left; returns the study.

    Raises:
        KeyboardInterrupt: asked to stop; the broken-off trial waits to be made again.
        ConfigError: the storage cannot be used, or holds a study of something else under that name.
    """
    study = _open(search)
    parent = _parent(search, study)
    say(f"study {search.name} in {search.storage}: {len(_ended(study))} of {search.trials} trials are done")
    objective = _Objective(search, parent, say)

    def enough(made: Study, trial: FrozenTrial) -> None:
        if len(_ended(made)) >= search.trials:
            made.stop()

    if len(_ended(study)) < search.trials:
        study.optimize(objective, callbacks=[enough])
    return study


def best_overrides(study: Study, search: Search) -> list[str]:
    """The settings of the best trial, as `--set` takes them; empty before the first has ended."""
    done = [trial for trial in study.trials if trial.value is not None and trial.state.name == "COMPLETE"]
    if not done:
        return []
    best = min(done, key=lambda trial: trial.value or 0.0)
    return [f"{dimension.key}={best.params[dimension.key]}" for dimension in search.space]


class _Objective:
    """A trial: a run with what is proposed; its answer is the best validation after it began, $ per car and day."""

    def __init__(self, search: Search, parent: str, say: Callable[[str], None]) -> None:
        self._search, self._parent, self._say = search, parent, say

    def __call__(self, trial: Trial) -> float:
        import optuna

        search, settings = self._search, self._search.settings
        # By the number, which the storage gives out once: processes that begin together propose different things.
        trial.study.sampler = optuna.samplers.TPESampler(seed=settings.seed + trial.number)
        proposed = tuple(dimension.draw(trial) for dimension in search.space)
        theirs = tuple(text for text in proposed if text.startswith("training."))
        ours = tuple(text for text in proposed if text not in theirs)
        told = settings.model_copy(
            update={"training": (*settings.training, *theirs), "overrides": (*settings.overrides, *ours)}
        )
        self._say(f"trial {trial.number}: {', '.join(proposed)}")
        folder = free_folder(f"trial-{trial.number:04d}", RUNS / search.name)
        recording = Recording(search.tracking, parent=self._parent, bundle=False)
        watch = _Watch(trial)
        try:
            train_and_tell(told, recording, folder, _Quiet(), watch)
        except GivenUpError as error:
            raise optuna.TrialPruned(str(error)) from error
        except RunStoppedError as error:
            if not isinstance(error.__cause__, FloatingPointError):
                raise
            raise optuna.TrialPruned(str(error)) from error  # no settings to use
        except KeyboardInterrupt:
            trial.study.enqueue_trial(trial.params)
            raise
        trial.set_user_attr("folder", str(folder.resolve()))
        return watch.best


class _Watch:
    """Tells Optuna of every validation, and gives the run up where it lags behind the others."""

    def __init__(self, trial: Trial) -> None:
        self._trial, self.best = trial, float("inf")

    def __call__(self, made: Validation, total: int) -> None:
        if made.update == 0:  # the same fresh network in every trial
            return
        self.best = min(self.best, made.usd_per_car_day)
        share = round(100 * made.update / total)  # trials may make different numbers of updates
        self._trial.report(self.best, share)
        if self._trial.should_prune():
            raise GivenUpError(f"given up after {share} % of its updates: {self.best:.3f} $ per car and day so far")


class _Quiet(Screen):
    """A trial's own lines would drown the study's."""

    def say(self, text: str) -> None:
        """Nothing."""


def _open(search: Search) -> Study:
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        try:
            _make_place(search.storage)
            storage = optuna.storages.RDBStorage(
                search.storage,
                heartbeat_interval=HEARTBEAT_S,
                grace_period=GRACE_S,
                heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(max_retry=2),
            )
            study = optuna.create_study(
                storage=storage, study_name=search.name, load_if_exists=True, direction="minimize",
                pruner=optuna.pruners.MedianPruner(STARTUP_TRIALS, round(100 * WARM_UP_SHARE)),
            )  # fmt: skip
        except (SQLAlchemyError, ImportError, OSError) as error:
            why = str(error).partition("\n")[0]
            raise ConfigError(f"storage {search.storage} cannot be used: {why}; check the address") from error
    _check_same(study, search)
    return study


def _make_place(storage: str) -> None:
    if storage.startswith("sqlite:///"):
        Path(storage.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)


def _check_same(study: Study, search: Search) -> None:
    """See that the study under this name searches the same."""
    what = {"space": [repr(dimension) for dimension in search.space], "settings": search.settings.model_dump_json()}
    for name, value in what.items():
        kept = study.user_attrs.get(name)
        if kept is None:
            study.set_user_attr(name, value)
        elif kept != value:
            raise ConfigError(
                f"study {search.name} in {search.storage} has other {name}: {kept}; "
                "ask for the same, or give another --study"
            )


def _parent(search: Search, study: Study) -> str:
    """The MLflow run that all trials of the study belong to; empty without a store."""
    if search.tracking is None:
        return ""
    from ..tracking.mlflow_tracker import MlflowTracker

    kept = str(study.user_attrs.get("run_id", ""))
    name = Path(search.settings.scenario).stem
    tracker = MlflowTracker(search.tracking, name, search.name, run_id=kept, system=False)
    if not kept:
        tracker.parameters({dimension.key: repr(dimension) for dimension in search.space})
        study.set_user_attr("run_id", tracker.run_id)
    tracker.close("finished")
    return tracker.run_id


def _ended(study: Study) -> list[FrozenTrial]:
    return [trial for trial in study.trials if trial.state.name in ("COMPLETE", "PRUNED")]
