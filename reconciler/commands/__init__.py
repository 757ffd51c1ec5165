"""One file per command: a function of explicit arguments that returns the exit code."""
