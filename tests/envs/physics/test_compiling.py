"""Compiled code is kept under a digest of all it depends on: a file that is missed would leave stale code running."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import numpy as np

from ebbflow.envs.action import requested_power
from ebbflow.envs.encoding import decoder, make_encoder
from ebbflow.envs.encoding import kernels as encoding
from ebbflow.envs.physics import kernels as physics
from ebbflow.envs.physics import now_kernels
from ebbflow.envs.physics.compiling import inlined_sources
from ebbflow.envs.safety import kernels as safety
from ebbflow.envs.safety import make_projector, survey_kernel
from ebbflow.envs.simulator import Simulator

from ..worlds import worlds  # noqa: TID252

ROOT = Path(__file__).parents[3]
ROOMS = ("envs", "training")
MARKS = ("@kernel", "@compile_\n")


def read_files() -> dict[Path, str]:
    return {path: path.read_text() for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))}


def imported(path: Path) -> set[Path]:
    """Files of ours that a module imports at its top, where its kernels find names."""
    found: set[Path] = set()
    for node in ast.parse(path.read_text()).body:
        if not isinstance(node, ast.ImportFrom) or node.level == 0:
            continue
        base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
        inside = {base / f"{name.name}.py" for name in node.names}
        found |= {one for one in {base.with_suffix(".py"), *inside} if one.exists()}
    return found


def closure(of: set[Path]) -> set[Path]:
    seen: set[Path] = set()
    while of:
        seen |= of
        of = set().union(*map(imported, of)) - seen
    return seen


def digested() -> set[Path]:
    return {path.resolve() for path in inlined_sources()}


def test_all_that_a_kernel_can_inline_is_in_the_digest() -> None:
    kernels = {path for path, text in read_files().items() if any(mark in text for mark in MARKS)}
    assert len(kernels) > 15
    used = {path for path in closure(kernels) if path.is_relative_to(ROOT / "envs")}
    assert used <= digested(), "import it elsewhere, or name it in physics/compiling.py"


def test_array_form_is_not_so_that_its_changes_compile_nothing_again() -> None:
    spared = {path for room in ("physics", "safety", "encoding") for path in (ROOT / "envs" / room).glob("array*.py")}
    assert len(spared) > 15
    assert not spared & digested()


def tuples_in(kind: Any) -> set[Path]:
    """Files that define the named tuples within a type of Numba's."""
    found = set().union(*map(tuples_in, kind)) if hasattr(kind, "types") else set()
    if hasattr(kind, "instance_class"):
        found.add(Path(inspect.getfile(kind.instance_class)).resolve())
    return found


def test_the_tuples_that_kernels_are_given_are_defined_in_files_of_the_digest() -> None:
    """No kernel need import those that its callers hand over."""
    simulator = Simulator(worlds(0, 2, hours=4), 2, backend="numba")
    simulator.reset()
    snapshot = simulator.snapshot()
    asked = requested_power(snapshot, np.ones(snapshot.ports.soc.shape), "numba")
    simulator.step(make_projector("numba").project(snapshot, asked).applied_kw)
    make_encoder("numba").encode(snapshot)
    entries = (physics.begin, physics.advance, now_kernels.look, survey_kernel.survey_cars, safety.project)
    for entry in (*entries, decoder.decode, encoding.encode):
        assert entry.nopython_signatures, f"{entry.__name__} was not called"
        given = set().union(*(tuples_in(kind) for one in entry.nopython_signatures for kind in one.args))
        assert given <= digested(), entry.__name__
