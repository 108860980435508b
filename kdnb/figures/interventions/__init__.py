"""What happens if one intervenes."""
