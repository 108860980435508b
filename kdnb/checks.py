"""Refusals of bad input: each names the value, the rule and the way out."""

from collections.abc import Iterable
from difflib import get_close_matches

HIGHEST_TEMPERATURE = 1e6  # beyond it single precision sees no differences of logits


def choice(name: str, value: object, known: Iterable[str]) -> str:
    """Return ``value`` if it is one of ``known``; otherwise raise ValueError listing the known ones."""
    options = sorted(known)
    if isinstance(value, str) and value in options:
        return value
    close = get_close_matches(str(value), options, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"unknown {name} {value!r}; known: {', '.join(options)}.{hint}")


def number(name: str, value: object, rule: str, low: float, high: float, *, open_low: bool = False) -> float:
    """Return ``value`` as a float within [low, high] (``open_low``: low excluded); otherwise raise ValueError.

    ``rule`` says the range in words, for the message.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{name} is {value!r}, not a number; it must be {rule}.")
    if not (low <= value <= high) or (open_low and value == low):
        raise ValueError(f"{name} is {value!r}; it must be {rule}.")
    return float(value)


def temperature(value: object) -> float:
    """``value`` if it is a temperature of distillation; otherwise ValueError."""
    rule = f"a finite number above 0, at most {HIGHEST_TEMPERATURE:g}"
    return number("temperature", value, rule, 0, HIGHEST_TEMPERATURE, open_low=True)
