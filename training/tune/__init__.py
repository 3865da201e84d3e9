"""Search for settings of the training: Optuna proposes, short runs answer."""
