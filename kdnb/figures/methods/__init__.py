"""Every method beside every other."""
