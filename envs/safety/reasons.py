"""Why the projection changed a set-point, as bit flags per port."""

from __future__ import annotations

from enum import IntFlag


class Reason(IntFlag):
    """What acted on a port's set-point; several can at once."""

    NONE = 0
    NOT_FINITE = 1  # the request was NaN: paused
    BOX = 2  # beyond what charger and car can do now
    NO_EXPORT = 4  # export not possible, not consented, or the SoC is unknown
    RESERVE = 8  # export cut at reserve, minimum or the car's latest start
    DEPARTURE = 16  # raised: the car's own latest start has come
    LOOK_AHEAD = 32  # raised: the shared limits leave no later room
    MIN_SOC = 64  # raised: below the minimum a car charges at once
    REFILL = 128  # export cut: it could not be refilled under the shared limits
    EXPORT_LIMIT = 256  # export cut at a site's or feeder's export limit
    IMPORT_LIMIT = 512  # cut at a site's or feeder's import limit
    MINIMUM = 1024  # raised to, or paused below, the charger's minimum current or step
    OVERRIDE = 2048  # the driver asked to charge now, or opted out
