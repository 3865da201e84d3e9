"""Chargers by OCPP 1.6, 2.0.1 and 2.1: what they tell becomes a site's state, set-points become charging profiles."""
