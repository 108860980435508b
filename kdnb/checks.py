"""Refusals of bad input: each names the value, the rule and the way out."""

import sys
from collections.abc import Iterable
from difflib import get_close_matches

# KD's loss is about T times a difference of logits for small T: below, it would leave single precision.
LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 1e-30, 1e6


def choice(name: str, value: object, known: Iterable[str]) -> str:
    """Return ``value`` if it is one of ``known``; otherwise raise ValueError listing the known ones."""
    options = sorted(known)
    if isinstance(value, str) and value in options:
        return value
    spelt = {option.casefold(): option for option in options}
    close = get_close_matches(str(value).casefold(), spelt, n=1)
    hint = f" Did you mean {spelt[close[0]]!r}?" if close else ""
    raise ValueError(f"unknown {name} {value!r}; known: {', '.join(options)}.{hint}")


def number(name: str, value: object, rule: str, low: float, high: float) -> float:
    """Return ``value`` as a float within [low, high]; otherwise raise ValueError.

    ``rule`` says the range in words, for the message.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{name} is {value!r}, not a number; it must be {rule}.")
    if not low <= value <= high:
        raise ValueError(f"{name} is {value!r}; it must be {rule}.")
    return float(value)


def weight(name: str, value: object) -> float:
    """``value`` if it can weight a loss; otherwise ValueError."""
    return number(name, value, "a finite number of at least 0", 0, sys.float_info.max)


def temperature(value: object, low: float = LOWEST_TEMPERATURE, high: float = HIGHEST_TEMPERATURE) -> float:
    """``value`` if it is a temperature of distillation, within [low, high]; otherwise ValueError."""
    rule = f"a finite number above 0, from {low:g} to {high:g} (beyond, single precision loses what it computes)"
    return number("temperature", value, rule, low, high)
