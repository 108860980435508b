"""Interventions on the classifier beside KD of the same seed."""

from collections.abc import Sequence

import pandas as pd

from kdnb.analysis.by_method import groups, short
from kdnb.analysis.over_seeds import minus
from kdnb.analysis.study import Study
from kdnb.runs import Run

METHODS = (
    *("normal", "kd", "started", "pulled", "pushed"),
    *("frozen", "foreign", "random", "permuted", "rotated", "shuffled", "simplex"),
    *("straight", "projected", "simkd"),
)


def differences(study: Study, one: str, other: str) -> dict[int, float]:
    """Test accuracy of method ``one`` less that of ``other``, by seed, last epoch; empty where no seed has both."""
    return minus(*(_of_method(study, name) for name in (one, other)))


def group(study: Study, method: str) -> list[Run]:
    """The runs of a method, where several labels have it those with its usual parameters; empty without any."""
    found = {name: runs for name, runs in groups(study).items() if runs[0].spec.method == method}
    return found[min(found, key=len)] if found else []


def _of_method(study: Study, method: str) -> dict[int, float]:
    """Its accuracies; SimKD's also where it was not trained: W_t on the features of *projected*, which learn alike."""
    alike = [run for run in group(study, "projected") if "plug_in_accuracy" in run.history] if method == "simkd" else []
    known = {run.spec.init_seed: run.last("plug_in_accuracy") for run in alike}
    return known | _accuracies(group(study, method))


def _accuracies(group: Sequence[Run]) -> dict[int, float]:
    return {run.spec.init_seed: run.last("test_accuracy") for run in group}


def against_kd(study: Study) -> pd.DataFrame:
    """A row a run and label that has a KD of its seed: label, seed, points."""
    kd = _accuracies(group(study, "kd"))
    rows = [
        (short(run), run.spec.init_seed, 100 * (run.last("test_accuracy") - kd[run.spec.init_seed]))
        for run in beside_kd(study)
    ]
    return pd.DataFrame(rows, columns=["label", "seed", "points"])


def beside_kd(study: Study) -> list[Run]:
    """The runs that have a KD of their seed, of every seed."""
    kd = _accuracies(group(study, "kd"))
    every = [run for group in groups(study).values() for run in group]
    return [run for run in every if run.spec.method != "kd" and run.spec.init_seed in kd]
