"""The two ends of a loop: where a site's state comes from, and where its set-points go."""

from .port import PortError, Receipt, SitePort, SiteState

__all__ = ["PortError", "Receipt", "SitePort", "SiteState"]
