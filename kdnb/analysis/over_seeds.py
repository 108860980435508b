"""Values of several runs by what they are: label and seed."""

from collections.abc import Callable, Mapping

import numpy as np

from kdnb.analysis.selection import Study
from kdnb.runs import Run

Values = Mapping[str, Mapping[int, float]]  # by label and seed


def groups(study: Study) -> dict[str, list[Run]]:
    """The runs of each label, all seeds, in the order of the study's students."""
    return {run.label: study.by_seeds.get(run.label, [run]) for run in study.students}


def paired(one: Values, other: Values, label: str, beside: str | None = None) -> np.ndarray:
    """Differences seed by seed: ``one`` of ``label`` minus ``other`` of ``beside`` (default: the same label)."""
    left, right = one.get(label, {}), other.get(beside or label, {})
    return np.array([value - right[seed] for seed, value in left.items() if seed in right], float)


def collect(study: Study, read: Callable[[Run], float | None]) -> dict[str, dict[int, float]]:
    """What ``read`` finds in each run of :func:`groups`, without the runs where it finds nothing."""
    found = {label: {run.spec.init_seed: read(run) for run in runs} for label, runs in groups(study).items()}
    return {label: {seed: v for seed, v in values.items() if v is not None} for label, values in found.items()}
