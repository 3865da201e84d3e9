"""The safety projection and its look-ahead plan."""

from .projection import Projection, Projector, Reserve, make_projector
from .reasons import Reason

__all__ = ["Projection", "Projector", "Reason", "Reserve", "make_projector"]
