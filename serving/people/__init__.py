"""What people ask of the service: drivers, operators and utilities; pure functions over what a cycle saw."""
