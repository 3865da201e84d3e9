"""One cycle, pure: gates, ladder, arbitration, commands, breaker; nothing here opens a file or a socket."""
