"""Rows of the classifier as templates: does a student hold the same classes to be alike as its teacher?

No features are compared, so nothing has to be aligned. Source of the view: Nayak et al. 2019 (zero-shot distillation).
"""

import numpy as np
import pandas as pd

from kdnb.analysis import stats
from kdnb.analysis.by_method import groups, has_mu
from kdnb.analysis.over_seeds import Estimate
from kdnb.analysis.over_seeds import beyond_normal as beyond_normal_training
from kdnb.analysis.study import Study
from kdnb.runs import Run


def class_cosines(weight: np.ndarray) -> np.ndarray:
    """Cosines of all pairs of rows of a classifier (K x D), K(K-1)/2 of them. Source: Nayak et al. 2019."""
    rows = weight / np.linalg.norm(weight, axis=1, keepdims=True)
    cosines: np.ndarray = (rows @ rows.T)[np.triu_indices(len(rows), 1)]
    return cosines


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    """Rank correlation of two classifiers' class cosines; widths may differ, since no features are compared."""
    return stats.rank_correlation(class_cosines(one), class_cosines(other))


def agreements(study: Study) -> pd.DataFrame:
    """A row a run with a mu: label, seed, agreement with its teacher's classes and with the bystander's."""
    sides = _sides(study)
    rows = [
        {"label": label, "seed": run.spec.init_seed}
        | {name: agreement(last_weight(run), weight) for name, weight in sides.items()}
        for label, group in groups(study).items()
        for run in group
        if has_mu(run)
    ]
    return pd.DataFrame(rows, columns=["label", "seed", "teacher", "bystander"])


def leads(table: pd.DataFrame) -> dict[str, dict[int, float]]:
    """Teacher less bystander, by label and seed, of those of :func:`agreements` that have both."""
    gaps = table.assign(gap=table["teacher"] - table["bystander"]).dropna(subset=["gap"])
    return {str(label): dict(zip(part["seed"], part["gap"], strict=True)) for label, part in gaps.groupby("label")}


def beyond_normal(table: pd.DataFrame) -> dict[str, Estimate]:
    """By label, teacher less bystander beyond that of normal training, which had no teacher, of the same seed.

    table: of :func:`agreements`; without normal training empty.
    """
    gaps = leads(table)
    found = {label: beyond_normal_training(gaps, label) for label in gaps if label != "normal"}
    return {label: beyond for label, beyond in found.items() if beyond.values}


def _sides(study: Study) -> dict[str, np.ndarray]:
    """Last classifiers of teacher and bystander, as far as their runs are in the folder."""
    runs_there = {"teacher": study.teacher, "bystander": study.bystander}
    return {name: last_weight(run) for name, run in runs_there.items() if run is not None}


def last_weight(run: Run) -> np.ndarray:
    """The run's classifier after its last epoch, K x D."""
    weight: np.ndarray = run.trace()[0][-1]
    return weight


def between_teachers(study: Study) -> float | None:
    """Agreement of the teacher with the bystander: two networks that share data and recipe alone."""
    sides = _sides(study)
    return agreement(sides["teacher"], sides["bystander"]) if len(sides) > 1 else None


def most_alike(weight: np.ndarray) -> tuple[int, int, float, float]:
    """The two classes whose rows (K x D), their mean removed, have the greatest cosine; that cosine, and the least."""
    first, second = np.triu_indices(len(weight), 1)
    cosines = class_cosines(weight - weight.mean(0))
    top = int(cosines.argmax())
    return int(first[top]), int(second[top]), float(cosines[top]), float(cosines.min())
