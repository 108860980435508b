"""A study's configuration, config/NAME.yaml, read as the Snakefile reads it: which runs it asks for, and where."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kdnb import paths, profiles
from kdnb.checks import choice
from kdnb.parameters import StudentParameters, TeacherParameters
from kdnb.runs import teacher_name
from kdnb.train import grid, study

TEACHERS = "teachers"  # what their group is called beside the students'


@dataclass(frozen=True)
class Configuration:
    """What a configuration asks for.

    file        the YAML file
    profile     its profile
    runs        the folder of its runs
    teachers    a teacher for each of these seeds, those that its groups name among them
    students    parameters by lockstep group
    common      parameters of every teacher
    runs_a_job  so many students a job at most; None: a group is a job
    """

    file: Path
    profile: str
    runs: Path
    teachers: tuple[int, ...]
    students: Mapping[str, StudentParameters]
    common: Mapping[str, Any]
    runs_a_job: int | None = None

    def folders(self) -> dict[str, list[Path]]:
        """The run folders it asks for, by group, teachers first; what two groups ask for is the first one's."""
        own = {name: list(found) for name, found in grid.own_runs(self.students, self.runs).items()}
        return {TEACHERS: [self.runs / teacher_name(seed) for seed in self.teachers], **own}

    def jobs(self, runs_a_job: int | None = None) -> dict[str, list[list[str]]]:
        """The ``methods`` of each job, by group of students; ``runs_a_job``: in place of what it says."""
        split = self.runs_a_job if runs_a_job is None else runs_a_job
        own = grid.own_runs(self.students, self.runs)
        return {name: grid.jobs(list(found.values()), split) for name, found in own.items()}

    def settings(self) -> dict[Path, dict[str, Any]]:
        """What each run's spec must say, by folder: epochs, rates, seeds, ... (see `study.settled`)."""
        asked = {self.runs / teacher_name(seed): study.settled(self.teacher(seed), "teacher") for seed in self.teachers}
        for name, folders in self.folders().items():
            if name in self.students:
                asked |= dict.fromkeys(folders, study.settled(self.students[name], "student"))
        return asked

    def teacher(self, seed: int) -> TeacherParameters:
        """Parameters of the teacher of a seed."""
        return TeacherParameters(**{**self.common, "profile": self.profile, "seed": seed})


def known() -> list[str]:
    """The configurations of this clone."""
    return sorted(file.stem for file in (paths.root() / "config").glob("*.yaml"))


def read(name: str, runs: Path | None = None) -> Configuration:
    """The configuration called ``name`` (or in the file ``name``); ``runs``: where its runs are, if not where it says.

    ValueError, naming the file, for one that is unknown, is no YAML or asks for what no study has.
    """
    file = paths.given(name) if name.endswith((".yaml", ".yml")) else paths.root() / "config" / f"{name}.yaml"
    if not file.is_file():
        choice("configuration", name, known())
        raise ValueError(f"there is no file {file}.")
    try:
        content = yaml.safe_load(file.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is no YAML: {error}") from error
    try:
        grid.check_whole(content)
        return _asked(file, content, runs)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{file}: {error}") from error


def _asked(file: Path, content: Mapping[str, Any], runs: Path | None) -> Configuration:
    """The content of ``file``; ValueError, or TypeError for names that are no text, for what no study has."""
    profile, runs_a_job = content["profile"], content.get("runs_a_job")
    profiles.get(profile)
    grid.check_runs_a_job(runs_a_job)
    common = {} if content.get("common") is None else grid.parameters_by_name("common", content["common"])
    groups = grid.groups(content["students"], {"profile": profile, **common})
    students = {name: StudentParameters(**given) for name, given in groups.items()}
    folder = runs or _folder(content, profile)
    grid.own_runs(students, folder)  # refuses groups that contradict each other
    teachers = grid.teachers(content["teachers"], students, folder)
    return Configuration(file, profile, folder, teachers, students, grid.of_teachers(common), runs_a_job)


def _folder(content: Mapping[str, Any], profile: str) -> Path:
    """Where the runs are."""
    if "runs" not in content:
        return paths.runs(profile)
    if not isinstance(content["runs"], str):
        raise ValueError(f"runs is {content['runs']!r}; it must be the path of a folder, or left out: runs/.")
    return paths.root() / paths.given(content["runs"]) / profile
