"""Arithmetic on finished runs: numbers and tables, without a picture."""
