"""The root command: finds commands in entry points, comes up fast, says what is wrong in one message."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
from importlib import metadata
from pathlib import Path

import pytest

from ebbflow.configs.cli import main
from ebbflow.configs.explain import explanation, missing_extra, writing

from ..machine import slowness  # noqa: TID252

COMMANDS = '''
    """Commands planted for the tests."""
    import typer
    from typing import Annotated

    def hello(name: str, times: Annotated[int, typer.Option(help="How often.")] = 1) -> None:
        """Greet somebody."""
        print(f"hello {name} " * times)

    def fail(kind: str) -> None:
        """Raise what is asked for."""
        errors = {
            "value": ValueError("port 3: max_current_a is 5.0, below the 6 A minimum of IEC 61851"),
            "bug": RuntimeError("a bug"),
            "extra": ModuleNotFoundError("No module named 'numba'", name="numba"),
            "pipe": BrokenPipeError(32, "Broken pipe"),
        }
        if kind == "file":
            open("/nowhere/prices.csv")
        raise errors[kind]

    def wait() -> None:
        """Wait for ever."""
        import time
        print("waiting", flush=True)
        time.sleep(60)

    fleet = typer.Typer(help="Several commands in one Typer.")

    @fleet.command("list")
    def list_() -> None:
        """List the fleet."""
        print("25 cars")

    @fleet.command()
    def show(name: str) -> None:
        """Show one car."""
        print(f"car {name}")
'''

ENTRY_POINTS = """
    [ebbflow.commands]
    hello = planted_commands:hello
    fleet = planted_commands:fleet
    fail = planted_commands:fail
    wait = planted_commands:wait
    deep.inside.greet = planted_commands:hello
    deep.fail = planted_commands:fail
    absent = planted_commands:absent
    needy = planted_needy:run
"""


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another distribution that registers commands; returns the folder to put on the path."""
    information = tmp_path / "planted-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: planted\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(textwrap.dedent(ENTRY_POINTS))
    (tmp_path / "planted_commands.py").write_text(textwrap.dedent(COMMANDS))
    (tmp_path / "planted_needy.py").write_text("import stable_baselines3_of_tomorrow\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("EBBFLOW_DEBUG", raising=False)
    monkeypatch.delitem(sys.modules, "planted_commands", raising=False)
    return tmp_path


@pytest.mark.usefixtures("planted")
class TestCommands:
    def test_a_function_becomes_a_command(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["hello", "world", "--times", "2"]) == 0
        assert capsys.readouterr().out == "hello world hello world \n"

    def test_a_typer_becomes_a_group(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["fleet", "show", "A7"]) == 0
        assert main(["fleet", "list"]) == 0
        assert capsys.readouterr().out == "car A7\n25 cars\n"

    def test_a_dotted_name_makes_sub_groups(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["deep", "inside", "greet", "you"]) == 0
        assert capsys.readouterr().out == "hello you \n"

    def test_help_has_a_line_for_each(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--help"]) == 0
        text = capsys.readouterr().out
        for part in ("Greet somebody.", "Several commands in one", "deep", "inside.greet"):
            assert part in text

    def test_a_command_that_cannot_be_loaded_leaves_the_others_alone(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--help"]) == 0
        text = " ".join(capsys.readouterr().out.split())
        assert "stable_baselines3_of_tomorrow" in text
        assert "Greet somebody." in text

    def test_only_the_command_in_use_is_loaded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delitem(sys.modules, "planted_needy", raising=False)
        assert main(["hello", "x"]) == 0
        assert "planted_commands" in sys.modules
        assert "planted_needy" not in sys.modules

    def test_an_unknown_command_offers_the_nearest(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["helo"]) == 2
        assert "hello" in capsys.readouterr().err

    def test_an_unknown_option_is_refused(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["hello", "x", "--tims", "3"]) == 2
        assert "--tims" in capsys.readouterr().err


@pytest.mark.usefixtures("planted")
class TestErrors:
    def test_bad_input_is_one_line_and_exit_2(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["fail", "value"]) == 2
        message = "error: port 3: max_current_a is 5.0, below the 6 A minimum of IEC 61851\n"
        assert capsys.readouterr().err == message

    def test_a_missing_file_is_named(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["deep", "fail", "file"]) == 2
        assert capsys.readouterr().err == "error: /nowhere/prices.csv: No such file or directory\n"

    def test_a_missing_extra_is_named(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["fail", "extra"]) == 2
        assert 'pip install "ebbflow[sim]"' in capsys.readouterr().err

    def test_debug_shows_the_traceback_too(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--debug", "fail", "value"]) == 2
        text = capsys.readouterr().err
        assert "Traceback" in text
        assert text.endswith("IEC 61851\n")

    def test_debug_by_environment(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("EBBFLOW_DEBUG", "1")
        assert main(["fail", "value"]) == 2
        assert "Traceback" in capsys.readouterr().err

    def test_a_bug_is_not_dressed_up_as_bad_input(self) -> None:
        with pytest.raises(RuntimeError, match="a bug"):
            main(["fail", "bug"])


def hears_ctrl_c() -> None:
    """Where the tests themselves run in the background of a script, it is ignored from the start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_ends_with_130_and_one_line(planted: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(planted)}
    command = [sys.executable, "-m", "ebbflow.configs.cli", "wait"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "preexec_fn": hears_ctrl_c}
    with subprocess.Popen(command, env=environment, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors == "interrupted\n"


def test_version_is_that_of_the_distribution(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"ebbflow {metadata.version('ebbflow')}\n"


@pytest.mark.slow
def test_help_comes_up_in_under_half_a_second(tmp_path: Path) -> None:
    script = Path(sys.executable).parent / "ebbflow"
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        done = subprocess.run([script, "--help"], cwd=tmp_path, capture_output=True, text=True, check=True)
        seconds.append(time.perf_counter() - start)
    assert "bench" in done.stdout
    assert min(seconds) < 0.5 * slowness()


@pytest.mark.parametrize(
    ("module", "extra"),
    [("numba", "sim"), ("stable_baselines3", "train"), ("matplotlib.pyplot", "sim"), ("ray", "ray")],
)
def test_the_extra_of_a_module(module: str, extra: str) -> None:
    assert f"[{extra}]" in (missing_extra(module) or "")


def test_an_error_of_the_system_is_told_with_its_file_and_reason() -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "run/run.json")
    assert explanation(full) == "run/run.json: No space left on device"
    assert explanation(OSError(errno.ENOSPC, "No space left on device")) == "No space left on device"
    assert explanation(ConnectionError("a library's own words")) is None
    assert explanation(OSError()) is None


def test_what_fails_on_writing_is_told_with_its_file() -> None:
    with pytest.raises(OSError, match="No space left") as caught, writing(Path("mine")):
        Path("/dev/full").write_text("x")
    assert explanation(caught.value) == "mine: No space left on device"


def test_a_module_of_no_extra_is_a_bug() -> None:
    assert missing_extra("ebbflow.envs.nothing") is None
    assert explanation(ModuleNotFoundError("No module named 'x'", name="x")) is None
