"""What `ebbflow dispatch` was told, and what of it cannot be meant together."""

from __future__ import annotations

from dataclasses import dataclass

from ...configs.messages import ConfigError, unknown_name

KINDS = ("files", "http", "https", "ocpp", "simulated")


@dataclass(frozen=True)
class Options:
    """What `ebbflow dispatch` was told; see its help."""

    port: str
    fleet: str | None = None
    interval_minutes: int = 15
    zone: str | None = None
    url: str | None = None
    token: str | None = None
    site_token: str | None = None
    ledger: str | None = None
    bundle: str | None = None
    policy: str | None = None
    prices: tuple[str, ...] = ()
    prices_token: str | None = None
    tariff: str | None = None
    location: str | None = None
    market: str | None = None
    preset: str | None = None
    overrides: tuple[str, ...] = ()
    dry_run: bool = False
    watch_s: float = 30.0
    cycles: int | None = None
    as_json: bool = False

    @property
    def kind(self) -> str:
        """Of port."""
        return self.port.partition(":")[0]

    @property
    def place(self) -> str:
        """What stands behind the kind."""
        return self.port if self.kind.startswith("http") else self.port.partition(":")[2]


def check(options: Options) -> None:
    """Refuse what cannot be meant.

    Raises:
        ConfigError: it says what, and what to write.
    """
    if options.kind not in KINDS or not options.place:
        kinds = "simulated:SCENARIO, files:FOLDER, http://GATEWAY or ocpp:SITE.toml"
        raise ConfigError(f"{unknown_name('kind of port', options.kind, KINDS)}; write {kinds}")
    if options.url is not None:
        here = {"--bundle": options.bundle, "--policy": options.policy, "--ledger": options.ledger}
        given = [name for name, value in here.items() if value is not None]
        if given:
            raise ConfigError(f"{given[0]} is the service's at {options.url}; leave it out, or --url")
        if options.dry_run:
            raise ConfigError(
                "--dry-run decides in this process: the service would keep in its ledger what was never sent; "
                "leave out --url"
            )
    if options.kind == "simulated":
        real = {"--zone": options.zone, "--tariff": options.tariff, "--prices": options.prices or None}
        given = [name for name, value in real.items() if value is not None]
        if given:
            raise ConfigError(
                f"{given[0]} is the scenario's, whose day is simulated; leave it out, or change the scenario"
            )
    if options.bundle is not None and options.policy is not None:
        raise ConfigError("--bundle and --policy both name who decides; give one")
