"""Numbers as a reader meets them: with a true minus, and in words where there is none."""

import re
from collections.abc import Collection

import numpy as np


def number(value: float, form: str) -> str:
    """``value`` in ``form`` ("{:+.2f} points"), no zero negative; "undefined" for nan."""
    if not np.isfinite(value):
        return "undefined"
    text = form.format(value)
    return (text if re.search("[1-9]", text) else form.format(0.0)).replace("-", "−")


def plus_minus(low: float, high: float, form: str) -> str:
    """What follows a mean: half the width of its symmetric interval, in ``form``; nothing where there is none."""
    return f"\u00a0±\u00a0{form.format((high - low) / 2)}" if np.isfinite(low) else ""


def counted(count: int, what: str, many: str = "") -> str:
    """``1 seed``, ``2 seeds``; ``many``: where the plural is another, such as ``studies``."""
    return f"{count} {what if count == 1 else many or what + 's'}"


def span(counts: Collection[int], what: str) -> str:
    """``5 seeds`` where all counts are alike, else ``1 to 2 seeds``."""
    few, many = min(counts), max(counts)
    return counted(many, what) if few == many else f"{few} to {many} {what}s"


def sentence(clause: str) -> str:
    """``clause`` as a sentence of its own, in Markdown's bold."""
    return f"**{capital(clause)}.**"


def capital(text: str) -> str:
    """``text`` with a capital letter; what follows stays, as in "T = 4 and W_t"."""
    return text[:1].upper() + text[1:]


def typeset(text: str) -> str:
    """``W_t`` as HTML and Plotly write it, with its index below the line."""
    return re.sub(r"\bW_([a-z])\b", r"W<sub>\1</sub>", text)
