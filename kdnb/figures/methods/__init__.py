"""Chapter 11: every method beside every other."""
