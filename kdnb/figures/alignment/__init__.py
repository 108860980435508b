"""Chapter 8: what mu measures."""
