"""What a sweep will cost: jobs as Snakemake counts them, disk as real runs take it, hours as measured."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
import yaml
from conftest import tiny

from benchmarks import bench
from benchmarks import costs as benchmark_costs
from kdnb import models, paths
from kdnb.__main__ import main
from kdnb.methods import METHODS, create
from kdnb.sweep import configuration, costs, plan, work
from kdnb.sweep.costs import Cost
from kdnb.train import study

COMMON = {"limit": 128, "epochs": 3, "teacher_model": "resnet8", "matched_accuracy": 0.01, "device": "cpu"}
STUDENTS = {"all": {"methods": ["normal", "kd", "srrl"], "temperatures": [1, 4]}, "more": {"methods": ["mse"]}}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration that takes seconds."""
    folder = tmp_path_factory.mktemp("plan")
    content = {"profile": "digits", "teachers": [0, 1], "common": COMMON, "students": STUDENTS}
    content |= {"gpus_a_job": 0, "discard_stale": False, "build": str(folder / "build"), "runs_a_job": 2}
    (folder / "small.yaml").write_text(yaml.safe_dump(content))
    return folder / "small.yaml"


def jobs_of(file: Path) -> list[plan.Job]:
    return [job for some in plan.jobs(configuration.read(str(file))).values() for job in some]


def test_the_jobs_are_those_of_snakemakes_dry_run(small: Path) -> None:
    words = [sys.executable, "-m", "snakemake", "--snakefile", str(paths.root() / "Snakefile"), "--cores", "1"]
    words += ["--nolock", "--directory", str(paths.root()), "--configfile", str(small), "--dry-run", "all"]
    environment = {**os.environ, "KDNB_RUNS": str(small.parent / "empty")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(words, env=environment, cwd=paths.root(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    counted = {name: int(number) for name, number in re.findall(r"^(\w+) +(\d+)$", done.stdout, re.M)}
    training = {name: count for name, count in counted.items() if name.startswith(("teacher", "students"))}
    planned = {
        name: len([job for job in some if job.runs]) for name, some in plan.jobs(configuration.read(str(small))).items()
    }
    assert planned == {"teachers": 2, "all": 2, "more": 1, "teacher tables": 0}
    assert sum(training.values()) == sum(planned.values()) == 5, done.stdout


def test_the_disk_is_that_of_runs_that_were_trained(small: Path, tmp_path: Path) -> None:
    for given in STUDENTS.values():
        study.train_students(tiny(tmp_path, **{**COMMON, **given}))
    there = sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())
    assert sum(job.kept for job in jobs_of(small)) == pytest.approx(there, rel=0.1)
    (table,) = tmp_path.glob("table-*/*.json")
    parts = sum(file.stat().st_size for file in table.parent.glob("*.npy"))
    assert [job.kept for job in jobs_of(small) if not job.runs] == [pytest.approx(parts, rel=0.01)]


@pytest.mark.parametrize("name", METHODS)
def test_every_methods_parts_are_counted(name: str) -> None:
    of = work.Images(64, 64, 8, 1, 10, 9)
    student = work.student(("resnet8", "resnet20"), create(name), of, 16)
    assert work.run_bytes(student, of, 3, 64, 10) >= work.run_bytes(work.network("resnet8", of), of, 3, 64, 10)


def test_public_data_are_counted_as_they_are() -> None:
    """What the field's papers say; the views are those of :class:`kdnb.data.Views`: 9 x 9 crops, mirrored or not."""
    assert work.PUBLIC["cifar100"] == (50_000, 10_000, 32, 3, 100, 9 * 9 * 2)


# Hours.


def cost(seconds: float, **changes: object) -> Cost:
    standard = Cost("A card", "run", "digits", "resnet8", "fp32", "table", 1, seconds, "made up")
    return replace(standard, **changes)  # type: ignore[arg-type]


def spent(job: plan.Job, measured: Sequence[Cost]) -> plan.Hours:
    return plan.hours(job, measured)


def test_measured_runs_give_hours_with_their_range(small: Path) -> None:
    job = next(job for job in jobs_of(small) if job.name == "more")
    found = spent(job, [cost(0.01), cost(0.03), cost(0.05), cost(9.0, group=13), cost(9.0, network="resnet20")])
    assert found.rate[:3] == pytest.approx([x * 128 * 3 / 3600 for x in (0.03, 0.01, 0.05)]) and not found.scaled


def test_what_was_not_measured_is_scaled_by_arithmetic_and_says_so(small: Path) -> None:
    """From the teacher's pass: three times its operations in training, and the evaluation beside it."""
    job = next(job for job in jobs_of(small) if job.name == "more")
    found = spent(job, [cost(0.01, part="forward", network="resnet20")])
    ratio = models_ratio("resnet8", "resnet20")
    assert found.rate.middle == pytest.approx(0.01 * ratio * (3 * 128 + 128 + 128) * 3 / 3600)
    assert found.scaled == {"resnet20 on digits in fp32 (forward)"}


def models_ratio(one: str, other: str) -> float:
    macs = [work.size(models.create(name, 10, 1), 1, 8)[0] for name in (one, other)]
    return macs[0] / macs[1]


def test_a_live_teacher_is_shared_by_its_group() -> None:
    of = work.Images(100, 100, 8, 1, 10, 9)
    given = tiny(Path("x"), limit=100, epochs=1, teacher_outputs="live", teacher_model="resnet20")
    job = plan._students("live", given)
    assert of.train == 100 and [(one.network, one.amount) for one in job.passes] == [
        ("resnet8", 3 * 100),
        ("resnet8", 3 * 200),
        ("resnet20", 100),
    ]


@pytest.mark.parametrize(
    ("more", "count"),
    [
        ({"alpha": 0.5}, 1),
        ({"limit": 100}, 2),
        ({"dataset": "digits-few"}, 2),
        ({"output_dir": "elsewhere"}, 2),
        ({"teacher_model": "resnet14"}, 2),
        ({"teacher_seed": 2}, 2),
        ({"precision": "bf16"}, 2),
    ],
)
def test_groups_share_a_teacher_table_where_it_is_the_same(more: dict[str, object], count: int, tmp_path: Path) -> None:
    """The larger one, where one of them needs features as well."""
    students = {"a": {"methods": ["kd"]}, "b": {"methods": ["kd", "srrl"], "seed": 1, **more}}
    file = tmp_path / "two.yaml"
    file.write_text(yaml.safe_dump({"profile": "digits", "teachers": [0], "students": students}))
    tables = plan.jobs(configuration.read(str(file)))[plan.TABLES]
    assert len(tables) == count
    images = tables[-1].images.train
    assert tables[-1].kept == 2 * images * 9 * (10 + 64) and {one.images.train for one in tables} == {896, images}


def test_a_card_that_was_not_measured_is_refused_after_what_needs_none(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", str(small), "--card", "Abacus"]) == 2
    said = capsys.readouterr()
    assert "together" in said.out and "hours" not in said.out
    assert "nothing was measured on a card called 'Abacus' (AMD EPYC, 1 thread)" in said.err


def test_runs_a_job_splits(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(small), "--runs-a-job", "1"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"together +7 +7 ", said) and "core hours" in said


# The measurements.


def test_the_file_is_in_order_and_every_measurement_stands_where_it_says() -> None:
    found = costs.read()
    assert found and costs.written(found) == benchmark_costs.FILE.read_text()
    log = (paths.root() / "benchmarks" / "log.md").read_text()
    for one in found:
        assert one.seconds > 0 and one.part in ("run", "train", "forward"), one
        if "log.md" in one.source:
            assert f"| {1e3 * one.seconds:.3g} |" in log, one


def test_what_runs_took_comes_from_their_provenance() -> None:
    published = list(benchmark_costs.sessions(paths.root() / "results"))
    assert {one.key for one in published} <= {one.key for one in costs.read()}
    teacher = next(one for one in published if one.dataset == "cifar100" and one.network == "resnet20")
    provenance = paths.results("cifar100-small") / "teacher-s0" / "provenance.json"
    (session,) = json.loads(provenance.read_text())["sessions"]
    began, ended = (datetime.fromisoformat(session[name]) for name in ("started", "ended"))
    assert teacher.seconds * 50_000 == pytest.approx((ended - began).total_seconds() / session["last_epoch"], rel=0.02)


def test_the_benchmark_keeps_what_it_measures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Measured:
        pass

    monkeypatch.setattr(bench, "rates", lambda contender: [10.0, 20.0, 50.0])
    named = {name: Measured() for name in (bench.SWEEP, bench.IN_TRAINING, "bf16, table", "table, fp32")}
    found = bench.measured_costs(named, "H100", "bf16", "today")  # type: ignore[arg-type]
    assert {(one.part, one.network, one.precision, one.group) for one in found} == {
        ("train", "resnet8x4", "bf16", 11),
        ("train", "resnet8x4", "bf16", 1),
        ("train", "resnet32x4", "bf16", 1),
        ("forward", "resnet32x4", "fp32", 1),
    }
    assert {one.seconds for one in found} == {0.05}
    monkeypatch.setattr(benchmark_costs, "FILE", tmp_path / "costs.csv")
    benchmark_costs.add(found)
    benchmark_costs.add(found)
    assert len(costs.read((tmp_path / "costs.csv").read_text())) == 4
