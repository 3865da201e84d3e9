"""A progress bar for `Pathwise.learn`: stable-baselines3's own counts environment steps one by one, and wants tqdm."""

from __future__ import annotations

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from stable_baselines3.common.callbacks import BaseCallback


class RichProgress(BaseCallback):
    """Shows time steps, time left and the last update's dollars."""

    def __init__(self) -> None:
        super().__init__()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, transient=True)
        self._task: TaskID | None = None

    def _on_training_start(self) -> None:
        self._task = self._progress.add_task("training", total=self.locals["total"], completed=self.num_timesteps)
        self._progress.start()

    def _on_step(self) -> bool:
        assert self._task is not None
        usd = self.locals["update"].usd_per_car_day
        self._progress.update(self._task, completed=self.num_timesteps, description=f"$ {usd:.3f} per car and day")
        return True

    def _on_training_end(self) -> None:
        self._progress.stop()
