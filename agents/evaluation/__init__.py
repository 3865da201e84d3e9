"""Evaluation: every controller on the same days, beside charging at once and the perfect-foresight optimum."""
