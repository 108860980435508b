"""Chapter 10: what can be believed."""
