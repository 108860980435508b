"""What mu measures."""
