"""For whoever runs the service: the runbook, alert rules, a systemd unit and a container file."""
