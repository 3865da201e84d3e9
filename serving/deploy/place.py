"""Putting a bundle into a deployment, and taking it back: verified first, then all at once."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from ...agents.bundle import Bundle, load_bundle
from ...configs.messages import ConfigError
from .proof import Proof, prove
from .record import BUNDLES, Deployment, Slot, is_deployment, locked, read_deployment, write_deployment
from .registry import SCHEME, fetch

Say = Callable[[str], None]


def deploy(
    source: str,
    folder: Path,
    *,
    challenger: bool = False,
    canary_share: float = 0.0,
    tracking: str | None = None,
    say: Say = lambda text: None,
) -> Deployment:
    """Fetch a bundle, verify and prove it, and let it decide; a service that runs takes it up by itself.

    Args:
        source: `models:/NAME@ALIAS`, `models:/NAME/VERSION`, or a bundle's folder.
        folder: of the deployment; made where it is missing.
        challenger: not as champion but beside it: in shadow, or for a share of the cars.
        canary_share: of the cars that the challenger decides for.
        tracking: MLflow store.
        say: told what happens.

    Raises:
        ConfigError: there is no such bundle, it is not what was registered, or does not answer as it should; nothing
            of the deployment is changed then.
    """
    with locked(folder):
        now = read_deployment(folder) if is_deployment(folder) else Deployment()
        (folder / BUNDLES).mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as beside:
            slot, bundle = _fetched(source, Path(beside), tracking)
            say(f"verified {slot}")
            _tell(prove(bundle), say)
            _keep(bundle, folder / slot.place)
        made = now.with_challenger(slot, canary_share) if challenger else now.with_champion(slot)
        write_deployment(folder, made)
        _forget_others(folder, made)
    return made


def roll_back(folder: Path, *, challenger: bool = False) -> Deployment:
    """Let the champion before this one decide again, or take the challenger away.

    Raises:
        FileNotFoundError: there is no deployment.
        ConfigError: there is nothing to go back to, or it is no longer what it was; nothing is changed then.
    """
    read_deployment(folder)
    with locked(folder):
        now = read_deployment(folder)
        if challenger and now.challenger is None:
            raise ConfigError("there is no challenger to take away")
        made = now.with_challenger(None) if challenger else now.rolled_back()
        if made.champion is not None:
            load_bundle(folder / made.champion.place, made.champion.sha256)
        write_deployment(folder, made)
    return made


def _fetched(source: str, beside: Path, tracking: str | None) -> tuple[Slot, Bundle]:
    at = datetime.now(UTC).replace(microsecond=0)
    if source.startswith(SCHEME):
        got = fetch(source, beside, tracking)
        bundle = load_bundle(got.folder, got.sha256)
        return Slot(name=got.name, version=got.version, sha256=got.sha256, source=source, deployed_at=at), bundle
    path, _, digest = source.partition("#")
    bundle = load_bundle(path, digest or None)
    name = Path(path).resolve().name
    return Slot(name=name, sha256=bundle.digest, source=source, deployed_at=at), bundle


def _tell(proof: Proof, say: Say) -> None:
    say(
        f"onnxruntime and ONNX's reference agree to {proof.worst:.1g} on {proof.fleets} fleets; "
        f"{proof.tolerance:g} is let pass"
    )
    say(f"100 cars take {proof.ms_100:.2f} ms in the graph")


def _keep(bundle: Bundle, place: Path) -> None:
    """The bundle in its place, byte for byte as it was verified; what lies there already is verified too."""
    if place.exists():
        try:
            load_bundle(place, bundle.digest)
            return
        except ConfigError:
            shutil.rmtree(place)
    beside = Path(tempfile.mkdtemp(prefix=".", suffix=".part", dir=place.parent))
    try:
        shutil.copytree(bundle.folder, beside, symlinks=True, dirs_exist_ok=True)
        beside.chmod(0o755)
        load_bundle(beside, bundle.digest)
        for path in (*beside.iterdir(), beside):
            _flush(path)
        os.replace(beside, place)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _forget_others(folder: Path, deployment: Deployment) -> None:
    """Remove bundles that nobody can go back to; a service that runs one has it in memory."""
    kept = {slot.place.name for slot in deployment.slots}
    for path in (folder / BUNDLES).iterdir():
        if path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)
