"""Is r of mu with its own run's loss another than with another seed's?"""

from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t

from kdnb.analysis import r_over_seeds, stats
from kdnb.analysis.over_seeds import Estimate
from kdnb.analysis.study import Study


def pairs(study: Study, cut: int | None = None) -> pd.DataFrame:
    """r of mu and loss within runs and across seeds: columns label, seed (of mu), other (of the loss), kind, r.

    kind: "same run" or "other seed". cut: epochs left out; None: the chapter's warm-up. Empty when no two finished
    runs differ in the seed alone; without runs that have no r.
    """
    warm_up = study.warm_up if cut is None else cut
    rows = []
    for label, group in study.by_seeds.items():
        there = {run.spec.init_seed: run.after(warm_up) for run in group if "mu_raw" in run.history}
        if len(there) < 2:
            continue
        for (seed, mine), (other, theirs) in product(there.items(), repeat=2):
            kind = "same run" if seed == other else "other seed"
            r = stats.pearson(mine["mu_raw"].to_numpy(float), theirs["loss"].to_numpy(float))
            rows.append({"label": label, "seed": seed, "other": other, "kind": kind, "r": r})
    return pd.DataFrame(rows, columns=["label", "seed", "other", "kind", "r"]).dropna(ignore_index=True)


def by_cut(study: Study) -> pd.DataFrame:
    """:func:`pairs` for every warm-up of :func:`kdnb.analysis.r_over_seeds.cuts`, in the column cut."""
    return pd.concat([pairs(study, cut).assign(cut=cut) for cut in r_over_seeds.cuts(study)], ignore_index=True)


def own(table: pd.DataFrame) -> dict[str, Estimate]:
    """:func:`pairing` of each label of :func:`pairs`."""
    return {
        str(label): pairing(part.pivot(index="seed", columns="other", values="r"))
        for label, part in table.groupby("label", sort=False)
    }


def pairing(table: pd.DataFrame) -> Estimate:
    """By how much a number of two curves is higher where both are of one run, with its 95% interval.

    table: a row for the run of the first curve, a column for that of the second

    The model is row + column + d where both are one run, by least squares. d is the mean of the diagonal less that of
    all others; how well one run's loss goes with *any* mu, or its mu with any loss, is no noise of it. (Differences to
    the mean of each row alone have the columns in their spread.) A value a run: d and what the fit leaves of its own.
    """
    r = _square(table)
    runs = len(r)
    if runs < 2:
        return Estimate([], np.nan, np.nan, np.nan)
    apart = r - r.mean(axis=1, keepdims=True) - r.mean(axis=0) + r.mean()
    d = float(np.trace(apart)) / (runs - 1)
    left = apart - d * (np.eye(runs) - 1 / runs)
    freedom = (runs - 1) ** 2 - 1
    reach = np.nan
    if runs >= stats.LEAST_RUNS:
        reach = float(t.ppf(0.975, freedom) * np.sqrt((left**2).sum() / freedom / (runs - 1)))
    return Estimate((d + np.diag(left)).tolist(), d, d - reach, d + reach)


def _square(table: pd.DataFrame) -> NDArray[np.float64]:
    """Of the most runs that pair with each other: curves of another length do not, nor does a constant one."""
    runs = table.index.intersection(table.columns)
    r = table.loc[runs, runs].to_numpy(float)
    both = np.isfinite(r) & np.isfinite(r.T)
    group = both[both.sum(axis=1).argmax()] if len(runs) else []
    return r[np.ix_(group, group)]
