"""Interventions on the classifier: the accuracy of one beside that of another of the same seed."""

from kdnb.analysis.by_method import groups
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
    return known | {run.spec.init_seed: run.last("test_accuracy") for run in group(study, method)}
