"""The folder: `model.onnx`, `manifest.json`, and `SHA256SUMS`, which `sha256sum -c` reads too."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ...configs.explain import writing
from ...configs.messages import ConfigError
from ...envs.encoding import observation_hash
from .graph import check_graph
from .manifest import Manifest, read_manifest

MODEL, MANIFEST, DIGESTS = "model.onnx", "manifest.json", "SHA256SUMS"

LARGEST_BYTES = {MODEL: 64 << 20, MANIFEST: 4 << 20, DIGESTS: 4 << 10}
"""A file that is larger is not read; a policy of 40,000 weights takes 200 kB."""


@dataclass(frozen=True)
class Bundle:
    """A bundle that was verified, held in memory: what is run is what was looked at.

    Args:
        manifest: what it says about itself.
        model: the ONNX graph.
        digest: SHA-256 of `SHA256SUMS`, and so of everything; 64 hexadecimal digits.
        folder: where it was read.
    """

    manifest: Manifest
    model: bytes
    digest: str
    folder: Path


def load_bundle(folder: str | Path, digest: str | None = None) -> Bundle:
    """Read and verify a bundle; no code of its own is run.

    Args:
        folder: the bundle's.
        digest: what its digest must be; None: whatever its own files say.

    Raises:
        FileNotFoundError: there is no such folder.
        ConfigError: a file that is missing, changed, too large, a link or not covered by the digests; another
            digest than asked for; a newer schema; another observation; a graph that holds what it may not.
    """
    folder = Path(folder)
    _check_names(folder)
    sums = _read(folder, DIGESTS)
    found = hashlib.sha256(sums).hexdigest()
    if digest is not None and digest != found:
        raise ConfigError(f"{folder}: the bundle's digest is {found}, but {digest} was asked for")
    expected = _parse_digests(sums, folder)
    manifest_text, model = (_verified(folder, name, expected[name]) for name in (MANIFEST, MODEL))
    manifest = read_manifest(manifest_text, str(folder / MANIFEST))
    _check_observation(manifest, folder)
    check_graph(model, str(folder / MODEL))
    return Bundle(manifest, model, found, folder)


def write_bundle(folder: str | Path, model: bytes, manifest: Manifest, *, replace: bool = False) -> Bundle:
    """Write a bundle whole or not at all.

    Args:
        folder: must not exist, or be empty, or be a bundle that `replace` gives up.
        model: the ONNX graph.
        manifest: what it says about itself.
        replace: put it in the place of a bundle that is there.

    Returns:
        The bundle as it was read back.

    Raises:
        ConfigError: something else is there, or `load_bundle` would refuse it.
        OSError: it cannot be written; names the file.
    """
    folder = Path(folder)
    check_free(folder, replace)
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        beside.chmod(0o755)
        files = {MODEL: model, MANIFEST: manifest.to_json().encode()}
        sums = "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
        for name, content in {**files, DIGESTS: sums.encode()}.items():
            with writing(folder / name):
                (beside / name).write_bytes(content)
        written = load_bundle(beside)
        _put(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return dataclasses.replace(written, folder=folder)


def check_free(folder: Path, replace: bool) -> None:
    """Refuse a folder that a bundle cannot be written to.

    Raises:
        ConfigError: something else is there, or a bundle that `replace` does not give up.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ConfigError(f"{folder} is no folder; choose another")
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if names and names != set(LARGEST_BYTES):
        raise ConfigError(f"{folder} holds other files; choose an empty folder or a new one")
    if names and not replace:
        raise ConfigError(f"{folder} holds a bundle already; choose another folder, or replace it (--replace)")


def _put(beside: Path, folder: Path) -> None:
    """Move the new folder into place; what was there is gone only after it could be moved aside."""
    if not folder.exists() or not any(folder.iterdir()):
        os.replace(beside, folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".old", dir=folder.parent))
    os.replace(folder, old)
    os.replace(beside, folder)
    shutil.rmtree(old, ignore_errors=True)


def _check_names(folder: Path) -> None:
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such bundle; write one with `ebbflow export`")
    names = {path.name for path in folder.iterdir()}
    if missing := sorted(LARGEST_BYTES.keys() - names):
        raise ConfigError(f"{folder}: no bundle, {', '.join(missing)} is missing; write one with `ebbflow export`")
    if more := sorted(names - LARGEST_BYTES.keys()):
        raise ConfigError(f"{folder}: {', '.join(more)} is not covered by the digests; a bundle holds nothing else")


def _read(folder: Path, name: str) -> bytes:
    """A plain file's content; a link or a device is not followed."""
    path = folder / name
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read as a plain file: {error.strerror}") from None
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ConfigError(f"{path}: no plain file; a bundle holds nothing else")
        content = file.read(LARGEST_BYTES[name] + 1)
    if len(content) > LARGEST_BYTES[name]:
        raise ConfigError(f"{path}: larger than {LARGEST_BYTES[name]} bytes, the most that is read")
    return content


def _verified(folder: Path, name: str, expected: str) -> bytes:
    content = _read(folder, name)
    if (found := hashlib.sha256(content).hexdigest()) != expected:
        raise ConfigError(f"{folder / name}: changed since the export: SHA-256 is {found}, {DIGESTS} says {expected}")
    return content


def _parse_digests(sums: bytes, folder: Path) -> dict[str, str]:
    """SHA-256 by file name, of exactly the files that a bundle has."""
    lines = [line.split("  ") for line in sums.decode("ascii", "replace").splitlines()]
    found = {line[1]: line[0] for line in lines if len(line) == 2}
    if len(lines) != 2 or found.keys() != {MODEL, MANIFEST}:
        raise ConfigError(f"{folder / DIGESTS}: must name {MODEL} and {MANIFEST} and nothing else, a line each")
    return found


def _check_observation(manifest: Manifest, folder: Path) -> None:
    if manifest.observation_hash != observation_hash():
        raise ConfigError(
            f"{folder}: trained on observation {manifest.observation_hash}, but this program observes "
            f"{observation_hash()}; train it again, or install the release that it was trained with "
            f"({manifest.versions.get('ebbflow', 'unknown')})"
        )
