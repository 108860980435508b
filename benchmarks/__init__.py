"""What was measured, and the programs that measure it; ``log.md`` holds the results."""
