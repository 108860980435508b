"""A grid in groups and jobs: every run once, whatever the split, and the same run."""

from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Train, same

from kdnb.parameters import StudentParameters
from kdnb.runs import Run
from kdnb.train.grid import groups, jobs, of_teachers, own_runs, teachers
from kdnb.train.study import method_grid, student_names

SWEEP = StudentParameters(
    methods=("normal", "kd", "mse", "simkd:factor=4", "kd:temperature=20,alpha=0.5"), temperatures=(1, 4, 10)
)


def texts(parameters: StudentParameters) -> list[str]:
    return list(own_runs({"a": parameters}, Path())["a"].values())


@pytest.mark.parametrize("size", [None, 1, 2, 3, 5, 7, 100])
def test_each_run_is_in_one_job(size: int | None) -> None:
    split = jobs(texts(SWEEP), size)
    found = [replace(SWEEP, methods=tuple(job)) for job in split]
    assert [run for job in found for run in method_grid(job)] == method_grid(SWEEP)
    assert [name for job in found for name in student_names(job)] == student_names(SWEEP)
    lengths = [len(job) for job in split]
    assert max(lengths) <= (size or len(method_grid(SWEEP))) and max(lengths) - min(lengths) <= 1


def test_a_list_of_seeds_is_a_group_of_each() -> None:
    found = groups({"a": {"methods": ["kd"], "seed": [0, 3]}, "b": {"seed": 1}, "c": {}}, {"profile": "digits"})
    assert {name: given.get("seed") for name, given in found.items()} == {"a_s0": 0, "a_s3": 3, "b": 1, "c": None}
    assert all(given["profile"] == "digits" for given in found.values()) and found["a_s3"]["methods"] == ["kd"]


def test_less_than_one_run_a_job_is_refused() -> None:
    for wrong in (0, "two", True, 1.5):
        with pytest.raises(ValueError, match=f"runs_a_job is {wrong!r}; it must be a whole number from 1 up"):
            jobs(texts(SWEEP), wrong)  # type: ignore[arg-type]


def test_what_is_no_group_of_students_is_refused() -> None:
    """As the workflow asks, which reads YAML."""
    with pytest.raises(ValueError, match="students is None; it must be groups by name, each of parameters by name"):
        groups(None, {})
    with pytest.raises(ValueError, match="common is .1.; it must be parameters by name"):
        groups({}, [1])


def of(**given: object) -> StudentParameters:
    return StudentParameters(**{"methods": ["kd"], "temperatures": [4], **given})  # type: ignore[arg-type]


def test_a_run_that_two_groups_name_is_the_first_one_s() -> None:
    found = own_runs({"a": of(methods=["normal"]), "b": of(methods=["normal", "kd"], epochs=240)}, Path("r"))
    assert {name: list(some) for name, some in found.items()} == {
        "a": [Path("r/normal-wd0.0005-s0")],
        "b": [Path("r/kd-T4-a0.9-wd0.0005-s0")],
    }
    assert jobs(list(own_runs({"a": of(), "b": of()}, Path("r"))["b"].values())) == []
    assert all(own_runs({"a": of(), "b": of(output_dir="elsewhere", epochs=3)}, Path("r")).values())


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"epochs": 3}, "epochs: 240 and 3"),
        ({"limit": 100}, "limit: None and 100"),
        ({"student_model": "resnet14"}, "student_model: 'resnet8' and 'resnet14'"),
        ({"bystander_seed": 2}, "bystander_seed: 1 and 2"),
        ({"temperatures": [4.0000001]}, "temperature: 4.0 and 4.0000001"),
    ],
)
def test_groups_that_ask_for_two_experiments_of_one_name_are_refused(more: dict[str, object], said: str) -> None:
    first = of(methods=["kd", "dist"])
    with pytest.raises(ValueError, match="the groups a and b both ask for .*differ.*an output_dir of its own") as error:
        own_runs({"a": first, "b": replace(first, **more)}, Path())
    assert said in str(error.value)


def test_teachers_that_groups_name_are_trained_with_those_that_are_listed() -> None:
    runs = Path("r").absolute()
    named = {"a": of(teacher_seed=5, bystander_seed=None), "b": of(teacher_weights="x.pth", bystander_seed=2)}
    assert teachers([0], {}, runs) == (0,) and teachers([0], {"a": of()}, runs) == (0, 1)
    assert teachers([], named, runs) == (5, 2)
    assert teachers([], {"a": of(teachers_dir=str(runs), teacher_seed=3)}, runs) == (3, 1)
    assert teachers([], {"a": of(teachers_dir="elsewhere"), "b": of(output_dir="elsewhere")}, runs) == ()


def test_teachers_have_the_field_s_recipe_whatever_is_common() -> None:
    common = {"profile": "digits", "epochs": 3, "teacher_model": "resnet14", "weight_decay": 0, "seed": 3}
    assert of_teachers(common) == {"profile": "digits", "epochs": 3, "teacher_model": "resnet14"}


def test_a_job_makes_the_group_s_runs(train: Train, tiny_runs: list[Run]) -> None:
    whole = {run.path.name: run for run in tiny_runs}
    asked = StudentParameters(methods=("normal", "kd"), temperatures=(1, 4))
    made = [run for job in jobs(texts(asked), 2) for run in train(methods=job)]
    assert [run.path.name for run in made] == student_names(asked)
    for run in made:
        same(run, whole[run.path.name])
