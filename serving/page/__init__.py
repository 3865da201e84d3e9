"""The status page: one page that the service itself hands out, without a build step and without the internet."""
