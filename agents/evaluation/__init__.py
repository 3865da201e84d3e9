"""Evaluation: every controller on the same days, beside charging at once and the perfect-foresight optimum."""

from .bound import BoundBeatenError, NeglectPaysError
from .result import EvaluationResult
from .runs import evaluate

__all__ = ["BoundBeatenError", "EvaluationResult", "NeglectPaysError", "evaluate"]
