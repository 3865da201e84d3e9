"""What a policy that fits every fleet is trained on: many fleets, each with days of its own."""

from .banks import Fleet, drawn_fleets
from .fleets import Distribution, specialist

__all__ = ["Distribution", "Fleet", "drawn_fleets", "specialist"]
