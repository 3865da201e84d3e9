"""From a registry to the disk of a service, and back: deploy, hot reload, canary, shadow, roll back."""
