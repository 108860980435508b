"""What is read off a run's curves, as the paper reads them: levels, r with the loss, shape, roughness."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from kdnb.analysis import stats
from kdnb.analysis.students import Missing
from kdnb.measure.history import BYSTANDER
from kdnb.runs import Run

PAPER_EPOCHS = 240
SMOOTHING = 5  # epochs (of 240) averaged where a curve's level is read, so that no single epoch decides


def window(run: Run) -> pd.DataFrame:
    """History after the paper's warm-up: epochs 121-240 of 240, the same share of a shorter run."""
    return run.after(run.spec.epochs * stats.WARM_UP / PAPER_EPOCHS)


def column(table: pd.DataFrame, name: str) -> stats.Series:
    """A column of a history; Missing where the history lacks it."""
    if name not in table:
        raise Missing(f"a history with {name}")
    return table[name].to_numpy(float)


def mu_window(run: Run) -> stats.Series:
    """The paper's mu (raw) after the warm-up."""
    return column(window(run), "mu_raw")


def level(run: Run, name: str, share: float) -> float:
    """Level of a column when ``share`` of the run is done: mean of the 5 epochs (of 240) up to there."""
    last = max(1, round(run.spec.epochs * share))
    first = last - max(1, round(run.spec.epochs * SMOOTHING / PAPER_EPOCHS))
    epochs = run.history["epoch"]
    return float(pd.Series(column(run.history[(epochs > first) & (epochs <= last)], name)).mean())


def fall(run: Run, name: str = "mu_raw") -> float:
    """By how much a column falls after the paper's warm-up, of its level there; nan where that is 0."""
    start, end = (level(run, name, share) for share in (1 / 2, 1))
    return (start - end) / start if start else np.nan


def r_with_loss(run: Run, name: str = "mu_raw") -> float:
    """The paper's number: Pearson's r of a column with the training loss after the warm-up."""
    r = stats.r_with_loss(window(run), name)
    if np.isnan(r):
        raise Missing(f"a curve of {run.spec.label} that is not constant, with at least 3 epochs after the warm-up")
    return r


def r_bystander(run: Run) -> float:
    """The same with mu to a teacher the student never saw; nan for a run that was trained without a bystander."""
    return stats.r_with_loss(window(run), f"{BYSTANDER}mu_raw")


def share_of_loss(run: Run, terms: Sequence[str]) -> tuple[float, float]:
    """The share of some terms, weighted as they are trained, in the loss of the first and of the last epoch."""
    shares = sum(column(run.history, f"loss_{term}") for term in terms) / column(run.history, "loss")
    return float(shares[0]), float(shares[-1])


def same_shape(first: Run, second: Run) -> float:
    """Pearson's r of two runs' raw mu after the warm-up: 1 when one is the other moved and stretched."""
    return stats.pearson(*_pair(first, second))


def curve_gap(first: Run, second: Run) -> float:
    """Root mean square of the relative difference of two runs' raw mu after the warm-up."""
    left, right = _pair(first, second)
    return float(np.sqrt(np.mean((left / right - 1) ** 2)))


def roughness(run: Run, series: stats.Series) -> float:
    """Epoch-to-epoch fluctuation beside the whole range: std of differences (none across drops) over std of levels.

    nan where no difference is left, or where nothing moves.
    """
    epochs = window(run)["epoch"].to_numpy()[:-1]
    steps = np.diff(series)[~np.isin(epochs, run.spec.drops)]
    return float(steps.std() / series.std()) if steps.size and series.std() > 0 else np.nan


def _pair(first: Run, second: Run) -> tuple[stats.Series, stats.Series]:
    if first.spec.epochs != second.spec.epochs:
        raise Missing(f"{first.spec.label} and {second.spec.label} over the same number of epochs")
    return mu_window(first), mu_window(second)
