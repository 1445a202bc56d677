"""One rank's process, from its first instruction to its exit code."""
