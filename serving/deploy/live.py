"""A service that follows its deployment: what is deployed decides from the next cycle on, and none is lost."""

from __future__ import annotations

import logging
import math
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from ...configs.messages import ConfigError
from ..core.challenger import CanaryRunner
from ..core.cycle import Kit, make_kit
from ..core.runners import BundleRunner, Runner
from ..core.settings import ServingSettings
from ..messages.answer import ModelId
from ..service import Service
from ..service.models import load_model
from .record import FILE, Deployment, Slot, is_deployment, read_deployment
from .shadow import Shadow

log = logging.getLogger("ebbflow.serving")

POLL_S, LONGEST_WAIT_S = 1.0, 60.0
"""Between two looks, and between two tries of what cannot be used."""


class Loaded(NamedTuple):
    """A deployment, ready to decide.

    Args:
        kit: with champion, and canary where there is one.
        shadow: the challenger that is asked in shadow; None: nobody is.
        card: what `/v1/model` tells.
        problems: what could not be loaded and is done without.
    """

    kit: Kit
    shadow: Runner | None
    card: dict[str, Any]
    problems: tuple[str, ...]


def load(folder: Path, settings: ServingSettings) -> Loaded:
    """Read and verify what is deployed.

    Raises:
        ConfigError, OSError: the deployment or its champion cannot be used. A challenger that cannot is left out.
    """
    deployment = read_deployment(folder)
    if deployment.champion is None:
        return Loaded(make_kit(settings), None, {}, ())
    champion, card = _runner(folder, deployment.champion, settings)
    card = {**card, "deployment": _card(deployment)}
    try:
        kit, shadow = _with_challenger(folder, deployment, champion, settings)
        return Loaded(kit, shadow, card, ())
    except (ConfigError, OSError) as error:
        return Loaded(make_kit(settings, champion), None, card, (f"the challenger is left out: {error}",))


def _with_challenger(
    folder: Path, deployment: Deployment, champion: Runner, settings: ServingSettings
) -> tuple[Kit, Runner | None]:
    slot, share = deployment.challenger, deployment.canary_share
    if slot is None:
        return make_kit(settings, champion), None
    if share > settings.challenger.most_canary_share:
        most = settings.challenger.most_canary_share
        raise ConfigError(f"a canary of {share:.0%} of the cars is more than challenger.most_canary_share, {most:.0%}")
    challenger, _ = _runner(folder, slot, settings)
    if share:
        return make_kit(settings, CanaryRunner(champion, challenger, share)), None
    return make_kit(settings, champion), challenger if settings.challenger.shadow else None


def _runner(folder: Path, slot: Slot, settings: ServingSettings) -> tuple[Runner, dict[str, Any]]:
    runner, card = load_model(f"{folder / slot.place}#{slot.sha256}", settings)
    assert isinstance(runner, BundleRunner)
    runner.model = ModelId(slot.name, slot.version or runner.model.version, slot.sha256)
    return runner, card


def _card(deployment: Deployment) -> dict[str, Any]:
    told = deployment.model_dump(mode="json", include={"champion", "challenger", "canary_share"})
    return {**told, "previous": [str(slot) for slot in deployment.previous]}


def _told(model: ModelId) -> str:
    return f"{f'{model.name} {model.version}'.rstrip()}, digest {model.sha256}"


class Follower:
    """Looks at a deployment now and then, and gives the service what it says.

    What cannot be used changes nothing: the service goes on with what it has, says so, and tries it again, for a disk
    that cannot be read now may be back in a second.

    Args:
        service: whose kit is replaced.
        folder: of the deployment.
        poll_s: between two looks.
    """

    def __init__(self, service: Service, folder: Path, poll_s: float = POLL_S) -> None:
        self._service, self._folder, self._poll_s = service, folder, poll_s
        self._settings, self._seen = service.kit.settings, (-1, -1, -1)
        self._again_s, self._wait_s = math.inf, poll_s  # until what could not be used is tried again
        self._shadow = Shadow(service)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="deployment", daemon=True)
        self.failures = 0

    def start(self) -> None:
        """Look once now, and then for as long as the service runs; an empty folder waits for its first deployment."""
        if not is_deployment(self._folder):
            self._seen = self._state()
            self._tell((f"nothing is deployed in {self._folder} yet, the rules decide",))
        self.look()
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._shadow.stop()

    def look(self) -> bool:
        """Take up what is deployed where it changed, or could not be used; whether it now could."""
        state, now_s = self._state(), time.monotonic()
        if state == self._seen and now_s < self._again_s:
            return False
        self._wait_s = self._poll_s if state != self._seen else min(2.0 * self._wait_s, LONGEST_WAIT_S)
        self._seen = state
        try:
            found = load(self._folder, self._settings)
        except Exception as error:
            self.failures += 1
            self._again_s = now_s + self._wait_s
            self._service.metrics.reload_failures.inc()
            self._tell((f"what is deployed cannot be used, the service goes on as it was: {error}",))
            return False
        self._again_s = math.inf
        self._service.card = found.card
        self._shadow.challenger = found.shadow
        self._service.replace_kit(found.kit)
        runner = found.kit.runner
        log.info("deployed: %s", "the rules" if runner is None else _told(runner.model))
        self._tell(found.problems)
        return True

    def _tell(self, problems: tuple[str, ...]) -> None:
        for problem in problems:
            if problem not in self._service.problems:
                log.error(problem)
        self._service.problems = problems

    def _state(self) -> tuple[int, int, int]:
        try:
            found = (self._folder / FILE).stat()
        except OSError:
            return (0, 0, 0)
        return (found.st_mtime_ns, found.st_ino, found.st_size)

    def _follow(self) -> None:
        while not self._stop.wait(self._poll_s):
            self.look()
