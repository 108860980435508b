"""Chapter 13: the spaces of features."""
