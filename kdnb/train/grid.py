"""A configuration's students as groups and as jobs; neither who trains beside a run nor where changes its numbers.

    students:
      sweep: {methods: [normal, kd], temperatures: [1, 4, 10], seed: [0, 1, 2]}

is three lockstep groups of four runs, ``sweep_s0`` to ``sweep_s2``, since runs of several seeds share no batches; with
``runs_a_job: 2`` it is six jobs. A run that two groups name, such as a baseline, is trained by the first.
"""

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any

from kdnb import paths, profiles
from kdnb.checks import choice
from kdnb.parameters import StudentParameters
from kdnb.train.study import OF_TEACHERS, method_grid, settled, student_names

NEEDED = {"profile": "", "teachers": " (seeds)", "students": " (parameters by group)"}  # words, and what stands there
WORDS = {*NEEDED, "runs", "common", "build", "train", "gpus_a_job", "gpu_model", "discard_stale"}
WORDS |= {"runs_a_job", "spare_minutes"}
# What else than `study.settled` parts two experiments of one method.
OF_DATA = ("dataset", "data_dir", "limit", "student_model")
OF_PAIR = ("teacher_model", "teacher_seed", "teachers_dir", "teacher_weights", "bystander_seed")


def check_whole(content: object) -> None:
    """ValueError unless a configuration has the words that it needs and no unknown one, and its runs one place."""
    there = content if isinstance(content, Mapping) else {}
    if missing := [f"{word}{what}" for word, what in NEEDED.items() if word not in there]:
        raise ValueError(f"the configuration must say {', '.join(missing)}: see config/digits.yaml.")
    for word in there:
        choice("word of a configuration", word, WORDS)
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


def own_runs(groups: Mapping[str, StudentParameters], folder: Path) -> dict[str, dict[Path, str]]:
    """By group the folders of its runs, each with what ``methods`` calls it, its parameters named.

    folder: of the runs, where a group has none of its own. A run that two groups name is the first one's; ValueError
    where they ask for experiments that differ.
    """
    found, first = dict[str, dict[Path, str]](), dict[Path, tuple[str, dict[str, Any]]]()
    for name, given in groups.items():
        place, shared = _place(given.output_dir, folder), _experiment(given)
        named = dict(zip([place / run for run in student_names(given)], method_grid(given), strict=True))
        for run, (_, parameters) in named.items():
            asked = shared | parameters
            owner, known = first.setdefault(run, (name, asked))
            if odd := [f"{key}: {known[key]!r} and {asked[key]!r}" for key in asked if known[key] != asked[key]]:
                raise ValueError(
                    f"the groups {owner} and {name} both ask for {run.name}, and differ ({'; '.join(odd)}): let them "
                    "agree, or give one an output_dir of its own, with the teachers_dir of the other."
                )
        found[name] = {run: _text(*one) for run, one in named.items() if first[run][0] == name}
    return found


def _experiment(given: StudentParameters) -> dict[str, Any]:
    """What parts two runs of one name, but for their methods' parameters; the profile where it is left open."""
    profile, named = profiles.get(given.profile), {name: getattr(given, name) for name in OF_DATA + OF_PAIR}
    usual = {"dataset": profile.dataset, "student_model": profile.student, "teacher_model": profile.teacher}
    return settled(given, "student") | {key: usual.get(key) if one is None else one for key, one in named.items()}


def _place(named: str | None, folder: Path) -> Path:
    return paths.root() / paths.given(named) if named else folder


def jobs(runs: Sequence[str], runs_a_job: int | None = None) -> list[list[str]]:
    """The ``methods`` of each job of a group that has these ``runs``: at most so many, evenly many.

    None: one job for the whole group. ValueError for what is no number of runs.
    """
    check_runs_a_job(runs_a_job)
    count = ceil(len(runs) / (runs_a_job or len(runs) or 1))
    return [list(runs[len(runs) * job // count : len(runs) * (job + 1) // count]) for job in range(count)]


def teachers(listed: object, groups: Mapping[str, StudentParameters], folder: Path) -> tuple[int, ...]:
    """Seeds of the teachers to train into ``folder``: those that are listed, and those that groups learn from or see.

    ValueError unless ``listed`` is a list of seeds.
    """
    if not isinstance(listed, list) or any(not isinstance(one, int) or isinstance(one, bool) for one in listed):
        raise ValueError(f"teachers is {listed!r}; it must be a list of seeds, as in [0, 1].")
    here = [given for given in groups.values() if _place(given.teachers_dir or given.output_dir, folder) == folder]
    named = [(None if given.teacher_weights else given.teacher_seed, given.bystander_seed) for given in here]
    return tuple(dict.fromkeys([*listed, *(seed for pair in named for seed in pair if seed is not None)]))


def of_teachers(common: Mapping[str, Any]) -> dict[str, Any]:
    """What of ``common`` teachers are trained with: the rest of their recipe is the field's, whatever students have."""
    return {name: common[name] for name in OF_TEACHERS if name in common}


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
