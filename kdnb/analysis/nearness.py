"""Do students end nearer to their teacher's classifier than to the bystander's? Over all seeds that are at hand."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from kdnb import runs
from kdnb.analysis.over_seeds import Estimate, Values, estimate
from kdnb.runs import Run, RunSpec


def differences(students: Sequence[Run], folders: Iterable[Path]) -> dict[str, dict[int, float]]:
    """Final raw mu less that to the bystander, by label and seed: of ``students``, and of their like in ``folders``.

    Alike are runs that differ in nothing but seed and teachers; where two have the same seed, the first one counts.
    """
    wanted = {_bare(run.spec) for run in students}
    others = (run for folder in folders for run in runs.find(folder, role="student") if _bare(run.spec) in wanted)
    found: dict[str, dict[int, float]] = {run.label: {} for run in students}
    for run in (*students, *others):
        value = run.last("mu_raw") - run.last("bystander_mu_raw")
        if np.isfinite(value):
            found[run.label].setdefault(run.spec.init_seed, value)
    return {label: values for label, values in found.items() if values}


def _bare(spec: RunSpec) -> str:
    """What a run is apart from its seeds and its teachers."""
    free = replace(spec, init_seed=0, order_seed=0, view_seed=0, teacher=None, bystander=None, teacher_outputs=None)
    return str(free.as_json())


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
