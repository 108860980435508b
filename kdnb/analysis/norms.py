"""How much of r(mu, loss) is the length of the student's classifier?

Raw mu is sqrt(||W_t||^2 + ||W_s||^2 - 2 <W_t, W_s>). Where the two classifiers are as good as unrelated, only ||W_s||
moves it, and mu correlates with the loss as ||W_s|| does: positively where the weights shrink while the loss falls, and
negatively where they grow. No teacher is in that sentence.
"""

from collections.abc import Collection, Iterable
from math import isclose
from typing import NamedTuple

import numpy as np
import pandas as pd

from kdnb import runs
from kdnb.analysis import over_seeds, stats
from kdnb.analysis.curves import window
from kdnb.analysis.selection import is_papers
from kdnb.analysis.students import HOTTEST, of_one_recipe
from kdnb.analysis.study import Study
from kdnb.runs import Run
from kdnb.runs.store import column_of


class Explained(NamedTuple):
    """Of one student after the warm-up: the paper's r, the same r of ||W_s||, and how far ||W_s|| went."""

    r: float  # of raw mu and the training loss
    r_norm: float  # of ||W_s|| and the training loss
    change: float  # of ||W_s||, of its value at the first epoch after the warm-up

    @property
    def gap(self) -> float:
        """Between the two r, in size."""
        return abs(self.r - self.r_norm)

    @property
    def signs_agree(self) -> bool:
        """Whether r has the sign that a growing (r < 0) or shrinking (r > 0) classifier gives it."""
        # The loss falls after the warm-up: what shrinks goes with it (r > 0), what grows goes against it.
        return bool(np.sign(self.r) == -np.sign(self.change))


def explained(run: Run, warm_up: int | None = None) -> Explained:
    """The three numbers of ``run``; nan without the column, r also for fewer than 3 epochs or a constant curve.

    warm_up: epochs left out; None: half of them, as the paper does.
    """
    after = window(run) if warm_up is None else run.after(warm_up)
    # Its ends alone: whether it grew or shrank is all that the sign of r is held against.
    norm = column_of(after, "weight_norm")
    return Explained(stats.r_with_loss(after), stats.r_with_loss(after, "weight_norm"), float(norm[-1] / norm[0] - 1))


def table(runs: Iterable[Run], warm_up: int | None = None) -> pd.DataFrame:
    """A row for each of ``runs`` that tells mu and ||W_s|| and has an r: what it is, :class:`Explained`, gap, sign."""
    rows = []
    for run in runs:
        if not {"mu_raw", "weight_norm"} <= set(run.history) or np.isnan((found := explained(run, warm_up)).r):
            continue
        spec = run.spec
        told = {"label": spec.label, "seed": spec.init_seed, "weight_decay": spec.weight_decay}
        rows.append(told | found._asdict() | {"gap": found.gap, "signs_agree": found.signs_agree})
    names = ["label", "seed", "weight_decay", *Explained._fields, "gap", "signs_agree"]
    return pd.DataFrame(rows, columns=names)


def by_decay(study: Study, methods: Collection[str] = ("normal", "kd")) -> dict[float, dict[str, list[Run]]]:
    """By rising weight decay and label: students of ``methods`` of the study's folder, alpha and loss.

    Those labels alone that every weight decay with several students beside normal training has, and of each decay the
    seeds that all of them have: another student or seed at one of them is no step there.
    """
    squared = bool(study.leading.spec.method_parameters.get("squared", True))
    every = [run for run in runs.find(study.folder, role="student") if run.spec.method in methods]
    mine = [run for run in every if is_papers(run, squared) and _is_of(run, study.alpha)]
    found: dict[float, dict[str, list[Run]]] = {}
    for run in over_seeds.having(of_one_recipe(study.students, mine), "mu_raw", "weight_norm"):
        found.setdefault(run.spec.weight_decay, {}).setdefault(run.label, []).append(run)
    several = {decay: found[decay] for decay in sorted(found) if len(set(found[decay]) - {"normal"}) > 1}
    shared = [label for label in _ordered(mine) if all(label in groups for groups in several.values())]
    lines = {decay: over_seeds.common({label: groups[label] for label in shared}) for decay, groups in several.items()}
    return {decay: groups for decay, groups in lines.items() if any(groups.values()) and set(shared) - {"normal"}}


def _is_of(run: Run, alpha: float) -> bool:
    """Whether it is of this alpha and of the paper's temperatures; normal training has neither."""
    given = run.spec.method_parameters
    return isclose(given.get("alpha", alpha), alpha) and given.get("temperature", 0) <= HOTTEST


def _ordered(every: Iterable[Run]) -> list[str]:
    """Their labels: normal training, then KD by rising temperature."""
    temperatures = {run.label: run.spec.method_parameters.get("temperature", 0) for run in every}
    return sorted(temperatures, key=temperatures.__getitem__)
