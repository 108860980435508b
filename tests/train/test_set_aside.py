"""Runs that other code made are set aside, and nothing is lost."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from conftest import Train
from made_up import SPEC, write

from kdnb import __main__ as command_line
from kdnb.runs import Run
from kdnb.train import locks, set_aside


def test_runs_of_other_code_are_set_aside_and_the_latest_of_each_name_is_kept(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = train(methods=["normal"])
    code, history = run.provenance["sessions"][-1]["code"], run.history
    for link in tmp_path.glob("teacher-*"):
        link.unlink()
    capsys.readouterr()
    assert set_aside.set_aside(tmp_path, code) == []
    assert command_line.main(["set-aside", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path}: of other code and set aside: none\n"
    assert set_aside.set_aside(tmp_path, "other") == ["normal-wd0.0005-s0"]
    moved = tmp_path.with_name(f"{tmp_path.name}.stale") / "normal-wd0.0005-s0"
    pd.testing.assert_frame_equal(Run(moved).history, history)
    assert not run.path.exists() and not (moved / "lock").exists()
    shutil.copytree(moved, run.path)
    (moved / "older").touch()
    monkeypatch.chdir(tmp_path)
    assert set_aside.set_aside(Path("."), "other") == [run.path.name]
    assert not run.path.exists() and not (moved / "older").exists() and Run(moved).finished


def test_a_run_that_a_job_is_at_work_on_is_not_set_aside(tmp_path: Path) -> None:
    """The others are; that one would go on with what other code began."""
    for name, busy in (("a", False), ("b", True), ("c", False)):
        run = Run(tmp_path / name)
        write(tmp_path, SPEC).path.rename(run.path)
        run.write_provenance({"sessions": [{"code": "old", "first_epoch": 1}]})
        if busy:
            with locks.ours([run]), pytest.raises(ValueError, match="at work on .*/b, which other code .*run again"):
                set_aside.set_aside(tmp_path, "new")
    assert Run(tmp_path / "b").finished and not (tmp_path / "a").exists()
    assert set_aside.set_aside(tmp_path, "new") == ["b", "c"]


def test_a_run_that_cannot_be_moved_says_the_way_out(tmp_path: Path) -> None:
    run = write(tmp_path / "runs", SPEC)
    (tmp_path / "runs.stale").touch()
    with pytest.raises(OSError, match=f"could not move {run.path} .*where it was; choose another folder, or move away"):
        set_aside.set_aside(tmp_path / "runs", "new")
    assert run.finished and not (run.path / "lock").exists()
