"""What of raw mu each freedom to align takes away, and what it takes from rows that know no teacher.

Any two classifiers are nearer once one of them may be turned. How much nearer by nothing but that freedom, rows as long
as the student's tell: in random directions (*random*), and the student's own rows, dealt to other classes (*dealt*).
"""

import numpy as np
import pandas as pd

from kdnb.analysis.class_rows import last_weight
from kdnb.analysis.study import Study
from kdnb.measure import align
from kdnb.measure.align import Matrix
from kdnb.measure.history import BYSTANDER
from kdnb.runs import Run

KINDS = ("matched", "permuted", "rotated")
WHOSE = {"teacher": "to the teacher", "bystander": "to the bystander", "random": "random rows", "dealt": "rows dealt"}
COLUMNS = ["label", "seed", "kind", *WHOSE]


def random_rows(weight: Matrix, rng: np.random.Generator) -> Matrix:
    """Rows of the same lengths in random directions."""
    rows = rng.normal(size=weight.shape)
    scale = np.linalg.norm(weight, axis=1, keepdims=True) / np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows * scale)


def dealt(weight: Matrix, rng: np.random.Generator) -> Matrix:
    """The same rows in random order."""
    return np.asarray(weight[rng.permutation(len(weight))])


def table(study: Study) -> pd.DataFrame:
    """A row a student and kind of mu: the share of raw mu that is gone, a column each of WHOSE; nan where unknown.

    Lined up by their features (matched) no floor is defined: rows without a network have none.
    """
    rows = [
        {"label": run.label, "seed": run.spec.init_seed, "kind": kind, **_gone(run, kind), **floors.get(kind, {})}
        for place, run in enumerate(study.shown)
        for floors in [_floors(study, run, np.random.default_rng(place))]
        for kind in KINDS
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _gone(run: Run, kind: str) -> dict[str, float]:
    found = {}
    for whose, side in (("teacher", ""), ("bystander", BYSTANDER)):
        raw = run.last(f"{side}mu_raw")
        found[whose] = 1 - run.last(f"{side}mu_{kind}") / raw if raw > 0 else np.nan
    return found


def _floors(study: Study, run: Run, rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """By kind, what is gone of the distance between W_t and rows that know it not; empty without the weights."""
    if study.teacher is None or not (run.path / "classifier.safetensors").exists():
        return {}
    taught, weight = last_weight(study.teacher), last_weight(run)
    rows = {"random": random_rows(weight, rng), "dealt": dealt(weight, rng)}
    raw = {name: align.classifier_distance(taught, one, "raw") for name, one in rows.items()}
    return {
        kind: {name: 1 - align.classifier_distance(taught, one, kind) / raw[name] for name, one in rows.items()}
        for kind in ("permuted", "rotated")
    }


def medians(found: pd.DataFrame, kind: str) -> dict[str, float]:
    """The median of each of WHOSE over the same students: where any has the bystander's, those that have it."""
    rows = found[(found["kind"] == kind) & found["teacher"].notna()]
    both = rows[rows["bystander"].notna()]
    rows = both if len(both) else rows
    return {"students": len(rows)} | {whose: float(rows[whose].median()) for whose in WHOSE}
