"""What can be believed."""
