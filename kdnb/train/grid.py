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

NEEDED = {"profile": "", "teachers": " (seeds)", "students": " (parameters by group)"}  # words, and what stands there


def check_whole(content: object) -> None:
    """ValueError unless a configuration has the words that it needs, and its runs one place."""
    there = content if isinstance(content, Mapping) else {}
    if missing := [f"{word}{what}" for word, what in NEEDED.items() if word not in there]:
        raise ValueError(f"the configuration must say {', '.join(missing)}: see config/digits.yaml.")
    common = there.get("common")
    if isinstance(common, Mapping) and "output_dir" in common:
        raise ValueError(
            f"common has output_dir {common['output_dir']!r}, and teachers lie beside the students: name the folder of "
            "all runs with the word `runs`, or give groups of students an output_dir of their own."
        )


def groups(students: Mapping[str, Mapping[str, Any]], common: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The parameters of each lockstep group by its name; a list of seeds makes a group of each.

    ValueError for what YAML gives in their place: nothing, a list, a text.
    """
    shared, found = parameters_by_name("common", common), dict[str, dict[str, Any]]()
    for name, given in _mapping("students", students, "groups by name, each of parameters by name").items():
        asked = {**shared, **parameters_by_name(f"students: {name}", given)}
        if isinstance(seeds := asked.get("seed"), list):
            found |= {f"{name}_s{seed}": asked | {"seed": seed} for seed in seeds}
        else:
            found[name] = asked
    return found


def jobs(parameters: StudentParameters, runs_a_job: int | None = None) -> list[list[str]]:
    """The ``methods`` of each job of a group, named with all their parameters: at most so many runs, evenly many.

    None: one job for the whole group. ValueError for what is no number of runs.
    """
    check_runs_a_job(runs_a_job)
    runs = [_text(name, given) for name, given in method_grid(parameters)]
    count = ceil(len(runs) / runs_a_job) if runs_a_job else 1
    return [runs[len(runs) * job // count : len(runs) * (job + 1) // count] for job in range(count)]


def check_runs_a_job(value: object) -> None:
    """ValueError unless ``value`` is a number of runs, or None."""
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise ValueError(f"runs_a_job is {value!r}; it must be a whole number from 1 up, or left out: one job a group.")


def parameters_by_name(name: str, value: object) -> Mapping[str, Any]:
    """``value`` if it holds parameters, as YAML's ``common`` and each group do; else ValueError."""
    return _mapping(name, value, "parameters by name, as in {epochs: 3}")


def _mapping(name: str, value: object, rule: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is {value!r}; it must be {rule}, or {{}} for none.")
    return value


def _text(name: str, given: Mapping[str, float]) -> str:
    """What :func:`kdnb.methods.parse` reads."""
    return name + ":" * bool(given) + ",".join(f"{key}={value!r}" for key, value in given.items())
