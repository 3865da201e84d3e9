"""The service over HTTP: FastAPI around `service`, with tokens, limits and terse errors."""
