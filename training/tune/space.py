"""What is searched: settings and their ranges, as a user writes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...configs.messages import ConfigError

if TYPE_CHECKING:
    from optuna.trial import Trial

RANGE = re.compile(r"(?P<low>[^|]+?)\.\.(?P<high>[^|]+?)(?P<log>,log)?")
HELP = "write KEY=LOW..HIGH, KEY=LOW..HIGH,log or KEY=A|B|C, e.g. training.learning_rate=1e-3..2e-2,log"

USUAL = {
    "direct": (
        "training.spread=0.1..1.0,log",
        "training.candidates=8|16|32",
        "training.days=32|64|128",
        "training.most_usd=0.5..8.0,log",
    ),
    "pathwise": (
        "training.learning_rate=1e-3..2e-2,log",
        "training.last_rate=0.01..0.3,log",
        "training.noise=0.0..0.4",
        "training.hold_steps=1|2|4|8",
        "training.worlds=16|32|64",
    ),
    "ppo": (
        "training.learning_rate=3e-4..5e-3,log",
        "training.gae_lambda=0.2..0.98",
        "training.epochs=2..8",
        "training.clip_range=0.1..0.4",
    ),
}
"""What is searched where nothing is asked for, by algorithm."""


@dataclass(frozen=True)
class Dimension:
    """A setting and where it may lie.

    Args:
        key: its dotted name.
        choices: its values, as text; empty: a range.
        low: least value of a range.
        high: greatest value of a range.
        log: the range is searched by orders of magnitude.
        whole: only whole numbers.
    """

    key: str
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False

    def draw(self, trial: Trial) -> str:
        """An override with the value that the trial proposes."""
        if self.choices:
            return f"{self.key}={trial.suggest_categorical(self.key, self.choices)}"
        if self.whole:
            return f"{self.key}={trial.suggest_int(self.key, int(self.low), int(self.high), log=self.log)}"
        return f"{self.key}={trial.suggest_float(self.key, self.low, self.high, log=self.log)!r}"


def parse_space(texts: Sequence[str]) -> tuple[Dimension, ...]:
    """The dimensions that the texts describe.

    Raises:
        ConfigError: a text that describes none, or two of one setting.
    """
    found = tuple(_dimension(text) for text in texts)
    keys = [dimension.key for dimension in found]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise ConfigError(f"{twice} is searched twice; give it one range")
    return found


def _dimension(text: str) -> Dimension:
    key, equals, values = (part.strip() for part in text.partition("="))
    if not equals or not key or not values:
        raise ConfigError(f"--search {text}: {HELP}")
    if "|" in values:
        return Dimension(key, tuple(part.strip() for part in values.split("|")))
    match = RANGE.fullmatch(values)
    try:
        ends = [float(match["low"]), float(match["high"])] if match else []
    except ValueError:
        ends = []
    if match is None or not ends or not ends[0] < ends[1]:
        raise ConfigError(f"--search {text}: {HELP}; the low end first")
    log = match["log"] is not None
    if log and ends[0] <= 0:
        raise ConfigError(f"--search {text}: a range with ,log begins above 0")
    whole = all(re.fullmatch(r"-?\d+", match[end].strip()) for end in ("low", "high"))
    return Dimension(key, (), ends[0], ends[1], log, whole)
