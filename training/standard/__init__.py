"""The standard route: stable-baselines3's own algorithms on the same environment, the same network and the ledger."""
