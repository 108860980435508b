"""A grid in groups and jobs: every run once, whatever the split, and the same run."""

from dataclasses import replace

import pytest
from conftest import Train, same

from kdnb.parameters import StudentParameters
from kdnb.runs import Run
from kdnb.train.grid import groups, jobs
from kdnb.train.study import method_grid, student_names

SWEEP = StudentParameters(
    methods=("normal", "kd", "mse", "simkd:factor=4", "kd:temperature=20,alpha=0.5"), temperatures=(1, 4, 10)
)


@pytest.mark.parametrize("size", [None, 1, 2, 3, 5, 7, 100])
def test_each_run_is_in_one_job(size: int | None) -> None:
    split = jobs(SWEEP, size)
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
            jobs(SWEEP, wrong)  # type: ignore[arg-type]


def test_what_is_no_group_of_students_is_refused() -> None:
    """As the workflow asks, which reads YAML."""
    with pytest.raises(ValueError, match="students is None; it must be groups by name, each of parameters by name"):
        groups(None, {})
    with pytest.raises(ValueError, match="common is .1.; it must be parameters by name"):
        groups({}, [1])


def test_a_job_makes_the_group_s_runs(train: Train, tiny_runs: list[Run]) -> None:
    whole = {run.path.name: run for run in tiny_runs}
    asked = StudentParameters(methods=("normal", "kd"), temperatures=(1, 4))
    made = [run for job in jobs(asked, 2) for run in train(methods=job)]
    assert [run.path.name for run in made] == student_names(asked)
    for run in made:
        same(run, whole[run.path.name])
