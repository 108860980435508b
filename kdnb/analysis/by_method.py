"""Students method by method: one row a label over all its seeds, the mean of the last epoch."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from kdnb import methods
from kdnb.analysis import over_seeds, stats
from kdnb.analysis.students import ORDER
from kdnb.analysis.study import Study
from kdnb.runs import Run

PUBLISHED = ORDER[: ORDER.index("simkd") + 1]
METHODS = (*PUBLISHED, *(name for name in methods.METHODS if name not in ORDER))  # and all of one's own
TEMPERATURE = 4.0  # of the KD that stands for KD

FACTORS = (2.0, 4.0, 8.0)  # of SimKD's projector, as its authors tried them
ROUNDING = 4  # decimals; in single precision a rotation is found to about 1e-5
MUS = {
    "mu_raw": "raw μ (bystander)",
    "mu_matched": "matched μ",
    "mu_rotated": "rotated μ (bystander)",
}
SAID = {"mu_raw": "raw", "mu_rotated": "rotated"}
LEAST_METHODS = 6  # an order of fewer is an accident
BYSTANDERS = ("bystander_mu_raw", "bystander_mu_rotated")


def shown(study: Study) -> list[Run]:
    """The first of each of the study's labels, of KD's the temperature nearest to TEMPERATURE alone."""
    kd = study.nearest(TEMPERATURE)
    return [run for run in study.first_of_each if run.spec.method != "kd" or run is kd]


def groups(study: Study) -> dict[str, list[Run]]:
    """By :func:`short` name, those of :func:`shown` with their other seeds."""
    every = study.groups
    return {short(run): every[run.label] for run in shown(study)}


def short(run: Run) -> str:
    """The run's label in few letters: "frozen" for "frozen at W_t", "SimKD f=4" for "SimKD factor=4"."""
    return _short(run.spec.method, run.label)


def _short(name: str, label: str) -> str:
    called = methods.METHODS[name].label if name in methods.METHODS else name
    return (label.replace(called, name) if " " in called else label).replace(" factor=", " f=")


def with_mu(study: Study) -> list[Run]:
    """Those of :func:`shown` that have a classifier of their own."""
    return [run for run in shown(study) if has_mu(run)]


def label_of(name: str, parameters: Mapping[str, float]) -> str:
    """What a method with these parameters, the others its own, is called in few letters."""
    return _short(name, methods.label(name, methods.parameters_of(methods.create(name, dict(parameters)))))


def planned() -> list[str]:
    """What the methods that this chapter compares are called, trained or not."""
    simkd = [{"factor": factor} for factor in FACTORS]
    given = {"kd": [{"temperature": TEMPERATURE}], "simkd": simkd}
    return [label_of(name, some) for name in PUBLISHED for some in given.get(name, [{}])]


def measured(study: Study) -> pd.DataFrame:
    """A row a label: seeds; accuracy, its interval over seeds (low, high); MUS, BYSTANDERS; plug_in.

    Beside a column that some seeds lack, "n" and its name: how many have it.
    """
    rows: dict[str, dict[str, float]] = {}
    for label, group in groups(study).items():
        low, high = stats.mean_interval([run.last("test_accuracy") for run in group])
        row = {"seeds": len(group), "accuracy": mean("test_accuracy", group), "low": low, "high": high}
        columns = {column: column for column in (*MUS, *BYSTANDERS)} | {"plug_in": "plug_in_accuracy_matched"}
        for name, column in columns.items():
            row |= {name: mean(column, group), f"n {name}": len(over_seeds.having(group, column))}
        rows[label] = row
    return pd.DataFrame.from_dict(rows, orient="index")


def mean(column: str, group: Sequence[Run]) -> float:
    """Mean of a column's last value over those runs whose histories have it; nan without any."""
    return over_seeds.estimate(run.last(column) for run in group).mean


def has_mu(run: Run) -> bool:
    """Whether the tracker could measure a distance to the teacher's classifier."""
    return "mu_raw" in run.history


class Order(NamedTuple):
    """Spearman's correlation of accuracy with a mu, its p-value, and over how many methods."""

    rho: float
    p: float
    methods: int


def order(study: Study, column: str) -> Order | None:
    """Whether a mu orders the methods' means as accuracy does; None for too few methods, or where one does not vary."""
    every = (over_seeds.having(group, column) for group in groups(study).values())
    means = [[mean(one, group) for one in (column, "test_accuracy")] for group in every]
    table = np.array(means).round(ROUNDING)
    known = table[np.isfinite(table).all(1)]
    if len(known) < LEAST_METHODS or (known == known[0]).all(0).any():
        return None
    found = spearmanr(known[:, 0], known[:, 1])
    return Order(float(found.statistic), float(found.pvalue), len(known))
