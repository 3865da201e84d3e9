"""What a policy that fits every fleet is trained on: many fleets, each with days of its own."""

from .banks import Fleet, drawn_fleets, fleet_days
from .fleets import Distribution, draw_fleet, specialist

__all__ = ["Distribution", "Fleet", "draw_fleet", "drawn_fleets", "fleet_days", "specialist"]
