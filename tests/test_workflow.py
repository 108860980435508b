"""The workflow on a tiny study: a second call does nothing, and only what is missing is redone."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from kdnb.book import build
from kdnb.parameters import StudentParameters
from kdnb.runs import Run
from kdnb.train import study

ROOT = Path(__file__).parents[1]
LOW, HIGH = "kd-T4-a0.9-wd0.0005-s0", "normal-wd0.0005-s0"


class Workflow:
    """Snakemake on a small configuration, with runs and build in a folder of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.runs, self.config = folder / "runs" / "digits", folder / "tiny.yaml"
        small = {"limit": 128, "epochs": 2, "teacher_model": "resnet8"}
        content = {
            "profile": "digits",
            "teachers": [0, 1],
            "students": {"low": {"methods": ["normal", "kd"], "temperatures": [4]}},
            "gpus_a_job": 0,
            "discard_stale": True,
            "common": small,
            "build": str(folder / "build"),
        }
        self.config.write_text(yaml.safe_dump(content))
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "KDNB_RUNS": str(folder / "runs"),
        }
        self.folder = folder

    def __call__(self, *options: str) -> str:
        """Train the students; what Snakemake says."""
        words = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(ROOT)]
        words += ["--configfile", str(self.config), "--cores", "2", "--nolock", *options]
        done = subprocess.run(words, env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    work = Workflow(tmp_path_factory.mktemp("work flow"))  # a name that a shell would take apart
    work("students_low")
    return work


def written(workflow: Workflow) -> dict[str, int]:
    """When each run's history was written."""
    return {file.parent.name: file.stat().st_mtime_ns for file in workflow.runs.glob("*/history.parquet")}


def test_it_trains_teacher_bystander_and_students(workflow: Workflow) -> None:
    assert sorted(written(workflow)) == [LOW, HIGH, "teacher-s0", "teacher-s1"]
    assert all(Run(workflow.runs / name).finished for name in written(workflow))


def test_a_second_call_does_nothing(workflow: Workflow) -> None:
    before = written(workflow)
    assert "Nothing to be done" in workflow("students_low")
    assert written(workflow) == before


def test_a_deleted_student_alone_is_redone(workflow: Workflow) -> None:
    import shutil

    before = written(workflow)
    shutil.rmtree(workflow.runs / LOW)
    workflow("students_low")
    after = written(workflow)
    assert [name for name in before if before[name] != after[name]] == [LOW]
    assert "Nothing to be done" in workflow("students_low")


def test_the_book_waits_for_every_chapter_and_every_student(workflow: Workflow) -> None:
    plan = workflow("--dry-run", "all")
    chapters = [name for name in build.chapters(ROOT / "_toc.yml") if name.startswith("notebooks/")]
    for rule, count in (("chapter", len(chapters)), ("book", 1), ("all", 1)):
        assert any(line.split() == [rule, str(count)] for line in plan.splitlines()), plan
    assert "students_low " not in plan


def planned(profile: str, workflow: Workflow, *settings: str, on: str = "local") -> str:
    """What Snakemake would do for a published configuration where nothing is built yet."""
    words = [sys.executable, "-m", "snakemake", "--configfile", f"config/{profile}.yaml", "--nolock", "--dry-run"]
    words += ["--workflow-profile", f"profiles/{on}", "--quiet", "host", "--printshellcmds"]
    words += ["--config", f"build={workflow.folder}/empty", *settings]
    environment = {**workflow.environment, "KDNB_RUNS": str(workflow.folder / "empty")}
    done = subprocess.run(words, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("profile", "runs", "shown"),
    [
        ("digits", 15, 13),
        ("cifar100", 15, 13),
        ("cifar100-small", 70, 24),
        ("cifar100-half", 85, 26),
        ("digits-crossed", 23, 4),
        ("digits-few-crossed", 195, 5),
    ],
)
def test_the_published_configurations_are_whole(workflow: Workflow, profile: str, runs: int, shown: int) -> None:
    """Their teachers and students; in the chapter on students those of the main sweep, or else of the first group."""
    plan = planned(profile, workflow)
    assert len({part for part in plan.replace(",", " ").split() if part.endswith("/finished")}) == runs, plan
    (chapter,) = [line for line in plan.splitlines() if "/log/02_students.ipynb" in line and "papermill" in line]
    given = StudentParameters(**json.loads(re.search(r"-y '(\{.*\})'", chapter)[1]))
    assert len(study.student_names(given)) == shown


def test_a_kind_of_gpu_is_asked_for_where_one_trains(workflow: Workflow) -> None:
    plan = planned("cifar100", workflow, "gpu_model=a100")
    asked = {re.search(r"^rule (\w+):", job, re.M)[1] for job in plan.split("\n\n") if "gpu_model=a100" in job}
    assert asked == {"teacher", "students_all"}


def counts(plan: str) -> dict[str, int]:
    """Jobs by rule, from Snakemake's table."""
    lines = [line.split() for line in plan.splitlines()]
    return {words[0]: int(words[1]) for words in lines if len(words) == 2 and words[1].isdigit()}


@pytest.mark.parametrize(("runs_a_job", "jobs"), [(None, 20), (4, 60)])
def test_two_hundred_runs_split_into_jobs(workflow: Workflow, runs_a_job: int | None, jobs: int) -> None:
    """Ten runs of each of twenty seeds; teachers and data are made once, whatever the split."""
    setting = [] if runs_a_job is None else [f"runs_a_job={runs_a_job}"]
    plan = planned("cifar100-grid", workflow, *setting, on="slurm")
    found = counts(plan)
    assert len([rule for rule in found if rule.startswith("students_sweep_s")]) == jobs, plan
    assert (found["teacher"], found["data"]) == (2, 1)
    assert len({part for part in plan.replace(",", " ").split() if part.endswith("/finished")}) == 202


def test_another_split_redoes_nothing(workflow: Workflow) -> None:
    before = written(workflow)
    assert "Nothing to be done" in workflow("students_low_1", "students_low_2", "--config", "runs_a_job=1")
    assert written(workflow) == before


def test_the_book_of_the_published_results_trains_nothing(workflow: Workflow) -> None:
    rules = {line.removeprefix("rule ").rstrip(":") for line in planned("results", workflow).splitlines()}
    assert {"chapter", "book"} <= rules
    assert not {rule for rule in rules if rule.startswith(("teacher", "students_", "code"))}


def given_to(chapter: str, plan: str) -> dict[str, object]:
    """The parameters that a chapter is called with, of a dry run that prints its commands."""
    (line,) = [line for line in plan.splitlines() if f"/log/{chapter}.ipynb" in line and "papermill" in line]
    found: dict[str, object] = json.loads(re.search(r"-y '(\{.*\})'", line)[1])  # type: ignore[index]
    return found


@pytest.mark.parametrize(
    ("changes", "trained", "shown"),
    [
        ({"teachers": [1], "common": {"teacher_weights": "mine.pth"}}, {1}, {"seed": 1}),
        ({"teachers": [2, 3], "common": {"teacher_seed": 3}}, {1, 2, 3}, {"seed": 3}),
        ({"teachers": [], "common": {"seed": 3, "weight_decay": 0, "epochs": 9}}, {0, 1}, {"seed": 0, "epochs": 9}),
        (
            {"teachers": [], "common": {"teacher_weights": "mine.pth", "bystander_seed": None}},
            set(),
            {"output_dir": str(ROOT / "results" / "digits")},
        ),
    ],
)
def test_the_teachers_chapter_shows_one_that_is_trained_for_the_study(
    changes: dict[str, object], trained: set[int], shown: dict[str, object], tmp_path: Path
) -> None:
    """And trains none itself: its job has no GPU and comes last."""
    own = Workflow(tmp_path)
    own.config.write_text(yaml.safe_dump(yaml.safe_load(own.config.read_text()) | changes))
    plan = own("--dry-run", "--printshellcmds", "all")
    assert {int(seed) for seed in re.findall(r"^ +output: \S+teacher-s(\d+)/finished$", plan, re.M)} == trained
    assert given_to("01_teacher", plan) == {"profile": "digits", **shown}


def test_a_baseline_in_two_groups_is_trained_once(tmp_path: Path) -> None:
    own = Workflow(tmp_path)
    students = {"a": {"methods": ["normal"]}, "b": {"methods": ["normal", "kd"], "temperatures": [4]}}
    own.config.write_text(yaml.safe_dump(yaml.safe_load(own.config.read_text()) | {"students": students}))
    plan = own("--dry-run", "--printshellcmds", "all")
    made = re.findall(r"^rule students_(\w+):.*?output: ([^\n]*)$", plan, re.M | re.S)
    assert sorted((name, markers.count("/finished")) for name, markers in made) == [("a", 1), ("b", 1)]
    assert given_to("02_students", plan)["methods"] == ["normal", "kd:temperature=4.0,alpha=0.9,squared=1.0"]


def test_three_words_make_a_configuration_and_one_that_lacks_is_named(tmp_path: Path) -> None:
    least = Workflow(tmp_path)
    content = {"profile": "digits", "teachers": [0, 1], "students": {"all": {"methods": ["kd"], "temperatures": [4]}}}
    least.config.write_text(yaml.safe_dump(content))
    assert "students_all" in least("--dry-run", "all")
    del content["teachers"]
    least.config.write_text(yaml.safe_dump(content))
    with pytest.raises(AssertionError, match="the configuration must say teachers \\(seeds\\): see"):
        least("--dry-run", "all")
