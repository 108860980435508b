"""The spaces of features."""
