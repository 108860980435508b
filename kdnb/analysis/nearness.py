"""Do students end nearer to their teacher's classifier than to the bystander's? Over all seeds that are at hand."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from kdnb import runs
from kdnb.analysis.over_seeds import Values
from kdnb.analysis.students import recipe
from kdnb.runs import Run


def alike(students: Sequence[Run], folders: Iterable[Path]) -> list[Run]:
    """Those of ``students``, and of their like in ``folders``, of which the difference is known.

    Alike are runs of one recipe; where two have the same seed, the first one counts.
    """
    wanted = {recipe(run.spec) for run in students}
    others = (run for folder in folders for run in runs.find(folder, role="student") if recipe(run.spec) in wanted)
    found: dict[tuple[str, int], Run] = {}
    for run in (*students, *others):
        if np.isfinite(difference(run)):
            found.setdefault((run.label, run.spec.init_seed), run)
    return list(found.values())


def difference(run: Run) -> float:
    """Final raw mu less that to the bystander; nan where one of them was not measured."""
    return run.last("mu_raw") - run.last("bystander_mu_raw")


def differences(found: Iterable[Run]) -> dict[str, dict[int, float]]:
    """The difference of each run, by label and seed."""
    values: dict[str, dict[int, float]] = {}
    for run in found:
        values.setdefault(run.label, {})[run.spec.init_seed] = difference(run)
    return values


def by_seed(found: Values) -> dict[int, list[float]]:
    """The same differences, by seed."""
    seeds: dict[int, list[float]] = {}
    for values in found.values():
        for seed, value in values.items():
            seeds.setdefault(seed, []).append(value)
    return dict(sorted(seeds.items()))
