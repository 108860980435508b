"""Do students end nearer to their teacher's classifier than to the bystander's? Over all seeds that are at hand."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from kdnb import runs
from kdnb.analysis.over_seeds import Estimate, Values, estimate
from kdnb.analysis.students import recipe
from kdnb.runs import Run


def differences(students: Sequence[Run], folders: Iterable[Path]) -> dict[str, dict[int, float]]:
    """Final raw mu less that to the bystander, by label and seed: of ``students``, and of their like in ``folders``.

    Alike are runs of one recipe; where two have the same seed, the first one counts.
    """
    wanted = {recipe(run.spec) for run in students}
    others = (run for folder in folders for run in runs.find(folder, role="student") if recipe(run.spec) in wanted)
    found: dict[str, dict[int, float]] = {run.label: {} for run in students}
    for run in (*students, *others):
        value = run.last("mu_raw") - run.last("bystander_mu_raw")
        if np.isfinite(value):
            found[run.label].setdefault(run.spec.init_seed, value)
    return {label: values for label, values in found.items() if values}


def by_seed(found: Values) -> dict[int, list[float]]:
    """The same differences, by seed."""
    seeds: dict[int, list[float]] = {}
    for values in found.values():
        for seed, value in values.items():
            seeds.setdefault(seed, []).append(value)
    return dict(sorted(seeds.items()))


def over_seeds(seeds: Mapping[int, Sequence[float]]) -> Estimate:
    """Mean and interval over seeds of each seed's mean: students of one seed share a start and are no more than one."""
    return estimate(float(np.mean(values)) for values in seeds.values())
