"""Several jobs on one folder: one trains a run, the others wait or go on with other runs; nothing is left over."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from conftest import tiny

from kdnb.runs import Run
from kdnb.train import locks, study

GIVEN = {"limit": 200, "epochs": 2, "temperatures": [4]}


def start(folder: Path) -> subprocess.Popen[str]:
    """The command whose parameters are ``tiny(folder, **GIVEN)``."""
    words = shlex.split(
        "--limit 200 --epochs 2 --methods normal kd --temperatures 4 --teacher-model resnet8 --device cpu"
    )
    command = [sys.executable, "-m", "kdnb", "students", *words, "--output-dir", str(folder)]
    threads = {**os.environ, "OMP_NUM_THREADS": "1"}  # as in this process: bits depend on it
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=threads)


def test_jobs_that_meet_train_each_run_once_and_leave_nothing(tmp_path: Path) -> None:
    jobs = [start(tmp_path / "shared") for _ in range(3)]
    said = [job.communicate(timeout=300)[0] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0, 0], said
    study.train_students(tiny(tmp_path / "alone", **GIVEN))
    names = sorted(place.name for place in (tmp_path / "alone").iterdir())
    assert sorted(place.name for place in (tmp_path / "shared").iterdir()) == names
    for name in names:
        one, other = (tmp_path / folder / name for folder in ("alone", "shared"))
        ours = {file.name for file in other.iterdir()} - {"lock"} if name.startswith("table") else set()
        assert ours <= {file.name for file in one.iterdir()} and not (name[:5] != "table" and (other / "lock").exists())
        if (one / "history.parquet").exists():
            pd.testing.assert_frame_equal(*(pd.read_parquet(place / "history.parquet") for place in (one, other)))
            assert Run(one).weights_checksum == Run(other).weights_checksum
            assert len(json.loads((other / "provenance.json").read_text())["sessions"]) == 1


def test_where_no_lock_can_be_the_way_out_is_said(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(OSError, match=r"runs/one/lock cannot be locked: .*Choose another output_dir\."):
        locks.ours([Run(tmp_path / "runs" / "one")]).__enter__()


def test_a_run_that_another_job_has_is_waited_for_no_longer_than_there_is_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, other = Run(tmp_path / "one"), Run(tmp_path / "two")
    with locks.ours([run]) as mine:
        assert mine == [run]
        with locks.ours([run, other]) as rest:
            assert rest == [other]
        with locks.ours([run], seconds=0.2) as none:
            assert none == []
        assert "another job is at work on this run" in capsys.readouterr().out
    assert not (run.path / "lock").exists() and not (other.path / "lock").exists()
