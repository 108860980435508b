"""What does reuse need: the teacher's own classifier, any classifier, or the features? {what is matched} x {whose}.

=============  ==========================================================================================
answers        KD and cross-entropy, as the paper
labels         cross-entropy alone: the same methods at alpha = 0
maps           the teacher's last maps by squared difference, straight
projected      the same through SimKD's projector
=============  ==========================================================================================

each with a classifier of its own, W_t, W_o (the bystander's) and random rows as long as W_t's. Where maps are matched
nothing below the classifier learns from it, so one student answers for three cells: its own accuracy, and the plug-in
accuracy of W_t and of W_o on its features. Random rows on such features are chance and were not trained.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from kdnb.analysis import stats, words
from kdnb.analysis.over_seeds import Estimate, estimates
from kdnb.analysis.students import ALPHA
from kdnb.analysis.study import Study
from kdnb.runs import Run

CLASSIFIERS = ("own", "W_t", "W_o", "random")
COLUMN = {"own": "test_accuracy", "W_t": "plug_in_accuracy", "W_o": "bystander_plug_in_accuracy"}
FROZEN = {"W_t": "frozen", "W_o": "foreign", "random": "random"}
CHANGED = ("permuted", "rotated", "shuffled")  # W_t, made another classifier
MATCHED = {
    "answers": "answers and labels (KD + CE)",
    "labels": "labels alone (CE)",
    "maps": "features by L2, straight",
    "projected": "features by L2, through SimKD's projector",
}


class Cell(NamedTuple):
    """Test accuracy of the last epoch, by seed."""

    by_seed: Mapping[int, float]

    @property
    def mean(self) -> float:
        """Over seeds; nan for none."""
        return float(np.mean([*self.by_seed.values()])) if self.by_seed else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """95 % over seeds; nan below three."""
        return stats.mean_interval([*self.by_seed.values()])

    @property
    def said(self) -> str:
        """In per cent, with half its interval and the number of seeds."""
        low, high = (100 * end for end in self.interval)
        return f"{100 * self.mean:.2f}{words.plus_minus(low, high, '{:.2f}')} (n\u00a0=\u00a0{len(self.by_seed)})"

    def less(self, other: "Cell") -> np.ndarray:
        """Differences to ``other``, seed by seed."""
        return np.array([self.by_seed[seed] - other.by_seed[seed] for seed in self.by_seed if seed in other.by_seed])


def cells(runs: Iterable[Run], temperature: float = 4.0) -> dict[tuple[str, str], Cell]:
    """Every cell that was trained, by what is matched and whose classifier."""
    found: dict[tuple[str, str], dict[int, float]] = {}
    for run in runs:
        for place, column in _places(run, temperature).items():
            if column in run.history:
                found.setdefault(place, {})[run.spec.init_seed] = float(run.history[column].iloc[-1])
    return {place: Cell(values) for place, values in found.items()}


def _places(run: Run, temperature: float) -> dict[tuple[str, str], str]:
    """The cells that ``run`` answers for, and the column of its history that does."""
    method, given = run.spec.method, run.spec.method_parameters
    if method in ("straight", "projected"):
        row = "maps" if method == "straight" else "projected"
        return {(row, whose): column for whose, column in COLUMN.items()}
    row = "labels" if method == "normal" or given.get("alpha") == 0 else "answers"
    usual = method == "normal" or (given.get("temperature") == temperature and given.get("alpha") in (0, ALPHA))
    if not usual:
        return {}
    whose = {"normal": "own", "kd": "own"} | {name: whose for whose, name in FROZEN.items()}
    return {(row, whose[method]): "test_accuracy"} if method in whose else {}


def table(found: Mapping[tuple[str, str], Cell]) -> pd.DataFrame:
    """Rows MATCHED, columns CLASSIFIERS, a text each: accuracy, half its interval, seeds; a dash where none is."""
    return pd.DataFrame(
        [[cell.said if (cell := found.get((row, whose))) else "–" for whose in CLASSIFIERS] for row in MATCHED],
        index=list(MATCHED.values()),
        columns=list(CLASSIFIERS),
    )


def is_trained(study: Study) -> bool:
    """Whether there is more of the design than two of its cells."""
    return {("answers", "own"), ("answers", "W_t"), ("answers", "W_o")} <= set(cells(study.every))


def runs_by_classifier(study: Study) -> list[Run]:
    """The students of :func:`by_classifier`: KD at the usual temperature and alpha, whoever's classifier they have."""
    methods = {"kd", *FROZEN.values(), *CHANGED}
    usual = {"temperature": 4.0, "alpha": ALPHA}
    return [
        run for run in study.every if run.spec.method in methods and usual.items() <= run.spec.method_parameters.items()
    ]


def by_classifier(study: Study) -> dict[str, Estimate]:
    """Test accuracy of KD by whose classifier the student has, as far as it was trained: CLASSIFIERS, then CHANGED."""
    methods = {"own": "kd", **FROZEN, **{name: name for name in CHANGED}}
    there = runs_by_classifier(study)
    values = {
        whose: {run.spec.init_seed: run.last("test_accuracy") for run in there if run.spec.method == method}
        for whose, method in methods.items()
    }
    return estimates(values)
