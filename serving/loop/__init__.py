"""The loop: reads a site, asks for set-points, hands them over and renews their leases, on a schedule."""
