"""Model-predictive control on issued forecasts and what drivers said (contracts 6)."""

from .expected import Arrivals
from .known import Assumptions
from .policy import Mpc, PersistentLoadMpc

__all__ = ["Arrivals", "Assumptions", "Mpc", "PersistentLoadMpc"]
