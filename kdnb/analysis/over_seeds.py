"""Values of several runs by what they are: label and seed."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd
from scipy.stats import binom

from kdnb.analysis import stats, words
from kdnb.analysis.study import Study
from kdnb.measure.history import BYSTANDER
from kdnb.runs import Run

K = TypeVar("K")
Values = Mapping[str, Mapping[int, float]]  # by label and seed


def common(by_label: Mapping[K, Sequence[Run]]) -> dict[K, list[Run]]:
    """The runs of those seeds alone that all of ``by_label`` have: means of other seeds compare no labels."""
    every = [{run.spec.init_seed for run in runs} for runs in by_label.values()]
    seeds = set.intersection(*every) if every else set()
    return {label: [run for run in runs if run.spec.init_seed in seeds] for label, runs in by_label.items()}


def having(runs: Iterable[Run], *columns: str) -> list[Run]:
    """Those of ``runs`` whose histories have all of ``columns``: a mean is over these, and tells how many they are."""
    return [run for run in runs if set(columns) <= set(run.history)]


def counted(study: Study, runs: Iterable[Run]) -> str:
    """On how many seeds the students ``runs`` rest: "5 seeds", or "1 to 2 seeds"."""
    return words.span([len(study.groups[run.label]) for run in runs], "seed")


def minus(one: Mapping[int, float], other: Mapping[int, float], *, times: float = 1) -> dict[int, float]:
    """``one`` less ``other``, seed by seed, where both have a value; ``times``: 100 for points."""
    return {seed: times * (value - other[seed]) for seed, value in one.items() if seed in other}


def less(one: Values, other: Values, *, times: float = 1) -> dict[str, dict[int, float]]:
    """:func:`minus` label by label."""
    return {label: minus(values, other.get(label, {}), times=times) for label, values in one.items()}


def collect(study: Study, read: Callable[[Run], float | None]) -> dict[str, dict[int, float]]:
    """What ``read`` finds in each run of the study's groups, without the runs where it finds nothing, or nan."""
    found = {label: {run.spec.init_seed: read(run) for run in runs} for label, runs in study.groups.items()}
    return {
        label: {seed: v for seed, v in values.items() if v is not None and np.isfinite(v)}
        for label, values in found.items()
    }


def lead(study: Study, column: str, *, times: float = 1) -> dict[str, dict[int, float]]:
    """The last value of a column less that of the bystander's, by label and seed; ``times``: 100 for points."""
    return collect(study, lambda run: times * (run.last(column) - run.last(f"{BYSTANDER}{column}")))


def mean_history(runs: Sequence[Run]) -> pd.DataFrame:
    """The mean over runs of one length of each column of their histories, epoch by epoch."""
    return pd.concat([run.history for run in runs]).groupby("epoch", as_index=False).mean()


def mean_course(study: Study, column: str, runs: Sequence[Run]) -> pd.DataFrame:
    """The mean of how a column moves after the warm-up (:meth:`Study.course`) over those of one length that have it."""
    courses = [study.course(column, run) for run in having(runs, column) or runs]
    return courses[0].assign(**{column: np.mean([course[column] for course in courses], axis=0)})


@dataclass(frozen=True)
class Estimate:
    """One number of one student: a value a run, their mean, and its 95% interval (nan where there is none)."""

    values: Sequence[float]
    mean: float
    low: float
    high: float

    def told(self, form: str, which: str = "") -> str:
        """The mean, its interval (``which``: "95%: ") where there is one, and n: "+0.30 (+0.20 to +0.39, n = 5)"."""
        mean, low, high = (words.number(value, form) for value in (self.mean, self.low, self.high))
        between = f"{which}{low} to {high}, " if np.isfinite(self.low) else ""
        return f"{mean} ({between}n\u00a0=\u00a0{len(self.values)})"

    @property
    def enough(self) -> bool:
        """Whether it is of runs enough for an interval."""
        return len(self.values) >= stats.LEAST_RUNS

    @property
    def side(self) -> int:
        """1 or -1 where the interval leaves out zero; 0 where it does not, or where there is none."""
        return int(self.low > 0) - int(self.high < 0)


def more_than_chance(found: Iterable[Estimate], side: int | None = None) -> bool:
    """Whether more of the 95% intervals leave out zero than one in twenty explains (binomial, p of 0.05 at most).

    side: 1 or -1 where those alone count that lie above or below it, one in forty. Students of one seed share batches
    and first weights, so that their intervals are not independent.
    """
    off = _off(found, side)
    chance = binom.sf(sum(off) - 1, len(off), 0.025 if side else 0.05)
    return bool(chance <= 0.05 + 1e-9)  # a single one that does is enough


def _off(found: Iterable[Estimate], side: int | None) -> list[bool]:
    return [one.side == side if side else one.side != 0 for one in found]


def off_zero(found: Collection[Estimate], what: str = "", side: int | None = None, *, named: str = "") -> str:
    """How many intervals leave out zero, and whether by chance: "3 of 13 students, beyond chance".

    side: as of :func:`more_than_chance`; what: each is of; named: what stands behind the count
    """
    count = sum(_off(found, side))
    of = words.counted(len(found), what) if what else len(found)
    often = f", {'beyond' if more_than_chance(found, side) else 'no more than'} chance"
    return f"{count} of {of}{named}{often if count and len(found) > 1 else ''}"


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else np.nan


def estimate(
    values: Iterable[float],
    mean: Callable[[list[float]], float] = _mean,
    interval: Callable[[list[float]], tuple[float, float]] = stats.mean_interval,
) -> Estimate:
    """Values that are finite, and what ``mean`` and ``interval`` say of them."""
    known = [float(value) for value in values if np.isfinite(value)]
    return Estimate(known, mean(known), *interval(known))


def beyond_normal(values: Values, label: str) -> Estimate:
    """A student's values less those of normal training, seed by seed."""
    return estimate(minus(values.get(label, {}), values.get("normal", {})).values())


def estimates(values: Values, *, independent: bool = True) -> dict[str, Estimate]:
    """The estimate of each label that has values; independent: False where they are not of separate runs."""
    interval = stats.mean_interval if independent else lambda _: (np.nan, np.nan)
    return {label: estimate(found.values(), interval=interval) for label, found in values.items() if found}


def shared(values: Values) -> dict[str, Mapping[int, float]]:
    """Those of the labels alone that every seed has: means of other labels compare no seeds."""
    seeds = set[int]().union(*values.values())
    return {label: found for label, found in values.items() if seeds <= set(found)}


def of_seeds(values: Values) -> Estimate:
    """A value a seed, the mean over the labels that all have: students of one seed share a start, and are no more."""
    found = shared(values)
    seeds = sorted(set[int]().union(*found.values()))
    return estimate(float(np.mean([by_seed[seed] for by_seed in found.values()])) for seed in seeds)
