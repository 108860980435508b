"""The studies in config/: what they ask for exists, is asked for once, and what was published is what they make."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from kdnb import paths
from kdnb.methods import METHODS
from kdnb.parameters import StudentParameters
from kdnb.runs import Run, teacher_name
from kdnb.train import grid
from kdnb.train.study import folder, student_names

FILES = sorted((Path(__file__).parents[1] / "config").glob("*.yaml"))
PUBLISHED = ("digits-long", "digits-few", "digits-d8", "digits-d16", "digits-wide")
BEGUN = ("cifar100-half", "cifar100-small")  # hours and days of training, published as far as they have come


def config(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(next(file for file in FILES if file.stem == name).read_text())
    return content


def groups(name: str) -> list[StudentParameters]:
    content = config(name)
    return [
        StudentParameters(**given)
        for given in grid.groups(content["students"], {"profile": content["profile"]}).values()
    ]


def students(name: str) -> list[str]:
    return [run for group in groups(name) for run in student_names(group)]


def places(name: str) -> list[str]:
    """Where each student goes."""
    return [f"{folder(group)}/{run}" for group in groups(name) for run in student_names(group)]


@pytest.mark.parametrize("name", [file.stem for file in FILES])
def test_no_run_is_asked_for_twice(name: str) -> None:
    names = places(name)
    assert len(set(names)) == len(names)
    assert names or not config(name)["teachers"]


@pytest.mark.parametrize("name", ["digits-long", "cifar100-long"])
def test_the_long_studies_have_every_method(name: str) -> None:
    assert {run.split("-")[0] for run in students(name)} == set(METHODS)


def test_the_short_study_is_part_of_the_long_one() -> None:
    assert set(students("digits")) <= set(students("digits-long"))


@pytest.mark.parametrize("name", [*PUBLISHED, *BEGUN])
def test_every_run_of_a_study_is_published_and_none_is_left_over(name: str) -> None:
    content = config(name)
    target = paths.results(content["profile"])
    there = {file.parent.name for file in target.glob("*/spec.json")}
    asked = {*students(name), *map(teacher_name, content["teachers"])}
    assert there <= asked if name in BEGUN else there == asked
    assert all(Run(target / run).finished for run in there)
