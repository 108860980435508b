"""Is mu closer to its own run's loss than to another seed's?"""

from itertools import product

import pandas as pd

from kdnb.analysis import r_over_seeds, stats
from kdnb.analysis.over_seeds import Estimate, estimate
from kdnb.analysis.study import Study


def pairs(study: Study, cut: int | None = None) -> pd.DataFrame:
    """r of mu and loss within runs and across seeds: columns label, seed (of mu), kind ("same run", "other seed"), r.

    cut: epochs left out; None: the chapter's warm-up. Empty when no two finished runs differ in the seed alone;
    without runs that have no r.
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
            rows.append({"label": label, "seed": seed, "kind": kind, "r": r})
    return pd.DataFrame(rows, columns=["label", "seed", "kind", "r"]).dropna(ignore_index=True)


def by_cut(study: Study) -> pd.DataFrame:
    """:func:`pairs` for every warm-up of :func:`kdnb.analysis.r_over_seeds.cuts`, in the column cut."""
    return pd.concat([pairs(study, cut).assign(cut=cut) for cut in r_over_seeds.cuts(study)], ignore_index=True)


def own(table: pd.DataFrame) -> dict[str, Estimate]:
    """By label, by how much each run's r with its own loss exceeds the mean of its r with other seeds', over seeds."""
    mean = table.groupby(["label", "kind", "seed"], sort=False)["r"].mean().unstack("kind")
    gaps = (mean["same run"] - mean["other seed"]).dropna()
    return {str(label): estimate(values) for label, values in gaps.groupby("label", sort=False)}
