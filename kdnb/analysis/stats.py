"""Correlations of two training curves that admit what an epoch is not: an independent observation.

mu(t) and L(t) are two trends shaped by one learning-rate schedule. Pearson over 120 such epochs gives |r| > 0.9 for
almost any two trends, and its p-value means nothing. So beside the paper's r stand: r within learning-rate phases, r of
the first differences, r given a third curve, and a null from mismatched pairs. The unit of evidence is the run (seed),
not the epoch.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats as scipy_stats

Series = NDArray[np.float64]

LEAST_POINTS = 3  # below, r is 1, -1 or undefined whatever the curves do
WARM_UP = 120  # the paper's "warm-up epochs", of 240
LEAST_RUNS = 3  # below, an interval over runs leaves out nothing one would believe: Student's factor is 12.7 for two


def pearson(x: Series, y: Series) -> float:
    """Pearson's r of two series; nan for fewer than 3 points or a constant series."""
    if len(x) < LEAST_POINTS or _constant(x) or _constant(y):
        return np.nan
    return float(np.corrcoef(x, y)[0, 1])  # numpy keeps it within -1 and 1, beyond which artanh has no value


def rank_correlation(x: Iterable[float], y: Iterable[float]) -> float:
    """Spearman's rank correlation, 1 when y never falls as x grows; nan for fewer than 3 points or a constant."""
    left, right = list(x), list(y)
    if len(left) < LEAST_POINTS or min(len(set(left)), len(set(right))) < 2:
        return np.nan
    return float(scipy_stats.spearmanr(left, right).statistic)


def r_with_loss(table: pd.DataFrame, column: str = "mu_raw") -> float:
    """The paper's r: Pearson's, of a column of a history with its training loss; nan where it lacks the column."""
    if column not in table:
        return np.nan
    return pearson(table[column].to_numpy(float), table["loss"].to_numpy(float))


def effective_size(x: Series, y: Series) -> float:
    """How many independent pairs say as much of the r of two series as these do; nan for a constant series.

    n (1 - a b) / (1 + a b) with their autocorrelations a, b at lag one (Bretherton et al. 1999, as for two first-order
    autoregressive series).
    """
    if len(x) < LEAST_POINTS or _constant(x) or _constant(y):
        return np.nan
    left, right = x - x.mean(), y - y.mean()
    a, b = (float(rest[1:] @ rest[:-1] / (rest @ rest)) for rest in (left, right))
    return len(x) * (1 - a * b) / (1 + a * b)


def differences(x: Series, y: Series, epochs: Series, drops: Sequence[int] = ()) -> tuple[Series, Series]:
    """First differences of both series; those across a drop of the learning rate (after these epochs) are left out."""
    inside = np.diff(_phase(epochs, drops)) == 0
    return np.diff(x)[inside], np.diff(y)[inside]


def within_phases(x: Series, y: Series, epochs: Series, drops: Sequence[int] = ()) -> float:
    """Mean of r over the phases of constant learning rate, on Fisher's scale, each counting with its n - 3 epochs.

    n - 3 is the inverse variance there: phases of 3 epochs or fewer say nothing. nan where no phase has an r.
    """
    phase = _phase(epochs, drops)
    parts = [(x[phase == k], y[phase == k]) for k in np.unique(phase)]
    r = np.array([pearson(*part) for part in parts])
    weight = np.array([max(len(part) - LEAST_POINTS, 0) for part, _ in parts]) * np.isfinite(r)
    return mean_correlation(r[weight > 0], weight[weight > 0])


def partial(x: Series, y: Series, given: Series) -> float:
    """r of what linear regression on ``given`` (n, or n x k) leaves of two series: their partial correlation.

    nan where it leaves nothing but rounding of one of them, where a value is not finite, and for too few points
    (n < k + 3).
    """
    known = np.column_stack([np.ones(len(x)), given])
    if len(x) < known.shape[1] + 2 or not np.isfinite(np.column_stack([known, x, y])).all():
        return np.nan
    # lstsq drops directions that are small beside the largest: a column in small units is not to be one of them.
    known = known / np.maximum(np.abs(known).max(axis=0), np.finfo(float).tiny)
    left, right = (series - known @ np.linalg.lstsq(known, series, rcond=None)[0] for series in (x, y))
    # Rounding correlates with rounding: where no more than that is left, there is no r.
    if any(np.ptp(rest) <= 1e-9 * np.ptp(series) for rest, series in ((left, x), (right, y))):
        return np.nan
    return pearson(left, right)


def _phase(epochs: Series, drops: Sequence[int]) -> NDArray[np.intp]:
    return np.searchsorted(np.asarray(sorted(drops)), epochs, side="left")  # epoch e is past drop d when e > d


def _constant(x: Series) -> bool:
    """No spread beyond the rounding of its own values."""
    return bool(np.ptp(x) <= 8 * np.finfo(float).eps * np.abs(x).max())


def mean_interval(values: ArrayLike) -> tuple[float, float]:
    """Student's 95% interval of the mean of independent values: one a run, never one an epoch.

    (nan, nan) for fewer than LEAST_RUNS values, or any that is not finite.
    """
    x = np.asarray(values, dtype=np.float64)
    if len(x) < LEAST_RUNS or not np.isfinite(x).all():
        return np.nan, np.nan
    # A few seeds estimate their own spread badly: Student's factor is 4.3 for three of them, where the normal has 1.96.
    reach = scipy_stats.t.ppf(0.975, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x))
    return float(x.mean() - reach), float(x.mean() + reach)


def share_interval(yes: int, of: int) -> tuple[float, float]:
    """Exact 95% interval (Clopper and Pearson) of the share of yes among ``of`` independent answers."""
    low, high = scipy_stats.binomtest(yes, of).proportion_ci(0.95, "exact")
    return float(low), float(high)


def mean_correlation(values: ArrayLike, weights: Series | None = None) -> float:
    """Mean of correlations on Fisher's scale z = artanh(r), and back; nan for none.

    The plain mean where an r is 1 or -1, which has no finite z and would outweigh all others.
    """
    r = np.asarray(values, dtype=np.float64)
    if not r.size:
        return np.nan
    if (np.abs(r) == 1).any():
        return float(np.average(r, weights=weights))
    # Near 1 and -1 r cannot spread further out: a plain mean leans inwards. artanh(r) spreads alike everywhere.
    return float(np.tanh(np.average(np.arctanh(r), weights=weights)))


def mean_correlation_interval(values: ArrayLike) -> tuple[float, float]:
    """The same for correlations: on Fisher's scale z = artanh(r), where they spread evenly, and back.

    (nan, nan) also where an r is 1 or -1, which has no finite z.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = mean_interval(np.arctanh(np.asarray(values, dtype=np.float64)))
    return float(np.tanh(low)), float(np.tanh(high))
