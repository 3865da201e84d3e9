"""The optimum: what perfect foresight could reach on a day, as a lower bound, and its plan played in the simulator."""

from .replay import PlannedSetpoints
from .solve import Optimum, solve_optimum

__all__ = ["Optimum", "PlannedSetpoints", "solve_optimum"]
