"""How results are written: markdown rows, medians with their range."""

from collections.abc import Sequence
from statistics import median


def row(*cells: str) -> str:
    """A line of a markdown table."""
    return f"| {' | '.join(cells)} |"


def head(*cells: str) -> str:
    """The first two lines of a markdown table."""
    return f"{row(*cells)}\n{row(*['---'] * len(cells))}"


def spread(values: Sequence[float], form: str) -> str:
    """Median and range."""
    middle, low, high = (form.format(value) for value in (median(values), min(values), max(values)))
    return f"{middle} ({low} to {high})"
