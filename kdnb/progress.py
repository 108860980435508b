"""Progress: a bar on a terminal, plain lines elsewhere (a log, a notebook under papermill)."""

import sys
from collections.abc import Iterable
from typing import TextIO

from tqdm import tqdm

QUIET_SECONDS = 10.0  # between lines where there is no terminal


class _Lines:
    """A stream for tqdm that ends each update with a newline instead of overwriting it."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> None:
        if plain := text.strip("\r\n "):
            self.stream.write(plain + "\n")

    def flush(self) -> None:
        self.stream.flush()


def track(steps: Iterable[int], total: int, done: int, what: str, unit: str = "epoch") -> "tqdm[int]":
    """Iterate over ``steps``, showing ``what``, the ``unit`` (``done`` of ``total`` at the start) and the time left."""
    terminal = sys.stderr.isatty()
    return tqdm(
        steps,
        desc=what,
        total=total,
        initial=done,
        unit=unit,
        file=sys.stderr if terminal else _Lines(sys.stdout),
        mininterval=0.1 if terminal else QUIET_SECONDS,
        maxinterval=QUIET_SECONDS,
        bar_format=f"{{desc}}: {unit} {{n_fmt}}/{{total_fmt}}, {{elapsed}} gone, {{remaining}} left{{postfix}}",
    )
