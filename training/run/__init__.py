"""One training run: a folder that can be stopped, killed, gone on with, and whose best network can be exported."""
