"""Planning: a fleet's charging over a window as a linear programme, for the optimum and for predictive control."""
