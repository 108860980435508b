"""One study on Slurm in which everything happens: a job cancelled, a node drained, another lost, a time limit met.

What comes out equals the study of one computer to the last bit.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import pytest
from conftest import same
from slurm import Job, Slurm, started, until
from small import Study

from kdnb.parameters import StudentParameters
from kdnb.runs import Run
from kdnb.train.study import student_names

GRID = {"methods": ["normal", "kd"], "temperatures": [1, 4, 10]}
COMMON = {"limit": 400, "epochs": 32}
JOBS = ["students_grid_1", "students_grid_2"]
# squeue, since the database behind sacct is not here; and looks that are frequent, since jobs are short.
OPTIONS = ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "1"]
LIMIT = 5  # minutes of the second job, of which it spends a part of what it needs in training


class Story(NamedTuple):
    """What happened: the jobs in the end, and what was seen of some while they ran."""

    study: Study
    jobs: list[Job]
    cancelled: Job
    drained: Job
    lost: Job


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    with started(tmp_path_factory.mktemp("slurm")) as slurm:
        yield slurm


@pytest.fixture(scope="module")
def here(cluster: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The same study on this computer, all students in one job."""
    study = Study(tmp_path_factory.mktemp("here"), {"grid": GRID}, COMMON)
    study(["students_grid"])
    return study


def limits(here: Study) -> list[str]:
    """Options that let the second job, half of the students, train for a sixth of the time that all took here.

    That is a third of what it needs where the machine is as busy then as it was here: there it is stopped, and a few
    times only, though the machine be three times as fast or slow.
    """
    (session,) = here.run("normal").provenance["sessions"]
    began, ended = (datetime.fromisoformat(session[when]) for when in ("started", "ended"))
    minutes = max(1.0, (ended - began).total_seconds()) / 6 / 60
    return [
        "--set-resources",
        f"{JOBS[1]}:runtime={LIMIT}",
        *("--retries", "40"),
        "--config",
        "runs_a_job=2",
        f"spare_minutes={LIMIT - minutes}",
    ]


@pytest.fixture(scope="module")
def story(cluster: Slurm, here: Study, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A node is drained while a teacher trains there, the other teacher is cancelled, a student's node is lost."""
    study = Study(tmp_path_factory.mktemp("on-slurm"), {"grid": GRID}, COMMON, cluster.environment)
    logs = ["--slurm-logdir", str(study.folder / "slurm")]
    process = study.start("slurm", JOBS, *OPTIONS, *logs, *limits(here))
    try:
        drained = cluster.running("teacher_wildcards_1")
        cluster("scontrol", "update", f"NodeName={drained.node}", "State=DRAIN", "Reason=test")
        cancelled = cluster.running("teacher_wildcards_0")
        until("an epoch of the teacher", lambda: study.epochs("teacher-s0"))
        cluster("scancel", cancelled.number)
        lost = cluster.running(JOBS[0])
        cluster("scontrol", "update", f"NodeName={drained.node}", "State=RESUME")
        until("two epochs of a student, so that one of each is stored", lambda: study.epochs("normal") > 1)
        cluster.kill_node(lost.node)
        until(
            "the lost job on the other node",
            lambda: any(one.number == lost.number and one.node == drained.node for one in cluster.jobs()),
        )
        cluster.start_node(lost.node)
        cluster("scontrol", "update", f"NodeName={lost.node}", "State=RESUME")
        until("the end", lambda: process.poll() is not None)
        print(*cluster.jobs(), study.said("slurm"), sep="\n")
        assert process.returncode == 0, study.said("slurm")
    finally:
        process.kill()
    return Story(study, cluster.jobs(), cancelled, drained, lost)


def named(jobs: list[Job], rule: str) -> list[Job]:
    return [job for job in jobs if job.rule == rule]


def test_a_cancelled_job_is_submitted_again_and_goes_on(story: Story) -> None:
    first, *more = named(story.jobs, story.cancelled.rule)
    assert first.state == "CANCELLED" and [job.state for job in more] == ["COMPLETED"]
    one, other = story.study.run("teacher-s0").provenance["sessions"]
    assert one["first_epoch"] == 1 and other["first_epoch"] > 1


def test_a_drained_node_ends_its_job_and_gets_no_other(story: Story) -> None:
    (job,) = named(story.jobs, story.drained.rule)
    assert job == story.drained._replace(state="COMPLETED")
    assert named(story.jobs, story.cancelled.rule)[-1].node != story.drained.node
    assert story.lost.node != story.drained.node


def test_the_job_of_a_lost_node_goes_on_on_the_other(story: Story) -> None:
    (job,) = named(story.jobs, JOBS[0])
    assert job == story.lost._replace(state="COMPLETED", node=story.drained.node, restarts=1)
    begun = [session["first_epoch"] for session in story.study.run("normal").provenance["sessions"]]
    assert begun[0] == 1 and begun[1] > 1


def test_a_job_stops_before_its_time_limit_and_is_submitted_until_it_is_done(story: Story) -> None:
    *stopped, last = named(story.jobs, JOBS[1])
    assert last.state == "COMPLETED" and {job.state for job in stopped} == {"FAILED"}, "nothing was stopped"
    sessions = story.study.run("kd-T10").provenance["sessions"]
    assert len(sessions) == len(stopped) + 1 and all("ended" in one for one in sessions), "one was killed"
    assert [one["first_epoch"] for one in sessions[1:]] == [one["last_epoch"] + 1 for one in sessions[:-1]]


def test_teachers_and_table_are_made_once(story: Story) -> None:
    runs = [place.name for place in story.study.runs.iterdir() if (place / "history.parquet").exists()]
    students = student_names(StudentParameters(**GRID))
    assert sorted(runs) == sorted(["teacher-s0", "teacher-s1", *students])
    said = "".join(log.read_text() for log in story.study.build.rglob("students-*.txt"))
    assert len(list(story.study.runs.glob("table-*"))) == 1 and said.count("chunks to compute") <= 1
    assert story.study.half_written() == []


def test_results_equal_those_of_one_computer(story: Story, here: Study) -> None:
    names = sorted(place.parent.name for place in here.runs.glob("*/finished"))
    assert len(names) == 6
    for name in names:
        same(Run(here.runs / name), Run(story.study.runs / name))
