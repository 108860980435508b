"""Is mu closer to its own run's loss than to another seed's?"""

import numpy as np
import pandas as pd

from kdnb.analysis import r_over_seeds, stats
from kdnb.analysis.over_seeds import Estimate, estimate
from kdnb.analysis.selection import Study
from kdnb.runs import Run


def pairs(study: Study, cut: int | None = None) -> pd.DataFrame:
    """r of mu and loss within runs and across seeds: columns label, seed (of mu), kind ("same run", "other seed"), r.

    cut: epochs left out; None: the chapter's warm-up. Empty when no two finished runs differ in the seed alone;
    without runs that have no r.
    """
    warm_up = study.warm_up if cut is None else cut
    rows = []
    for label, group in study.by_seeds.items():
        with_mu = {run.spec.init_seed: _curves(run, warm_up) for run in group if "mu_raw" in run.history}
        if len(with_mu) < 2:
            continue
        found = stats.mismatched_null(*zip(*with_mu.values(), strict=True))
        each = {"same run": found.matched[:, None], "other seed": found.mismatched.reshape(len(with_mu), -1)}
        for kind, table in each.items():
            for seed, values in zip(with_mu, table, strict=True):
                rows += [{"label": label, "seed": seed, "kind": kind, "r": float(r)} for r in values if np.isfinite(r)]
    return pd.DataFrame(rows, columns=["label", "seed", "kind", "r"])


def _curves(run: Run, cut: int) -> tuple[stats.Series, stats.Series]:
    epochs, mu, loss = (run.history[name].to_numpy(float) for name in ("epoch", "mu_raw", "loss"))
    return mu[epochs > cut], loss[epochs > cut]


def by_cut(study: Study) -> pd.DataFrame:
    """:func:`pairs` for every warm-up of :func:`kdnb.analysis.r_over_seeds.cuts`, in the column cut."""
    return pd.concat([pairs(study, cut).assign(cut=cut) for cut in r_over_seeds.cuts(study)], ignore_index=True)


def own(table: pd.DataFrame) -> dict[str, Estimate]:
    """By label, by how much each run's r with its own loss exceeds the mean of its r with other seeds', over seeds."""
    mean = table.groupby(["label", "kind", "seed"], sort=False)["r"].mean().unstack("kind")
    gaps = (mean["same run"] - mean["other seed"]).dropna()
    return {str(label): estimate(values) for label, values in gaps.groupby("label", sort=False)}
