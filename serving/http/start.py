"""From the options of `ebbflow serve` to a running server."""

from __future__ import annotations

import logging
from pathlib import Path

from ...configs.messages import ConfigError
from ..commands import DEFAULT_TOKENS
from ..core.cycle import make_kit
from ..core.settings import ServingSettings, load_serving
from ..deploy.live import Follower
from ..deploy.record import is_followed
from ..ledger.reader import LedgerDown
from ..ledger.store import Ledger
from ..service import Service
from ..service.models import load_model
from .access import Access
from .app import create_app
from .limits import Limits
from .server import is_loopback, listen, run
from .tokens import TokenFile

log = logging.getLogger("ebbflow.serving")


def start(
    host: str, port: int, ledger: str, bundle: str | None, preset: str, overrides: tuple[str, ...], tokens: Path | None
) -> None:
    """Serve until it is stopped.

    Raises:
        ConfigError: an option cannot be; a public address without tokens; a ledger that cannot be opened; a port that
            is taken.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    log.setLevel(logging.INFO)
    settings = load_serving(preset, overrides)
    access = make_access(host, tokens)
    limits = Limits()
    service = make_service(settings, ledger, bundle)
    app = create_app(service, access, limits)
    try:
        sockets = listen(host, port)
        port = sockets[0].getsockname()[1]
        log.info("listening on http://%s:%d, %s, ledger %s", host, port, _policy(service), service.ledger.name)
        if access.open:
            log.info("no tokens: every program of this machine may call it; `ebbflow token create` ends that at once")
        elif not access.has_tokens:
            log.warning("%s holds no tokens: nobody may call it; see `ebbflow token create`", tokens or DEFAULT_TOKENS)
        run(app, sockets, limits)
    finally:
        service.close()


def make_access(host: str, tokens: Path | None, default: Path = DEFAULT_TOKENS) -> Access:
    """Who may call a service on `host`.

    Args:
        host: a name or an address of this machine.
        tokens: the file that was named; it has to hold tokens. None: `default`, which need not be there.
        default: see there.

    Raises:
        ConfigError: others could call it, or a file is named, and there are no tokens.
    """
    file = TokenFile(tokens or default)
    if file.tokens():
        return Access(file)
    if tokens is not None:
        raise ConfigError(
            f"--tokens {tokens} holds no tokens, so nobody could call; make one with `ebbflow token create NAME "
            f"--scope dispatch --tokens {tokens}`, or leave --tokens out to be open to this machine"
        )
    if not is_loopback(host):
        raise ConfigError(
            f"{host} can be reached by others and {default} holds no tokens; make one with "
            "`ebbflow token create NAME --scope dispatch`, or listen on 127.0.0.1"
        )
    return Access(file, open_without=True)


def make_service(settings: ServingSettings, ledger: str, bundle: str | None) -> Service:
    """A service with its ledger and, where one can be loaded, its policy.

    Raises:
        ConfigError: the ledger cannot be opened.
    """
    try:
        opened = Ledger(ledger)
    except LedgerDown as down:
        raise ConfigError(f"the ledger cannot be opened: {down}") from None
    service = Service(make_kit(settings), opened)
    service.recall()
    if bundle is not None and is_followed(bundle):
        follower = Follower(service, Path(bundle))
        service.closing.append(follower.stop)
        follower.start()
    elif bundle is not None:
        try:
            runner, service.card = load_model(bundle, settings)
            service.replace_kit(make_kit(settings, runner))
        except (ConfigError, OSError) as error:
            service.problems = (f"the policy cannot be used, the rules decide: {error}",)
            log.error(service.problems[0])
    return service


def _policy(service: Service) -> str:
    runner = service.kit.runner
    return "no policy: the rules decide" if runner is None else f"policy {runner.model.name} {runner.model.sha256[:12]}"
