"""The action's meaning in kW, compiled; see `envs.action.requested_power`."""

from __future__ import annotations

from ..physics.compiling import kernel
from .fields import DEAD_BAND


@kernel
def decode(lo, hi, plugged, take_kw, give_kw, actions, requested):
    """Write the requested kW of worlds `lo .. hi`."""
    for b in range(lo, hi):
        for n in range(actions.shape[1]):
            share = min(max(actions[b, n], -1.0), 1.0)
            requested[b, n] = 0.0
            if plugged[b, n] and abs(share) >= DEAD_BAND:
                requested[b, n] = share * (take_kw[b, n] if share > 0.0 else give_kw[b, n])
