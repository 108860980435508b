"""The paper's correlation of mu and the loss, and the readings that keep it honest."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from kdnb.analysis import stats
from kdnb.analysis.selection import Study
from kdnb.runs import Run

# Shares of the epochs that are left out: those that a reader can choose, and those of a curve (15 epochs of 240).
EIGHTHS = tuple(step / 8 for step in range(7))
SIXTEENTHS = tuple(step / 16 for step in range(16))
LEAST_CHANGES = 8  # below, a bootstrap of the changes shows little but which of them it drew
SIDES = {"mu_raw": "μ to the teacher", "bystander_mu_raw": "μ to the bystander"}


def r_after(run: Run, cut: int, column: str = "mu_raw") -> float:
    """The paper's r: Pearson's, of a column with the training loss, over the epochs after ``cut``; nan if undefined."""
    return stats.r_with_loss(run.after(cut), column)


def gaps(study: Study) -> list[float]:
    """By how much r with mu to the teacher and r with mu to the bystander differ, of each KD student that has both."""
    pairs = [[r_after(run, study.warm_up, column) for column in SIDES] for run in study.kd.values()]
    return [abs(mine - other) for mine, other in pairs if np.isfinite(mine) and np.isfinite(other)]


def cuts(study: Study, shares: Iterable[float] = EIGHTHS) -> list[int]:
    """Warm-ups: ``shares`` of the run, and the chapter's own; each leaves enough epochs for an r."""
    chosen = {round(study.epochs * share) for share in shares} | {study.warm_up}
    return sorted(cut for cut in chosen if study.epochs - cut >= stats.LEAST_POINTS)


def readings(study: Study) -> pd.DataFrame:
    """Every run's correlation of raw mu and loss after the warm-up: columns n, r, naive_p, r_differences, low, high,
    n_eff, phases (a dict), refused (why there is none; the other columns are then empty).

    r_differences and its interval are empty below LEAST_CHANGES differences.
    """
    return pd.DataFrame([_reading(study, run) for run in study.students], index=[run.label for run in study.students])


def _reading(study: Study, run: Run) -> dict[str, Any]:
    table = run.after(study.warm_up)
    if "mu_raw" not in table:
        return {"n": len(table), "refused": "its classifier is not its own, so it has no mu.", "phases": {}}
    try:
        found = stats.correlation(
            run.history["mu_raw"],
            run.history["loss"],
            run.history["epoch"],
            warm_up=study.warm_up,
            drops=run.spec.drops,
        )
    except ValueError as reason:
        return {"n": len(table), "refused": str(reason), "phases": {}}
    enough = found.n_differences >= LEAST_CHANGES
    changes, low, high = (found.r_differences, *found.interval) if enough else (np.nan,) * 3
    numbers = {"r": found.r, "naive_p": found.naive_p, "r_differences": changes, "low": low, "high": high}
    n_eff = float("nan") if found.n_eff is None else found.n_eff
    return {"n": found.n, **numbers, "n_eff": n_eff, "phases": dict(found.phases), "refused": ""}
