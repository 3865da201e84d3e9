"""The optimum: what perfect foresight could reach on a day, as a lower bound, and its plan played in the simulator."""
