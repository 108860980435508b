"""What dies takes nothing with it: the same command goes on, and makes what an undisturbed study makes."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import same
from slurm import until
from small import Study

from kdnb.runs import Run

GRID = {"methods": ["normal", "kd"], "temperatures": [4]}
COMMON = {"limit": 200, "epochs": 20}
NAMES = ["teacher-s0", "teacher-s1", "normal-wd0.0005-s0", "kd-T4-a0.9-wd0.0005-s0"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The study that nothing disturbs."""
    study = Study(tmp_path_factory.mktemp("whole"), {"grid": GRID}, COMMON)
    study(["students_grid"])
    return study


def with_teachers(study: Study, whole: Study) -> Study:
    for seed in (0, 1):
        shutil.copytree(whole.runs / f"teacher-s{seed}", study.runs / f"teacher-s{seed}")
    return study


def equal(study: Study, whole: Study) -> None:
    """Every run is the undisturbed one, and nothing else is there."""
    assert sorted(place.parent.name for place in study.runs.glob("*/finished")) == sorted(NAMES)
    for name in NAMES:
        same(Run(study.runs / name), Run(whole.runs / name))
    assert study.half_written() == [] and not list(study.runs.glob("*-s0/lock"))


def processes(study: Study) -> Iterator[tuple[int, str]]:
    """Every process of a study, and what it runs: they inherit where its runs are."""
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"KDNB_RUNS={study.runs.parent}" in place.joinpath("environ").read_bytes().decode().split("\0"):
                yield int(place.name), place.joinpath("cmdline").read_bytes().decode().replace("\0", " ")


def test_snakemake_killed_in_mid_run(whole: Study, tmp_path: Path) -> None:
    """Its jobs live on and hold their runs; the next call waits for them, and redoes nothing."""
    study = with_teachers(Study(tmp_path, {"grid": GRID}, COMMON), whole)
    process = study.start("local", ["students_grid"])
    until("an epoch", lambda: 0 < study.epochs("normal") < COMMON["epochs"])
    process.kill()
    process.wait()
    study(["students_grid"])
    equal(study, whole)
    assert "Nothing to be done" in study(["students_grid"])


def test_a_worker_killed_in_mid_run(whole: Study, tmp_path: Path) -> None:
    """The same call starts its job again, which goes on after the last stored epoch."""
    study = with_teachers(Study(tmp_path, {"grid": GRID}, COMMON), whole)
    process = study.start("local", ["students_grid"])
    until("two epochs, so that all have stored one", lambda: 1 < study.epochs("normal") < COMMON["epochs"])
    (kernel,) = [number for number, command in processes(study) if "ipykernel_launcher" in command]
    os.kill(kernel, signal.SIGKILL)
    assert process.wait() == 0, study.said("local")
    equal(study, whole)
    one, other = study.run("normal").provenance["sessions"]
    assert one["first_epoch"] == 1 and other["first_epoch"] > 1


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own that is soon full; only root can make one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a disk of one's own takes root's rights")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk(whole: Study, tmp_path: Path, narrow: Path) -> None:
    """It says so and leaves nothing half-written; with room the same command goes on."""
    study = Study(tmp_path / "study", {"grid": GRID}, COMMON)
    study.runs.parent.symlink_to(narrow)
    with_teachers(study, whole)
    (narrow / "other").write_bytes(bytes(shutil.disk_usage(narrow).free - 600_000))  # somebody else's
    said = study(["students_grid"], fails=True)
    assert "No space left on device" in said and "make room, then run again" in said
    assert study.half_written() == [] and study.epochs("normal") < COMMON["epochs"]
    for name in ("normal", "kd"):  # what can be seen can be read
        study.epochs(name)
    (narrow / "other").unlink()
    study(["students_grid"])
    equal(study, whole)


def test_a_student_that_always_fails(whole: Study, tmp_path: Path) -> None:
    """The others are finished, also of its own group; it is named with its error; the book does without it."""
    students = {"bad": {**GRID, "methods": ["normal", "pulled:weight=1e30"]}, "good": {**GRID, "methods": ["kd"]}}
    study = with_teachers(Study(tmp_path, students, COMMON), whole)
    said = study(["students_bad", "students_good"], fails=True)
    bad = study.run("pulled")
    assert bad.failure and bad.failure in said and bad.failure.startswith(f"{bad.path.name}: ")
    equal(study, whole)
    assert not bad.finished and not (bad.path / "finished").exists()
    plan = study(["all"], "--config", "train=False", "--dry-run")[len(said) :]
    assert f"missing: {bad.path.name}, stopped by: {bad.failure}" in plan
    table = [line.split() for line in plan.splitlines()]
    rules = {words[0] for words in table if len(words) == 2 and words[1].isdigit()}
    assert rules == {"all", "chapter", "book", "total"}, plan
