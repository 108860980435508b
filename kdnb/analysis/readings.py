"""Four readings of one correlation: the paper's, within phases of the learning rate, of changes, with ||W_s|| fixed.

Beside them what a clock has in mu's place: minus the epoch, which falls and knows no network.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from kdnb.analysis import stats
from kdnb.analysis.stats import Series
from kdnb.runs.store import column_of


@dataclass(frozen=True)
class Curves:
    """Two curves over the same n epochs, and what a reading may hold fixed or leave out.

    given  n x k: what is held fixed; ``drops``: epochs after which the learning rate falls
    """

    x: Series
    y: Series
    given: Series
    epochs: Series
    drops: Sequence[int]


PAPERS, CLOCK = "the paper's r", "minus the epoch in μ's place"

Reading = Callable[[Curves], float]


READINGS: Mapping[str, Reading] = {
    PAPERS: lambda c: stats.pearson(c.x, c.y),
    "within phases": lambda c: stats.within_phases(c.x, c.y, c.epochs, c.drops),
    "changes": lambda c: stats.pearson(*stats.differences(c.x, c.y, c.epochs, c.drops)),
    "norm held fixed": lambda c: stats.partial(c.x, c.y, c.given),
    CLOCK: lambda c: stats.pearson(-c.epochs, c.y),
}


def of_run(table: pd.DataFrame, drops: Sequence[int]) -> Curves:
    """Raw mu of a history and the loss, given the norm of the student's classifier; nan where it lacks one."""
    x, y, given, epochs = (column_of(table, name) for name in ("mu_raw", "loss", "weight_norm", "epoch"))
    return Curves(x, y, given, epochs, drops)
