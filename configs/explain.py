"""Sentences for the errors that a user can mend: bad input, missing files, full disks and missing extras."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

DISTRIBUTION = "ebbflow"

_FILE_ERRORS = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, FileExistsError)


def explanation(error: BaseException) -> str | None:
    """What to tell the user about `error`, or None where it is no fault of the input but of the program."""
    from zoneinfo import ZoneInfoNotFoundError

    if isinstance(error, ModuleNotFoundError):
        return missing_extra(error.name or "")
    if isinstance(error, _FILE_ERRORS):
        # A loader of ours says it in a sentence of its own; the operating system gives name and reason apart.
        return str(error) if error.filename is None else f"{error.filename}: {error.strerror}"
    if isinstance(error, ZoneInfoNotFoundError):
        return f"{error.args[0]}; check the name, or install the time zones: pip install tzdata"
    if isinstance(error, (ValueError, ChildProcessError)):
        return str(error) or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        # The system's own, with a number and a reason; what a library raises in its place may be a bug.
        return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    return None


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Let an error of the operating system name the file: what fails on writing, as on a full disk, does not.

    Raises:
        OSError: what happened in the block, with `target` as its file where it named none.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(target)
        raise


def missing_extra(module: str) -> str | None:
    """Sentence that names the extra to install for a module that is not there.

    Returns None for a module that no extra of this distribution brings.
    """
    wanted = _plain(module.partition(".")[0])
    extras = [extra for name, extra in _optional_requirements() if name == wanted]
    if not extras:
        return None
    return f'this needs {wanted}, which is not installed; run: pip install "{DISTRIBUTION}[{extras[0]}]"'


def _optional_requirements() -> list[tuple[str, str]]:
    """Pairs of a required distribution and the extra that requires it, in the project's order."""
    try:
        requirements = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return []
    found = []
    for requirement in requirements:
        name, extra = re.match(r"[\w.-]+", requirement), re.search(r"""extra == ['"]([\w.-]+)""", requirement)
        if name and extra and name[0] != DISTRIBUTION:
            found.append((_plain(name[0]), extra[1]))
    return found


def _plain(name: str) -> str:
    """One spelling for the name of a module and of its distribution (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
