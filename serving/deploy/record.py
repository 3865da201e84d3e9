"""A deployment: a folder of verified bundles, and one file that says which of them decides."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...configs.messages import ConfigError, describe

FILE, BUNDLES, LOCK = "deployment.json", "bundles", ".lock"

SCHEMA = 1

KEPT = 5
"""Champions that can be gone back to."""

LARGEST_BYTES = 1 << 20

SHA256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Slot(_Part):
    """A deployed bundle.

    Args:
        name: of the registered model, or of the bundle's folder.
        version: of the registered model; empty for a folder.
        sha256: digest of the bundle, which is all that is loaded.
        source: what was asked for.
        deployed_at: when.
    """

    name: str
    version: str = ""
    sha256: SHA256
    source: str
    deployed_at: datetime

    @property
    def place(self) -> Path:
        """Where the bundle lies in the deployment."""
        return Path(BUNDLES) / self.sha256[:16]

    def __str__(self) -> str:
        return f"{self.name}{f' version {self.version}' if self.version else ''} ({self.sha256[:12]})"


class Deployment(_Part):
    """What a deployment says.

    Args:
        champion: who decides; None: the rules.
        challenger: who is tried beside it; None: nobody.
        canary_share: of the cars that the challenger decides for; 0: none, it is asked in shadow.
        previous: champions before, the latest first.
    """

    schema_version: int = SCHEMA
    champion: Slot | None = None
    challenger: Slot | None = None
    canary_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    previous: tuple[Slot, ...] = ()

    def with_champion(self, slot: Slot) -> Deployment:
        """With another champion; a challenger that it was is none any more."""
        before = () if self.champion is None else (self.champion,)
        kept = tuple(one for one in (*before, *self.previous) if one.sha256 != slot.sha256)[:KEPT]
        same = self.challenger is not None and self.challenger.sha256 == slot.sha256
        return self.model_copy(
            update={"champion": slot, "previous": kept}
            | ({"challenger": None, "canary_share": 0.0} if same else {})
        )  # fmt: skip

    def with_challenger(self, slot: Slot | None, canary_share: float = 0.0) -> Deployment:
        """With another challenger, or without.

        Raises:
            ConfigError: it is the champion.
        """
        if slot is not None and self.champion is not None and slot.sha256 == self.champion.sha256:
            raise ConfigError(f"{slot} is the champion already; a challenger is another policy")
        return self.model_copy(update={"challenger": slot, "canary_share": canary_share if slot else 0.0})

    def rolled_back(self) -> Deployment:
        """With the champion before this one.

        Raises:
            ConfigError: there is none.
        """
        if not self.previous:
            raise ConfigError("no champion before this one is kept; deploy one by `ebbflow deploy --from`")
        first, *rest = self.previous
        return self.model_copy(update={"champion": first, "previous": tuple(rest)})

    @property
    def slots(self) -> tuple[Slot, ...]:
        """All bundles that it names."""
        return tuple(slot for slot in (self.champion, self.challenger, *self.previous) if slot is not None)


def is_deployment(place: str | Path) -> bool:
    """Whether a folder is a deployment and not a bundle."""
    return (Path(place) / FILE).is_file()


def is_followed(place: str | Path) -> bool:
    """Whether a service follows a folder: a deployment, or one that waits for its first, which may have failed once."""
    folder = Path(place)
    return is_deployment(folder) or (
        folder.is_dir() and all(path.name == BUNDLES or path.name.startswith(".") for path in folder.iterdir())
    )


def read_deployment(folder: Path) -> Deployment:
    """What a deployment says.

    Raises:
        FileNotFoundError: there is none.
        ConfigError: it cannot be read.
    """
    path = folder / FILE
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: no deployment; make one by `ebbflow deploy --from`")
    text = path.read_bytes()[: LARGEST_BYTES + 1]
    if len(text) > LARGEST_BYTES:
        raise ConfigError(f"{path}: larger than {LARGEST_BYTES} bytes, the most that is read")
    try:
        found = Deployment.model_validate_json(text)
    except ValidationError as error:
        raise ConfigError(describe(error, Deployment, str(path), ())) from None
    if found.schema_version > SCHEMA:
        raise ConfigError(f"{path}: written in schema {found.schema_version}, this program reads up to {SCHEMA}")
    return found


def write_deployment(folder: Path, deployment: Deployment) -> None:
    """Write it whole or not at all; a service that runs takes it up by itself."""
    beside = folder / f".{FILE}.{os.getpid()}.part"
    try:
        with beside.open("w") as file:
            file.write(deployment.model_dump_json(indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, folder / FILE)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One at a time may change a deployment.

    Raises:
        ConfigError: another process does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(f"{folder}: another process is deploying there; wait for it") from None
        yield
