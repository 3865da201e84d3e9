"""Where a run is recorded, and what becomes of its best network: bundle, evaluation, registration."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from ...agents.evaluation.store import FOLDER as TASKS
from ...agents.policy import LEARNED
from ...agents.report import print_table
from ...agents.rules import RULES
from ...configs.dump import to_json
from ..tracking.mlflow_tracker import MlflowTracker
from ..tracking.registry import model_name, register
from ..tracking.store import tracking_uri, ui_command
from ..tracking.tracker import NoTracker, Tracker
from ..weights import BEST_ZIP, load_network
from .days import final_request
from .folder import SETTINGS_FILE, VALIDATIONS_FILE, RunFolder
from .references import MPC
from .settings import RunSettings
from .start import Prepared

Say = Callable[[str], None]

BUNDLE = "bundle"
EVALUATION = "evaluation"
TEST_DAYS = 20
RUN_STORE = "run_store"
"""In the folder's state: the store that knows the run by its `run_id`."""


@dataclass(frozen=True)
class Recording:
    """What is to be recorded.

    Args:
        tracking: address of the MLflow store; None: nowhere.
        model: registered model that the best network becomes a version of; empty: none.
        test_days: unseen days on which it is evaluated at the end; 0: none.
        parent: MLflow run that this one belongs to; empty: none.
        bundle: write the bundle at the end.
    """

    tracking: str | None
    model: str = ""
    test_days: int = TEST_DAYS
    parent: str = ""
    bundle: bool = True

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def recording_of(
    scenario: str,
    tracking: str | None = None,
    register: bool | None = None,
    test_days: int | None = None,
    bundle: bool | None = None,
    parent: str = "",
) -> Recording:
    """What is recorded of a run of a scenario; None: as usual.

    Raises:
        ValueError: to be registered without a store or a bundle.
    """
    uri, whole = tracking_uri(tracking), bundle is not False
    if register and (uri is None or not whole):
        raise ValueError("--register needs a tracking store and a bundle; leave out --tracking none and --no-bundle")
    name = model_name(scenario) if uri is not None and whole and register is not False else ""
    return Recording(uri, name, TEST_DAYS if test_days is None else test_days, parent, whole)


def recording_in(folder: RunFolder, store: str | None = None) -> Recording:
    """What is recorded of a run that was begun before.

    Args:
        folder: of the run.
        store: `none`, or the address of another MLflow store for it; None: as it was.

    Raises:
        ConfigError: no run was begun there.
    """
    kept = Recording(**folder.told()["recording"])
    uri = kept.tracking if store is None else tracking_uri(store)
    return kept if uri == kept.tracking else replace(kept, tracking=uri, parent="")


def keep_recording(recording: Recording, folder: RunFolder) -> None:
    """Record the run so from now on; where the store is another one, it lacks all that has been told so far."""
    before = folder.told()["recording"]
    if recording.to_json() == before:
        return
    store = folder.state().get(RUN_STORE, before["tracking"])
    folder.write_state(**{RUN_STORE: store, "record_lacks": recording.tracking is not None})
    folder.retell(recording=recording.to_json())


def open_tracker(recording: Recording, folder: RunFolder, prepared: Prepared) -> Tracker:
    """The tracker of a run, new or gone on with.

    Raises:
        TrackingError: the store does not answer.
    """
    if recording.tracking is None:
        return NoTracker()
    state = folder.state()
    # Another store does not know the run by that name.
    run_id = state.get("run_id", "") if state.get(RUN_STORE, recording.tracking) == recording.tracking else ""
    experiment = prepared.scenario.name
    tracker = MlflowTracker(recording.tracking, experiment, folder.path.name, run_id=run_id, parent=recording.parent)
    if not run_id:
        tracker.parameters(_parameters(prepared))
        tracker.tag(_tags(prepared))
        folder.write_state(**{"run_id": tracker.run_id, RUN_STORE: recording.tracking})
        tracker.artifact(folder.path / SETTINGS_FILE)
    return tracker


def finish(recording: Recording, prepared: Prepared, best: Mapping[str, Any], tracker: Tracker, say: Say) -> None:
    """Make the bundle of the best network, evaluate it on unseen days, keep all of it, and register it, once.

    A policy that is no set network stays the zip that it is: evaluated and kept, but not registered.

    Raises:
        OSError: something cannot be written.
        ValueError: the bundle does not answer as the network does, or the store does not answer.
    """
    folder = prepared.folder.path
    tracker.artifact(folder / VALIDATIONS_FILE)
    tracker.tag({f"best.{name}": value for name, value in best.items()})
    if not recording.bundle:
        return
    made = folder / BEST_ZIP
    if not made.is_file():
        made = folder / BUNDLE
        say("writing the bundle: the exported graph must answer as the network does")
        _export(folder)
        say(f"bundle: {made}")
    if recording.test_days:
        _evaluate(prepared, made, recording.test_days, tracker, say)
    if isinstance(tracker, MlflowTracker):
        _hand_in(recording, prepared, made, tracker, say)
        say(f"look at the run: {ui_command(tracker.uri)}")
    if made.name == BEST_ZIP:
        say(_about_zip(made, prepared.settings))


def _hand_in(recording: Recording, prepared: Prepared, made: Path, tracker: MlflowTracker, say: Say) -> None:
    """Register the bundle, or keep it, or the zip, with the run."""
    if made.name == BEST_ZIP:
        tracker.artifact(made)
    elif not recording.model:
        tracker.artifact(made, BUNDLE)
    else:
        _register_once(recording.model, prepared, tracker, say)


def _register_once(model: str, prepared: Prepared, tracker: MlflowTracker, say: Say) -> None:
    """Going on for the sake of a record that lacks something takes the alias from no later challenger."""
    kept = prepared.folder.state().get("registered", {})
    if kept.get("store") == tracker.uri:
        say(f"it is registered already, as {kept['model']} version {kept['version']}")
        return
    version = register(tracker, prepared.folder.path / BUNDLE, model, final_request(prepared.settings))
    told = {"store": tracker.uri, "model": version.name, "version": version.number}
    prepared.folder.write_state(registered=told)
    say(f"registered {version} as challenger; `ebbflow promote {model}` compares it with the champion")


def _export(folder: Path) -> None:
    from ..export.bundle import export_network
    from ..export.origin import origin_of

    network, facts = load_network(folder)
    export_network(network, folder / BUNDLE, origin_of(folder, facts), replace=True)


def _about_zip(made: Path, settings: RunSettings) -> str:
    played = ["ebbflow", "evaluate", settings.scenario, "--policies", f"{LEARNED}={made}"]
    command = shlex.join([*played, *(part for text in settings.overrides for part in ("--set", text))])
    return (
        f"{made}: the policy is no set network, and only those become bundles, so nothing is registered; "
        f"play it with: {command}"
    )


def _evaluate(prepared: Prepared, made: Path, days: int, tracker: Tracker, say: Say) -> None:
    """The bundle or zip on unseen days beside rules, MPC and the optimum; table, report and plots go to the tracker."""
    from ...agents.evaluation import evaluate
    from ...agents.evaluation.outputs import summary_table, warnings

    s, place = prepared.settings, prepared.folder.path / EVALUATION
    split = "clean" if prepared.scenario.behaviour.misreport == "off" else "misreport"
    say(f"evaluating it on {days} unseen days")
    policies = [*RULES, MPC, f"{LEARNED}={made}"]
    files = final_request(s).files
    result = evaluate(
        s.scenario, policies, days=days, split=split, overrides=s.overrides, files=files, out=place, progress=True
    )
    for line in warnings(result):
        say(line)
    print_table(Console(), summary_table("policy", result.headline))
    figures = result.headline[LEARNED]
    tracker.log(prepared.learner.total, {f"test/{name}": value for name, value in figures.items()})
    for path in sorted(place.iterdir()):
        if path.name != TASKS:
            tracker.artifact(path, EVALUATION if path.is_file() else f"{EVALUATION}/{path.name}")
    say(f"report: {place / 'report.html'}")


def _parameters(prepared: Prepared) -> dict[str, Any]:
    """What MLflow's tables compare runs by."""
    told, settings = prepared.told, prepared.settings
    plain = settings.model_dump(mode="json", exclude={"files", "start", "minutes", "updates"})
    files = settings.files.given() if settings.files else {}
    return {
        **plain,
        **{f"training.{name}": value for name, value in told["algorithm_settings"].items()},
        **{f"files.{name}": value for name, value in files.items()},
        "ports": prepared.days.scenarios[0].n_ports,
        "config_hash": prepared.run_hash,
    }


def _tags(prepared: Prepared) -> dict[str, Any]:
    """Where the run comes from."""
    facts = prepared.told["facts"]
    versions = {f"version.{name}": version for name, version in facts["versions"].items()}
    commit = {} if facts["commit"] is None else {"mlflow.source.git.commit": facts["commit"], "dirty": facts["dirty"]}
    return {
        **commit, **versions, "command": facts["command"], "machine": facts["machine"]["platform"],
        "folder": str(prepared.folder.path.resolve()), "scenario": prepared.scenario.name,
        "resolved": to_json(prepared.scenario),
    }  # fmt: skip
