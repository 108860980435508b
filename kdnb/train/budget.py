"""A limit of time: a call that stops by itself at an epoch's end, for notebooks and queues that would kill it."""

import time
from collections.abc import Callable, Iterable, Iterator


class TimeUp(Exception):
    """The minutes given are used up; every finished epoch is stored, and the same call goes on from there."""


class Budget:
    """``minutes`` from now on; None: no limit. One budget serves all that a call trains, a teacher included."""

    def __init__(self, minutes: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.minutes, self.clock = minutes, clock
        self.seconds = float("inf") if minutes is None else 60 * minutes
        self.end = clock() + self.seconds

    @property
    def left(self) -> float:
        """Seconds."""
        return max(0.0, self.end - self.clock())

    def spend(self, steps: Iterable[int], what: str, unit: str = "epoch") -> Iterator[int]:
        """Pass on ``steps`` (each a ``unit`` of ``what``) while another one, as long as the longest so far, still fits.

        Raises TimeUp before the first that does not; ValueError, once one is done and stored, when not even one fits
        into the whole budget.
        """
        longest = 0.0
        for step in steps:
            start = self.clock()
            if start + longest > self.end:
                raise TimeUp(f"{self.minutes:g} minutes are used up before {unit} {step} of {what}; run it again.")
            yield step
            longest = max(longest, self.clock() - start)
            if longest > self.seconds:
                raise ValueError(
                    f"minutes is {self.minutes:g}, and one {unit} of {what} takes {longest / 60:.2g}; give more. "
                    f"What is finished is stored, {unit} {step} as well."
                )
