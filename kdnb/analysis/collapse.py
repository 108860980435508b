"""Neural collapse at the last epoch, and how near to a simplex rows come that know nothing of the classes."""

import numpy as np
import pandas as pd

from kdnb.analysis.class_rows import last_weight
from kdnb.analysis.lost import random_rows
from kdnb.analysis.study import Study
from kdnb.measure import align
from kdnb.runs import Run

DRAWS = 20  # of random rows for each student
MEASURES = ("nc1", "nc2", "nc3")
COLUMNS = ["label", "seed", *MEASURES, "random", "least"]


def least_gap(classes: int, features: int) -> float:
    """The least NC2 that so many rows of so many features can have: 0 where a simplex fits in.

    E has classes - 1 equal singular values, a Gram matrix of the rows at most as many as there are features.
    """
    return float(np.sqrt(max(0.0, 2 - 2 * np.sqrt(min(1.0, features / (classes - 1))))))


def random_gap(weight: align.Matrix, rng: np.random.Generator) -> float:
    """Mean NC2 of rows of the same lengths in random directions, without their mean, which training takes away too."""
    rows = (random_rows(weight, rng) for _ in range(DRAWS))
    return float(np.mean([align.simplex_gap(one - one.mean(0)) for one in rows]))


def table(study: Study) -> pd.DataFrame:
    """A row a seed of normal training and KD at the paper's picked temperatures, and one of the teacher: COLUMNS."""
    shown = {run.label: study.groups[run.label] for run in (*study.leading_pair[1:], *study.picked)}
    if study.teacher is not None:
        shown |= {"teacher": [study.teacher]}
    rows = [
        {
            "label": label,
            "seed": run.spec.init_seed,
            **{name: run.last(name) for name in MEASURES},
            **_floors(run, place),
        }
        for label, runs in shown.items()
        for place, run in enumerate(runs)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _floors(run: Run, place: int) -> dict[str, float]:
    """Of random rows, and of any; empty without the run's classifier."""
    if not (run.path / "classifier.safetensors").exists():
        return {}
    weight = last_weight(run)
    return {"random": random_gap(weight, np.random.default_rng(place)), "least": least_gap(*weight.shape)}
