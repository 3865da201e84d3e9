"""The folder of a run: what it was told, where it stands, its curve, its last checkpoint and its best network."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ...agents.report import write_text
from ...configs.explain import writing
from ...configs.messages import ConfigError
from ..weights import BEST_FILE, BEST_ZIP, ZIPPED, load_network, load_torch, save_bytes, save_network, save_torch

RUNS = Path("runs/train")
RUN_FILE, STATE_FILE, CURVE_FILE, VALIDATIONS_FILE = "run.json", "state.json", "curve.jsonl", "validations.json"
SETTINGS_FILE, CHECKPOINT_FILE, LOCK_FILE = "settings.toml", "checkpoint.pt", ".lock"
START_FILE = "start.pt"
"""The weights that the run began with, where it did not begin with fresh ones."""

SCHEMA = 1

RUNNING, INTERRUPTED, FAILED, FINISHED = "running", "interrupted", "failed", "finished"
"""What `state.json` says; a killed run still says `running`."""


class RunFolder:
    """Reads and writes a run's files, each whole or not at all.

    Args:
        path: of the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._took_start = False

    @property
    def exists(self) -> bool:
        """Whether a run was begun here."""
        return (self.path / RUN_FILE).is_file()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from working on the same run.

        Raises:
            ConfigError: another one does, or the folder cannot be made.
        """
        import fcntl

        if self.path.exists() and not self.path.is_dir():
            raise ConfigError(f"{self.path} is a file; name a folder")
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / LOCK_FILE).open("w") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ConfigError(f"{self.path}: another process trains here; wait for it or stop it first") from None
            try:
                yield
            finally:
                self._leave_nothing()

    def begin(self, told: Mapping[str, Any], scenario_toml: str) -> None:
        """Write what the run was told.

        Raises:
            ConfigError: there is a run already.
        """
        self.refuse_old()
        write_text(scenario_toml, self.path / SETTINGS_FILE)
        write_text(_json({"schema": SCHEMA, **told}), self.path / RUN_FILE)

    def retell(self, **changes: Any) -> None:
        """Change what the run was told, where that moves no weight.

        Raises:
            ConfigError: see `told`.
        """
        write_text(_json({**self.told(), **changes}), self.path / RUN_FILE)

    def refuse_old(self) -> None:
        """See that no run was begun here.

        Raises:
            ConfigError: there is one.
        """
        if self.exists:
            raise ConfigError(f"{self.path} holds a run; go on with it by --resume {self.path}, or name another --out")

    def take_start(self, place: Path) -> None:
        """Keep the weights to begin with: the run that they come from may replace them, or be gone.

        Args:
            place: a run's folder, or a file of weights.

        Raises:
            WeightsError: there are none, or they cannot be written.
        """
        network, facts = load_network(place)
        self._took_start = True
        save_network(network, self.path / START_FILE, facts)

    @property
    def start(self) -> Path | None:
        """The weights that the run began with; None: fresh ones."""
        file = self.path / START_FILE
        return file if file.is_file() else None

    def told(self) -> dict[str, Any]:
        """What the run was told.

        Raises:
            ConfigError: no run, or one of a newer schema.
        """
        values = self._read(RUN_FILE)
        if values is None:
            raise ConfigError(f"{self.path}: no run was begun here; `ebbflow train SCENARIO --out {self.path}` does")
        if values.get("schema", 0) > SCHEMA:
            raise ConfigError(f"{self.path} was written by a newer program (schema {values['schema']}); install that")
        return values

    def state(self) -> dict[str, Any]:
        """Where the run stands; empty before the first word of it."""
        return self._read(STATE_FILE) or {}

    def write_state(self, **changes: Any) -> None:
        """Change what is known of where the run stands."""
        write_text(_json({**self.state(), **changes}), self.path / STATE_FILE)

    def checkpoint(self) -> dict[str, Any] | None:
        """The last one, None before the first."""
        file = self.path / CHECKPOINT_FILE
        return load_torch(file) if file.is_file() else None

    def write_checkpoint(self, values: Mapping[str, Any]) -> None:
        """Replace the last checkpoint; see `save_torch`."""
        save_torch(values, self.path / CHECKPOINT_FILE)

    def write_best(self, values: Mapping[str, Any]) -> None:
        """Replace the best network, or the zip of the best policy that is none."""
        if ZIPPED in values:
            save_bytes(memoryview(values[ZIPPED].numpy()), self.path / BEST_ZIP)
        else:
            save_torch(values, self.path / BEST_FILE)

    def write_validations(self, values: Mapping[str, Any]) -> None:
        """Replace the table of validations."""
        write_text(_json(values), self.path / VALIDATIONS_FILE)

    def shares_known(self) -> bool:
        """Whether the table of validations has the captured shares."""
        return ((self._read(VALIDATIONS_FILE) or {}).get("captured_percent") or {}).get("mpc") is not None

    def add_to_curve(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add updates to the curve."""
        with writing(self.path / CURVE_FILE), (self.path / CURVE_FILE).open("a", encoding="utf-8") as stream:
            stream.writelines(json.dumps(row) + "\n" for row in rows)
            stream.flush()
            os.fsync(stream.fileno())

    def curve(self, until: int) -> list[dict[str, Any]]:
        """The updates up to `until`, each once; what came later or is half a line is forgotten, in the file too."""
        file, rows = self.path / CURVE_FILE, {}
        for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if row["update"] <= until:
                rows[row["update"]] = row
        write_text("".join(json.dumps(row) + "\n" for row in rows.values()), file)
        return list(rows.values())

    def _leave_nothing(self) -> None:
        """Take the folder away again where no run was begun."""
        if not self.exists:
            (self.path / LOCK_FILE).unlink(missing_ok=True)
            if self._took_start:
                (self.path / START_FILE).unlink(missing_ok=True)
            with suppress(OSError):  # it holds something else
                self.path.rmdir()

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            values: dict[str, Any] = json.loads((self.path / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise ConfigError(f"{self.path / name}: not valid JSON: {error}") from error
        return values


def run_name(scenario: str, algorithm: str, seed: int) -> str:
    """What a run is called by what is trained."""
    names = [Path(name).stem if name.endswith(".toml") else name for name in (scenario, algorithm)]
    return "-".join([*names, f"seed{seed}"])


def free_folder(name: str, below: Path = RUNS) -> Path:
    """A folder of that name, or with a number behind it, that nobody has yet."""
    count = 1
    while (folder := below / (name if count == 1 else f"{name}-{count}")).exists():
        count += 1
    return folder


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"
