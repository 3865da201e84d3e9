"""The root command `ebbflow`, which knows no command itself.

The rooms register theirs in the entry-point group `ebbflow.commands`: a `typer.Typer`, or a function with
Typer's parameters. A dot in the name makes a sub-command (`bench.simulate` is `ebbflow bench simulate`). A
command's module is loaded when the command is used or its line of help is shown.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, MutableMapping, Sequence
from importlib import metadata
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from .explain import DISTRIBUTION, explanation

COMMAND_GROUP = "ebbflow.commands"
INTERRUPTED = 130  # 128 + SIGINT, as shells report it


class Commands(MutableMapping[str, Any]):
    """Commands by name, each loaded from its entry point when it is looked up."""

    def __init__(self, targets: dict[str, metadata.EntryPoint]) -> None:
        self._targets = targets
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def _load(self, name: str) -> Any:
        inner = {k.removeprefix(f"{name}."): v for k, v in self._targets.items() if k.startswith(f"{name}.")}
        if name in self._targets:
            return _command(name, self._targets[name])
        if inner:
            group = TyperGroup(name=name, help=f"Commands: {', '.join(sorted(inner))}.", no_args_is_help=True)
            group.commands = Commands(inner)
            return group
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({name.partition(".")[0] for name in [*self._targets, *self._loaded]}))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]


class Root(TyperGroup):
    """The group `ebbflow`: finds its commands, and turns what a user can mend into one message."""

    def __init__(self, **attributes: Any) -> None:
        targets = {point.name: point for point in metadata.entry_points(group=COMMAND_GROUP)}
        super().__init__(**attributes)
        self.commands = Commands(targets)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; exit 2 with one message on bad input, 130 on Ctrl-C."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _say("interrupted")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            raise
        except Exception as error:
            message = explanation(error)
            if message is None:
                raise
            if ctx.params["debug"]:
                import traceback

                traceback.print_exception(error)
            _say(f"error: {message}")
            raise typer.Exit(2) from None


app = typer.Typer(
    cls=Root,
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{DISTRIBUTION} {metadata.version(DISTRIBUTION)}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
]
Debug = Annotated[bool, typer.Option("--debug", envvar="EBBFLOW_DEBUG", help="Show the traceback of an error too.")]


@app.callback()
def root(version: Version = False, debug: Debug = False) -> None:
    """Train, prove and run charging policies for fleets of electric cars."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `ebbflow` with the given arguments, by default those of the process; returns the exit code."""
    try:
        typer.main.get_command(app).main(args=arguments, prog_name="ebbflow")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


def _command(name: str, point: metadata.EntryPoint) -> Any:
    """The command of an entry point, or one that says why it cannot be loaded."""
    try:
        target = point.load()
    except (ImportError, AttributeError) as error:
        return _broken(name, error)
    if not isinstance(target, typer.Typer):
        target = _alone(target)
    command = typer.main.get_command(target)
    command.name = name.rpartition(".")[2]
    return command


def _alone(function: Any) -> typer.Typer:
    wrapper = typer.Typer(add_completion=False)
    wrapper.command()(function)
    return wrapper


def _broken(name: str, error: ImportError | AttributeError) -> Any:
    """A command in the place of one that cannot be loaded, so that the others and their help still work."""
    from rich.markup import escape

    def explain() -> None:
        raise error

    wrapper = typer.Typer(add_completion=False)
    settings = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
    reason = escape(explanation(error) or str(error))
    wrapper.command(help=f"Not available: {reason}", context_settings=settings)(explain)
    command = typer.main.get_command(wrapper)
    command.name = name
    return command


def _say(text: str) -> None:
    """Print to stderr as it is: unwrapped, so that a path or a command can be copied whole."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(Text(text, style="" if text == "interrupted" else "red"))


if __name__ == "__main__":
    sys.exit(main())
