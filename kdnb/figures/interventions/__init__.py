"""Chapter 12: what happens if one intervenes."""
