"""A configuration's students as groups and as jobs; neither who trains beside a run nor where changes its numbers.

    students:
      sweep: {methods: [normal, kd], temperatures: [1, 4, 10], seed: [0, 1, 2]}

is three lockstep groups of four runs, ``sweep_s0`` to ``sweep_s2``, since runs of several seeds share no batches; with
``runs_a_job: 2`` it is six jobs.
"""

from collections.abc import Mapping
from math import ceil
from typing import Any

from kdnb.parameters import StudentParameters
from kdnb.train.study import method_grid


def groups(students: Mapping[str, Mapping[str, Any]], common: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The parameters of each lockstep group by its name; a list of seeds makes a group of each."""
    found: dict[str, dict[str, Any]] = {}
    for name, given in students.items():
        asked = {**common, **given}
        if isinstance(seeds := asked.get("seed"), list):
            found |= {f"{name}_s{seed}": asked | {"seed": seed} for seed in seeds}
        else:
            found[name] = asked
    return found


def jobs(parameters: StudentParameters, runs_a_job: int | None = None) -> list[list[str]]:
    """The ``methods`` of each job of a group, named with all their parameters: at most so many runs, evenly many.

    None: one job for the whole group. ValueError for less than one run.
    """
    if runs_a_job is not None and runs_a_job < 1:
        raise ValueError(f"runs_a_job is {runs_a_job}; a job needs at least one run.")
    runs = [_text(name, given) for name, given in method_grid(parameters)]
    count = ceil(len(runs) / runs_a_job) if runs_a_job else 1
    return [runs[len(runs) * job // count : len(runs) * (job + 1) // count] for job in range(count)]


def _text(name: str, given: Mapping[str, float]) -> str:
    """What :func:`kdnb.methods.parse` reads."""
    return name + ":" * bool(given) + ",".join(f"{key}={value!r}" for key, value in given.items())
