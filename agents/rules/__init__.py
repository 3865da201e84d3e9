"""Rules: the simple ways to charge a fleet that a policy has to beat, and the references that run raw."""

from .cheapest_hours import CheapestHours
from .fallback import Fallback
from .latest import AsLateAsPossible
from .least_laxity import LeastLaxity
from .round_robin import RoundRobin
from .time_of_use import TimeOfUse
from .uncontrolled import Uncontrolled

RULES = (
    "uncontrolled", "as_late_as_possible", "time_of_use", "cheapest_hours", "least_laxity", "round_robin",
)  # fmt: skip
"""The rules by name, in the order in which tables show them."""

__all__ = [
    "RULES",
    "AsLateAsPossible",
    "CheapestHours",
    "Fallback",
    "LeastLaxity",
    "RoundRobin",
    "TimeOfUse",
    "Uncontrolled",
]
